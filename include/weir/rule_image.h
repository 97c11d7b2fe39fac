// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule image: one immutable file that decides everything that depends on the name. This header
// is its layout and the reader; the builder is controlplane/rule_build.h.
//
// A query's name and each of its parents (nearest first) is hashed with the image's secret, but
// only those with a number of labels that some rule has; a blocked bloom filter (one 16-octet block
// per probe, 6 bits) ends the walk for nearly all of them; behind it a table of 64-bit keyed
// fingerprints, 6 to a cache line, each with a 16-bit set number; a set says which lists hold that
// name. The group's list mask selects. So the cost of a query depends neither on the number of
// lists nor on that of groups. Names are not in the packet path: `why` names the lists from the
// set, their titles are in the image's tail.
//
// There are at most 65,536 sets. Where lists overlap in more ways than that, a name takes several
// entries with one fingerprint, and its set is the union of theirs: exact, and never refused.
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
	RULE_WALK_MAX = 16,   // buckets after the home one that may hold an entry
	RULE_LABELS_MAX = 40, // of a listed name (ip6.arpa has 34): bounds the hashes per query
	RULE_TITLE_MAX = 64,
	RULE_KEY_WORDS = 19, // of the secret that the fingerprints use
	RULE_LIST_ALLOW = 0, // list 0: the configuration's allow entries; in every group's mask
	RULE_LIST_DENY = 1,  // list 1: its deny entries
	RULE_LIST_FIRST = 2, // first configured list
};
#define RULE_IMAGE_MAGIC   UINT64_C(0x31304d4952494557) // "WEIRIM01"
#define RULE_IMAGE_VERSION 2

struct rule_bucket {
	alignas(CACHE_LINE) uint64_t fingerprint[RULE_BUCKET_SLOTS]; // 0: free
	uint16_t set[RULE_BUCKET_SLOTS];
	uint16_t walk; // how far after this bucket the last entry lives whose home this is; 0: none
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

// What a list contributed, kept in the image so that status is whole after a restart.
struct rule_list_info {
	char title[RULE_TITLE_MAX];                // escaped text, NUL-padded, always with a NUL
	uint64_t names;                            // distinct names that it holds
	uint64_t duplicates;                       // names that it held more than once
	uint64_t lines, comments, rejected, bytes; // list_parse.h
	uint64_t content_hash;                     // contenthash of the source
	uint8_t allow;                             // 1: an allow list
	uint8_t reserved[7];
};
static_assert(sizeof(struct rule_list_info) == 128);

// First octets of the image, on disk and behind the first page of the REGION_NAMES region. Offsets
// are from the start of this struct.
struct rule_image_head {
	uint64_t magic;
	uint32_t version;
	uint32_t list_count;
	uint64_t size;                    // octets in all
	uint64_t names;                   // distinct names
	uint64_t entries;                 // in the table: names, and more where sets were split
	uint64_t depths;                  // bit n: some rule has n labels; n in 1..RULE_LABELS_MAX
	uint64_t input_hash;              // contenthash of all sources and entries it was made from
	uint64_t bloom_off, bloom_blocks; // any count in 1..2^32-1
	uint64_t table_off, table_buckets; // homes, then RULE_WALK_MAX more for the last walks
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
	const struct rule_list_info *lists;
	uint64_t bloom_blocks, table_homes, depths;
	uint32_t set_count, list_count;
	uint64_t allow_lists[4];
	uint64_t key[RULE_KEY_WORDS];
};

// Checks magic, version, sums (`verify_body` reads it all, some 0.1 ms a MiB: the data plane does
// so too, off the packet path, as the image may have been overwritten while it was down), offsets
// and sizes. `size` may be larger than the image (a
// region ends with a page). -EPROTO with `why` filled in.
ATTR_MUST_CHECK int rule_reader_init(
	struct rule_reader *r, const void *image, size_t size, bool verify_body, char why[128]);

// The arithmetic that builder and reader share.
//
// The fingerprint of a suffix of `len` octets, from its first label to the root:
//   c[0] = 0, c[n] = fold((low ^ key[17] ^ c[n - 1]) * (high ^ key[18])) over the n-th last 16
//   octets of the name,
//   fingerprint = fold((low ^ key[len % 16] ^ c[(len - 1) / 16]) * (high ^ key[16])) over the first
//   16 octets of the suffix, zeros behind its end,
// where low and high are the 8-octet halves, fold is the xor of the product's halves, and the key
// is secret words, so that nobody without them can aim names at one bucket or at a listed name. The
// c are common to all suffixes of a name, so a suffix costs one multiplication, whatever its
// length. (keyhash.h, one call per suffix, costs four times as much: docs/rule-image.md.) Never 0,
// which marks a free slot.
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

enum rule_action { RULE_PASS, RULE_BLOCK };

struct rule_verdict {
	enum rule_action action;
	bool matched;        // RULE_PASS with matched: an allow rule decided
	uint8_t labels;      // labels of the name that decided (when matched)
	struct rule_set set; // lists that hold that name, masked by the group
};

// For one name (control plane, tests); for batches of queries see rule_probe.h.
void rule_decide(const struct rule_reader *r, const struct dns_name *name,
	const uint64_t group_lists[4], struct rule_verdict *out);
// The listed name that decided, of a verdict that `matched` for `name`.
struct dns_name rule_verdict_name(const struct rule_verdict *v, const struct dns_name *name);
const struct rule_list_info *rule_list_info(
	const struct rule_reader *r, unsigned list); // NULL: no such
