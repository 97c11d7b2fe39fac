// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Throttles a helper thread by pauses, because a build on one CPU evicts lines from caches that
// workers on other CPUs share with it. Not for a loop.
//
// After each step of at least PACE_STEP_US of CPU time, the thread pauses PACE_REST_FACTOR times as
// long as the step took, PACE_REST_MAX_MS in all at most. Once `hurry` is set it pauses no more,
// and goes on within PACE_NAP_MS. Only the thread's CPU time counts, because a preempted thread
// disturbs no worker. A call costs a system call: make one for about every hundred microseconds of
// work.

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PACE_STEP_US = 4000, PACE_REST_FACTOR = 6, PACE_REST_MAX_MS = 10000, PACE_NAP_MS = 10 };

struct pace {
	_Atomic bool hurry; // set by any thread
	uint64_t mark_us;   // CPU time of the thread when the step began
	uint64_t rested_us; // sum of all pauses
};

void pace_begin(struct pace *p); // called by the throttled thread; leaves `hurry` as it is
void pace(struct pace *p);       // NULL: never pauses
