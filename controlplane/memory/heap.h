// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The heap of this process. It is jemalloc's, where the program is linked with it; a program that
// is not (tests, sanitizer builds) has libc's, and no profiles. The one includer of jemalloc.
//
// Profiles: about one allocation in each `sample` bytes is remembered with its call stack until it
// is freed; a dump lists what is still there, in the text format of pprof (heap_v2). It is on from
// the start, at HEAP_SAMPLE_LG (docs/how-to/heap.md has the cost). Another rate holds in all
// threads from their next allocation on, and forgets what was sampled before. Any thread; the
// numbers are of all threads.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/heap_site.h>

struct heap_stats {
	uint64_t allocated; // the program's; nothing of the profiler's
	uint64_t active;    // pages that these are in
	uint64_t resident;  // pages of the allocator that are in memory, its own included
	uint64_t retained;  // address space that is kept for later, without memory
	uint64_t metadata;
	// Blocks that arenas handed out and got back since the start; jemalloc alone. Blocks that a
	// thread's cache reuses are not counted again.
	uint64_t allocations, frees;
	uint64_t threads_cached; // bytes in caches of threads; jemalloc alone
	// Of a profile: what sampled blocks are larger than their sizes, and jemalloc's own blocks.
	uint64_t profiler;
	bool jemalloc;
	bool can_profile, profiles; // whether it could, and does
	uint64_t sample;            // bytes, of the running or next profile
};

// Usable bytes that this thread has got from the allocator and given back, ever; 0 without
// jemalloc.
struct heap_thread {
	uint64_t got, given;
};
struct heap_thread heap_thread_read(void); // two loads, but for a thread's first call

// One of the allocator's arenas: threads are spread over them, and memory that is free in one
// serves no other.
struct heap_arena {
	unsigned number, threads;
	uint64_t allocated, active, resident, dirty; // dirty: free, and still in memory
};
enum { HEAP_ARENAS_MAX = 16 };
// The arenas in use, among the first HEAP_ARENAS_MAX; returns how many, 0 without jemalloc. As of
// the last heap_read.
unsigned heap_arenas(struct heap_arena out[HEAP_ARENAS_MAX]);

enum { HEAP_SAMPLE_LG_MIN = 9, HEAP_SAMPLE_LG_MAX = 24, HEAP_SAMPLE_LG = 19 };

// Starts the thread that gives freed memory back to the kernel. It has the rights of the caller's
// thread from then on: not those that the process begins with. -ENOTSUP: no jemalloc.
ATTR_MUST_CHECK int heap_background(void);

void heap_read(struct heap_stats *out); // some 40 us
// `sample_lg`: as a power of two; that of the running profile changes nothing. -ENOTSUP: no
// jemalloc, or without profiles.
ATTR_MUST_CHECK int heap_profile(bool on, unsigned sample_lg);
// The profile as text, malloced, with the exact bytes of each site at its end. -ENOTSUP, -ENOMEM,
// -EFBIG (over HEAP_DUMP_MAX).
enum { HEAP_DUMP_MAX = 8 << 20 };
ATTR_MUST_CHECK int heap_dump(char **out, size_t *len);

// Bytes of a library that lets us set no functions of its heap: what the allocator gives to a
// thread, and gets back, while the library runs there, less what sites count (weir/heap_site.h).
// So code of weir that the library calls, and libraries with hooks that it calls, count as always;
// where weir's code may call other libraries without hooks, a section to skip is around it.
// Blocks that are freed outside of its calls stay in its account. Bytes are counted, not blocks.
//
// Any thread; the sections of one thread may lie within each other. A section costs some 10 ns.
// Without jemalloc all is 0.

struct heap_meter {
	struct heap_thread thread;
	struct heap_own own;
};

// Called before the library is called.
struct heap_meter heap_meter_begin(void);
// Called when it returns. `library`: one of HEAP_MEASURED_LIST. Returns the bytes that it has more
// than before.
int64_t heap_meter_end(const struct heap_meter *m, enum heap_library library);
// Called when weir's code returns to the library: nothing of that section is the library's.
void heap_meter_skip(const struct heap_meter *m);
