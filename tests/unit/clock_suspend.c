// SPDX-License-Identifier: BSD-3-Clause
#include "clock_suspend.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t suspended_ms;

int clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, id, out);
	uint64_t ms = suspended_ms;

	if (rc != 0 || (id != CLOCK_BOOTTIME && id != CLOCK_REALTIME))
		return rc;
	out->tv_sec += (time_t)(ms / 1000);
	out->tv_nsec += (long)(ms % 1000) * 1000000;
	if (out->tv_nsec >= 1000000000) {
		out->tv_sec++;
		out->tv_nsec -= 1000000000;
	}
	return 0;
}

void clock_suspend_ms(uint32_t ms)
{
	suspended_ms += ms;
}
