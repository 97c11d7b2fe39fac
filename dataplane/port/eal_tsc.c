// SPDX-License-Identifier: BSD-3-Clause
#include "eal_tsc.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

enum { EAL_SLEEP_NS = 100 * 1000 * 1000 };

static _Atomic int shortens;

void eal_tsc_begin(void)
{
	atomic_store_explicit(&shortens, 1, memory_order_relaxed);
}

void eal_tsc_end(void)
{
	atomic_store_explicit(&shortens, 0, memory_order_relaxed);
}

static int program_sleep(const struct timespec *wanted, struct timespec *left)
{
	static const struct timespec brief = {.tv_nsec = EAL_TSC_SLEEP_MS * 1000 * 1000};
	if (atomic_load_explicit(&shortens, memory_order_relaxed) && wanted->tv_sec == 0
		&& wanted->tv_nsec == EAL_SLEEP_NS)
		wanted = &brief;
	const int rc = clock_nanosleep(CLOCK_REALTIME, 0, wanted, left);
	if (rc)
		errno = rc;
	return rc ? -1 : 0;
}

int nanosleep(const struct timespec *, struct timespec *) __attribute__((alias("program_sleep")));
