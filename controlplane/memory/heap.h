// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The heap of this process. It is jemalloc's, where the program is linked with it; a program that
// is not (tests, sanitizer builds) has libc's, and no profiles. The one includer of jemalloc.
//
// Profiles: from heap_profile(true) on, about one allocation in each `sample` bytes is remembered
// with its call stack until it is freed; a dump lists what is still there, in the text format of
// pprof (heap_v2). Off, which it is at a start, an allocation costs the test of a counter more than
// without (docs/how-to/heap.md). heap_profile(true) forgets what was sampled before. Any thread;
// the numbers are of all threads.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct heap_stats {
	uint64_t allocated; // by the program
	uint64_t active;    // pages that these are in
	uint64_t resident;  // pages of the allocator that are in memory, its own included
	uint64_t retained;  // address space that is kept for later, without memory
	uint64_t metadata;
	// Blocks that arenas handed out and got back since the start; jemalloc alone. Blocks that a
	// thread's cache reuses are not counted again.
	uint64_t allocations, frees;
	uint64_t threads_cached; // bytes in caches of threads; jemalloc alone
	bool jemalloc;
	bool can_profile, profiles; // whether it could, and does
	uint64_t sample;            // bytes, of the running or next profile
};

enum { HEAP_SAMPLE_LG_MIN = 9, HEAP_SAMPLE_LG_MAX = 30, HEAP_SAMPLE_LG = 16 };

void heap_read(struct heap_stats *out); // some 20 us
// `sample_lg`: as a power of two. -ENOTSUP: no jemalloc, or without profiles.
ATTR_MUST_CHECK int heap_profile(bool on, unsigned sample_lg);
// The profile as text, malloced. -ENOTSUP, -ENOMEM, -EFBIG (over HEAP_DUMP_MAX).
enum { HEAP_DUMP_MAX = 8 << 20 };
ATTR_MUST_CHECK int heap_dump(char **out, size_t *len);
