// SPDX-License-Identifier: BSD-3-Clause

// The judgement of the health after a change.

#include "controlplane/versions/health_watch.h"
#include "tests/unit/unit.h"

enum { WATCH_MS = 10000, DEADLINE_MS = 4500, SECOND_MS = 1000 };

static struct health w;
static struct health_sight s;

static int setup(void **)
{
	w = (struct health){.good = 1};
	s = (struct health_sight){.now_ms = 1000, .names = 5, .has_lists = true};
	return 0;
}

static void usual(unsigned seconds, unsigned good, unsigned failed)
{
	for (unsigned i = 0; i < seconds; i++) {
		s.now_ms += SECOND_MS;
		s.counts.good += good;
		s.counts.failed += failed;
		health_usual(&w, &s);
	}
}

static void begin(unsigned number)
{
	health_begin(&w, &(struct config_version){.number = number, .before = number - 1}, s.now_ms,
		WATCH_MS, DEADLINE_MS);
}

// Looks until there is a verdict, or `seconds` are over.
static enum health_verdict watch(unsigned seconds, unsigned good, unsigned failed)
{
	enum health_verdict verdict = HEALTH_WATCHED;
	for (unsigned i = 0; i < seconds && verdict == HEALTH_WATCHED; i++) {
		s.now_ms += SECOND_MS;
		s.counts.good += good;
		s.counts.failed += failed;
		verdict = health_judge(&w, &s);
	}
	return verdict;
}

TEST_WITH(health_holds, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	assert_int_equal(watch(9, 10, 0), HEALTH_WATCHED);
	assert_int_equal(watch(1, 10, 0), HEALTH_HELD);
	health_end(&w, 2);
	assert_int_equal(w.good, 2);
}

// The one that follows a bad one is seen against what was usual before the bad one, and the way
// back leads behind both.
TEST_WITH(a_follower_inherits_the_watch, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	s.fresh = "no upstream answers";
	assert_int_equal(watch(2, 10, 0), HEALTH_WATCHED);
	begin(3);
	assert_int_equal(watch(3, 10, 0), HEALTH_FELL);
	assert_string_equal(w.bad, "no upstream answers");
	assert_int_equal(w.version.number, 3);
	assert_int_equal(w.good, 1);
	// Another change came before the way back, and mends it.
	begin(4);
	assert_false(w.has_fallen);
	s.fresh = NULL;
	assert_int_equal(watch(10, 10, 0), HEALTH_HELD);
}

TEST_WITH(lost_lists_are_a_fall, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	s.names = 0;
	assert_int_equal(watch(3, 10, 0), HEALTH_FELL);
}

TEST_WITH(more_servfail_is_a_fall, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	assert_int_equal(watch(10, 0, 10), HEALTH_FELL);
}

// Names of a zone whose servers fail, asked for by one client while the others get their answers.
TEST_WITH(a_flood_of_failing_names_is_no_fall, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	assert_int_equal(watch(10, 10, 1000), HEALTH_HELD);
	health_end(&w, 2);
	usual(20, 10, 1000);
	begin(3);
	assert_int_equal(watch(10, 8, 0), HEALTH_HELD);
}

// Views or upstreams of some clients are bad: a part of the answers is missing.
TEST_WITH(a_part_that_fails_is_a_fall, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	assert_int_equal(watch(10, 6, 6), HEALTH_FELL);
}

TEST_WITH(without_answers_before_each_must_fail, setup, NULL)
{
	usual(20, 0, 0);
	begin(2);
	assert_int_equal(watch(10, 1, 100), HEALTH_HELD);
	health_end(&w, 2);
	usual(20, 0, 0);
	begin(3);
	assert_int_equal(watch(10, 0, 10), HEALTH_FELL);
}

// Questions that waited on the upstreams of before fail after the change that mends them.
TEST_WITH(what_waited_is_no_fall, setup, NULL)
{
	usual(20, 10, 0);
	begin(2);
	assert_int_equal(watch(4, 0, 100), HEALTH_WATCHED);
	assert_int_equal(watch(6, 10, 0), HEALTH_HELD);
}

TEST_WITH(after_an_outage_the_share_says_nothing, setup, NULL)
{
	usual(20, 10, 0);
	s.is_out = true;
	usual(1, 0, 0);
	begin(2);
	s.is_out = false;
	assert_int_equal(watch(10, 0, 20), HEALTH_HELD);
}

TEST_WITH(without_samples_the_share_says_nothing, setup, NULL)
{
	usual(HEALTH_SAMPLES - 1, 0, 0);
	begin(2);
	assert_int_equal(watch(10, 0, 20), HEALTH_HELD);
}

TEST_WITH(the_way_back_is_tried_again_with_a_limit, setup, NULL)
{
	begin(2);
	for (unsigned i = 1; i < HEALTH_TRIES_MAX; i++)
		assert_true(health_try_again(&w));
	assert_false(health_try_again(&w));
	health_end(&w, 0);
	assert_int_equal(w.good, 1);
}
