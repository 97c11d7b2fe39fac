// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Linux capabilities of threads, capabilities(7).
//
// The kernel keeps them by thread: what one thread gives up, others keep, and a new thread has its
// creator's. So each thread gives up its own, by itself or by a signal of caps_drop_others, and
// caps_check looks at all of them afterwards.
// Bits are 1 << CAP_NET_ADMIN and so on. System calls; at start and at stop.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

enum { CAPS_WHY_MAX = 256, CAPS_SETTLE_MS = 2000 };

// Neither this thread nor one that it starts gains a right by execve, no_new_privs. Before the
// first thread is made. -errno.
ATTR_MUST_CHECK int caps_no_new(void);

// Sets the limit of core dumps to 0: the process is not dumped by pipes of core_pattern either, and
// no process of its user can attach to it. Not with sanitizers, whose leak check attaches. -errno.
ATTR_MUST_CHECK int caps_no_dump(void);

// The calling thread keeps of its permitted capabilities those in `permitted`, and of them those in
// `effective` in force; it can raise the others with another call. None is inheritable or ambient.
// -errno.
ATTR_MUST_CHECK int caps_keep(uint64_t permitted, uint64_t effective);

// Waits up to CAPS_SETTLE_MS for threads that have just been made.
// 0: the main thread has no permitted capability beyond `main_most`, and each other thread of this
// process none beyond `most`. -EPERM: `why` names a thread that has; other errors of
// /proc/self/task.
ATTR_MUST_CHECK int caps_check(uint64_t main_most, uint64_t most, char why[CAPS_WHY_MAX]);

// Makes each other thread of this process drop all its capabilities, also those that libraries have
// made: a real-time signal that nobody handles, to each thread that has one, until none has. A
// system call that waits is restarted or ends with EINTR, signal(7). The main thread calls it, and
// then has none beyond `main_most`. Takes as long as the threads, CAPS_SETTLE_MS at most.
// -EPERM: `why` names a thread that has kept some (it blocks all signals); or another -errno.
ATTR_MUST_CHECK int caps_drop_others(uint64_t main_most, char why[CAPS_WHY_MAX]);
