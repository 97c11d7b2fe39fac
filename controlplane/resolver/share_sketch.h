// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many there are of a kind at one time: questions of a zone, waiters of a client. Owned by
// inflight.c, resolver loop's thread.
//
// Two rows of counters under two parts of one keyed hash (Cormode and Muthukrishnan 2005, count-min
// sketch, with what is removed taken off again). It never says too few; it says too many for
// who shares a counter with a crowd in both rows, one in 2^28 for each crowd. Fixed size, 128 KiB,
// nothing to be full, nothing to look for: a flood of a million addresses costs what two do.

#include <stdbool.h>
#include <stdint.h>
#include <weir/keyhash.h>

enum { SHARE_SKETCH_BITS = 14, SHARE_SKETCH_CELLS = 1 << SHARE_SKETCH_BITS };

struct share_sketch {
	uint32_t cell[2][SHARE_SKETCH_CELLS];
};

// What stands for some bytes in any crowd; never 0, which stands for nobody.
ATTR_INLINE uint32_t share_sketch_key(
	const struct keyhash_secret *secret, const void *data, size_t len)
{
	return (uint32_t)keyhash(secret, data, len) | 1u << 31;
}

ATTR_INLINE uint32_t *share_sketch_cell(struct share_sketch *c, unsigned row, uint32_t key)
{
	return &c->cell[row][key >> row * SHARE_SKETCH_BITS & (SHARE_SKETCH_CELLS - 1)];
}

ATTR_INLINE uint32_t share_sketch_of(struct share_sketch *c, uint32_t key)
{
	uint32_t a = *share_sketch_cell(c, 0, key), b = *share_sketch_cell(c, 1, key);
	return key == 0 ? 0 : a < b ? a : b;
}

ATTR_INLINE void share_sketch_add(struct share_sketch *c, uint32_t key)
{
	(*share_sketch_cell(c, 0, key))++;
	(*share_sketch_cell(c, 1, key))++;
}

// Only what was added.
ATTR_INLINE void share_sketch_remove(struct share_sketch *c, uint32_t key)
{
	(*share_sketch_cell(c, 0, key))--;
	(*share_sketch_cell(c, 1, key))--;
}
