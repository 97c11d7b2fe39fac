// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Explains the answer to a name, as data, for the control API and for rulec.
//
// It computes the decision a second time, from the sets of the image and the order of rule_class.h,
// and not by the code of the packet path, which stops at the first rule that decides and does not
// record the others. A property test compares the verdicts of both. Every rule of the image that is
// at the name or at a parent becomes a hit, with the reason why it decides or does not. The image
// has no text of rules; their lines come from the sources' files (why_find.h) and are added to
// their hits.
//
// A struct why is filled in by one owner after the other: why_new, the client, why_rules, the
// cached answer, why_line_add, why_steps (why_steps.h); then it is only read. 400 KiB on the heap;
// no I/O.

#include "lists/list_rule.h"

#include <weir/rule_image.h>

enum {
	WHY_HITS_MAX = 1024, // further ones are counted: the verdict may then be wrong, and says so
	WHY_LINES_MAX = 256, // further ones are counted
	WHY_HIT_LINES_MAX = 8,
	WHY_STEPS_MAX = 32,
	WHY_TEXT_MAX = 512,
	WHY_WORD_MAX = 128,
	WHY_SOURCES_MAX = 64, // sources that were searched for lines
	WHY_ADDRESSES_MAX = 64,
	WHY_ENTRIES_MAX = 8, // further ones are left out
	WHY_NAMES_MAX = 17,  // the question's, then those that the answer's CNAMEs lead to
};

#define WHY_NO_TTL  UINT32_MAX
#define WHY_ALL_BUT "every name but those that match " // an inverted pattern

enum why_state {
	WHY_DECIDES,
	WHY_OVERRULED, // it applies, and another one comes first
	WHY_ADDS,      // it applies and does not decide: safe search
	WHY_EXCEPTS,   // it applies and takes other rules of its source away
	WHY_EXCEPTED,  // such a rule took it away
	WHY_NO_COVER,  // it is for the name itself alone, or for the names below alone
	WHY_NO_TYPE,   // it is for other query types
	WHY_NO_GROUP,  // the group does not have its list, or not now
	WHY_PAUSED,    // blocking is paused, or switched off, for everyone
	WHY_STATES
};

enum why_what { WHY_NAME, WHY_PATTERN, WHY_ADDRESS };

struct why_hit {
	enum why_state state;
	enum why_what what;
	uint8_t name;    // number of the name of struct why; of a prefix that of the address
	uint8_t labels;  // labels of the name that the rule is at; 0 for a pattern or prefix
	uint16_t list;   // number in the image
	uint16_t source; // number of the source
	uint16_t order;  // among rules of one class at one name, the lowest first
	uint16_t lines;
	struct rule_kind kind;
	char title[RULE_TITLE_MAX];
	struct ip_address prefix; // for an address
	const char *pattern;      // text of a pattern; not owned, for why_find
	size_t pattern_len;
	bool inverts;            // the pattern does not match, and is for such names
	bool misses;             // the glob does not fit the name
	char text[WHY_WORD_MAX]; // shows a pattern, a prefix or a glob; "" for a name
};

struct why_line {
	uint16_t hit;
	uint32_t line;           // from 1 on; 0: its source has no lines
	char text[WHY_WORD_MAX]; // text of the line, escaped, truncated
};

struct why_source {
	uint16_t number;       // number in the image
	uint64_t content_hash; // when the image was built; 0: unknown
	char title[RULE_TITLE_MAX];
	char path[256];
	char note[WHY_WORD_MAX]; // what keeps its lines from being sure; "": nothing
};

enum why_verdict {
	WHY_PASSED,         // no rule decides: resolved
	WHY_ALLOWED,        // an allow rule decides: resolved, and the answer is not checked
	WHY_BLOCKED,        // a rule blocks the name
	WHY_BLOCKED_ANSWER, // because of the cached answer's records
	WHY_DROPPED,        // not answered at all
	WHY_LOCAL,          // answered from local data
	WHY_REWRITTEN,      // local data leaves the name, or leads to one, that others have
	WHY_VERDICTS
};

enum why_found {
	WHY_FOUND_NOBODY, // no client was named: what everyone gets
	WHY_FOUND_REST,   // the client is in no group
	WHY_FOUND_PREFIX,
	WHY_FOUND_MAC,
	WHY_FOUND_VLAN,
	WHY_FOUND_HOST,
	WHY_FOUND_IID,
	WHY_FOUND_GROUP, // the group was named
};

// Where an address or a MAC address of the client is from.
enum why_from {
	WHY_FROM_ASKED,     // the request, or the configuration's client of that name
	WHY_FROM_NEIGHBOUR, // the kernel's neighbours
	WHY_FROM_LEASE,
	WHY_FROMS
};

struct why_client {
	enum why_found found;
	unsigned group;          // number; 0: everyone else
	bool blocking;           // false: nothing is blocked in this group
	bool blocks_all;         // a schedule leaves only local data and what an allow rule names,
				 // and no pause lifts that
	char name[WHY_WORD_MAX]; // the group's; "" for everyone else
	char client[WHY_WORD_MAX]; // address, MAC and VLAN as asked, and the address of a lease
	char called[WHY_WORD_MAX]; // the client's name, in the configuration or found; or ""
	char by[WHY_WORD_MAX];     // the prefix, MAC or VLAN that was found
	char mac[WHY_WORD_MAX];    // the MAC address that counted; "": not known
	enum why_from mac_from;
	// The MAC address or the address is not known, and may be in a group.
	bool lacks_mac, lacks_address;
	char when[WHY_TEXT_MAX]; // schedules and pauses in force; may be ""
};

// One of `entries` in the configuration that names the name or a parent of it.
struct why_entry {
	char name[WHY_WORD_MAX]; // a pattern has its slashes; truncated
	bool allow, inverts;
	char group[WHY_WORD_MAX];                               // "" of everyone
	char types[CONFIG_TYPES_TEXT_MAX], reply[WHY_WORD_MAX]; // "": all; as the group says
	int64_t until;                                          // Unix time; 0: it does not end
	char text[WHY_TEXT_MAX];                                // all of that, as a step says it
	char why[CONFIG_DATED_WHY_MAX + 1];
};

// The latest answer, if its DNSSEC validation failed.
struct why_bogus {
	bool is_known;
	int ede; // RFC 8914
	uint64_t age_s;
	char why[WHY_WORD_MAX]; // the validator's reason
};

enum why_cache { WHY_CACHE_UNASKED, WHY_CACHE_NOTHING, WHY_CACHE_FOUND };

enum why_stage {
	WHY_STAGE_CLIENT,
	WHY_STAGE_TIME,
	WHY_STAGE_ENTRY,
	WHY_STAGE_LOCAL,
	WHY_STAGE_OPERATOR,
	WHY_STAGE_IMPORTANT,
	WHY_STAGE_ALLOW,
	WHY_STAGE_BLOCK,
	WHY_STAGE_PATTERN,
	WHY_STAGE_SAFE,
	WHY_STAGE_ZONE,
	WHY_STAGE_ANSWER,
	WHY_STAGE_UPSTREAM,
	WHY_STAGE_REPLY,
	WHY_STAGE_NEXT,
	WHY_STAGES
};

struct why_step {
	enum why_stage stage;
	bool decides;
	char text[WHY_TEXT_MAX];
};

struct why {
	// Asked.
	uint16_t qtype;
	struct why_client client;
	bool enabled;            // blocking.enabled
	uint64_t paused_left_ms; // left of the pause of all blocking; 0: not paused

	// Found in the rules.
	uint64_t lists[4];    // the group's, as they apply at present
	uint64_t unpaused[4]; // lists if the group were not paused
	struct dns_name name[WHY_NAMES_MAX];
	struct ip_address address[WHY_ADDRESSES_MAX]; // addresses of the cached answer
	unsigned names, addresses;
	enum why_verdict verdict;
	bool typed;        // another type of the name may be answered otherwise (rule_image.h)
	bool all_blocked;  // no rule decides, but client.blocks_all
	bool safe;         // resolved in the group's view for safe search
	int decider, next; // hits, or -1; next: what would decide without the decider, or
	// without a pause
	enum why_verdict next_verdict;
	unsigned entries;
	struct why_entry entry[WHY_ENTRIES_MAX];
	unsigned hits, hits_left_out;
	struct why_hit hit[WHY_HITS_MAX];

	// Found in the cache, and where the answer comes from.
	enum why_cache cache;
	char subnet[WHY_WORD_MAX]; // the answer is for clients there only; "": for everyone
	struct why_bogus bogus;    // set for WHY_CACHE_NOTHING
	uint16_t view;
	char zone[WHY_TEXT_MAX], upstreams[WHY_TEXT_MAX];
	bool is_house; // a lease or local.single_labels answers, or a zone where leases may be
	char local[WHY_TEXT_MAX]; // what local data says, from the configuration; "": nothing

	// The client's reply; "": the result of the resolution.
	char reply[WHY_WORD_MAX];
	uint32_t reply_ttl_s; // WHY_NO_TTL: the reply has none
	int ede;              // RFC 8914; -1 without one

	// Found in the sources.
	unsigned sources;
	struct why_source source[WHY_SOURCES_MAX];
	unsigned lines, lines_left_out;
	struct why_line line[WHY_LINES_MAX];

	unsigned steps;
	struct why_step step[WHY_STEPS_MAX];
	char headline[WHY_TEXT_MAX];
};

extern const char *const why_state_name[WHY_STATES];
extern const char *const why_verdict_name[WHY_VERDICTS];
extern const char *const why_stage_name[WHY_STAGES];

ATTR_MUST_CHECK int why_new(const struct dns_name *name, uint16_t qtype, struct why **out);
void why_free(struct why *w); // NULL is fine

// Adds a name of the cached answer. Returns its number, or -ENOSPC.
int why_name_add(struct why *w, const struct dns_name *name);
int why_address_add(struct why *w, const struct ip_address *address);

// A source that has a hit, if there is room for it.
void why_source_add(struct why *w, unsigned number, uint64_t content_hash, const char *title);

// A rule at a name of `w` or above it, or a pattern or prefix that fits. `state` and `lines` are
// set later.
void why_hit_add(struct why *w, const struct why_hit *hit);

// Goes in the order of rule_class.h for the question's name and the rules at it; then, if none
// decides, by its patterns; then each name and address of the cached answer by itself
// (answer_policy.h: there a pattern counts as a rule at the root, and no pattern blocks a name that
// a rule at it allows). Sorts the hits, sets their states, then the verdict. Before lines are
// added.
void why_check(struct why *w);

// Adds a source's line to a hit, if there is room; `text` need not end with a NUL.
void why_line_add(struct why *w, unsigned hit, uint32_t line, const char *text, size_t len);

// The name that a hit is at.
struct dns_name why_hit_name(const struct why *w, const struct why_hit *h);
