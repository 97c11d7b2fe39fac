// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heap memory by allocation site: each call of heap_malloc and its relatives is a site, and the
// product takes its memory from these alone (tools/lint). Each does what its namesake in libc does.
//
// A call names its function, file and line. A block carries its site in its last eight bytes, so a
// free is counted for the call that allocated. heap_free takes a block that a library made
// (json_dumps, asprintf), too, and does not count it. Sites say for each call how many bytes and
// blocks are out now and how many ever were; mem_account.h adds them up to accounts. An allocation
// with its free costs some 35 ns more, a site 64 bytes. Any thread; nothing of it is on the packet
// path, which does not allocate.
//
// Blocks that a library makes for itself are counted through the functions that it lets us set, at
// sites by library and the functions that called it (core/base/heap_caller.h).

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct heap_site {
	const char *file;     // the path given to the compiler, or the library's name
	const char *function; // NULL: a library's site, or its caller's
	uint32_t line;
	uint32_t outside; // 1: of memory that is not the allocator's, in no account (rte_site.h)
	_Atomic uint64_t bytes, blocks;    // out now; usable bytes
	_Atomic uint64_t made, made_bytes; // ever
	uint64_t pad_2;
} __attribute__((aligned(64)));

void *heap_malloc_at(struct heap_site *s, size_t n) __attribute__((malloc, alloc_size(2)));
void *heap_calloc_at(struct heap_site *s, size_t count, size_t n)
	__attribute__((malloc, alloc_size(2, 3)));
void *heap_realloc_at(struct heap_site *s, void *p, size_t n)
	__attribute__((warn_unused_result, alloc_size(3)));
void *heap_reallocarray_at(struct heap_site *s, void *p, size_t count, size_t n)
	__attribute__((warn_unused_result, alloc_size(3, 4)));
void *heap_aligned_alloc_at(struct heap_site *s, size_t align, size_t n)
	__attribute__((malloc, alloc_size(3)));
char *heap_strdup_at(struct heap_site *s, const char *text) __attribute__((malloc));
char *heap_strndup_at(struct heap_site *s, const char *text, size_t n) __attribute__((malloc));
void heap_free(void *p);
size_t heap_size(void *p); // usable bytes of a block, at least those requested

// The site of this place in the source; the arguments of a call stand outside, so calls may nest.
#define HEAP_SITE_OF(is_outside)                                                        \
	({                                                                              \
		static struct heap_site heap_site_here_                                 \
			__attribute__((section("heap_site_list"))) = {.file = __FILE__, \
				.function = __func__,                                   \
				.line = __LINE__,                                       \
				.outside = (is_outside)};                               \
		&heap_site_here_;                                                       \
	})
#define HEAP_SITE_HERE             HEAP_SITE_OF(0)
#define heap_malloc(n)             heap_malloc_at(HEAP_SITE_HERE, n)
#define heap_calloc(count, n)      heap_calloc_at(HEAP_SITE_HERE, count, n)
#define heap_realloc(p, n)         heap_realloc_at(HEAP_SITE_HERE, p, n)
#define heap_reallocarray(p, c, n) heap_reallocarray_at(HEAP_SITE_HERE, p, c, n)
#define heap_aligned_alloc(a, n)   heap_aligned_alloc_at(HEAP_SITE_HERE, a, n)
#define heap_strdup(text)          heap_strdup_at(HEAP_SITE_HERE, text)
#define heap_strndup(text, n)      heap_strndup_at(HEAP_SITE_HERE, text, n)

// For blocks of another allocator, whose caller has eight bytes more than it was asked for: counts
// the block for the site, and returns it; counts it as freed. `usable`: of the whole block.
enum { HEAP_MARK = sizeof(uint64_t) };
void *heap_mark(struct heap_site *s, void *p, size_t usable);
void heap_unmark(void *p, size_t usable);

// Room for 300 calls in the product and 512 callers of libraries; those over it are missing in the
// list.
enum { HEAP_SITES_MAX = 1024, HEAP_SITE_NAME = 128 };

// Every site that ever allocated, those of one file side by side; valid for the life of the
// process.
unsigned heap_sites(const struct heap_site *out[], unsigned cap);

// "function (file.c:line)", or "library < function < its caller"; cut to fit.
const char *heap_site_name(const struct heap_site *s, char out[HEAP_SITE_NAME]);

// Blocks of HEAP_LARGE bytes and more, with the bytes of their pages that have been touched: a
// table of full size may be mostly address space. Those over HEAP_LARGE_MAX are missing. Asks the
// kernel about each page: some 10 ns for each of 4 KiB.
enum { HEAP_LARGE = 256 << 10, HEAP_LARGE_MAX = 256 };
struct heap_large {
	const struct heap_site *site;
	size_t bytes, touched;
};
unsigned heap_large_blocks(struct heap_large out[HEAP_LARGE_MAX]);

// Libraries that let us set their functions, and of how many allocations of one the caller is
// looked for: jansson makes thousands for one page, OpenSSL 100,000 for its certificates, nghttp2
// some for each request. 1: of each, until the thread has looked HEAP_WALKS times in HEAP_WALKS_MS,
// and then of one in HEAP_WALKS_EACH.
enum { HEAP_WALKS = 100, HEAP_WALKS_MS = 100, HEAP_WALKS_EACH = 16 };
#define HEAP_LIBRARY_LIST(X) \
	X(libevent, 1)       \
	X(jansson, 8)        \
	X(hyperscan, 1) X(curl, 1) X(sqlite, 1) X(openssl, 256) X(nghttp2, 8)

// A library that lets us set none: its bytes, without blocks, are measured around its calls
// (heap.h of controlplane/memory).
#define HEAP_MEASURED_LIST(X) X(unbound, 1)

enum heap_library {
#define X(name, each) HEAP_LIBRARY_##name,
	HEAP_LIBRARY_LIST(X) HEAP_MEASURED_LIST(X)
#undef X
		HEAP_LIBRARY_COUNT
};

// The site of blocks whose caller is not known.
struct heap_site *heap_site_library(enum heap_library library);

// Usable bytes that this thread has allocated and freed at sites, ever.
struct heap_own {
	uint64_t made, freed;
};
extern __thread struct heap_own heap_own_here;

// Hooks for a library, set before it first allocates; heap_free takes the blocks back.
#define X(name, each)                                   \
	void *heap_##name##_malloc(size_t n);           \
	void *heap_##name##_calloc(size_t c, size_t n); \
	void *heap_##name##_realloc(void *p, size_t n); \
	char *heap_##name##_strdup(const char *text);
HEAP_LIBRARY_LIST(X)
#undef X

// Sampling. A profiler of the allocator keeps in each thread the distance to its next sample, which
// a thread that allocates little has for hours after the rate was changed. From
// heap_sampling_redraw on each thread allocates and frees a block of `bytes` before its next
// allocation of a site, so that the allocator draws anew: more bytes than any distance that a
// thread may have.
void heap_sampling_redraw(size_t bytes);
// From heap_sampling_start on each thread calls the sampler before the allocation of `n` bytes with
// which as many bytes have been requested as the last call returned; with 0 for the first distance.
// A sampler stays until the process ends.
typedef uint64_t (*heap_sampler)(size_t n);
void heap_sampling_start(heap_sampler fn);

// Frees a block that something longer-lived than the function leads to, and leaves no pointer to it
// there: a later use or second free is then one of NULL. Evaluates `p` once. tools/lint wants it
// for what is freed through a pointer or an index.
#define FREE_AND_NULL(p)                 \
	do {                             \
		typeof(&(p)) at_ = &(p); \
		heap_free(*at_);         \
		*at_ = NULL;             \
	} while (0)
