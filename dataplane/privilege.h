// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rights of the data plane's threads: what the ports need while they start, and very few
// afterwards (docs/explanation/security.md has the table).
//
// Workers and EAL's interrupt thread handle untrusted input. They keep no capability. All threads
// get the main lcore's filter, then lcores a narrower one. If a port is an interface of the kernel,
// the main lcore keeps CAP_NET_ADMIN, permitted but not effective: at the stop it takes the
// interface down and detaches the steering program. vfio, memif and rings never need a capability.
//
// Main lcore.

#include "state/worker.h"

#include <weir/config.h>

enum { PRIVILEGE_WHY_MAX = 256 };

// Sets no_new_privs, forbids dumps, and lets each thread of thread_start() (the log's) start
// without capabilities. Call in main(), before any thread starts. Without this call the functions
// below do nothing, for benchmarks.
void privilege_begin(void);

// Call when the ports have started and no lcore works yet. Locks memory (prefault_lock), or warns
// why it cannot. Then each thread, drivers' threads included, gives up its capabilities, and lcores
// load their filter. -errno: a thread keeps a capability, or cannot be reached.
ATTR_MUST_CHECK int privilege_settle(const struct config *c, char why[PRIVILEGE_WHY_MAX]);

// Call when the workers have stopped: makes the capability that ports_stop needs effective.
void privilege_stop(void);
