// SPDX-License-Identifier: BSD-3-Clause
#include "heap_caller.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/attr.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// The last word of a block: sixteen bits of place in the list of sites, the rest from the block's
// address and a number of this life. A library's block has it by chance once in 2^48.
enum { MARK = HEAP_MARK, SITE_BITS = 16 };

// The linker's names for the ends of the section; absent in a program of no sites.
extern struct heap_site __start_heap_site_list[] __attribute__((weak));
extern struct heap_site __stop_heap_site_list[] __attribute__((weak));

static struct heap_site library_site[HEAP_LIBRARY_COUNT] = {
#define X(name, each) [HEAP_LIBRARY_##name] = {.file = #name},
	HEAP_LIBRARY_LIST(X) HEAP_MEASURED_LIST(X)
#undef X
};

__thread struct heap_own heap_own_here;

struct heap_site *heap_site_library(enum heap_library library)
{
	return &library_site[library];
}

static size_t linked_count(void)
{
	return __start_heap_site_list ? (size_t)(__stop_heap_site_list - __start_heap_site_list)
				      : 0;
}

// Numbers: libraries, their callers, then those of the section.
enum { CALLERS_AT = HEAP_LIBRARY_COUNT, LINKED_AT = CALLERS_AT + HEAP_CALLERS_MAX };

static uint64_t site_number(const struct heap_site *s)
{
	if (s >= library_site && s < library_site + HEAP_LIBRARY_COUNT)
		return (uint64_t)(s - library_site);
	uint64_t caller = heap_caller_number(s);
	return caller < HEAP_CALLERS_MAX ? CALLERS_AT + caller
					 : LINKED_AT + (uint64_t)(s - __start_heap_site_list);
}

static struct heap_site *site_of(uint64_t number)
{
	if (number < CALLERS_AT)
		return &library_site[number];
	if (number < LINKED_AT)
		return heap_caller_at(number - CALLERS_AT);
	number -= LINKED_AT;
	return number < linked_count() ? &__start_heap_site_list[number] : NULL;
}

// The address of a block, which the loader and the kernel choose for each run, is secret enough:
// this guards against accidents, not against an attacker who can write to the heap.
static uint64_t mark_of(const void *p)
{
	uint64_t x = (uint64_t)(uintptr_t)p ^ (uint64_t)(uintptr_t)library_site;
	x *= 0x9e3779b97f4a7c15;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93;
	return x >> SITE_BITS << SITE_BITS;
}

// The compiler knows only the requested size of a block; the mark lies behind it.
static char *mark_place(void *p, size_t usable)
{
	char *end = (char *)p + usable - MARK;
	__asm__("" : "+r"(end));
	return end;
}

// The list of large blocks, for heap_large_blocks: any thread, without locks. An addition or
// removal looks at up to HEAP_LARGE_MAX words, which is little beside the system calls for so large
// a block. `p` is 0 in a free slot, and 1 while one is being filled.
enum { FREE, FILLING };

static struct {
	_Atomic uintptr_t p;
	_Atomic size_t bytes;
	_Atomic(const struct heap_site *) site;
} slots[HEAP_LARGE_MAX];

static void large_add(void *p, size_t usable, const struct heap_site *s)
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

static void large_remove(const void *p)
{
	for (unsigned i = 0; i < HEAP_LARGE_MAX; i++) {
		if (atomic_load_explicit(&slots[i].p, memory_order_relaxed) != (uintptr_t)p)
			continue;
		atomic_store_explicit(&slots[i].p, FREE, memory_order_release);
		return;
	}
}

void *heap_mark(struct heap_site *s, void *p, size_t usable)
{
	uint64_t word = mark_of(p) | site_number(s);
	memcpy(mark_place(p, usable), &word, MARK);
	atomic_fetch_add_explicit(&s->bytes, usable, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->blocks, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->made, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->made_bytes, usable, memory_order_relaxed);
	heap_own_here.made += usable;
	if (usable >= HEAP_LARGE)
		large_add(p, usable, s);
	return p;
}

static void *take(struct heap_site *s, void *p)
{
	return p ? heap_mark(s, p, malloc_usable_size(p)) : NULL;
}

// Clears the block's mark, so that no block is settled twice.
static struct heap_site *settle_block(void *p, size_t usable)
{
	uint64_t word;
	if (usable < MARK)
		return NULL;
	char *place = mark_place(p, usable);
	memcpy(&word, place, MARK);
	if ((word >> SITE_BITS << SITE_BITS) != mark_of(p))
		return NULL;
	struct heap_site *s = site_of(word & ((1 << SITE_BITS) - 1));
	if (!s)
		return NULL;
	memset(place, 0, MARK);
	atomic_fetch_sub_explicit(&s->bytes, usable, memory_order_relaxed);
	atomic_fetch_sub_explicit(&s->blocks, 1, memory_order_relaxed);
	heap_own_here.freed += usable;
	if (usable >= HEAP_LARGE)
		large_remove(p);
	return s;
}

static struct heap_site *settle(void *p)
{
	return settle_block(p, malloc_usable_size(p));
}

void heap_unmark(void *p, size_t usable)
{
	(void)settle_block(p, usable);
}

// What each allocation does for samplers, before it allocates: one subtraction and one load.
struct sampling {
	uint64_t left;  // bytes to the next sample; the thread's own
	unsigned round; // that the thread has followed
};

static __thread struct sampling sampling_here;
static _Atomic unsigned sampling_round = 1;
static _Atomic size_t redraw_bytes;
static _Atomic(heap_sampler) sampler;

void heap_sampling_redraw(size_t bytes)
{
	atomic_store_explicit(&redraw_bytes, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&sampling_round, 1, memory_order_release);
}

void heap_sampling_start(heap_sampler fn)
{
	atomic_store_explicit(&sampler, fn, memory_order_relaxed);
	atomic_fetch_add_explicit(&sampling_round, 1, memory_order_release);
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

static __attribute__((noinline)) void sampling_follow(size_t n)
{
	struct sampling *h = &sampling_here;
	unsigned round = atomic_load_explicit(&sampling_round, memory_order_acquire);
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

ATTR_INLINE void sampling_step(size_t n)
{
	struct sampling *h = &sampling_here;
	unsigned round = atomic_load_explicit(&sampling_round, memory_order_acquire);
	if (unlikely_(n >= h->left || h->round != round))
		sampling_follow(n);
	else
		h->left -= n;
}

void *heap_malloc_at(struct heap_site *s, size_t n)
{
	if (n > SIZE_MAX - MARK) {
		errno = ENOMEM;
		return NULL;
	}
	sampling_step(n);
	return take(s, malloc(n + MARK));
}

void *heap_calloc_at(struct heap_site *s, size_t count, size_t n)
{
	size_t size;
	if (__builtin_mul_overflow(count, n, &size) || size > SIZE_MAX - MARK) {
		errno = ENOMEM;
		return NULL;
	}
	sampling_step(size);
	return take(s, calloc(1, size + MARK));
}

void *heap_realloc_at(struct heap_site *s, void *p, size_t n)
{
	if (!p)
		return heap_malloc_at(s, n);
	if (n > SIZE_MAX - MARK) {
		errno = ENOMEM;
		return NULL;
	}
	sampling_step(n);
	struct heap_site *before = settle(p);
	void *bigger = realloc(p, n + MARK);
	if (bigger)
		return take(s, bigger);
	if (before) // unchanged, except that the count of made blocks is one higher
		take(before, p);
	return NULL;
}

void *heap_reallocarray_at(struct heap_site *s, void *p, size_t count, size_t n)
{
	size_t size;
	if (__builtin_mul_overflow(count, n, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	return heap_realloc_at(s, p, size);
}

void *heap_aligned_alloc_at(struct heap_site *s, size_t align, size_t n)
{
	size_t size;
	if (__builtin_add_overflow(n, MARK + align - 1, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	sampling_step(size);
	return take(s, aligned_alloc(align, size / align * align));
}

char *heap_strdup_at(struct heap_site *s, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = heap_malloc_at(s, n);
	return copy ? memcpy(copy, text, n) : NULL;
}

char *heap_strndup_at(struct heap_site *s, const char *text, size_t n)
{
	size_t len = strnlen(text, n);
	char *copy = heap_malloc_at(s, len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void heap_free(void *p)
{
	if (!p)
		return;
	int rc = errno;
	settle(p);
	free(p);
	errno = rc;
}

size_t heap_size(void *p)
{
	return malloc_usable_size(p) - MARK;
}

// A peer may decide how often a library allocates: 1,500 times for the header lines of one
// request. So a thread looks for the caller of so many allocations in so much time, and beyond that
// of one in several, which keeps the shares of the callers.
static bool has_walk(void)
{
	static __thread uint64_t span;
	static __thread unsigned count;
	const uint64_t now = clock_ms_of(CLOCK_MONOTONIC_COARSE) / HEAP_WALKS_MS;
	if (now != span)
		count = 0;
	span = now;
	return ++count <= HEAP_WALKS || count % HEAP_WALKS_EACH == 0;
}

// The site of the library's caller for one allocation in `each`, else the library's own.
static struct heap_site *library_from(enum heap_library library, unsigned each)
{
	static __thread unsigned count;
	struct heap_site *own = &library_site[library];
	const bool walks = each > 1 ? ++count % each == 0 : has_walk();
	struct heap_site *caller = walks ? heap_caller_find(library, own->file) : NULL;
	return caller ? caller : own;
}

#define X(name, each)                                                                  \
	void *heap_##name##_malloc(size_t n)                                           \
	{                                                                              \
		return heap_malloc_at(library_from(HEAP_LIBRARY_##name, each), n);     \
	}                                                                              \
	void *heap_##name##_calloc(size_t c, size_t n)                                 \
	{                                                                              \
		return heap_calloc_at(library_from(HEAP_LIBRARY_##name, each), c, n);  \
	}                                                                              \
	void *heap_##name##_realloc(void *p, size_t n)                                 \
	{                                                                              \
		return heap_realloc_at(library_from(HEAP_LIBRARY_##name, each), p, n); \
	}                                                                              \
	char *heap_##name##_strdup(const char *text)                                   \
	{                                                                              \
		return heap_strdup_at(library_from(HEAP_LIBRARY_##name, each), text);  \
	}
HEAP_LIBRARY_LIST(X)
#undef X

static bool is_made(const struct heap_site *s)
{
	return s && atomic_load_explicit(&s->made, memory_order_relaxed) > 0;
}

unsigned heap_sites(const struct heap_site *out[], unsigned cap)
{
	unsigned n = 0;
	const struct heap_site *s;
	for (unsigned library = 0; library < HEAP_LIBRARY_COUNT; library++) {
		if (is_made(&library_site[library]) && n < cap)
			out[n++] = &library_site[library];
		for (uint64_t i = 0; i < HEAP_CALLERS_MAX && n < cap; i++)
			if (is_made(s = heap_caller_at(i)) && heap_caller_library(i) == library)
				out[n++] = s;
	}
	for (uint64_t i = LINKED_AT; (s = site_of(i)) && n < cap; i++)
		if (is_made(s))
			out[n++] = s;
	return n;
}

const char *heap_site_name(const struct heap_site *s, char out[HEAP_SITE_NAME])
{
	const char *folder = strrchr(s->file, '/'), *file = folder ? folder + 1 : s->file;
	if (s->function)
		snprintf(out, HEAP_SITE_NAME, "%s (%s:%u)", s->function, file, s->line);
	else if (!heap_caller_name(s, out))
		snprintf(out, HEAP_SITE_NAME, "%s", file);
	return out;
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
