// SPDX-License-Identifier: BSD-3-Clause
#include "pace.h"

#include <time.h>
#include <weir/clock.h>

static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool hurries(const struct pace *p)
{
	return atomic_load_explicit(&p->hurry, memory_order_relaxed);
}

void pace_begin(struct pace *p)
{
	p->mark_us = cpu_us();
	p->rested_us = 0;
}

static void rest(struct pace *p, uint64_t us)
{
	uint64_t began_us = clock_mono_us(), now_us = began_us, end_us = began_us + us;
	while (now_us < end_us && !hurries(p)) {
		uint64_t nap_us = end_us - now_us;
		nap_us = nap_us < 1000 * PACE_NAP_MS ? nap_us : 1000 * PACE_NAP_MS;
		const struct timespec nap = {.tv_nsec = (long)nap_us * 1000};
		(void)nanosleep(&nap, NULL);
		now_us = clock_mono_us();
	}
	p->rested_us += now_us - began_us;
}

void pace(struct pace *p)
{
	const uint64_t most_us = UINT64_C(1000) * PACE_REST_MAX_MS;
	if (!p || hurries(p) || p->rested_us >= most_us)
		return;
	uint64_t worked_us = cpu_us() - p->mark_us;
	if (worked_us < PACE_STEP_US)
		return;
	uint64_t rest_us = worked_us * PACE_REST_FACTOR, left_us = most_us - p->rested_us;
	rest(p, rest_us < left_us ? rest_us : left_us);
	p->mark_us = cpu_us();
}
