// SPDX-License-Identifier: BSD-3-Clause
#include "heap_sampling.h"

#include <stdlib.h>

__thread struct heap_sampling heap_sampling_here;
_Atomic unsigned heap_sampling_round = 1;

static _Atomic size_t redraw_bytes;
static _Atomic(heap_sampler) sampler;

void heap_sampling_redraw(size_t bytes)
{
	atomic_store_explicit(&redraw_bytes, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&heap_sampling_round, 1, memory_order_release);
}

void heap_sampling_start(heap_sampler fn)
{
	atomic_store_explicit(&sampler, fn, memory_order_relaxed);
	atomic_fetch_add_explicit(&heap_sampling_round, 1, memory_order_release);
}

// The allocator draws a thread's next distance when the former one has been allocated, so a block
// larger than any former one makes it draw. Nobody touches its pages.
static void redraw(void)
{
	size_t bytes = atomic_load_explicit(&redraw_bytes, memory_order_relaxed);
	void *p = bytes ? malloc(bytes) : NULL;
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
}

void heap_sampling_follow(size_t n)
{
	struct heap_sampling *h = &heap_sampling_here;
	unsigned round = atomic_load_explicit(&heap_sampling_round, memory_order_acquire);
	heap_sampler fn = atomic_load_explicit(&sampler, memory_order_relaxed);
	uint64_t left = h->left;
	h->left = UINT64_MAX; // what a sampler allocates is not sampled
	if (h->round != round) {
		h->round = round;
		redraw();
		left = fn ? fn(0) : UINT64_MAX;
	}
	h->left = n < left ? left - n : fn ? fn(n) : UINT64_MAX;
}
