// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Histograms of times, two buckets an octave (as HDR histograms have them, with few bits), from
// 256 ns to 8.6 s: the same for batches of a worker and for misses. Bounds are those of every
// machine, so that those of many boxes add up. One writer; anyone reads.

#include "attr.h"

#include <stdatomic.h>
#include <stdint.h>

enum { TOOK_FIRST_BIT = 8, TOOK_LAST_BIT = 33 };
// One below the first bound, two an octave, one from the last bound on.
enum { TOOK_BUCKETS = 2 * (TOOK_LAST_BIT - TOOK_FIRST_BIT) + 2 };

struct took { // lies in the writer's own memory
	uint64_t bucket[TOOK_BUCKETS];
	uint64_t sum_ns;
};

struct took_live { // lies in shared memory
	_Atomic uint64_t bucket[TOOK_BUCKETS];
	_Atomic uint64_t sum_ns;
};

ATTR_INLINE unsigned took_bucket(uint64_t ns)
{
	if (ns >> TOOK_LAST_BIT)
		return TOOK_BUCKETS - 1;
	if (ns >> TOOK_FIRST_BIT == 0)
		return 0;
	unsigned bit = 63 - (unsigned)__builtin_clzll(ns);
	return 1 + 2 * (bit - TOOK_FIRST_BIT) + (ns >> (bit - 1) & 1);
}

// Where bucket `i` ends, in ns; of the last one there is none.
ATTR_INLINE uint64_t took_bound_ns(unsigned i)
{
	if (i == 0)
		return UINT64_C(1) << TOOK_FIRST_BIT;
	unsigned bit = TOOK_FIRST_BIT + (i - 1) / 2;
	return (i - 1) % 2 ? UINT64_C(2) << bit : UINT64_C(3) << (bit - 1);
}

ATTR_INLINE void took_add(struct took *t, uint64_t ns)
{
	t->bucket[took_bucket(ns)]++;
	t->sum_ns += ns;
}

// `count` times.
ATTR_INLINE void took_live_add(struct took_live *t, uint64_t ns, uint64_t count)
{
	_Atomic uint64_t *b = &t->bucket[took_bucket(ns)];
	uint64_t had = atomic_load_explicit(b, memory_order_relaxed);
	uint64_t sum = atomic_load_explicit(&t->sum_ns, memory_order_relaxed);
	atomic_store_explicit(b, had + count, memory_order_relaxed);
	atomic_store_explicit(&t->sum_ns, sum + ns * count, memory_order_relaxed);
}

// How many times were added.
ATTR_INLINE uint64_t took_count(const struct took *t)
{
	uint64_t count = 0;
	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		count += t->bucket[i];
	return count;
}

// Adds the present values.
ATTR_INLINE void took_live_sum(struct took *out, const struct took_live *t)
{
	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		out->bucket[i] += atomic_load_explicit(&t->bucket[i], memory_order_relaxed);
	out->sum_ns += atomic_load_explicit(&t->sum_ns, memory_order_relaxed);
}
