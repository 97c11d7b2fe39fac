// SPDX-License-Identifier: BSD-3-Clause
//
// Which time deletes old data, with clocks that are right, wrong, stepped and put right again.
#include "controlplane/querylog/retention.h"
#include "tests/unit/unit.h"

enum { HOUR = 3600, DAY = 86400, HOURS_MAX = 1000 };
#define NOW INT64_C(1795219200)

static int64_t start[HOURS_MAX];
static unsigned count;
static struct retention r;

static int setup(void **)
{
	r = (struct retention){0};
	count = 0;
	return 0;
}

// An hour's data from each of `hours`, the last of which begins at `last_s`.
static void data(int64_t last_s, unsigned hours)
{
	for (unsigned i = hours; i-- > 0;)
		start[count++] = last_s - (int64_t)i * HOUR;
}

static int64_t look(int64_t clock_s, uint64_t mono_s)
{
	return retention_now(&r, clock_s, mono_s * 1000, start, count, HOUR);
}

TEST_WITH(test_a_right_clock_is_believed_at_once, setup, NULL)
{
	data(NOW, 200);
	assert_int_equal(look(NOW + 1800, 1), NOW + 1800);
}

TEST_WITH(test_without_data_the_clock_is_all_there_is, setup, NULL)
{
	assert_int_equal(look(NOW, 1), NOW);
}

TEST_WITH(test_a_clock_ahead_ages_by_the_newest_data, setup, NULL)
{
	data(NOW, 200);
	assert_int_equal(look(NOW + 400 * (int64_t)DAY, 1), NOW + HOUR - 1);
	// A file that was begun by the wrong clock changes nothing.
	data(NOW + 400 * (int64_t)DAY, 1);
	assert_int_equal(look(NOW + 400 * (int64_t)DAY + 5, 6), NOW + HOUR - 1);
}

// Two wrong clocks, years apart, each of which wrote for an hour.
TEST_WITH(test_several_clocks_ahead_are_no_proof, setup, NULL)
{
	const int64_t first = NOW + 400 * (int64_t)DAY, second = NOW + 5000 * (int64_t)DAY;
	data(NOW, 200);
	data(first, 1);
	data(second, 1);
	assert_int_equal(look(second + 5, 1), NOW + HOUR - 1);
}

// A machine that runs for six hours each third day is trusted after five such days.
TEST_WITH(test_hours_now_and_then, setup, NULL)
{
	for (int i = 0; i < 20; i++)
		data(NOW + i * (int64_t)(3 * DAY), 6);
	assert_int_equal(
		look(NOW + 57 * (int64_t)DAY + 60, 1), NOW + 15 * (int64_t)(3 * DAY) + HOUR - 1);
}

TEST_WITH(test_data_of_a_day_by_that_clock_proves_it, setup, NULL)
{
	data(NOW, 200);
	data(NOW + 400 * (int64_t)DAY, 25);
	assert_int_equal(look(NOW + 400 * (int64_t)DAY + 1, 1), NOW + HOUR - 1);
	data(NOW + 400 * (int64_t)DAY + HOUR, 1);
	assert_int_equal(look(NOW + 400 * (int64_t)DAY + HOUR, 2), NOW + 400 * (int64_t)DAY + HOUR);
}

TEST_WITH(test_a_day_without_a_step_proves_it, setup, NULL)
{
	data(NOW, 200);
	int64_t ahead = NOW + 400 * (int64_t)DAY;
	assert_int_equal(look(ahead, 10), NOW + HOUR - 1);
	assert_int_equal(look(ahead + DAY - 1, 10 + DAY - 1), NOW + HOUR - 1);
	assert_int_equal(look(ahead + DAY, 10 + DAY), ahead + DAY);
}

TEST_WITH(test_a_step_begins_the_day_again, setup, NULL)
{
	data(NOW, 200);
	assert_int_equal(look(NOW, 10), NOW);
	assert_int_equal(look(NOW + DAY, 10 + DAY), NOW + DAY); // proven
	int64_t ahead = NOW + 400 * (int64_t)DAY;
	assert_int_equal(look(ahead, 10 + DAY + 60), NOW + HOUR - 1);
	assert_int_equal(look(NOW + DAY + 120, 10 + DAY + 120), NOW + HOUR - 1);
	assert_int_equal(look(NOW + 60, 10 + DAY + 180), NOW + 60);
}

TEST_WITH(test_slow_drift_is_no_step, setup, NULL)
{
	data(NOW, 200);
	assert_int_equal(look(NOW + 10 * (int64_t)DAY, 0), NOW + HOUR - 1);
	int64_t clock = NOW + 11 * (int64_t)DAY + RETENTION_STEP_S;
	assert_int_equal(look(clock, DAY), clock);
	assert_int_equal(look(clock + 1 + RETENTION_STEP_S, DAY), NOW + HOUR - 1);
}

TEST_WITH(test_data_of_the_future_proves_nothing, setup, NULL)
{
	data(NOW, 200);
	data(NOW + 400 * (int64_t)DAY, 100);
	assert_int_equal(look(NOW + 200 * (int64_t)DAY, 1), NOW + HOUR - 1);
	assert_int_equal(retention_present(NOW + 200 * (int64_t)DAY, start, count), 200);
}

TEST_WITH(test_what_begins_within_the_hour_is_of_the_present, setup, NULL)
{
	data(NOW, 5);
	assert_int_equal(retention_present(NOW - RETENTION_FUTURE_S, start, count), 5);
	assert_int_equal(retention_present(NOW - RETENTION_FUTURE_S - 1, start, count), 4);
	assert_int_equal(retention_present(NOW - DAY, start, count), 0);
}

TEST_WITH(test_an_hour_of_data_from_a_clock_that_fell_back, setup, NULL)
{
	int64_t back = NOW - 3000 * (int64_t)DAY;
	data(back, 1);
	data(NOW, 30);
	// That clock runs a while: what it writes is the newest, and its own time is never passed.
	assert_int_equal(look(back + 1800, 1800), back + 1800);
	assert_int_equal(look(back + 3 * HOUR, 3 * HOUR), back + HOUR - 1);
	// A day without a step: the clock is trusted, whatever lies in its future.
	assert_int_equal(look(back + 2 * (int64_t)DAY, 2 * DAY), back + 2 * (int64_t)DAY);
	// Put right again, it is not steady, and the data of before proves it.
	assert_int_equal(look(NOW + 2 * HOUR, 2 * DAY + 60), NOW + HOUR - 1);
}

TEST_WITH(test_steady_after_a_day_without_a_step, setup, NULL)
{
	assert_int_equal(look(NOW, 10), NOW);
	assert_false(retention_is_steady(&r, 10 * 1000));
	assert_false(retention_is_steady(&r, (10 + DAY - 1) * 1000));
	assert_true(retention_is_steady(&r, (10 + DAY) * 1000));
	assert_int_equal(look(NOW + 2 * (int64_t)DAY, 10 + DAY), NOW + 2 * (int64_t)DAY);
	assert_false(retention_is_steady(&r, (10 + DAY) * 1000));
}
