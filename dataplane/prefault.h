// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Functions that touch pages before the data plane serves, so that none is new between rx and tx.
//
// The kernel allocates a page at its first write, in 0.2 to 1 us. Rare work of a worker or of
// housekeeping (a log line, a refused image) would touch stack and data for the first time hours
// after the start, and the resident set would grow without any allocation. Costs some 500 KiB of
// resident memory with two workers.

enum { PREFAULT_STACK = 64 << 10 };

// Locks all pages of the process that are in memory, locks each later page at its first use
// (MCL_ONFAULT, so unused address space costs nothing), and reads the code of the program and its
// libraries into memory. RLIMIT_MEMLOCK must have no limit, or a mapping could fail hours later;
// this removes the limit if it may. -EPERM: there is a limit. Call before capabilities are dropped.
int prefault_lock(void);

// Touches the writable data of this program, not of libraries. Call once, in any thread.
void prefault_data(void);

// Touches PREFAULT_STACK bytes below the caller's frame. Each thread calls it for its own stack;
// not in a signal handler.
void prefault_stack(void);
