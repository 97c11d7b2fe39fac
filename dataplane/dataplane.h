// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's process: starts its parts in order, serves until SIGTERM or SIGINT, and stops
// them in reverse order. Main lcore, once in a process.

#include "state/worker.h"

// Hooks of tests/bench/dataplane, which has a worker_turn of its own.
struct dataplane_bench {
	bool (*allows)(const struct config_dataplane *c); // false: do not start; it has logged why
	int (*begin)(struct worker *const workers[], unsigned count); // before workers run; -errno
};

// `config`: path of the file. `bench` NULL: serves. Returns the exit status, after it has logged
// why.
int dataplane_run(const char *config, const struct dataplane_bench *bench);
