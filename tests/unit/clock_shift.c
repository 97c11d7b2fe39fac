// SPDX-License-Identifier: BSD-3-Clause
#include "clock_shift.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t ahead_us, suspended_us, stepped_us;
static _Atomic uint32_t slow_us;

static int64_t shift_of(clockid_t id)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		return ahead_us + suspended_us + stepped_us;
	case CLOCK_BOOTTIME:
		return ahead_us + suspended_us;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
		return ahead_us;
	default:
		return 0;
	}
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, id, out);

	ahead_us += slow_us;
	int64_t us = shift_of(id);
	if (rc != 0 || us == 0)
		return rc;
	out->tv_sec += us / 1000000;
	out->tv_nsec += us % 1000000 * 1000;
	if (out->tv_nsec < 0) {
		out->tv_sec--;
		out->tv_nsec += 1000000000;
	}
	if (out->tv_nsec >= 1000000000) {
		out->tv_sec++;
		out->tv_nsec -= 1000000000;
	}
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

void clock_ahead_by_ms(uint32_t ms)
{
	ahead_us += (int64_t)ms * 1000;
}

void clock_suspend_ms(uint32_t ms)
{
	suspended_us += (int64_t)ms * 1000;
}

void clock_step_ms(int64_t ms)
{
	stepped_us += ms * 1000;
}

void clock_slow_us(uint32_t us)
{
	slow_us = us;
}
