// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// State between samples of memory: the high water of tables that do not count it (each sampler
// passes its registry to mem_watch_see), and whether unaccounted memory is over the threshold
// (mem_account.h), checked every ten seconds and logged; mappings and descriptors by kind, read in
// steps of 0.6 ms at most, each 4 to 10 seconds. On the service loop.

#include "base/table_registry.h"

#include <stdbool.h>
#include <weir/mem_account.h>

struct loop;
struct mem_watch;

enum { MEM_WATCH_MS = 10000 };

ATTR_MUST_CHECK int mem_watch_open(struct mem_watch **out, struct loop *service);
void mem_watch_close(struct mem_watch *w); // NULL is fine

// Raises the stored high water to the present use, and fills it into the tables. Begins a look at
// mappings and descriptors when one is due, at once, so that it is of the same moment as what the
// tables hold.
void mem_watch_see(struct mem_watch *w, struct table_registry *tables);

// What the resident set is made of, in bytes. `explained` is the sum of the others; what the
// allocator has handed out to no account is not among them. Of caches, slack and allocator, in this
// order, no more is counted than the kernel counts beyond those before: nobody knows which of their
// pages are touched.
struct mem_resident {
	uint64_t accounts;  // less the pages of large blocks that are not touched
	uint64_t caches;    // freed blocks in caches of threads
	uint64_t slack;     // the rest of pages that blocks are in
	uint64_t allocator; // pages without blocks, and the allocator's and profiler's own
	uint64_t regions, code, stacks, other;
	uint64_t explained;
};

struct mem_reading {
	struct mem_process process;
	struct mem_sum account[MEM_ACCOUNT_COUNT], all;
	struct mem_resident resident;          // mem_watch_read fills it in
	uint64_t unexplained, unexplained_max; // the most of any look
	uint64_t alarms;                       // times that it became much
	bool alarming;
};
// A reading of now, the watch's own too. Blocks for a millisecond, and for as long as the kernel
// takes to count the pages of the regions: some 10 ns for each of 4 KiB. -errno.
ATTR_MUST_CHECK int mem_watch_read(struct mem_watch *w, struct mem_reading *out);
// The last one, at most MEM_WATCH_MS old; zeros before the first. Of the process only `allocated`,
// `held` and `rss` are sure to be there.
const struct mem_reading *mem_watch_last(const struct mem_watch *w);
// Mappings and descriptors of this process, at most some 10 s old; NULL before the first reading.
// Valid until the loop turns.
const struct mem_kinds *mem_watch_kinds(const struct mem_watch *w);
