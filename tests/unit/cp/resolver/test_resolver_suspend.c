// SPDX-License-Identifier: BSD-3-Clause

// A machine that was suspended, or paused by its host: what it has cached has aged, and nobody
// hangs because of it.
#include "resolver_rig.h"
#include "tests/unit/clock_shift.h"

enum { HOUR_MS = 3600000, TTL_S = 300 };

static uint64_t samples(void)
{
	const struct loop_lag lag = status().lag_ever;
	return loop_lag_samples(&lag);
}

// The resolver has read the clock: it does so every 100 ms, and the loop is timed every 20 ms.
static void beats(void)
{
	const uint64_t before = samples();
	WAIT_FOR(samples() >= before + 8);
}

TEST_WITH(test_records_age, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = TTL_S;
	resolves("www.example", 1, ANSWER_UPSTREAM);
	resolves("www.example", 2, ANSWER_CACHED);
	clock_suspend_ms(TTL_S * 1000 / 2);
	resolves("www.example", 3, ANSWER_CACHED);
	clock_suspend_ms(TTL_S * 1000 / 2);
	resolves("www.example", 4, ANSWER_UPSTREAM);
	resolves("www.example", 5, ANSWER_CACHED);
	assert_int_equal(rig_asked(), 2);
}

static void walked(uint64_t steps, uint64_t records)
{
	struct step_count c = status().step;
	WAIT_FOR(c.steps == steps && c.aged + c.dropped == records, c = status().step);
}

// The host paused the machine, and somebody set its wall clock right: what is cached is older.
TEST_WITH(test_a_step_ahead_ages_records, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = TTL_S;
	resolves("www.example", 1, ANSWER_UPSTREAM);
	clock_step_ms(TTL_S * 1000 / 2);
	walked(1, 1);
	resolves("www.example", 2, ANSWER_CACHED);
	clock_step_ms(TTL_S * 1000 / 2);
	walked(2, 2);
	resolves("www.example", 3, ANSWER_UPSTREAM);
	resolves("www.example", 4, ANSWER_CACHED);
	assert_int_equal(status().step.stepped_ms / 1000, TTL_S);
	assert_int_equal(status().step.dropped, 0);
}

// A box that starts in 1970 learns the time: what it has cached is gone, once.
TEST_WITH(test_a_step_of_half_a_century, rig_setup, rig_teardown)
{
	const int64_t years_ms = INT64_C(50) * 365 * 86400 * 1000;
	fake[0].ttl_s = fake[1].ttl_s = TTL_S;
	clock_step_ms(-years_ms);
	beats();
	resolves("www.example", 1, ANSWER_UPSTREAM);
	clock_step_ms(years_ms);
	walked(1, 1);
	assert_int_equal(status().step.dropped, 1);
	resolves("www.example", 2, ANSWER_UPSTREAM);
	beats();
	resolves("www.example", 3, ANSWER_CACHED);
}

// A clock that is set back says nothing of records, nor does one that is set right by a little.
TEST_WITH(test_other_steps_are_not_believed, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = TTL_S;
	resolves("www.example", 1, ANSWER_UPSTREAM);
	clock_step_ms(-HOUR_MS);
	beats();
	clock_step_ms(1000);
	beats();
	resolves("www.example", 2, ANSWER_CACHED);
	assert_int_equal(status().step.steps, 0);
	// The step there and back makes it older, not younger.
	clock_step_ms(HOUR_MS);
	walked(1, 1);
	resolves("www.example", 3, ANSWER_UPSTREAM);
}

static unsigned hung(void)
{
	struct publish_status s;
	publish_status(rig.publisher, &s);
	return s.workers_hung;
}

// By this process, which may be the first to wake up. One that stays silent hangs.
TEST_WITH(test_workers_do_not_hang, rig_setup, rig_teardown)
{
	atomic_store(&dp.dp[0]->heartbeat_ms, clock_mono_ms());
	clock_suspend_ms(HOUR_MS);
	const uint64_t early_ms = clock_mono_ms() + PUBLISH_HUNG_MS / 2;
	WAIT_FOR(clock_mono_ms() >= early_ms, assert_int_equal(hung(), 0));
	WAIT_FOR(hung() > 0);
	assert_int_equal(hung(), 1);
}

// The loop's timer stands still with the machine, and so does what it is late by.
TEST_WITH(test_the_loop_is_not_late, rig_setup, rig_teardown)
{
	clock_suspend_ms(HOUR_MS);
	beats();
	const struct loop_lag lag = status().lag_ever;
	assert_true(loop_lag_samples(&lag) > 0);
	assert_int_equal(loop_lag_above(&lag, HOUR_MS / 2 * UINT64_C(1000)), 0);
}

TEST_GROUP(rig_sends_once, NULL)
