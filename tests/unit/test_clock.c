// SPDX-License-Identifier: BSD-3-Clause
// Deadlines: that long from now, on the clock itself.

#include "unit.h"

#include <weir/attr.h>
#include <weir/clock.h>

static uint64_t ns_of(struct timespec t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void test_deadline(void **)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
