// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Counts what a packet path must not do: allocate, lock, call the kernel.
//
// The program's own malloc family and pthread locks stand in front of libc's for every library of
// the process, DPDK's drivers included. Locks without a call (a spinlock's compare and swap) are
// not seen. System calls are counted by a seccomp filter that turns each one of the thread that
// runs `work` into a signal; the vDSO's clocks are no system calls, if they really are the vDSO's.

#include <stdint.h>

struct path_counts {
	uint64_t allocations, locks, syscalls;
};

// Runs work(arg) on a thread of its own, under the filter, and counts. 0 or -errno. The thread
// stays under the filter until the process ends, and is registered with EAL.
int path_count_run(void (*work)(void *arg), void *arg, struct path_counts *out);
