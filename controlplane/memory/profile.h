// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Profiles of this process in the formats that pprof reads: CPU time by stack, allocations
// since the start, and the present stack of each thread. Of the control plane alone.
//
// cpu: a timer for each thread, of the CPU time that it uses, sends it SIGPROF each 10 ms of that;
// the handler adds its stack to a table of fixed size (stacks.h). Nothing of it is there while no
// profile runs. Threads beyond PROCESS_THREADS_MAX, and those that begin within 200 ms of the end,
// are left out, as are threads that block SIGPROF (jemalloc's).
//
// alloc: of each 512 KiB that the sites of heap_site.h allocate one allocation, from
// profile_alloc_start on, in a table of fixed size. 2 us a sample.
//
// threads: each thread is sent SIGPROF and writes down its stack. A system call that waits and is
// not begun again by itself ends with EINTR, as with any signal.
//
// Functions with `out`: a malloced text of *len bytes, for the caller. They block: helper threads.

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { PROFILE_SECONDS_MAX = 100, PROFILE_PERIOD_US = 10000 };

// gperftools' binary format. Ends early when *stop is set. -EBUSY: one is running; -ENOMEM; -errno.
ATTR_MUST_CHECK int profile_cpu(
	unsigned seconds, const _Atomic bool *stop, char **out, size_t *len);
// The text format of counts ("threads profile:"), with a comment of each thread. -EBUSY, -ENOMEM.
ATTR_MUST_CHECK int profile_threads(char **out, size_t *len);

void profile_alloc_start(void); // once, before threads are started; for life
// gperftools' text format, with cumulated numbers alone. -ENOMEM.
ATTR_MUST_CHECK int profile_alloc(char **out, size_t *len);
struct profile_alloc_counts {
	uint64_t used, cap, lost, bytes; // the table of stacks
};
void profile_alloc_count(struct profile_alloc_counts *out);
