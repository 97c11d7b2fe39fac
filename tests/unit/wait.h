// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How a test waits: it looks whether something is so, pauses, and looks again. All waits have one
// patience. It is counted in pauses, so that one that comes back late from them has more of it, and
// that shifted clocks (clock_shift.h) have none.

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Each pause is a little longer than the one before. Together they are more than a minute, as the
// slowest wait is for a thread of low priority that rests for 10 s and has 3 s of work (pace.h).
enum { WAIT_PAUSES = 10000, WAIT_STEP_US = 100, WAIT_PAUSE_MAX_US = 10000 };

static inline void wait_fails(const char *how, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, how);
#ifdef WAIT_FAILS // the case alone
	if (gettid() == getpid())
		WAIT_FAILS(file, line);
#endif
	abort();
}

static inline void wait_pause(unsigned paused, const char *how, const char *file, int line)
{
	if (paused == WAIT_PAUSES)
		wait_fails(how, file, line);
	unsigned us = WAIT_STEP_US * (paused + 1);
	(void)usleep(us < WAIT_PAUSE_MAX_US ? us : WAIT_PAUSE_MAX_US);
}

// Until `condition` is so. What follows it is done after each pause.
#define WAIT_FOR(condition, ...)                                                             \
	do                                                                                   \
		for (unsigned paused_ = 0; !(condition);) {                                  \
			wait_pause(paused_++, "in vain: WAIT_FOR(" #condition ")", __FILE__, \
				__LINE__);                                                   \
			__VA_ARGS__;                                                         \
		}                                                                            \
	while (0)

// `condition` is so all the time, for `ms`. For what is not to happen, where nothing comes after
// it that a test could wait for. A busy machine looks less often: it never fails what is right.
#define STAYS_SO(condition, ms)                                                             \
	do                                                                                  \
		for (unsigned past_ms_ = 0; past_ms_ < (ms); past_ms_++) {                  \
			(void)usleep(1000);                                                 \
			if (!(condition))                                                   \
				wait_fails("no longer: STAYS_SO(" #condition ")", __FILE__, \
					__LINE__);                                          \
		}                                                                           \
	while (0)
