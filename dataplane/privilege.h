// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rights of the data plane's threads: what the ports need while they start, and next to nothing
// afterwards (docs/explanation/security.md has the table).
//
// Workers and EAL's interrupt thread handle what strangers send. They keep no capability and get a
// filter of their own; all threads get the main lcore's filter before. The main lcore keeps
// CAP_NET_ADMIN where a port is an interface of the kernel, permitted but not in force: it needs it
// once more, to take the interface down and the steering program off at the stop. vfio, memif and
// rings need no capability at any time.
//
// Main lcore.

#include "state/worker.h"

#include <weir/config.h>

enum { PRIVILEGE_WHY_MAX = 256 };

// In main(), before any thread; without it the calls below do nothing, for benchmarks: no new
// privileges, and no capability for threads that log.
void privilege_begin(void);

// When the ports have started and no lcore works yet: memory is locked (prefault_lock), or a
// warning says why not; then each thread, those of drivers too, gives up what it has, and lcores
// load their filter. -errno: a thread has kept something, or cannot be reached.
ATTR_MUST_CHECK int privilege_settle(const struct config *c, char why[PRIVILEGE_WHY_MAX]);

// When the workers have stopped: what ports_stop needs is in force.
void privilege_stop(void);
