// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many there are of a kind, in fixed memory: a count-min sketch (Cormode and Muthukrishnan
// 2005) of two rows of 2^bits counters, each under a part of one keyed hash. It never counts too
// few. It counts too many for a key that shares its counter with a large one in both rows: one key
// in 2^(2 bits) for each large one. Nothing fills and nothing is looked for: a flood of a million
// addresses costs what two do. One owner, no lock; `bits` is a constant, 16 at most.

#include "attr.h"

#include <stdint.h>

ATTR_INLINE uint32_t *sketch_cell(uint32_t *cells, unsigned bits, unsigned row, uint32_t key)
{
	return &cells[(row << bits) + (key >> row * bits & ((1u << bits) - 1))];
}

ATTR_INLINE uint32_t sketch_count(uint32_t *cells, unsigned bits, uint32_t key)
{
	uint32_t a = *sketch_cell(cells, bits, 0, key), b = *sketch_cell(cells, bits, 1, key);
	return a < b ? a : b;
}

ATTR_INLINE void sketch_add(uint32_t *cells, unsigned bits, uint32_t key)
{
	(*sketch_cell(cells, bits, 0, key))++;
	(*sketch_cell(cells, bits, 1, key))++;
}

// Only what was added.
ATTR_INLINE void sketch_remove(uint32_t *cells, unsigned bits, uint32_t key)
{
	(*sketch_cell(cells, bits, 0, key))--;
	(*sketch_cell(cells, bits, 1, key))--;
}
