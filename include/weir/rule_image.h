// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule image: one immutable file that decides everything that depends on the name. This header
// is its layout and the reader; the builder is controlplane/rule_build.h.
//
// A query's name and each of its parents (nearest first) is hashed with the image's secret; a
// split-block bloom filter (one 32-octet block per probe, 8 bits) ends the walk for nearly all of
// them; behind it a table of 64-bit keyed fingerprints, 6 to a cache line, each with a 16-bit set
// number; a set says which lists hold that name and in which role. The group's list mask selects.
// So the cost of a query depends neither on the number of lists nor on that of groups. Names are
// not in the packet path: `why` names the lists from the set, their titles are in the image's tail.
//
// Which rule decides (docs/rule-image.md):
//   1. the operator's own entries (configuration allow and deny): the nearest one; allow beats deny
//      at the same name;
//   2. else any allow list that holds the name or a parent;
//   3. else any block list that does.
// An entry covers its name and all names below.
//
// The reader treats the image as hostile for safety: private geometry, every number checked.

#include "attr.h"
#include "dns_query.h"
#include "keyhash.h"
#include "shm_abi.h"

enum {
	RULE_LISTS_MAX = 256,
	RULE_SETS_MAX = 65536,
	RULE_BUCKET_SLOTS = 6,
	RULE_TITLE_MAX = 64,
	RULE_LIST_ALLOW = 0, // list 0: the configuration's allow entries; in every group's mask
	RULE_LIST_DENY = 1,  // list 1: its deny entries
	RULE_LIST_FIRST = 2, // first configured list
};
#define RULE_IMAGE_MAGIC   UINT64_C(0x31304d4952494557) // "WEIRIM01"
#define RULE_IMAGE_VERSION 1

struct rule_bucket {
	alignas(CACHE_LINE) uint64_t fingerprint[RULE_BUCKET_SLOTS]; // 0: free
	uint16_t set[RULE_BUCKET_SLOTS];
	uint16_t overflow; // entries whose first bucket this is and that live in a later one
	uint16_t reserved;
};
static_assert(sizeof(struct rule_bucket) == 64);

struct rule_bloom_block {
	uint32_t word[8];
};
static_assert(sizeof(struct rule_bloom_block) == 32);

// Which lists hold a name, one bit per list number.
struct rule_set {
	uint64_t lists[4];
};

struct rule_list_info {
	char title[RULE_TITLE_MAX]; // escaped text, NUL-padded
	uint64_t names;             // names that it contributed
	uint8_t allow;              // 1: an allow list
	uint8_t reserved[7];
};
static_assert(sizeof(struct rule_list_info) == 80);

// First octets of the image, on disk and behind the first page of the REGION_NAMES region. Offsets
// are from the start of this struct.
struct rule_image_head {
	uint64_t magic;
	uint32_t version;
	uint32_t list_count;
	uint64_t size;                    // octets in all
	uint64_t names;                   // distinct names
	uint64_t input_hash;              // contenthash of all sources and entries it was made from
	uint64_t bloom_off, bloom_blocks; // power of two blocks not required; any count > 0
	uint64_t table_off, table_buckets;
	uint64_t sets_off, set_count;
	uint64_t lists_off;      // list_count of struct rule_list_info
	uint64_t allow_lists[4]; // list numbers that are allow lists (RULE_LIST_ALLOW included)
	struct keyhash_secret secret;
	uint64_t created_unix_s;
	uint64_t body_sum; // contenthash of all octets after this struct
	uint64_t head_sum; // contenthash of this struct up to here
};
static_assert(sizeof(struct rule_image_head) % 8 == 0);

struct rule_reader {
	const uint8_t *base;
	const struct rule_bloom_block *bloom;
	const struct rule_bucket *table;
	const struct rule_set *sets;
	uint64_t bloom_blocks, table_buckets, set_count;
	uint64_t allow_lists[4];
	struct keyhash_secret secret;
};

// Checks magic, version, sums (`verify_body` reads it all; the data plane, which maps what the
// control plane verified, passes false), offsets and sizes. -EPROTO with `why` filled in.
ATTR_MUST_CHECK int rule_reader_init(
	struct rule_reader *r, const void *image, size_t size, bool verify_body, char why[128]);

enum rule_action { RULE_PASS, RULE_BLOCK };

struct rule_verdict {
	enum rule_action action;
	bool matched;        // RULE_PASS with matched: an allow rule decided
	uint8_t labels;      // labels of the name that decided (when matched)
	struct rule_set set; // lists that hold that name, masked by the group
};

// Steps of a batched decision: the hashes (and bloom prefetch), the bloom (and table prefetch), the
// rest. `h` holds one hash per suffix, nearest first; suffix i drops i labels.
struct rule_probe {
	uint64_t hash[DNS_LABELS_MAX];
	uint8_t candidate[DNS_LABELS_MAX]; // suffix indices that passed the bloom
	uint8_t count;                     // suffixes (labels of the name; the root is no rule)
	uint8_t candidates;
};
void rule_probe_hash(const struct rule_reader *r, const struct dns_query *q, struct rule_probe *p);
void rule_probe_bloom(const struct rule_reader *r, struct rule_probe *p);
void rule_probe_decide(const struct rule_reader *r, const struct rule_probe *p,
	const uint64_t group_lists[4], struct rule_verdict *out);

// All three for one name (control plane, tests).
void rule_decide(const struct rule_reader *r, const struct dns_name *name,
	const uint64_t group_lists[4], struct rule_verdict *out);
const struct rule_list_info *rule_list_info(
	const struct rule_reader *r, unsigned list); // NULL: no such
