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

enum { CROWD_BITS = 14, CROWD_CELLS = 1 << CROWD_BITS };

struct crowd {
	uint32_t cell[2][CROWD_CELLS];
};

// What stands for some octets in any crowd; never 0, which stands for nobody.
ATTR_INLINE uint32_t crowd_key(const struct keyhash_secret *secret, const void *data, size_t len)
{
	return (uint32_t)keyhash(secret, data, len) | 1u << 31;
}

ATTR_INLINE uint32_t *crowd_cell(struct crowd *c, unsigned row, uint32_t key)
{
	return &c->cell[row][key >> row * CROWD_BITS & (CROWD_CELLS - 1)];
}

ATTR_INLINE uint32_t crowd_of(struct crowd *c, uint32_t key)
{
	uint32_t a = *crowd_cell(c, 0, key), b = *crowd_cell(c, 1, key);
	return key == 0 ? 0 : a < b ? a : b;
}

ATTR_INLINE void crowd_add(struct crowd *c, uint32_t key)
{
	(*crowd_cell(c, 0, key))++;
	(*crowd_cell(c, 1, key))++;
}

// Only what was added.
ATTR_INLINE void crowd_remove(struct crowd *c, uint32_t key)
{
	(*crowd_cell(c, 0, key))--;
	(*crowd_cell(c, 1, key))--;
}
