// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What each allocation of heap_site.c does for samplers, before it allocates: one subtraction
// and one load. The public part is in weir/heap_site.h.

#include <stdatomic.h>
#include <weir/attr.h>
#include <weir/heap_site.h>

struct heap_sampling {
	uint64_t left;  // bytes to the next sample; the thread's own
	unsigned round; // that the thread has followed
};

extern __thread struct heap_sampling heap_sampling_here;
extern _Atomic unsigned heap_sampling_round;

void heap_sampling_follow(size_t n);

ATTR_INLINE void heap_sampling_step(size_t n)
{
	struct heap_sampling *h = &heap_sampling_here;
	unsigned round = atomic_load_explicit(&heap_sampling_round, memory_order_acquire);
	if (unlikely_(n >= h->left || h->round != round))
		heap_sampling_follow(n);
	else
		h->left -= n;
}
