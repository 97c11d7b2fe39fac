// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/clock_grace.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/unit.h"

#include <time.h>
#include <weir/clock.h>

enum { NOW_S = 1000000, NOW_MS = 5000, GRACE_MS = 600000 };
static const char path[] = "clock_grace.test";

static struct clock_evidence evidence(int64_t built_s, int64_t saved_s, const char *boot)
{
	struct clock_evidence e = {
		.now_s = NOW_S, .now_ms = NOW_MS, .built_s = built_s, .boot = "this"};
	e.saved.unix_s = saved_s;
	snprintf(e.saved.boot, sizeof(e.saved.boot), "%s", boot);
	return e;
}

static uint64_t decided(int64_t built_s, int64_t saved_s, const char *boot)
{
	const struct clock_evidence e = evidence(built_s, saved_s, boot);
	return clock_grace_decide(&e, GRACE_MS);
}

TEST(test_a_clock_before_a_moment_that_has_passed_is_behind)
{
	assert_int_equal(decided(0, 0, ""), 0); // no evidence
	assert_int_equal(decided(NOW_S, NOW_S, "last"), 0);
	assert_int_equal(decided(NOW_S + 1, 0, ""), NOW_MS + GRACE_MS);
	assert_int_equal(decided(0, NOW_S + 1, "last"), NOW_MS + GRACE_MS);
	const struct clock_evidence e = evidence(7, 9, "last"), other = evidence(9, 7, "last");
	assert_int_equal(clock_evident_s(&e), 9);
	assert_int_equal(clock_evident_s(&other), 9);
}

TEST(test_a_boot_has_one_grace_with_one_end)
{
	struct clock_evidence e = evidence(NOW_S + 1, NOW_S + 1, "this");
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), 0);
	e.saved.until_ms = NOW_MS; // it has just ended
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), 0);
	e.saved.until_ms = NOW_MS + 1;
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), NOW_MS + 1);
	e.saved.until_ms = UINT64_MAX;
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), NOW_MS + GRACE_MS);
}

// The clock was set in this boot: the time saved before may be the wrong one.
TEST(test_a_time_saved_in_this_boot_counts_during_a_grace_alone)
{
	struct clock_evidence e = evidence(NOW_S - 1, NOW_S + 9, "this");
	assert_int_equal(clock_evident_s(&e), NOW_S - 1);
	e.saved.until_ms = NOW_MS + 1;
	assert_int_equal(clock_evident_s(&e), NOW_S + 9);
	e = evidence(NOW_S + 1, NOW_S + 9, "this"); // the program's date counts as always
	assert_int_equal(clock_evident_s(&e), NOW_S + 1);
	e = evidence(NOW_S - 1, NOW_S + 9, "");
	e.boot = ""; // which boot is not known
	assert_int_equal(clock_evident_s(&e), NOW_S + 9);
}

// A date in the future does not give a grace at each boot; a new date counts again, and so does one
// that a clock has reached.
TEST(test_the_date_of_the_program_counts_in_few_boots)
{
	static const char *const boots[] = {"first", "second", "third", "fourth", "fifth"};
	struct clock_evidence e = evidence(NOW_S + 9, 0, "");
	for (unsigned i = 0; i < ARRAY_LEN(boots); i++) {
		const bool counts = i < CLOCK_BUILT_BOOTS;
		e.boot = boots[i];
		assert_int_equal(clock_grace_decide(&e, GRACE_MS), counts ? NOW_MS + GRACE_MS : 0);
		clock_saved_begin(&e, &e.saved);
		e.saved.until_ms = counts ? NOW_MS + GRACE_MS : 0;
		// A restart in the same boot finds the same.
		assert_int_equal(clock_evident_s(&e), counts ? NOW_S + 9 : 0);
		assert_int_equal(clock_grace_decide(&e, GRACE_MS), counts ? NOW_MS + GRACE_MS : 0);
		clock_saved_begin(&e, &e.saved);
		assert_string_equal(e.saved.boot, boots[i]);
		assert_int_equal(e.saved.unix_s, 0);
	}
	e.boot = "sixth";
	e.saved.unix_s = NOW_S + 1; // the saved time counts as always
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), NOW_MS + GRACE_MS);
	strcpy(e.saved.boot, e.boot);
	e.saved.until_ms = 1; // a grace of this boot, in which another boot's time stays saved
	assert_int_equal(clock_evident_s(&e), NOW_S + 1);
	e.saved.boot[0] = '\0';
	e.saved.until_ms = 0;
	e.saved.unix_s = 0;
	e.built_s++; // another program
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), NOW_MS + GRACE_MS);
	e.built_s--;
	e.now_s = NOW_S + 9;
	clock_saved_begin(&e, &e.saved);
	assert_int_equal(e.saved.boots, 0);
	e.boot = "seventh";
	e.now_s = NOW_S;
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), NOW_MS + GRACE_MS);
}

TEST(test_no_grace_where_it_is_off_or_the_boot_is_not_known)
{
	struct clock_evidence e = evidence(NOW_S + 1, NOW_S + 1, "last");
	assert_int_equal(clock_grace_decide(&e, 0), 0);
	e.boot = "";
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), 0);
	e.saved.boot[0] = '\0';
	assert_int_equal(clock_grace_decide(&e, GRACE_MS), 0);
}

TEST(test_it_ends_by_its_time_and_never_comes_back)
{
	clock_grace_begin(clock_mono_ms() + 60000, time(NULL) + 1000);
	assert_true(clock_grace_is_on());
	assert_in_range(clock_grace_left_ms(), 1, 60000);
	clock_ahead_by_ms(60000);
	assert_false(clock_grace_is_on());
	assert_int_equal(clock_grace_left_ms(), 0);
	assert_true(clock_is_behind());
}

TEST(test_it_ends_once_the_clock_has_reached_the_evidence)
{
	clock_grace_begin(clock_mono_ms() + 60000, time(NULL) + 1000);
	assert_true(clock_grace_is_on());
	clock_step_ms(1000000);
	assert_false(clock_is_behind());
	assert_false(clock_grace_is_on());
	clock_step_ms(-1000000); // set back, as by a false time server
	assert_true(clock_is_behind());
	assert_false(clock_grace_is_on());
}

TEST(test_evidence_without_a_grace_is_kept)
{
	clock_grace_begin(0, time(NULL) + 1000);
	assert_true(clock_is_behind());
	assert_false(clock_grace_is_on());
}

TEST(test_what_is_saved_is_read)
{
	struct clock_saved s = {.boot = "0b1e",
				   .unix_s = 1800000000,
				   .until_ms = 77,
				   .built_s = 5,
				   .boots = 2},
			   got;
	char why[CLOCK_WHY_MAX];
	assert_int_equal(clock_saved_write(&s, path, why), 0);
	clock_saved_read(&got, path);
	assert_string_equal(got.boot, "0b1e");
	assert_int_equal(got.unix_s, 1800000000);
	assert_int_equal(got.until_ms, 77);
	assert_int_equal(got.built_s, 5);
	assert_int_equal(got.boots, 2);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	assert_true(fputs("damage\n", f) >= 0 && fclose(f) == 0);
	clock_saved_read(&got, path);
	assert_int_equal(got.unix_s, 0);
	assert_string_equal(got.boot, "");
	assert_int_equal(unlink(path), 0);
	assert_true(clock_saved_write(&s, "no/such/folder/clock", why) < 0);
	assert_true(why[0]);
}
