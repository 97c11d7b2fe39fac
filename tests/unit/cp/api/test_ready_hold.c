// SPDX-License-Identifier: BSD-3-Clause
// When an anycast route is withdrawn, and when it is announced again.

#include "controlplane/api/ready_hold.h"
#include "tests/unit/unit.h"

static struct ready_hold hold;
static uint64_t now_ms;

static int fresh(void **)
{
	hold = (struct ready_hold){0};
	now_ms = 1000;
	return 0;
}

// A look each second, for so many seconds.
static void look(unsigned seconds, bool answers)
{
	for (unsigned i = 0; i < seconds; i++, now_ms += 1000)
		ready_hold_see(&hold, now_ms, answers);
}

// Seconds of answers until it is announced.
static unsigned comes_back_after(void)
{
	unsigned s = 0;
	for (; !hold.is_announced && s < 1000; s++)
		look(1, true);
	return s - 1;
}

TEST_WITH(a_start_has_to_be_well_first, fresh, NULL)
{
	look(5, false);
	assert_false(hold.is_announced);
	assert_int_equal(ready_hold_back_in_ms(&hold, now_ms), READY_BACK_MS);
	look(1, true);
	assert_int_equal(ready_hold_back_in_ms(&hold, now_ms), READY_BACK_MS - 1000);
	look(29, true);
	assert_false(hold.is_announced);
	look(1, true);
	assert_true(hold.is_announced);
	assert_int_equal(ready_hold_back_in_ms(&hold, now_ms), 0);
	assert_int_equal(hold.leaves, 0);
}

TEST_WITH(short_trouble_withdraws_nothing, fresh, NULL)
{
	look(31, true);
	for (unsigned i = 0; i < 20; i++) {
		look(3, false);
		look(1, true);
	}
	assert_true(hold.is_announced);
	look(4, false);
	assert_false(hold.is_announced);
	assert_int_equal(hold.leaves, 1);
}

TEST_WITH(it_comes_back_after_a_stable_time_alone, fresh, NULL)
{
	look(31, true);
	look(4, false);
	look(29, true);
	look(1, false);
	look(30, true);
	assert_false(hold.is_announced);
	look(1, true);
	assert_true(hold.is_announced);
}

TEST_WITH(each_withdrawal_doubles_the_time_up_to_its_bound, fresh, NULL)
{
	static const unsigned back_s[] = {30, 60, 120, 240, 300, 300};
	look(31, true);
	for (unsigned i = 0; i < 6; i++) {
		look(4, false);
		assert_false(hold.is_announced);
		assert_int_equal(comes_back_after(), back_s[i]);
	}
	look(READY_CALM_MS / 1000, true);
	look(4, false);
	assert_int_equal(comes_back_after(), 30);
}

static void next_process(void)
{
	const struct ready_hold former = hold;
	hold = (struct ready_hold){0};
	ready_hold_resume(&hold, now_ms, &former);
}

TEST_WITH(one_that_dies_each_minute_withdraws_ever_longer, fresh, NULL)
{
	look(60, true);
	assert_true(hold.is_announced);
	next_process();
	assert_false(hold.is_announced);
	assert_int_equal(hold.leaves, 1);
	look(60, true); // the second life comes back as ever
	assert_true(hold.is_announced);
	for (unsigned i = 0; i < 10; i++) {
		next_process();
		look(60, true);
		assert_false(hold.is_announced);
	}
	look(1, true);
	assert_true(hold.is_announced);
}

TEST_WITH(what_an_earlier_boot_left_counts_as_nothing, fresh, NULL)
{
	const struct ready_hold former = {
		.is_announced = true, .left_ms = now_ms + 1, .wait_ms = READY_BACK_MAX_MS};
	ready_hold_resume(&hold, now_ms, &former);
	assert_int_equal(hold.leaves, 0);
	assert_int_equal(comes_back_after(), READY_BACK_MS / 1000);
}
