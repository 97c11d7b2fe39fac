// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A bound that several threads have in common: of places, or of bytes.
//
// Half of it is divided: each thread has its part of that half for itself, one at least, so no
// thread waits for what others hold. The other half is common, for the thread that comes first: an
// atomic count, taken with compare and swap, so the sum of all never passes the bound. A bound
// below the number of threads counts as that number. With one thread both halves are its own.
// Within its part a thread writes nothing that others read.
//
// A `struct share` is one thread's, its only one of that pool. The bound is given with each call,
// because a reload changes it: with a lower one nothing more is given until enough is returned. All
// threads should have the same bound; while they do not, the sum stays within the highest of them.

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct share_pool {
	unsigned threads;
	_Atomic uint64_t common; // taken of the common half
};

struct share {
	struct share_pool *pool;
	uint64_t own;    // taken by this thread
	uint64_t common; // of these, of the common half
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

// What has to be taken of the common half for `own` in all, less what is taken already.
static inline uint64_t share_more(const struct share *s, uint64_t bound, uint64_t own)
{
	const uint64_t part = share_part(s, bound), above = own > part ? own - part : 0;
	return above > s->common ? above - s->common : 0;
}

// False: there are not so many left.
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

// Would share_take give `n`, as of now?
static inline bool share_has(const struct share *s, uint64_t bound, uint64_t n)
{
	const uint64_t more = share_more(s, bound, s->own + n);
	return more == 0
	       || atomic_load_explicit(&s->pool->common, memory_order_relaxed) + more
			  <= share_common(s, bound);
}

// Would share_take give `n` if this thread returned all that it has?
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
