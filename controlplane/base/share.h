// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A bound on places or bytes that several threads share.
//
// One half of the bound is divided: each thread has a part of it, at least one place, so no thread
// waits for places that others hold. The other half is common, for the thread that comes first: an
// atomic count, changed with compare and swap, so the sum of all threads never passes the bound. A
// bound below the number of threads counts as that number. A single thread has both halves. Within
// its part a thread writes nothing that others read.
//
// A thread has one `struct share` of a pool. The bound is an argument of each call, because a
// reload changes it: with a lower bound a thread gets nothing more until enough is returned. All
// threads should pass the same bound; while they do not, the sum stays within the highest bound.

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct share_pool {
	unsigned threads;
	_Atomic uint64_t common; // places taken of the common half
};

struct share {
	struct share_pool *pool;
	uint64_t own;    // places taken by this thread
	uint64_t common; // how many of `own` are of the common half
};

static inline uint64_t share_part(const struct share *s, uint64_t bound)
{
	const uint64_t part = bound / (2 * (uint64_t)s->pool->threads);
	return part ? part : 1;
}

static inline uint64_t share_common(const struct share *s, uint64_t bound)
{
	const uint64_t divided = share_part(s, bound) * s->pool->threads;
	return bound > divided ? bound - divided : 0;
}

// How much more of the common half this thread needs to have `own` places.
static inline uint64_t share_more(const struct share *s, uint64_t bound, uint64_t own)
{
	const uint64_t part = share_part(s, bound), above = own > part ? own - part : 0;
	return above > s->common ? above - s->common : 0;
}

// Takes `n` places. False: fewer are left.
static inline bool share_take(struct share *s, uint64_t bound, uint64_t n)
{
	const uint64_t more = share_more(s, bound, s->own + n), most = share_common(s, bound);
	uint64_t taken = atomic_load_explicit(&s->pool->common, memory_order_relaxed);

	while (more) {
		if (taken + more > most)
			return false;
		if (atomic_compare_exchange_weak_explicit(&s->pool->common, &taken, taken + more,
			    memory_order_relaxed, memory_order_relaxed))
			break;
	}
	s->common += more;
	s->own += n;
	return true;
}

// Whether share_take would give `n` at this moment.
static inline bool share_has(const struct share *s, uint64_t bound, uint64_t n)
{
	const uint64_t more = share_more(s, bound, s->own + n);
	return more == 0
	       || atomic_load_explicit(&s->pool->common, memory_order_relaxed) + more
			  <= share_common(s, bound);
}

// Whether share_take would give `n` if this thread first returned everything.
static inline bool share_could(const struct share *s, uint64_t bound, uint64_t n)
{
	const uint64_t part = share_part(s, bound);
	const uint64_t others =
		atomic_load_explicit(&s->pool->common, memory_order_relaxed) - s->common;
	return n <= part || others + (n - part) <= share_common(s, bound);
}

static inline void share_give(struct share *s, uint64_t bound, uint64_t n)
{
	const uint64_t part = share_part(s, bound);

	s->own -= n;
	const uint64_t needed = s->own > part ? s->own - part : 0;
	if (needed >= s->common)
		return;
	atomic_fetch_sub_explicit(&s->pool->common, s->common - needed, memory_order_relaxed);
	s->common = needed;
}
