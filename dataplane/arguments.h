// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// weir-dataplane's command line.

#include <stdbool.h>
#include <weir/shm_stats.h>

struct arguments {
	const char *config; // path, in argv
	enum bench_mode bench;
	bool bench_live; // also on ports that a network may be behind
};

// False, after printing what there is to say: *status is what to exit with.
bool arguments_parse(int argc, char **argv, struct arguments *a, int *status);
