// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The process: configuration, shared memory, the two loops and their modules, in the order of their
// start; they stop in the opposite order. Each resolver and each frontend has a loop and a thread
// of its own, the service loop is the main thread. SIGTERM and SIGINT stop, SIGHUP reads the
// configuration again.
//
// A reload reads and checks the whole file first; then the resolver takes upstreams, limits and TTL
// limits on its own loop, the workers theirs through the directory, and the rules theirs by a
// build. One at a time. Settings that need a restart are named, always against those at start.

#include "app_why.h"

#include <weir/attr.h>

struct app;

ATTR_MUST_CHECK int app_open(struct app **out, const char *config_path, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_run(struct app *a); // until a signal; 0 or -errno
void app_close(struct app *a);              // NULL is fine
