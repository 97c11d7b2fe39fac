// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Buffers that grow: they double up to the size needed, keep it while they are in use, and free
// memory when they are larger than twice their first chunk and have been idle for GROWTH_IDLE_MS.
// All buffers of one kind share one count of bytes and steps, for their table (TABLE_GROWS). One
// thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GROWTH_IDLE_MS = 10000 };

struct growth {
	uint64_t grown, shrunk; // steps
	uint64_t bytes, most;   // bytes now, and the most there ever were
};

// Notes that a buffer of `from` bytes has `to` bytes now; 0: no buffer.
static inline void growth_step(struct growth *g, size_t from, size_t to)
{
	g->bytes = g->bytes - from + to;
	if (g->bytes > g->most)
		g->most = g->bytes;
	g->grown += to > from;
	g->shrunk += to < from;
}

// The size to grow to, so that `wanted` bytes fit: the present size or a chunk, doubled.
static inline size_t growth_cap(size_t cap, size_t wanted, size_t chunk)
{
	size_t to = cap ? cap : chunk;
	while (to < wanted)
		to *= 2;
	return to;
}

// Whether to free an empty buffer of `cap` bytes.
static inline bool growth_is_over(size_t cap, size_t chunk, uint64_t idle_ms)
{
	return cap > 2 * chunk && idle_ms >= GROWTH_IDLE_MS;
}
