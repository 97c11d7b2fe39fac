// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A wall clock that a test sets ahead: time() of the whole program. For one file of a program.

#include <time.h>

static _Atomic int wall_ahead_s;

time_t time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += wall_ahead_s;
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
