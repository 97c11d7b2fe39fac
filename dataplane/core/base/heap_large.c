// SPDX-License-Identifier: BSD-3-Clause
#include "heap_large.h"

#include <sys/mman.h>
#include <unistd.h>
#include <weir/attr.h>

// `p` is 0 in a free slot, and 1 while one is being filled.
enum { FREE, FILLING };

static struct {
	_Atomic uintptr_t p;
	_Atomic size_t bytes;
	_Atomic(const struct heap_site *) site;
} slots[HEAP_LARGE_MAX];

void heap_large_add(void *p, size_t usable, const struct heap_site *s)
{
	for (unsigned i = 0; i < HEAP_LARGE_MAX; i++) {
		uintptr_t none = FREE;
		if (!atomic_compare_exchange_strong_explicit(&slots[i].p, &none, FILLING,
			    memory_order_acquire, memory_order_relaxed))
			continue;
		atomic_store_explicit(&slots[i].bytes, usable, memory_order_relaxed);
		atomic_store_explicit(&slots[i].site, s, memory_order_relaxed);
		atomic_store_explicit(&slots[i].p, (uintptr_t)p, memory_order_release);
		return;
	}
}

void heap_large_remove(const void *p)
{
	for (unsigned i = 0; i < HEAP_LARGE_MAX; i++) {
		if (atomic_load_explicit(&slots[i].p, memory_order_relaxed) != (uintptr_t)p)
			continue;
		atomic_store_explicit(&slots[i].p, FREE, memory_order_release);
		return;
	}
}

// Parts of pages at both ends count as touched, and so does what cannot be asked about: the block
// may be freed meanwhile.
static size_t touched_of(uintptr_t p, size_t bytes)
{
	enum { PAGES = 4096 };
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	unsigned char in_memory[PAGES];
	uintptr_t at = (p + page - 1) / page * page, end = (p + bytes) / page * page;
	size_t untouched = 0;
	while (at < end) {
		size_t pages = (end - at) / page < PAGES ? (end - at) / page : PAGES;
		if (mincore((void *)at, pages * page, in_memory) < 0)
			break;
		for (size_t i = 0; i < pages; i++)
			untouched += in_memory[i] & 1 ? 0 : page;
		at += pages * page;
	}
	return bytes - untouched;
}

unsigned heap_large_blocks(struct heap_large out[HEAP_LARGE_MAX])
{
	unsigned n = 0;
	for (unsigned i = 0; i < HEAP_LARGE_MAX; i++) {
		uintptr_t p = atomic_load_explicit(&slots[i].p, memory_order_acquire);
		size_t bytes = atomic_load_explicit(&slots[i].bytes, memory_order_relaxed);
		const struct heap_site *site =
			atomic_load_explicit(&slots[i].site, memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (p <= FILLING || atomic_load_explicit(&slots[i].p, memory_order_relaxed) != p)
			continue;
		out[n++] = (struct heap_large){site, bytes, touched_of(p, bytes)};
	}
	return n;
}
