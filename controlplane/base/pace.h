// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rests of a helper thread, so that what it does is spread over more time: a build on one CPU
// misses caches that the workers on the others share with it. Not for a loop.
//
// After each step of PACE_STEP_US of CPU time at least, the thread rests PACE_REST_FACTOR times as
// long as that took; PACE_REST_MAX_MS in all at most, so that large work takes no more than that
// longer, and not at all any more once `hurry` is set: then it goes on within PACE_NAP_MS. Its own
// CPU time counts, as a thread that others keep from the CPU disturbs nobody. A look costs a system
// call: for every hundred microseconds of work, or so.

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACE_STEP_US = 4000, PACE_REST_FACTOR = 6, PACE_REST_MAX_MS = 10000, PACE_NAP_MS = 10 };

struct pace {
	_Atomic bool hurry; // set by any thread
	uint64_t mark_us;   // CPU time of the thread when the step began
	uint64_t rested_us; // in all
};

void pace_begin(struct pace *p); // by the thread that works; leaves `hurry` as it is
void pace(struct pace *p);       // NULL: never rests
