// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where a worker's cycles go: of a batch that is timed (turn.h), and of the benchmarks.

#include "state/worker.h"

struct stage_cycles {
	uint64_t cycles[STAGE_COUNT];
	uint64_t last;   // end of the stage before
	uint64_t busy;   // whole iterations
	uint64_t frames; // received in them
	uint64_t turns;  // turns that received frames
};
