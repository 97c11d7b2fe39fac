// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rights of the control plane's threads (docs/explanation/security.md has the table).
//
// The service loop and the frontends keep CAP_NET_BIND_SERVICE, because they open sockets on ports
// below 1,024 again when addresses come or change. If the process runs as root, the service loop
// and the helpers keep CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH for files of other users: lists,
// keys, the query store. No thread keeps any other capability. Each thread has the service loop's
// list of system calls, and a shorter list by its name (app_privilege_calls.h).

#include <weir/attr.h>
#include <weir/os/sandbox.h>

enum { APP_PRIVILEGE_WHY_MAX = 256 };

// Called in main() before any thread is made: forbids new privileges, and makes each thread drop
// its rights as it starts.
void app_privilege_begin(void);

// Called once the configuration is read, before any thread but the log's is made: loads the seccomp
// filters. -errno of seccomp.
ATTR_MUST_CHECK int app_privilege_confine(enum sandbox_mode mode, char why[APP_PRIVILEGE_WHY_MAX]);

// Starts the thread of the allocator, without capabilities.
void app_privilege_heap(void);

// Called once all is open: the main thread keeps only the capabilities that it needs later. -EPERM:
// a thread has kept more.
ATTR_MUST_CHECK int app_privilege_settle(char why[APP_PRIVILEGE_WHY_MAX]);
