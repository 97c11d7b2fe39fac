// SPDX-License-Identifier: BSD-3-Clause

// The judgement of the health after a change.

#include "controlplane/versions/health_watch.h"
#include "tests/unit/unit.h"

enum { WATCH_MS = 10000, DEADLINE_MS = 4500, SECOND_MS = 1000, CLIENTS = 10 };

static struct health w;
static struct health_sight s;
static struct client_tally a_second; // answers that come in each second

static int setup(void **)
{
	w = (struct health){.good = 1};
	s = (struct health_sight){.now_ms = 1000, .names = 5, .has_lists = true};
	a_second = (struct client_tally){0};
	return 0;
}

// What `count` clients, the first of them `first`, get in each second from then on.
static void get(unsigned first, unsigned count, unsigned good, unsigned failed)
{
	for (unsigned i = first; i < first + count; i++) {
		a_second.good[i] = good;
		a_second.failed[i] = failed;
	}
}

static void second_pass(void)
{
	s.now_ms += SECOND_MS;
	for (unsigned i = 0; i < CLIENT_CROWDS; i++) {
		s.clients.good[i] += a_second.good[i];
		s.clients.failed[i] += a_second.failed[i];
	}
}

static void usual(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		second_pass();
		health_usual(&w, &s);
	}
}

static void begin(unsigned number)
{
	health_begin(&w, &(struct config_version){.number = number, .before = number - 1}, s.now_ms,
		WATCH_MS, DEADLINE_MS);
}

// Looks until there is a verdict, or `seconds` are over.
static enum health_verdict watch(unsigned seconds)
{
	enum health_verdict verdict = HEALTH_WATCHED;
	for (unsigned i = 0; i < seconds && verdict == HEALTH_WATCHED; i++) {
		second_pass();
		verdict = health_judge(&w, &s);
	}
	return verdict;
}

TEST_WITH(health_holds, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	assert_int_equal(watch(9), HEALTH_WATCHED);
	assert_int_equal(watch(1), HEALTH_HELD);
	health_end(&w, 2);
	assert_int_equal(w.good, 2);
}

// The one that follows a bad one is seen against what was usual before the bad one, and the way
// back leads behind both.
TEST_WITH(a_follower_inherits_the_watch, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	s.fresh = "no upstream answers";
	assert_int_equal(watch(2), HEALTH_WATCHED);
	begin(3);
	assert_int_equal(watch(3), HEALTH_FELL);
	assert_string_equal(w.bad, "no upstream answers");
	assert_int_equal(w.version.number, 3);
	assert_int_equal(w.good, 1);
	// Another change came before the way back, and mends it.
	begin(4);
	assert_false(w.has_fallen);
	s.fresh = NULL;
	assert_int_equal(watch(10), HEALTH_HELD);
}

TEST_WITH(lost_lists_are_a_fall, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	s.names = 0;
	assert_int_equal(watch(3), HEALTH_FELL);
}

TEST_WITH(more_servfail_is_a_fall, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	get(0, CLIENTS, 0, 1);
	assert_int_equal(watch(10), HEALTH_FELL);
	assert_string_equal(w.bad, "10 of 10 clients get SERVFAIL instead of answers");
}

// Names of a zone whose servers fail, asked for by one client while the others get their answers.
TEST_WITH(a_flood_of_failing_names_is_no_fall, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	get(0, 1, 1, 1000);
	assert_int_equal(watch(10), HEALTH_HELD);
	health_end(&w, 2);
	usual(20);
	begin(3);
	get(1, 2, 0, 0);
	assert_int_equal(watch(10), HEALTH_HELD);
}

// One that had most of the good answers before asks for names that fail once a version displeases
// it.
TEST_WITH(one_client_takes_nothing_back, setup, NULL)
{
	get(0, 1, 50, 0);
	get(1, 1, 2, 0);
	usual(20);
	begin(2);
	get(0, 1, 0, 50);
	assert_int_equal(watch(10), HEALTH_HELD);
}

// Nor does it in an hour in which nobody else asks, nor with a second address.
TEST_WITH(a_client_that_is_alone_takes_nothing_back, setup, NULL)
{
	get(0, 2, 50, 0);
	usual(20);
	begin(2);
	get(0, 2, 0, 50);
	assert_int_equal(watch(10), HEALTH_HELD);
}

// Those that got no good answer before have none to lose.
TEST_WITH(strangers_that_fail_are_no_fall, setup, NULL)
{
	get(0, 4, 1, 0);
	usual(20);
	begin(2);
	get(4, CLIENTS, 0, 50);
	assert_int_equal(watch(10), HEALTH_HELD);
}

// Fewer clients than a vote takes hide no fall: then all that ask must fail.
TEST_WITH(one_that_had_answers_hides_no_fall, setup, NULL)
{
	get(0, 1, 1, 0);
	usual(20);
	begin(2);
	get(1, CLIENTS, 0, 5);
	assert_int_equal(watch(10), HEALTH_HELD);
	health_end(&w, 2);
	get(1, CLIENTS, 0, 0);
	get(0, 1, 1, 0);
	usual(20);
	begin(3);
	get(0, CLIENTS, 0, 5);
	assert_int_equal(watch(10), HEALTH_FELL);
}

// Views or upstreams of some clients are bad: a part of the answers is missing.
TEST_WITH(a_part_that_fails_is_a_fall, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	get(0, 3, 0, 2);
	assert_int_equal(watch(10), HEALTH_HELD);
	health_end(&w, 2);
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(3);
	get(0, 4, 0, 2);
	assert_int_equal(watch(10), HEALTH_FELL);
}

// Each client loses some of its names, as those of a zone whose servers are wrong.
TEST_WITH(a_part_of_the_names_is_a_fall, setup, NULL)
{
	get(0, CLIENTS, 10, 0);
	usual(20);
	begin(2);
	get(0, CLIENTS, 8, 6);
	assert_int_equal(watch(10), HEALTH_HELD);
	health_end(&w, 2);
	get(0, CLIENTS, 10, 0);
	usual(20);
	begin(3);
	get(0, CLIENTS, 6, 6);
	assert_int_equal(watch(10), HEALTH_FELL);
}

TEST_WITH(without_answers_before_each_must_fail, setup, NULL)
{
	usual(20);
	begin(2);
	get(0, CLIENTS, 0, 10);
	get(0, 1, 1, 10);
	assert_int_equal(watch(10), HEALTH_HELD);
	health_end(&w, 2);
	get(0, CLIENTS, 0, 0);
	usual(20);
	begin(3);
	get(0, CLIENTS, 0, 1);
	assert_int_equal(watch(10), HEALTH_FELL);
}

// Questions that waited on the upstreams of before fail after the change that mends them.
TEST_WITH(what_waited_is_no_fall, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	begin(2);
	get(0, CLIENTS, 0, 10);
	assert_int_equal(watch(4), HEALTH_WATCHED);
	get(0, CLIENTS, 1, 0);
	assert_int_equal(watch(6), HEALTH_HELD);
}

TEST_WITH(after_an_outage_the_share_says_nothing, setup, NULL)
{
	get(0, CLIENTS, 1, 0);
	usual(20);
	s.is_out = true;
	usual(1);
	begin(2);
	s.is_out = false;
	get(0, CLIENTS, 0, 2);
	assert_int_equal(watch(10), HEALTH_HELD);
}

TEST_WITH(without_samples_the_share_says_nothing, setup, NULL)
{
	usual(HEALTH_SAMPLES - 1);
	begin(2);
	get(0, CLIENTS, 0, 2);
	assert_int_equal(watch(10), HEALTH_HELD);
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
