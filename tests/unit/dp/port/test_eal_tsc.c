// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port/eal_args.h"
#include "tests/unit/unit.h"

static uint64_t slept_ms(long ns)
{
	const struct timespec t = {.tv_nsec = ns};
	const uint64_t began = clock_us_of(CLOCK_MONOTONIC);
	assert_int_equal(nanosleep(&t, NULL), 0);
	return (clock_us_of(CLOCK_MONOTONIC) - began) / 1000;
}

// A busy machine makes sleeps longer, never shorter: the shortest of some is what counts.
TEST(only_eals_sleep_is_shorter)
{
	uint64_t least = UINT64_MAX;
	eal_tsc_begin();
	for (unsigned i = 0; i < 20 && least >= 100; i++) {
		const uint64_t ms = slept_ms(100000000);
		assert_true(ms >= EAL_TSC_SLEEP_MS);
		least = ms < least ? ms : least;
	}
	assert_true(least < 100);
	assert_true(slept_ms(30000000) >= 30);
	eal_tsc_end();
	assert_true(slept_ms(100000000) >= 100);
}

TEST(errors_are_those_of_nanosleep)
{
	const struct timespec bad = {.tv_nsec = -1};
	errno = 0;
	assert_int_equal(nanosleep(&bad, NULL), -1);
	assert_int_equal(errno, EINVAL);
}
