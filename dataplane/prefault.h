// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Pages that the data plane writes for the first time before it serves, not between rx and tx.
//
// The kernel gives a page at its first write, in 0.2 to 1 us. What a worker or housekeeping seldom
// does (a log line, a refused image) would touch stack and data for the first time hours after the
// start, and the resident set would grow then without anything being allocated. Costs some 500 KiB
// of resident memory with two workers.

enum { PREFAULT_STACK = 64 << 10 };

// Locks all pages of the process that are in memory, each page that comes later when it is first
// used (MCL_ONFAULT, so unused address space costs nothing), and reads the code of the program and
// its libraries into memory. Needs RLIMIT_MEMLOCK without a limit, which it sets where it may: with
// a limit a mapping could fail hours later. -EPERM: there is one. Before capabilities are dropped.
int prefault_lock(void);

// The writable data of this program; of libraries none. Once, by any thread.
void prefault_data(void);

// PREFAULT_STACK bytes below the caller's frame. Each thread for itself; not in a signal handler.
void prefault_stack(void);
