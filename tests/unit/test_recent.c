// SPDX-License-Identifier: BSD-3-Clause
#include "../../dataplane/recent.h"
#include "unit.h"

#include <stdalign.h>
#include <string.h>

static alignas(64) struct recent_way memory[RECENT_SETS][RECENT_WAYS];

static struct recent fresh(void)
{
	struct recent r;
	memset(memory, 0, sizeof(memory));
	recent_init(&r, memory);
	return r;
}

static void test_counts_askers(void **)
{
	struct recent r = fresh();
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(recent_ask(&r, 42, 5000), i);
	assert_int_equal(recent_ask(&r, 43, 5000), 0);
	assert_int_equal(r.replaced, 0);
}

static void test_window_ends(void **)
{
	struct recent r = fresh();
	assert_int_equal(recent_ask(&r, 42, 5000), 0);
	assert_int_equal(recent_ask(&r, 42, 5000 + RECENT_WINDOW_MS - 1), 1);
	assert_int_equal(recent_ask(&r, 42, 5000 + RECENT_WINDOW_MS), 0);
	assert_int_equal(recent_ask(&r, 42, 5001 + RECENT_WINDOW_MS), 1);
}

// A fifth live key of one set: the one whose window began first makes room, not the first way,
// which an expired key has left to a younger one.
static void test_oldest_is_replaced(void **)
{
	struct recent r = fresh();
	for (uint64_t i = 0; i < RECENT_WAYS; i++)
		assert_int_equal(recent_ask(&r, 7 + i * RECENT_SETS, 5000 + i), 0);
	assert_int_equal(recent_ask(&r, 7 + 8 * RECENT_SETS, 7000), 0);
	assert_int_equal(r.replaced, 0);
	assert_int_equal(recent_ask(&r, 7 + 9 * RECENT_SETS, 7000), 0);
	assert_int_equal(r.replaced, 1);
	assert_int_equal(recent_ask(&r, 7 + 8 * RECENT_SETS, 7000), 1);
	assert_int_equal(recent_ask(&r, 7 + 2 * RECENT_SETS, 7000), 1);
	assert_int_equal(recent_ask(&r, 7 + 3 * RECENT_SETS, 7000), 1);
	assert_int_equal(r.replaced, 1);
}

// An expired way is taken before a live one, and that replaces nothing.
static void test_expired_goes_first(void **)
{
	struct recent r = fresh();
	assert_int_equal(recent_ask(&r, 7, 1000), 0);
	for (uint64_t i = 1; i < RECENT_WAYS; i++)
		assert_int_equal(recent_ask(&r, 7 + i * RECENT_SETS, 2500), 0);
	assert_int_equal(recent_ask(&r, 7 + 9 * RECENT_SETS, 3100), 0);
	assert_int_equal(r.replaced, 0);
	assert_int_equal(recent_ask(&r, 7 + RECENT_SETS, 3100), 1);
}

static void test_take_back(void **)
{
	struct recent r = fresh();
	assert_int_equal(recent_ask(&r, 42, 5000), 0);
	recent_take_back(&r, 42);
	assert_int_equal(recent_ask(&r, 42, 5000), 0);
	assert_int_equal(recent_ask(&r, 42, 5000), 1);
	recent_take_back(&r, 42);
	assert_int_equal(recent_ask(&r, 42, 5000), 1);
	recent_take_back(&r, 99);
}

// The low halves of the clock wrap inside a window.
static void test_clock_wraps(void **)
{
	struct recent r = fresh();
	uint64_t start = UINT64_C(0x1fffffff0);
	assert_int_equal(recent_ask(&r, 42, start), 0);
	assert_int_equal(recent_ask(&r, 42, start + 100), 1);
	assert_int_equal(recent_ask(&r, 42, start + RECENT_WINDOW_MS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_askers),
		cmocka_unit_test(test_window_ends),
		cmocka_unit_test(test_oldest_is_replaced),
		cmocka_unit_test(test_expired_goes_first),
		cmocka_unit_test(test_take_back),
		cmocka_unit_test(test_clock_wraps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
