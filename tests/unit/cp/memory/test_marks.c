// SPDX-License-Identifier: BSD-3-Clause
// Low-water marks: what counts as a rise, and what of it.

#include "controlplane/memory/marks.h"
#include "tests/unit/unit.h"

#include <math.h>

static struct marks m;
static const double none[MARKS_MAX];

// One window of the first scale, with these values in it.
static void window(double a, double b)
{
	marks_see(&m, a);
	marks_see(&m, b);
	marks_end(&m, 0);
}

TEST(the_least_of_a_window_is_its_mark)
{
	struct marks_rise r;
	marks_begin(&m);
	for (unsigned i = 0; i < marks_scales[0].count; i++) {
		assert_false(marks_full(&m, 0));
		window(100 + i, 1e9);
	}
	assert_true(marks_full(&m, 0));
	marks_rise(&m, 0, none, &r);
	assert_float_equal(r.gain, 11, 0);
	assert_float_equal(r.steady, 9, 0);
	assert_int_equal(r.rises, 11);
	assert_int_equal(r.falls, 0);
	window(50, 60);
	marks_rise(&m, 0, none, &r);
	assert_float_equal(r.gain, 50 - 101, 0);
	assert_int_equal(r.falls, 1);
}

TEST(steps_are_no_steady_rise)
{
	struct marks_rise r;
	marks_begin(&m);
	for (unsigned i = 0; i < 12; i++)
		window(i < 4 ? 0 : i < 9 ? 1000 : 3000, 5000);
	marks_rise(&m, 0, none, &r);
	assert_float_equal(r.gain, 3000, 0);
	assert_float_equal(r.steady, 0, 0);
	assert_int_equal(r.rises, 2);
}

TEST(what_is_excused_is_left_out)
{
	double excused[MARKS_MAX] = {0};
	struct marks_rise r;
	marks_begin(&m);
	for (unsigned i = 0; i < 12; i++)
		window(10 * i, 1000);
	excused[3] = 4;
	excused[5] = 1e6;
	marks_rise(&m, 0, excused, &r);
	assert_float_equal(r.gain, 110 - 4 - 10, 0);
	assert_int_equal(r.rises, 10);
	assert_int_equal(r.falls, 0);
}

TEST(a_window_without_a_value_repeats_the_mark)
{
	struct marks_rise r;
	marks_begin(&m);
	marks_end(&m, 0);
	assert_int_equal(m.count[0], 0);
	window(5, 6);
	marks_end(&m, 0);
	window(7, 8);
	assert_int_equal(m.count[0], 3);
	marks_rise(&m, 0, none, &r);
	assert_float_equal(r.gain, 2, 0);
	assert_int_equal(r.rises, 1);
}
