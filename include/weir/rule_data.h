// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The parts of a rule image besides names: records of names that it answers, and patterns and
// address prefixes for the control plane's answer policy.
//
// Records are ready answers, one for each name, list and type: owner c00c, so they fit any question
// that the rule covers, names in them not compressed, TTLs at even steps or with their offsets, and
// the sum. The CNAMEs of local data are followed when the image is built, so the answers of such a
// name have the target's records behind them; and one answer is for every type that the target
// lacks: the CNAMEs, a SOA in the authority section, and NXDOMAIN where there is no target.
//
// An index by the upper half of the fingerprint leads to the entries of a name: two loads, then as
// many entries as lists have data for that name. The reader does not trust the image: it loads
// every number once and checks it against its own geometry. Bytes may be wrong, but never out of
// bounds.

#include "dns_reply.h"
#include "rule_image.h"

enum {
	RULE_DATA_RECORDS_MAX = 512, // records of one name and type; further ones are left out
	RULE_DATA_CHAIN_MAX = 16,    // CNAMEs in front of them
	RULE_DATA_LEN_MAX = 32768,   // bytes of one answer
	RULE_DATA_TYPES_MAX = 64,    // answers of one name and list
	RULE_DATA_SCAN_MAX = 4096,   // entries looked at for one name
	RULE_DATA_OTHER = 0, // type of the answer for all types that have none (RFC 6895 3.1)
	RULE_PATTERN_LEN_MAX = 1024,
	RULE_GLOB_LEN_MAX = 64,
	RULE_GLOBS_AT_MAX = 128,    // globs that all lists have at one name
	RULE_GLOB_STEPS_MAX = 2048, // a glob that takes more to try does not fit
};

struct rule_data_entry { // sorted by fingerprint, then list
	uint64_t fingerprint;
	uint32_t first; // answer; sorted by type
	uint16_t list;
	uint16_t types; // answers
};
static_assert(sizeof(struct rule_data_entry) == 16);

struct rule_data_answer {
	uint16_t type;
	uint16_t records;
	uint32_t len;
	uint32_t off;      // into the bytes
	uint32_t ttl_step; // 0: `records` offsets of 16 bits at ttl_off into the bytes
	uint32_t ttl_off;
	uint16_t sum; // see dns_answer_view
	uint8_t rcode;
	uint8_t authority; // how many of the records, at their end
};
static_assert(sizeof(struct rule_data_answer) == 24);

struct rule_pattern_row {
	uint32_t off; // into the texts
	uint16_t len;
	uint8_t list;
	uint8_t inverts; // not 0: it is for the names that it does not match
};
static_assert(sizeof(struct rule_pattern_row) == 8);

struct rule_prefix_row {
	uint8_t bytes[16]; // network order; IPv4 in the first 4
	uint8_t version;   // 4 or 6
	uint8_t length;    // bits
	uint16_t list;
	uint32_t reserved;
};
static_assert(sizeof(struct rule_prefix_row) == 24);

// A text that the labels in front of a name must fit, each with its dot in front of it
// (`.ads-1.x`): `*` stands for any bytes, or none. Those of a name follow one another.
struct rule_glob_row {
	uint32_t off; // into the texts
	uint8_t len, list;
	uint8_t hint; // what a name must have that it fits: see RULE_GLOB_ENDS
	uint8_t reserved;
};
static_assert(sizeof(struct rule_glob_row) == 8);

// A hint is the rule_glob_pair of the two bytes with which some label in front of the name begins;
// RULE_GLOB_ENDS more: with which the last one of these ends; RULE_GLOB_OPEN: no name lacks it.
enum { RULE_GLOB_ENDS = 64, RULE_GLOB_OPEN = 128 };
static inline unsigned rule_glob_pair(uint8_t a, uint8_t b)
{
	return ((unsigned)a << 8 | b) * UINT32_C(0x9e3779b1) >> 26;
}

// A name with globs, in a hash table: in its home slot or one of RULE_WALK_MAX behind it, and no
// slot between is free.
struct rule_glob_name {
	uint64_t fingerprint; // 0: free
	// Bit of each hint of its globs. All: one is open, or the name is in other lists, too.
	uint64_t begins;
	uint64_t ends;
	uint32_t first; // row
	uint32_t globs; // rows
};
static_assert(sizeof(struct rule_glob_name) == 32);

// The answer for `qtype` of a name's data in a list: `fingerprint` is probe.hash[decision.index] or
// verdict.hash, `list` decision.list. *out is always set, and false means it is without records, so
// that NODATA is the answer (its SOA is the replier's). Types that an alias lacks get the answer
// RULE_DATA_OTHER. For ANY one type's records (RFC 8482). Control plane: the target of a rewrite is
// the CNAME record of that name and list.
bool rule_data_find(const struct rule_reader *r, uint64_t fingerprint, unsigned list,
	uint16_t qtype, struct dns_answer_view *out);

// Number i of r->pattern_count and r->prefix_count, in the order of lists. False: the image is
// damaged there; go on with the next.
struct rule_pattern {
	const char *text; // a regular expression without slashes, not NUL-terminated
	size_t len;
	unsigned list;
	bool inverts; // it is for the names that it does not match
};
bool rule_pattern_at(const struct rule_reader *r, uint32_t i, struct rule_pattern *out);
bool rule_prefix_at(const struct rule_reader *r, uint32_t i, struct rule_prefix_row *out);

// The rows of a name's globs, RULE_GLOBS_AT_MAX at most; none without any.
struct rule_globs {
	uint32_t first, count;
};
struct rule_globs rule_globs_of(const struct rule_reader *r, uint64_t fingerprint);
// Row number i; false as with patterns.
struct rule_glob {
	const char *text; // not NUL-terminated
	unsigned len, list, hint;
};
bool rule_glob_at(const struct rule_reader *r, uint32_t i, struct rule_glob *out);
// Does the name fit a glob at the name that has so many of its labels?
bool rule_glob_fits(const struct rule_glob *g, const struct dns_name *name, unsigned labels);
