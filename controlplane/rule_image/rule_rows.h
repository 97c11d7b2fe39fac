// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rows of a rule image: (fingerprint, set number), sorted by fingerprint.
//
// A list is merged in as a whole. Each of its names either finds a row that can take the list into
// its set or gets a row of its own; so a name has more than one row only where sets were exhausted.
// 10 bytes a row; growing copies nothing but the rows (realloc). One thread.

#include "base/pace.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/rule_image.h>

// The distinct sets of lists that names are in, numbered with 16 bits, while an image is built.
//
// A set is made by adding one list to an existing one. Sets are counted by the entries that use
// them; unused ones are recycled when the table is full. Of the 65,536 numbers RULE_SETS_CHUNKS are
// reserved for sets within eight adjacent lists, of which there are 32 * 255 at most: so a list can
// always be added to some set of a name, in the worst case to one of its own (rule_rows.h then
// gives the name one more entry). Nothing is ever lost or refused.
//
// Memory: 3 MiB, once. One thread.

enum {
	RULE_SETS_CHUNKS = RULE_LISTS_MAX / 8 * 255,
	RULE_SETS_WIDE = RULE_SETS_MAX - RULE_SETS_CHUNKS, // most sets that span further lists
	RULE_SETS_INDEX = 2 * RULE_SETS_MAX,
};

struct rule_sets {
	struct rule_set set[RULE_SETS_MAX];
	uint32_t uses[RULE_SETS_MAX];    // entries in this set
	uint32_t index[RULE_SETS_INDEX]; // open addressing: set number + 1, 0: free
	uint16_t spare[RULE_SETS_MAX];   // recycled numbers
	uint32_t numbered, spares;       // numbers ever given; of these in spare
	uint32_t wide, idle;             // indexed sets beyond one chunk; indexed sets without use
};

struct rule_sets *rule_sets_new(void); // NULL: no memory. free(3) it.

enum { RULE_ROWS_MAX = 1 << 26 }; // 64 Mi: 640 MiB of rows, an image of 1.1 GiB

struct rule_rows {
	uint64_t *hash;
	uint16_t *set;
	size_t count, room;
	size_t names; // distinct fingerprints
};

void rule_rows_free(struct rule_rows *r);

// Sorts `hash` in place and drops repeated ones; the number that stays.
size_t rule_hashes_sort(uint64_t *hash, size_t count, struct pace *pace);

// Takes the rows of the first list that has any: the allocation *hash, resized, becomes
// the rows' own and *hash NULL, so that nothing is copied. -ENOMEM, -E2BIG: the caller keeps it.
ATTR_MUST_CHECK int rule_rows_first(
	struct rule_rows *r, struct rule_sets *sets, unsigned list, uint64_t **hash, size_t count);

// Merges the sorted, distinct fingerprints of `list`, which no row's set holds yet; `hash` is used
// up. -ENOMEM, -E2BIG (over RULE_ROWS_MAX): the rows must then be thrown away.
ATTR_MUST_CHECK int rule_rows_merge(
	struct rule_rows *r, struct rule_sets *sets, unsigned list, uint64_t *hash, size_t count);

// Sets in use get numbers without gaps, in the order of the old ones; the rows are renumbered.
// Returns their number; no list can be merged afterwards.
uint64_t rule_rows_pack(struct rule_rows *r, struct rule_sets *sets);

// The hash table and the Bloom filter of a rule image, made of its rows (rule_rows.h). One thread.

// Home buckets for the rows; 0: they never fit.
uint64_t rule_table_homes(const struct rule_rows *rows);
// `table` is zeroed, and has `homes` and RULE_WALK_MAX buckets; `homes` by rule_table_homes.
void rule_table_fill(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table);

uint64_t rule_bloom_blocks(const struct rule_rows *rows);
void rule_bloom_fill( // `bloom` is zeroed
	const struct rule_rows *rows, uint64_t blocks, struct rule_bloom_block *bloom);
