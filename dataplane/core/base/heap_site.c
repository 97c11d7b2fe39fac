// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <malloc.h>
#include <weir/heap_site.h>

// The last word of a block: sixteen bits of place in the list of sites, the rest from the block's
// address and a number of this life. A library's block has it by chance once in 2^48.
enum { MARK = sizeof(uint64_t), SITE_BITS = 16 };

// The linker's names for the ends of the section; absent in a program of no sites.
extern struct heap_site __start_heap_sites[] __attribute__((weak));
extern struct heap_site __stop_heap_sites[] __attribute__((weak));

static struct heap_site library_site[HEAP_LIBRARY_COUNT] = {
#define X(name) [HEAP_LIBRARY_##name] = {.file = #name},
	HEAP_LIBRARY_LIST(X)
#undef X
};

struct heap_site *heap_site_library(enum heap_library library)
{
	return &library_site[library];
}

static size_t linked_count(void)
{
	return __start_heap_sites ? (size_t)(__stop_heap_sites - __start_heap_sites) : 0;
}

static uint64_t site_number(const struct heap_site *s)
{
	if (s >= library_site && s < library_site + HEAP_LIBRARY_COUNT)
		return (uint64_t)(s - library_site);
	return HEAP_LIBRARY_COUNT + (uint64_t)(s - __start_heap_sites);
}

static struct heap_site *site_of(uint64_t number)
{
	if (number < HEAP_LIBRARY_COUNT)
		return &library_site[number];
	number -= HEAP_LIBRARY_COUNT;
	return number < linked_count() ? &__start_heap_sites[number] : NULL;
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

static void *take(struct heap_site *s, void *p)
{
	if (!p)
		return NULL;
	size_t usable = malloc_usable_size(p);
	uint64_t word = mark_of(p) | site_number(s);
	memcpy(mark_place(p, usable), &word, MARK);
	atomic_fetch_add_explicit(&s->bytes, usable, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->blocks, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->made, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->made_bytes, usable, memory_order_relaxed);
	return p;
}

// Clears the block's mark, so that no block is settled twice.
static struct heap_site *settle(void *p)
{
	size_t usable = malloc_usable_size(p);
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
	return s;
}

void *heap_malloc(struct heap_site *s, size_t n)
{
	if (n > SIZE_MAX - MARK) {
		errno = ENOMEM;
		return NULL;
	}
	return take(s, malloc(n + MARK));
}

void *heap_calloc(struct heap_site *s, size_t count, size_t n)
{
	size_t size;
	if (__builtin_mul_overflow(count, n, &size) || size > SIZE_MAX - MARK) {
		errno = ENOMEM;
		return NULL;
	}
	return take(s, calloc(1, size + MARK));
}

void *heap_realloc(struct heap_site *s, void *p, size_t n)
{
	if (!p)
		return heap_malloc(s, n);
	if (n > SIZE_MAX - MARK) {
		errno = ENOMEM;
		return NULL;
	}
	struct heap_site *before = settle(p);
	void *bigger = realloc(p, n + MARK);
	if (bigger)
		return take(s, bigger);
	if (before) // unchanged, except that the count of made blocks is one higher
		take(before, p);
	return NULL;
}

void *heap_reallocarray(struct heap_site *s, void *p, size_t count, size_t n)
{
	size_t size;
	if (__builtin_mul_overflow(count, n, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	return heap_realloc(s, p, size);
}

void *heap_aligned_alloc(struct heap_site *s, size_t align, size_t n)
{
	size_t size;
	if (__builtin_add_overflow(n, MARK + align - 1, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	return take(s, aligned_alloc(align, size / align * align));
}

char *heap_strdup(struct heap_site *s, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = heap_malloc(s, n);
	return copy ? memcpy(copy, text, n) : NULL;
}

char *heap_strndup(struct heap_site *s, const char *text, size_t n)
{
	size_t len = strnlen(text, n);
	char *copy = heap_malloc(s, len + 1);
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

#define X(name)                                                                \
	void *heap_##name##_malloc(size_t n)                                   \
	{                                                                      \
		return heap_malloc(&library_site[HEAP_LIBRARY_##name], n);     \
	}                                                                      \
	void *heap_##name##_calloc(size_t c, size_t n)                         \
	{                                                                      \
		return heap_calloc(&library_site[HEAP_LIBRARY_##name], c, n);  \
	}                                                                      \
	void *heap_##name##_realloc(void *p, size_t n)                         \
	{                                                                      \
		return heap_realloc(&library_site[HEAP_LIBRARY_##name], p, n); \
	}                                                                      \
	char *heap_##name##_strdup(const char *text)                           \
	{                                                                      \
		return heap_strdup(&library_site[HEAP_LIBRARY_##name], text);  \
	}
HEAP_LIBRARY_LIST(X)
#undef X

unsigned heap_sites(const struct heap_site *out[], unsigned cap)
{
	unsigned n = 0;
	uint64_t all = HEAP_LIBRARY_COUNT + linked_count();
	for (uint64_t i = 0; i < all && n < cap; i++) {
		const struct heap_site *s = site_of(i);
		if (atomic_load_explicit(&s->made, memory_order_relaxed) > 0)
			out[n++] = s;
	}
	return n;
}
