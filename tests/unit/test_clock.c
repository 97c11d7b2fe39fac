// SPDX-License-Identifier: BSD-3-Clause
// Deadlines: that long from now, on the clock itself. And a machine that was suspended.

#include "clock_shift.h"
#include "unit.h"

#include <weir/attr.h>

static uint64_t ns_of(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

TEST(test_deadline)
{
	static const uint64_t ms[] = {0, 1, 999, 1000, 1001, 86400999};
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t later_ns = ms[i % ARRAY_LEN(ms)] * 1000000;
		struct timespec before, after, at;
		clock_gettime(CLOCK_MONOTONIC, &before);
		at = clock_deadline(ms[i % ARRAY_LEN(ms)]);
		clock_gettime(CLOCK_MONOTONIC, &after);
		assert_in_range(at.tv_nsec, 0, 999999999);
		assert_in_range(ns_of(at), ns_of(before) + later_ns, ns_of(after) + later_ns);
	}
}

// The clock runs on in a suspend, and the one that workers read follows at their next look.
TEST(test_suspend)
{
	enum { HOUR_MS = 3600000, COARSE_MS = 20 };
	uint64_t was_ms = clock_suspended_ms(0); // by the machine itself, before
	uint64_t before_ms = clock_mono_ms(), before_us = clock_mono_us();
	assert_in_range(clock_mono_coarse_ms(was_ms), before_ms - COARSE_MS, clock_mono_ms());
	clock_suspend_ms(HOUR_MS);
	assert_in_range(clock_mono_ms(), before_ms + HOUR_MS, before_ms + HOUR_MS + 10000);
	assert_in_range(clock_mono_us(), before_us + HOUR_MS * UINT64_C(1000),
		before_us + (HOUR_MS + 10000) * UINT64_C(1000));
	uint64_t is_ms = clock_suspended_ms(was_ms);
	assert_in_range(is_ms, was_ms + HOUR_MS - 1, was_ms + HOUR_MS + 2);
	before_ms = clock_mono_ms();
	assert_in_range(clock_mono_coarse_ms(is_ms), before_ms - COARSE_MS, clock_mono_ms() + 2);
	assert_true(clock_suspended_ms(is_ms) == is_ms);
}

// What reading two clocks differs by is no suspend.
TEST(test_no_suspend)
{
	uint64_t was_ms = clock_suspended_ms(0);
	for (unsigned i = 0; i < 10000; i++)
		assert_true(clock_suspended_ms(was_ms) == was_ms);
	clock_suspend_ms(CLOCK_SUSPEND_MS - 5);
	assert_true(clock_suspended_ms(was_ms) == was_ms);
	clock_suspend_ms(10);
	assert_in_range(clock_suspended_ms(was_ms), was_ms + CLOCK_SUSPEND_MS + 1,
		was_ms + CLOCK_SUSPEND_MS + 10);
}

// In a suspended machine's kernel, whose clock stands still meanwhile; not a moment later, however
// long the readings take.
TEST(test_kernel_time)
{
	enum { HOUR_MS = 3600000, LEFT_MS = 500 };
	clock_suspend_ms(HOUR_MS);
	for (unsigned slow_us = 0; slow_us <= 20000; slow_us += 2000) {
		clock_slow_us(slow_us);
		uint64_t now_ms = clock_ms_of(CLOCK_MONOTONIC);
		uint64_t at_ms = clock_kernel_ms(clock_mono_ms() + LEFT_MS);
		clock_slow_us(0);
		assert_in_range(
			at_ms, now_ms + LEFT_MS - 1, now_ms + LEFT_MS + 5 * slow_us / 1000 + 5);
		assert_true(at_ms <= clock_ms_of(CLOCK_MONOTONIC) + LEFT_MS);
	}
	assert_int_equal(clock_kernel_ms(0), 0);
	assert_int_equal(clock_kernel_ms(clock_mono_ms() - 1), 0);
}
