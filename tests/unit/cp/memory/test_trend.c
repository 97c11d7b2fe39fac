// SPDX-License-Identifier: BSD-3-Clause
// Lines through samples: the slope, and an interval that holds it as often as it says.

#include "controlplane/memory/trend.h"
#include "tests/unit/unit.h"

enum { N = 300, ROUNDS = 400 };

static double x[N], y[N];
static uint64_t state;

// Between -1 and 1; the sum of four is near enough to a normal one.
static double noise(void)
{
	double sum = 0;
	for (unsigned i = 0; i < 4; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		sum += (double)(int32_t)(state >> 32) / 2147483648.0;
	}
	return sum / 4;
}

TEST(a_line_is_found_exactly)
{
	struct trend t;
	for (unsigned i = 0; i < N; i++)
		x[i] = i, y[i] = 1e9 + 3.5 * i;
	trend_fit(x, y, N, &t);
	assert_true(t.known);
	assert_float_equal(t.slope, 3.5, 1e-6);
	assert_true(t.half < 1e-3);
	assert_true(trend_is_above(&t, 3.4) && t.slope + t.half < 3.6);
	assert_false(trend_is_above(&t, 3.6) || t.slope + t.half < 3.4);
}

TEST(a_constant_has_no_slope)
{
	struct trend t;
	for (unsigned i = 0; i < N; i++)
		x[i] = i, y[i] = 77;
	trend_fit(x, y, N, &t);
	assert_true(t.known);
	assert_float_equal(t.slope, 0, 1e-9);
	assert_float_equal(t.half, 0, 1e-9);
}

TEST(too_few_samples_know_nothing)
{
	struct trend t;
	x[0] = 0, x[1] = 1, y[0] = 0, y[1] = 5;
	trend_fit(x, y, 0, &t);
	assert_false(t.known);
	trend_fit(x, y, 1, &t);
	assert_false(t.known);
	trend_fit(x, y, 2, &t);
	assert_false(t.known);
	assert_float_equal(t.slope, 5, 0);
	assert_false(trend_is_above(&t, 0));
	x[1] = 0; // two samples of one instant
	trend_fit(x, y, 2, &t);
	assert_false(t.known);
}

// A series whose samples carry `memory` of the one before; how many of ROUNDS intervals hold the
// true slope.
static unsigned rounds_held(double memory, double slope)
{
	unsigned held = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		double e = 0;
		for (unsigned i = 0; i < N; i++) {
			e = memory * e + noise();
			x[i] = i;
			y[i] = 1e6 + slope * i + e;
		}
		struct trend t;
		trend_fit(x, y, N, &t);
		assert_true(t.known);
		held += !trend_is_above(&t, slope) && t.slope + t.half >= slope;
	}
	return held;
}

TEST(the_interval_holds_the_slope)
{
	state = 1;
	unsigned plain = rounds_held(0, 0.25);
	assert_in_range(plain, ROUNDS * 92 / 100, ROUNDS * 98 / 100);
}

// Without a widening it would hold half of them.
TEST(also_where_samples_follow_one_another)
{
	state = 2;
	unsigned held = rounds_held(0.8, 0.25);
	assert_in_range(held, ROUNDS * 89 / 100, ROUNDS * 99 / 100);
}

// A step is no growth: what follows it is too much alike.
TEST(one_step_is_not_sure_growth)
{
	struct trend t;
	for (unsigned i = 0; i < N; i++)
		x[i] = i, y[i] = i < N / 2 ? 0 : 1000;
	trend_fit(x, y, N, &t);
	assert_false(trend_is_above(&t, 0));
}
