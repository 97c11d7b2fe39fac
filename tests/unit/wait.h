// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How a test waits: it looks whether something is so, pauses, and looks again. All waits have one
// patience. It is counted in pauses, so that one that comes back late from them has more of it, and
// that shifted clocks (clock_shift.h) have none.

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Each pause is a little longer than the one before. Together they are more than a minute, as the
// slowest wait is for a thread of nice 19 that rests for 10 s and has 3 s of work (pace.h).
enum { WAIT_PAUSES = 10000, WAIT_STEP_US = 100, WAIT_PAUSE_MAX_US = 10000 };

static inline void wait_pause(unsigned paused, const char *condition, const char *file, int line)
{
	if (paused == WAIT_PAUSES) {
		fprintf(stderr, "%s:%d: in vain: WAIT_FOR(%s)\n", file, line, condition);
#ifdef WAIT_FAILS // the case alone
		if (gettid() == getpid())
			WAIT_FAILS(file, line);
#endif
		abort();
	}
	unsigned us = WAIT_STEP_US * (paused + 1);
	(void)usleep(us < WAIT_PAUSE_MAX_US ? us : WAIT_PAUSE_MAX_US);
}

// Until `condition` is so. What follows it is done after each pause.
#define WAIT_FOR(condition, ...)                                               \
	do                                                                     \
		for (unsigned paused_ = 0; !(condition);) {                    \
			wait_pause(paused_++, #condition, __FILE__, __LINE__); \
			__VA_ARGS__;                                           \
		}                                                              \
	while (0)
