// SPDX-License-Identifier: BSD-3-Clause
// How many queries a server takes on a TCP connection: learnt, tried again, forgotten.

#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/unit.h"

static struct upstream_limit known_for(unsigned queries, uint64_t now_ms)
{
	struct upstream_limit l = {0};

	for (unsigned i = 1; i <= UPSTREAM_LIMIT_STRIKES; i++) {
		assert_int_equal(upstream_limit_known(&l, now_ms), 0);
		assert_int_equal(
			upstream_limit_ended(&l, queries, now_ms), i == UPSTREAM_LIMIT_STRIKES);
	}
	assert_int_equal(upstream_limit_known(&l, now_ms), queries);
	return l;
}

TEST(test_an_accident_is_soon_forgotten)
{
	struct upstream_limit l = {0};
	unsigned limit, conns = 0;

	assert_int_equal(upstream_limit_now(&l, 1000), 0);
	assert_false(upstream_limit_ended(&l, 5, 1000));
	assert_int_equal(upstream_limit_now(&l, 1000), 5);
	while ((limit = upstream_limit_now(&l, 1000))) {
		assert_int_equal(limit, 5u << conns++);
		assert_false(upstream_limit_opened(&l, limit, 1000));
		upstream_limit_answered(&l, limit - 1, limit);
		assert_int_equal(upstream_limit_now(&l, 1000), limit);
		upstream_limit_answered(&l, limit, limit);
	}
	assert_in_range(conns, 9, 11);
	assert_int_equal(l.strikes, 0);
}

TEST(test_that_it_answered_none_says_nothing)
{
	struct upstream_limit l = {0};

	for (unsigned i = 0; i < 10; i++)
		assert_false(upstream_limit_ended(&l, 0, 1000));
	assert_int_equal(upstream_limit_now(&l, 1000), 0);
}

// Restarts after 3, 7 and 20 replies are no habit; ends after 20, 7 and 3 may be one.
TEST(test_a_server_that_answers_more_has_no_habit)
{
	struct upstream_limit up = {0}, down = {0};

	assert_false(upstream_limit_ended(&up, 3, 1000));
	assert_false(upstream_limit_ended(&up, 7, 1000));
	assert_false(upstream_limit_ended(&up, 20, 1000));
	assert_int_equal(upstream_limit_known(&up, 1000), 0);
	assert_false(upstream_limit_ended(&down, 20, 1000));
	assert_false(upstream_limit_ended(&down, 7, 1000));
	assert_true(upstream_limit_ended(&down, 3, 1000));
	assert_int_equal(upstream_limit_known(&down, 1000), 3);
}

// The first query alone on a connection says nothing of a limit of 8.
TEST(test_one_for_fewer_says_nothing)
{
	struct upstream_limit l = {0};

	assert_false(upstream_limit_ended(&l, 8, 1000));
	upstream_limit_answered(&l, 1, 1);
	assert_int_equal(upstream_limit_now(&l, 1000), 8);
}

TEST(test_a_known_one_is_tried_less_and_less)
{
	uint64_t now_ms = 1000, wait_ms = UPSTREAM_LIMIT_PROBE_MS;
	struct upstream_limit l = known_for(4, now_ms);

	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(upstream_limit_now(&l, now_ms + wait_ms - 1), 4);
		now_ms += wait_ms;
		assert_int_equal(upstream_limit_now(&l, now_ms), 8);
		assert_false(upstream_limit_opened(&l, 4, now_ms));
		assert_true(upstream_limit_opened(&l, 8, now_ms));
		assert_int_equal(upstream_limit_now(&l, now_ms), 4); // one connection, no more
		upstream_limit_answered(&l, 4, 8);
		assert_false(upstream_limit_ended(&l, 4, now_ms));
		assert_int_equal(upstream_limit_known(&l, now_ms), 4);
		wait_ms = wait_ms < UPSTREAM_LIMIT_KEEP_MS / 2 ? wait_ms * 2 : wait_ms;
	}
	assert_true(wait_ms < UPSTREAM_LIMIT_KEEP_MS); // so that it is tried before it is forgotten
}

TEST(test_one_that_takes_more_is_known_no_longer)
{
	uint64_t now_ms = 1000;
	struct upstream_limit l = known_for(4, now_ms);

	now_ms += UPSTREAM_LIMIT_PROBE_MS;
	assert_true(upstream_limit_opened(&l, 8, now_ms));
	upstream_limit_answered(&l, 5, 8);
	assert_int_equal(upstream_limit_known(&l, now_ms), 0);
	assert_int_equal(upstream_limit_now(&l, now_ms), 5);
	upstream_limit_answered(&l, 8, 8);
	assert_int_equal(upstream_limit_now(&l, now_ms), 16);
}

// On the millisecond: known until then, and no probe of what is forgotten.
TEST(test_it_is_forgotten_on_time)
{
	struct upstream_limit l = known_for(4, 1000), before = l;
	uint64_t end_ms = 1000 + UPSTREAM_LIMIT_KEEP_MS;

	assert_int_equal(upstream_limit_known(&l, end_ms - 1), 4);
	assert_int_equal(upstream_limit_known(&l, end_ms), 0);
	assert_int_equal(upstream_limit_now(&l, end_ms), 0);
	assert_false(upstream_limit_opened(&l, 8, end_ms));
	assert_true(upstream_limit_opened(&before, 8, end_ms - 1));
	assert_false(upstream_limit_opened(&l, 4, end_ms - 1));
}

TEST(test_what_nothing_confirms_is_forgotten)
{
	struct upstream_limit l = known_for(4, 1000);

	assert_int_equal(upstream_limit_known(&l, 999 + UPSTREAM_LIMIT_KEEP_MS), 4);
	assert_int_equal(upstream_limit_known(&l, 1000 + UPSTREAM_LIMIT_KEEP_MS), 0);
	assert_int_equal(upstream_limit_now(&l, 1000 + UPSTREAM_LIMIT_KEEP_MS), 0);
	assert_false(upstream_limit_ended(&l, 4, 2000 + UPSTREAM_LIMIT_KEEP_MS)); // from the start
	assert_int_equal(upstream_limit_known(&l, 2000 + UPSTREAM_LIMIT_KEEP_MS), 0);
}
