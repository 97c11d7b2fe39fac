// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heap memory by source file: each file of the product that allocates is a site.
//
// The build puts this header in front of each file of the product's libraries. There it replaces
// malloc and its relatives by calls that name the file; a file that does not allocate costs
// nothing. A block carries its site in its last eight bytes, so a free is counted for the file that
// allocated. It recognises a block that a library made (json_dumps, asprintf) and does not count
// it. Sites say for each file how many bytes and blocks are out now and how many ever were;
// mem_account.h adds them up to accounts. An allocation costs some 10 ns more. Any thread; nothing
// of it is on the packet path, which does not allocate.
//
// Blocks that a library makes for itself are counted through the functions that it lets us set, at
// sites of its own name (heap_site_library).

#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct heap_site {
	const char *file;               // its path as given to the compiler, or the library's name
	_Atomic uint64_t bytes, blocks; // out now; usable bytes
	_Atomic uint64_t made, made_bytes; // ever
	uint64_t pad[3];
} __attribute__((aligned(64)));

void *heap_malloc(struct heap_site *s, size_t n) __attribute__((malloc, alloc_size(2)));
void *heap_calloc(struct heap_site *s, size_t count, size_t n)
	__attribute__((malloc, alloc_size(2, 3)));
void *heap_realloc(struct heap_site *s, void *p, size_t n)
	__attribute__((warn_unused_result, alloc_size(3)));
void *heap_reallocarray(struct heap_site *s, void *p, size_t count, size_t n)
	__attribute__((warn_unused_result, alloc_size(3, 4)));
void *heap_aligned_alloc(struct heap_site *s, size_t align, size_t n)
	__attribute__((malloc, alloc_size(3)));
char *heap_strdup(struct heap_site *s, const char *text) __attribute__((malloc));
char *heap_strndup(struct heap_site *s, const char *text, size_t n) __attribute__((malloc));
void heap_free(void *p);
size_t heap_size(void *p); // usable bytes of a block, at least those requested

enum { HEAP_SITES_MAX = 512 };

// Every site that ever allocated, in no order; valid for the life of the process.
unsigned heap_sites(const struct heap_site *out[], unsigned cap);

// Libraries that let us set their functions.
#define HEAP_LIBRARY_LIST(X) X(libevent) X(jansson) X(hyperscan) X(curl) X(cyaml) X(sqlite)

enum heap_library {
#define X(name) HEAP_LIBRARY_##name,
	HEAP_LIBRARY_LIST(X)
#undef X
		HEAP_LIBRARY_COUNT
};

struct heap_site *heap_site_library(enum heap_library library);

// Hooks for a library, set before it first allocates; heap_free takes the blocks back.
#define X(name)                                         \
	void *heap_##name##_malloc(size_t n);           \
	void *heap_##name##_calloc(size_t c, size_t n); \
	void *heap_##name##_realloc(void *p, size_t n); \
	char *heap_##name##_strdup(const char *text);
HEAP_LIBRARY_LIST(X)
#undef X

#ifdef WEIR_HEAP_SITES
static struct heap_site heap_site_here
	__attribute__((section("heap_sites"), unused)) = {.file = __BASE_FILE__};
#define malloc(n)             heap_malloc(&heap_site_here, n)
#define calloc(count, n)      heap_calloc(&heap_site_here, count, n)
#define realloc(p, n)         heap_realloc(&heap_site_here, p, n)
#define reallocarray(p, c, n) heap_reallocarray(&heap_site_here, p, c, n)
#define aligned_alloc(a, n)   heap_aligned_alloc(&heap_site_here, a, n)
#undef strdup
#undef strndup
#define strdup(text)     heap_strdup(&heap_site_here, text)
#define strndup(text, n) heap_strndup(&heap_site_here, text, n)
#define free(p)          heap_free(p)
#endif
