// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's process: starts everything in one order, serves until SIGTERM or SIGINT, and
// stops it in the reverse. On the main lcore, once in a process.

#include "state/worker.h"

// Hooks of tests/bench/dataplane, which has a worker_turn of its own.
struct dataplane_bench {
	bool (*allows)(const struct config_dataplane *c); // false, after saying why: not started
	int (*begin)(struct worker *const workers[], unsigned count); // before they run; or -errno
};

// `config`: a path. `bench`: NULL where it serves. The status to exit with, after logging why.
int dataplane_run(const char *config, const struct dataplane_bench *bench);
