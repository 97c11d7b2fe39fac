// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule image: one immutable file with every decision that depends on the name. This header is
// its layout and the reader; the builder is controlplane/rule_image/rule_build.h.
//
// A query's name and each of its parents (nearest first) is hashed with the image's secret, but
// only those with a number of labels that some rule has; a blocked bloom filter (one block of 16
// bytes per probe, 6 bits) ends the walk for nearly all of them; behind it a table of 64-bit keyed
// fingerprints, 6 to a cache line, each with a 16-bit set number; a set says which lists hold that
// name. The group's list mask selects. So the cost of a query depends neither on the number of
// lists nor on that of groups. Names are not in the packet path: `why` names the lists from the
// set, their titles are in the image's tail.
//
// There are at most 65,536 sets. Where lists overlap in more ways than that, a name takes several
// entries with one fingerprint, and its set is the union of theirs: exact, and never refused.
//
// Lists have kinds (rule_class.h): which rules they hold, which names these cover, for which query
// types, and how they are answered. One source of rules may be several lists, one for each kind.
// rule_class.h and docs/reference/rule-image.md say which rule decides.
//
// A list keeps its number from image to image: records of answers keep sets of list numbers. So
// there may be numbers that no list has.
//
// A list of globs (`||ads-*.example.com^`) has its names in the table, as any list. Below one of
// them the text in front of it must fit a glob that the list has at that name: only queries below
// such a name read the globs, and nearly all that fit none end before, at two bytes of a label.
//
// The rest is not read for every query: records of names that the image answers (rule_data.h), and
// patterns and address prefixes for the control plane.
//
// The reader treats the image as hostile for safety: private geometry, every number checked.

#include "attr.h"
#include "dns_query.h"
#include "keyhash.h"
#include "rule_class.h"
#include "shm_abi.h"

enum {
	RULE_LISTS_MAX = 256,
	RULE_SOURCES_MAX = 1024,
	RULE_SETS_MAX = 65536,
	RULE_BUCKET_SLOTS = 6,
	RULE_WALK_MAX = 16,   // buckets after the home one that may hold an entry
	RULE_LABELS_MAX = 40, // labels of a listed name (ip6.arpa has 34): bounds the hashes
	RULE_TITLE_MAX = 64,
	RULE_KEY_WORDS = 19, // words of the secret that the fingerprints use
	RULE_LIST_ALLOW = 0, // list 0: the allow entries for everyone, of class OPERATOR_ALLOW
	RULE_LIST_DENY = 1,  // list 1: the deny entries for everyone, of class OPERATOR_DENY
	RULE_LIST_FIRST = 2, // first number of other lists
	RULE_GLOB_SEEN_BITS = 14,
};
#define RULE_IMAGE_MAGIC   UINT64_C(0x31304d4952494557) // "WEIRIM01"
#define RULE_IMAGE_VERSION 8

struct rule_bucket {
	alignas(CACHE_LINE) uint64_t fingerprint[RULE_BUCKET_SLOTS]; // 0: free
	uint16_t set[RULE_BUCKET_SLOTS];
	uint16_t walk; // how far after this bucket the last entry lives whose home this is; or 0
	uint16_t more; // bit per slot: the same fingerprint goes on in a later slot or bucket
};
static_assert(sizeof(struct rule_bucket) == 64);

struct rule_bloom_block {
	uint64_t word[2];
};
static_assert(sizeof(struct rule_bloom_block) == 16);

// Which lists hold a name, one bit per list number.
struct rule_set {
	uint64_t lists[4];
};

// One list: the rules of one kind of one source. With kind.covers 0 the number has no list, and
// all of it is 0.
struct rule_list_info {
	char title[RULE_TITLE_MAX]; // title of its source
	uint64_t names;             // distinct names that it holds
	uint64_t duplicates;        // names that it held more than once
	struct rule_kind kind;
	uint16_t source; // number of the source
	uint8_t reserved[6];
};
static_assert(sizeof(struct rule_list_info) == 208);

// Counts of a source, kept in the image so that the status is complete after a restart.
struct rule_source_info {
	char title[RULE_TITLE_MAX];                // escaped text, NUL-padded, always with a NUL
	uint64_t names;                            // taken, repeated ones included
	uint64_t lines, comments, rejected, bytes; // list_parse.h
	uint64_t content_hash;                     // contenthash of the source
};
static_assert(sizeof(struct rule_source_info) == 112);

// First bytes of the image, on disk and behind the first page of the REGION_RULE_IMAGE region.
// Offsets are from the start of this struct.
struct rule_image_head {
	uint64_t magic;
	uint32_t version;
	uint32_t list_count; // highest list number, and one
	uint64_t size;       // bytes in all
	uint64_t names;      // distinct names
	uint64_t entries;    // entries in the table: names, and more where sets were split
	uint64_t depths;     // bit n: some rule has n labels; n in 1..RULE_LABELS_MAX
	uint64_t input_hash; // contenthash of all sources it was made from
	uint64_t bloom_off, bloom_blocks;  // any count in 1..2^32-1
	uint64_t table_off, table_buckets; // homes, then RULE_WALK_MAX more for the last walks
	uint64_t sets_off, set_count;
	uint64_t lists_off; // list_count of struct rule_list_info
	uint64_t sources_off,
		source_count; // struct rule_source_info, in the order of their numbers
	// rule_data.h
	uint64_t index_off, index_slots; // index_slots + 1 numbers of 32 bits; no slots: no data
	uint64_t entries_off, data_entries;
	uint64_t answers_off, answers;
	uint64_t bytes_off, bytes;
	uint64_t data_dropped; // records that were too many for one answer
	uint64_t patterns_off, patterns;
	uint64_t prefixes_off, prefixes;
	uint64_t globs_off, globs;
	uint64_t glob_names_off, glob_names; // slots: homes, then RULE_WALK_MAX more; or none
	uint64_t texts_off, texts;           // bytes of the patterns and globs
	// Of rules of one label, such as special-use top-level domains: bit (first letter mod 32)
	// at the label's length. Most names' last label need not be hashed for them.
	uint32_t singles[64];
	struct keyhash_secret secret;
	uint64_t created_unix_s;
	uint64_t body_sum; // contenthash of all bytes after this struct
	uint64_t head_sum; // contenthash of this struct up to here
};
static_assert(sizeof(struct rule_image_head) % 8 == 0);

// The properties of a list that a decision needs.
struct rule_list_way {
	uint8_t rule_class, reply;
	uint16_t source;
	struct rule_types types;
	uint8_t order; // among the lists of one class that hold a name: the lowest one decides
};

// What lists of class EXCEPT, met at one name, take away at a name above it. Reckoned when the
// image is opened, for sets of lists that names of the image have.
enum { RULE_AWAY_SLOTS = 256 };
struct rule_away {
	uint64_t of[4], away[4];
};

ATTR_INLINE unsigned rule_away_slot(const uint64_t of[4])
{
	const uint64_t x = of[0] ^ (of[1] << 21 | of[1] >> 43) ^ (of[2] << 37 | of[2] >> 27)
			   ^ (of[3] << 53 | of[3] >> 11);
	return (unsigned)(x * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}
static_assert(RULE_AWAY_SLOTS == 1 << 8);

struct rule_data_entry;
struct rule_data_answer;
struct rule_pattern_row;
struct rule_prefix_row;
struct rule_glob_row;
struct rule_glob_name;

// A private copy of all that decides where is read and what it means. Some 32 KiB.
struct rule_reader {
	const uint8_t *base;
	const struct rule_bloom_block *bloom;
	const struct rule_bucket *table;
	const struct rule_set *sets;
	const struct rule_list_info *lists;
	uint64_t bloom_blocks, table_homes, depths;
	uint32_t set_count, list_count;
	// Lists of class BLOCK for all types, whose entries cover the name and all below and get
	// the group's reply: nearly all lists.
	uint64_t plain[4];
	uint64_t simple[4]; // plain lists, and lists of globs that are alike but for the globs
	uint64_t key[RULE_KEY_WORDS];
	uint64_t covers_self[4], covers_below[4];
	uint64_t typed[4];   // lists for some types only
	uint64_t replies[4]; // lists with a reply of their own
	uint64_t leads[4];   // lists that block by leading to another name
	uint64_t globs[4];   // lists of globs
	uint64_t of_class[RULE_CLASSES][4];
	uint64_t local[4]; // lists of local data: class LOCAL, and those that open zones (EXCEPT)
	bool unrewrites;   // some list is of class UNREWRITE
	// Lists with a pattern that may allow what a list blocks by name: the control plane knows.
	uint64_t pattern_allows[4];
	// Lists with a pattern that blocks what a list allows by name: $important.
	uint64_t pattern_insists[4];
	uint32_t singles[64];
	struct rule_list_way way[RULE_LISTS_MAX];
	uint64_t zones[4];    // lists of policy zones that come one after the other
	uint64_t excepted[4]; // lists that some list of class EXCEPT or UNREWRITE takes away
	uint64_t except[RULE_LABELS_MAX + 1][4]; // lists of class EXCEPT by their base
	// Lists that each list of class EXCEPT or UNREWRITE takes away.
	uint64_t takes[RULE_LISTS_MAX][4];
	struct rule_away away[RULE_AWAY_SLOTS];
	const uint32_t *index;
	const struct rule_data_entry *data;
	const struct rule_data_answer *answers;
	const uint8_t *bytes;
	uint32_t index_slots, data_count, answer_count, byte_count;
	const struct rule_pattern_row *patterns;
	const struct rule_prefix_row *prefixes;
	const char *texts;
	const struct rule_glob_row *glob;
	const struct rule_glob_name *glob_names;
	uint32_t pattern_count, prefix_count, glob_count, text_count;
	uint32_t glob_homes; // 0: no globs
	// Bit for the lowest bits of the fingerprint of each name with globs.
	uint64_t glob_seen[(1 << RULE_GLOB_SEEN_BITS) / 64];
	const struct rule_source_info *sources;
	uint32_t source_count;
};

// Checks magic, version, sums (`verify_body` reads it all, some 0.1 ms a MiB: the data plane does
// so too, off the packet path, as the image may have been overwritten while it was down), offsets
// and sizes. `size` may be larger than the image (a
// region ends with a page). -EPROTO with `why` filled in.
ATTR_MUST_CHECK int rule_reader_init(
	struct rule_reader *r, const void *image, size_t size, bool verify_body, char why[128]);

// Is the image still there? One whose file is cut off turns to zeros as a whole (shm_lost.h), and
// what was read of it before this call may have been zeros already.
ATTR_INLINE bool rule_reader_is_whole(const struct rule_reader *r)
{
	const struct rule_image_head *h = (const struct rule_image_head *)(const void *)r->base;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return likely_(__atomic_load_n(&h->magic, __ATOMIC_RELAXED) == RULE_IMAGE_MAGIC);
}

// The arithmetic that builder and reader share.
//
// The fingerprint of a suffix of `len` bytes, from its first label to the root:
//   c[0] = 0, c[n] = fold((low ^ key[17] ^ c[n - 1]) * (high ^ key[18])) over the n-th last 16
//   bytes of the name,
//   fingerprint = fold((low ^ key[len % 16] ^ c[(len - 1) / 16]) * (high ^ key[16])) over the first
//   16 bytes of the suffix, zeros behind its end,
// where low and high are the halves of 8 bytes, fold is the xor of the product's halves, and the
// key is secret words, so that nobody without them can aim names at one bucket or at a listed name.
// The c are common to all suffixes of a name, so a suffix costs one multiplication, whatever its
// length. (keyhash.h, one call per suffix, costs four times as much: docs/reference/rule-image.md.)
// Never 0, which marks a free slot.
uint64_t rule_name_hash(const struct keyhash_secret *secret, const struct dns_name *name);

// Bloom block and home bucket come from the upper half of the fingerprint, in its order (so that
// a builder with sorted fingerprints writes both from front to back), the bloom bits from the lower
// 36: three for each of the two words.
static inline uint64_t rule_slot_of(uint64_t hash, uint64_t count)
{
	return (hash >> 32) * count >> 32;
}
static inline uint64_t rule_bloom_bits(uint64_t hash, unsigned word)
{
	hash >>= 18 * word;
	return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63)
	       | UINT64_C(1) << (hash >> 12 & 63);
}

enum rule_action {
	RULE_PASS,
	RULE_BLOCK,   // answered as `reply` says
	RULE_DROP,    // not answered
	RULE_DATA,    // answer with the image's records for the name (rule_data_find)
	RULE_RESOLVE, // the control plane knows how
};

// For people: rule_class_name[l->kind.rule_class] and so on.
extern const char *const rule_class_name[RULE_CLASSES];      // "block", "allow", ...
extern const char *const rule_reply_name[RULE_REPLIES];      // "group", "nxdomain", ...
extern const char *const rule_action_name[RULE_RESOLVE + 1]; // "pass", "block", ...

// The decision of the rules for a question. `list`, `rule_class` and `index` belong to the rule
// that decided; where several lists have one at the same name, by their order
// (struct rule_list_way).
struct rule_decision {
	uint8_t action;     // enum rule_action; goes by the list's reply
	uint8_t reply;      // enum rule_reply
	uint8_t list;       // number
	uint8_t rule_class; // enum rule_class: LOCAL is no blocking, whatever the action
	uint8_t index;      // probe.hash[index] is the fingerprint of the rule's name
	uint8_t matched;    // 0: no rule decided; of the above only the action means anything
	uint8_t allowed;    // 1: an allow rule decided (rule_is_unchecked)
	uint8_t safe : 1;   // a rule of class SAFE covers the name
	uint8_t typed : 1;  // another type of the name may be decided otherwise: by a rule for some
			    // types that is not weaker than the deciding one
};
static_assert(sizeof(struct rule_decision) == 8);

// A local CNAME that leads out: no block, while one of a list is.
ATTR_INLINE bool rule_decision_is_alias(const struct rule_decision *d)
{
	return d->action == RULE_RESOLVE && d->rule_class == RULE_CLASS_LOCAL;
}

ATTR_INLINE bool rule_patterns_insist(const struct rule_reader *r)
{
	const uint64_t *p = r->pattern_insists;
	return p[0] | p[1] | p[2] | p[3];
}

// Is the answer to a group with these lists not checked? An allow rule decided, and none of the
// group's patterns may block the name all the same.
ATTR_INLINE bool rule_is_unchecked(
	const struct rule_reader *r, const uint64_t lists[4], const struct rule_decision *d)
{
	uint64_t insists = 0;
	for (unsigned w = 0; w < 4; w++)
		insists |= r->pattern_insists[w] & lists[w];
	return d->allowed && (!insists || d->rule_class != RULE_CLASS_ALLOW);
}

struct rule_verdict {
	struct rule_decision d;
	uint8_t labels;      // labels of the name that decided (when matched)
	uint64_t hash;       // fingerprint of that name, for rule_data_find
	struct rule_set set; // lists of the deciding class at that name, masked by the group
	// The nearest rule of class SAFE, when d.safe.
	uint8_t safe_labels, safe_list;
	uint64_t safe_hash;
};

// For one question (control plane, tests); for batches of queries see rule_probe.h.
void rule_decide(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	const uint64_t group_lists[4], struct rule_verdict *out);
// The listed name that has so many labels of `name`: verdict.labels, verdict.safe_labels,
// match.labels.
struct dns_name rule_suffix(const struct dns_name *name, unsigned labels);

// Every rule that covers a name and fits the type, for any group and of any class, but for those
// that exceptions take away, which groups have together with them: to check the names in an answer
// for all groups at once. Nearest name first.
struct rule_match {
	uint64_t hash; // fingerprint of this name
	uint8_t labels;
	struct rule_set set; // the lists that hold this name
};
unsigned rule_matches(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	struct rule_match out[RULE_LABELS_MAX]);
// Finds also rules that do not cover the name or are for other types: for `why`, which says so.
unsigned rule_holders(const struct rule_reader *r, const struct dns_name *name,
	struct rule_match out[RULE_LABELS_MAX]);

// Takes the lists away that are for other types.
void rule_keep_types(const struct rule_reader *r, struct rule_set *s, uint16_t qtype);
// Has the set a list that decides for some types only? Local data and safe search do not count:
// they are for all types of a name that there is something to say about.
bool rule_has_typed(const struct rule_reader *r, const struct rule_set *s);
// rule_has_typed of all rules that cover a name, for any group.
bool rule_name_is_typed(const struct rule_reader *r, const struct dns_name *name);
// Takes the lists of globs away of which none fits, at the listed name with so many labels, whose
// fingerprint is `hash`.
void rule_keep_globs(const struct rule_reader *r, struct rule_set *s, const struct dns_name *name,
	unsigned labels, uint64_t hash);

// Which of these lists decides, of what they hold at one name or find in one answer: by their
// classes, of policy zones the first one, then by their order. `s` has one at least, all of classes
// that block.
unsigned rule_first_list(const struct rule_reader *r, const struct rule_set *s);

// NULL: no list has that number.
const struct rule_list_info *rule_list_info(const struct rule_reader *r, unsigned list);
const struct rule_source_info *rule_source_info(const struct rule_reader *r, unsigned source);

// The mask of lists that a checked record carries (l0_table.h, L0_RECORD_MASKED), and for whom it
// blocks. It holds lists of blocking classes, and those of allowing ones that take a block away:
// which of them counts depends on the lists of the group, as one list may allow what another
// blocks. The control plane stores only masks that say it exactly
// (controlplane/answer_policy/answer_match.h).

// Classes whose lists are an `unless` of a mask.
enum {
	RULE_MASK_ALLOWING = 1 << RULE_CLASS_LOCAL | 1 << RULE_CLASS_OPERATOR_ALLOW
			     | 1 << RULE_CLASS_IMPORTANT_ALLOW | 1 << RULE_CLASS_ALLOW
			     | 1 << RULE_CLASS_EXCEPT | 1 << RULE_CLASS_UNREWRITE,
};

// The bit of RULE_LIST_ALLOW in the first word of a mask: no mask has that list, as what it allows
// nobody is blocked. Set: another type of the name may be answered otherwise, because the answer is
// blocked for an address or a service's target, or by a rule for some types.
#define RULE_MASK_TYPED (UINT64_C(1) << RULE_LIST_ALLOW)
static_assert(RULE_LIST_ALLOW == 0);

ATTR_INLINE bool rule_mask_has(const struct rule_set *mask, unsigned list)
{
	return list != RULE_LIST_ALLOW && mask->lists[list / 64] >> list % 64 & 1;
}

// `allowing`: the lists of these classes, `group`: those of the client's group.
ATTR_INLINE bool rule_mask_blocks(
	const struct rule_set *mask, const uint64_t allowing[4], const uint64_t group[4])
{
	uint64_t block = 0, unless = 0;
	for (unsigned w = 0; w < 4; w++) {
		uint64_t lists = mask->lists[w] & group[w] & ~(w ? 0 : RULE_MASK_TYPED);
		block |= lists & ~allowing[w];
		unless |= lists & allowing[w];
	}
	return block && !unless;
}

// The lists that block, of a mask that blocks.
ATTR_INLINE struct rule_set rule_mask_lists(
	const struct rule_set *mask, const uint64_t allowing[4], const uint64_t group[4])
{
	struct rule_set out;
	for (unsigned w = 0; w < 4; w++)
		out.lists[w] =
			mask->lists[w] & group[w] & ~allowing[w] & ~(w ? 0 : RULE_MASK_TYPED);
	return out;
}
