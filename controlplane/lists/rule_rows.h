// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rows of a rule image: (fingerprint, set number), sorted by fingerprint.
//
// A list is merged in as a whole. Each of its names either finds a row that can take the list into
// its set or gets a row of its own; so a name has more than one row only where sets were exhausted.
// 10 bytes a row; growing copies nothing but the rows (realloc). One thread.

#include "base/pace.h"
#include "rule_sets.h"

#include <stddef.h>

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
