// SPDX-License-Identifier: BSD-3-Clause
// Servers that reply with failures: what they cost a question beside one that is down, and how long
// they stay first.
#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

enum { LIFE_MS = 3000 };

static void down_first(void)
{
	fake[0].mode = FAKE_SILENT;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++)
		ANSWERED(LIFE_MS);
	assert_false(status(0).up);
	fake[1].mode = FAKE_SERVFAIL;
}

// One question in a while finds out whether the server is there again, and waits no longer than for
// any other one.
TEST_WITH(test_a_failure_waits_for_no_server_that_is_down, rig_setup, rig_teardown)
{
	down_first();
	const unsigned before = fake[0].udp_queries;
	for (unsigned i = 0; i < 20; i++) {
		UNANSWERED(LIFE_MS);
		assert_int_equal(fx.why, UPSTREAM_END_FAILURE);
		assert_true(fx.took_ms < 400);
	}
	assert_in_range(fake[0].udp_queries, before + 1, before + 3);
	fake[0].mode = FAKE_ANSWER;
	clock_still_work_us(UPSTREAM_DOWN_TRY_MS * 1000);
	ANSWERED(LIFE_MS);
	assert_true(status(0).up);
}

// Its query over TCP is not waited for after the failure, and gives way to that of another server.
TEST_WITH(test_one_query_over_tcp_at_a_time, rig_setup, rig_teardown)
{
	down_first();
	clock_still_work_us(UPSTREAM_DOWN_TRY_MS * 1000);
	fx.config.max_sends = 8;
	configure_servers(3);
	fake[0].mode = FAKE_WRONG_ID;
	fake[1].mode = FAKE_TRUNCATE;
	fake[0].tcp_delay_ms = 1500;
	fake[1].delay_ms = 700;
	fake[2].mode = FAKE_SERVFAIL;
	ANSWERED(LIFE_MS);
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_int_equal(fake[1].tcp_queries, 1);
	assert_int_equal(totals().streams.queries, 0); // nobody waits for the other answer
	run_for(1500);
}

// As long as nobody replies, a server that is down is as good as any.
TEST_WITH(test_silence_waits_for_a_server_that_is_down, rig_setup, rig_teardown)
{
	down_first();
	fake[1].mode = FAKE_SILENT;
	fake[0].mode = FAKE_ANSWER;
	ANSWERED(LIFE_MS);
	assert_true(status(0).up);
}

// The failure may take longer than the waits for all others.
TEST_WITH(test_a_late_failure_waits_for_no_server_that_is_down, rig_setup, rig_teardown)
{
	down_first();
	fake[1].delay_ms = 500;
	for (unsigned i = 0; i < 5; i++) {
		UNANSWERED(LIFE_MS);
		assert_int_equal(fx.why, UPSTREAM_END_FAILURE);
		assert_in_range(fx.took_ms, 490, 700);
	}
	assert_true(fake[0].udp_queries > UPSTREAM_DOWN_AFTER); // as long as nobody had replied
}

// Nobody knows yet that it is down, and a slow one has until the deadline.
TEST_WITH(test_a_failure_waits_for_a_slow_server, rig_setup, rig_teardown)
{
	ANSWERED(LIFE_MS);
	fake[0].delay_ms = 700;
	fake[1].mode = FAKE_SERVFAIL;
	ANSWERED(LIFE_MS);
	assert_in_range(fx.took_ms, 690, 1000);
	fake[0].mode = FAKE_SILENT;
	for (; fx.zone < UPSTREAM_STRIKES; fx.zone++) {
		UNANSWERED(LIFE_MS);
		assert_in_range(fx.took_ms, LIFE_MS - 10, LIFE_MS + 500);
	}
	UNANSWERED(LIFE_MS);
	assert_true(fx.took_ms < 500);
}

// Its back-off is over: the next question is for a server that may be there, and no longer than it.
TEST_WITH(test_a_failure_waits_once_when_a_back_off_ends, rig_setup, rig_teardown)
{
	down_first();
	clock_still_work_us(fx.config.backoff_s * 1000000u);
	assert_true(status(0).up);
	for (unsigned i = 0; i < 5; i++) {
		UNANSWERED(LIFE_MS);
		assert_true(fx.took_ms < 500);
	}
}

static void other_zone_answered(void)
{
	fx.zone++;
	ANSWERED(LIFE_MS);
}

static void fails_first(int mode)
{
	fake[0].mode = mode;
	for (unsigned i = 0; i < UPSTREAM_STRIKES; i++) {
		assert_false(status(0).failing);
		other_zone_answered();
		assert_int_equal(fake[0].udp_queries, i + 1);
	}
	assert_true(status(0).failing && status(0).up && !status(0).suspect);
}

static void stays_behind(int mode)
{
	fails_first(mode);
	for (unsigned i = 0; i < 10; i++)
		ANSWERED(LIFE_MS);
	assert_int_equal(fake[0].udp_queries, UPSTREAM_STRIKES);
	assert_true(status(0).failing);
}

TEST_WITH(test_who_says_servfail_to_all_comes_last, rig_setup, rig_teardown)
{
	stays_behind(FAKE_SERVFAIL);
	fake[1].mode = FAKE_SILENT; // last, and not left out
	fake[0].mode = FAKE_ANSWER;
	ANSWERED(LIFE_MS);
	assert_false(status(0).failing);
}

TEST_WITH(test_who_refuses_all_comes_last, rig_setup, rig_teardown)
{
	stays_behind(FAKE_REFUSED);
}

// Each backoff one question tries it.
TEST_WITH(test_who_failed_is_tried_again, rig_setup, rig_teardown)
{
	fails_first(FAKE_SERVFAIL);
	clock_still_work_us(fx.config.backoff_s * 1000000u);
	assert_false(status(0).failing);
	ANSWERED(LIFE_MS);
	assert_int_equal(fake[0].udp_queries, UPSTREAM_STRIKES + 1);
	assert_true(status(0).failing);
	fake[0].mode = FAKE_ANSWER;
	clock_still_work_us(fx.config.backoff_s * 1000000u);
	for (unsigned i = 0; i < 5; i++)
		ANSWERED(LIFE_MS);
	assert_int_equal(fake[0].udp_queries, UPSTREAM_STRIKES + 6);
}

// A name that nobody answers, or that only some fail, is no server's fault.
TEST_WITH(test_broken_names_demote_nobody, rig_setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	for (unsigned i = 0; i < 3 * UPSTREAM_STRIKES; i++)
		UNANSWERED(LIFE_MS);
	assert_false(status(0).failing || status(1).failing);
	fake[1].mode = FAKE_ANSWER;
	for (unsigned i = 0; i < 3 * UPSTREAM_STRIKES; i++) {
		fake[0].mode = i % 3 == 2 ? FAKE_ANSWER : FAKE_SERVFAIL;
		other_zone_answered();
		assert_false(status(0).failing);
	}
}

// A client may ask for them all day.
static void demotes_nobody(int mode, int ede)
{
	fake[0].mode = mode;
	fake[0].ede = ede;
	for (unsigned i = 0; i < 3 * UPSTREAM_STRIKES; i++) {
		other_zone_answered();
		assert_false(status(0).failing);
	}
	assert_int_equal(fake[0].udp_queries, 3 * UPSTREAM_STRIKES);
}

TEST_WITH(test_who_says_that_names_are_bogus_stays_first, rig_setup, rig_teardown)
{
	demotes_nobody(FAKE_SERVFAIL, DNS_EDE_DNSSEC_BOGUS);
}

TEST_WITH(test_who_lacks_a_proof_stays_first, rig_setup, rig_teardown)
{
	demotes_nobody(FAKE_SERVFAIL, DNS_EDE_NSEC_MISSING);
}

TEST_WITH(test_who_refuses_blocked_names_stays_first, rig_setup, rig_teardown)
{
	demotes_nobody(FAKE_REFUSED, DNS_EDE_BLOCKED);
}

// Why says something of the server here.
TEST_WITH(test_who_serves_weir_nothing_comes_last, rig_setup, rig_teardown)
{
	fake[0].ede = DNS_EDE_PROHIBITED;
	stays_behind(FAKE_REFUSED);
}

// NOERROR with a referral alone: weir makes no use of it.
TEST_WITH(test_what_weir_refuses_demotes_nobody, rig_setup, rig_teardown)
{
	demotes_nobody(FAKE_REFERRAL, 0);
}

TEST_WITH(test_one_broken_zone_demotes_nobody, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	for (unsigned i = 0; i < 3 * UPSTREAM_STRIKES; i++) {
		fx.zone = i % (UPSTREAM_STRIKES - 1);
		ANSWERED(LIFE_MS);
		assert_false(status(0).failing);
	}
}

// All questions to the servers of a forward zone are of that zone.
TEST_WITH(test_who_fails_all_of_a_forward_zone_comes_last, rig_setup, rig_teardown)
{
	upstreams_for_zones(fx.up);
	fake[0].mode = FAKE_SERVFAIL;
	for (unsigned i = 0; i < 2 * UPSTREAM_STRIKES; i++) // one broken name
		ANSWERED(LIFE_MS);
	for (fx.host = 1; fx.host < UPSTREAM_STRIKES; fx.host++) {
		assert_false(status(0).failing);
		ANSWERED(LIFE_MS);
	}
	assert_true(status(0).failing);
}

TEST_WITH(test_failures_far_apart_demote_nobody, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	for (unsigned i = 0; i < 3 * UPSTREAM_STRIKES; i++) {
		other_zone_answered();
		assert_false(status(0).failing);
		clock_still_work_us(UPSTREAM_STRIKE_MS * 1000 / (UPSTREAM_STRIKES - 1));
	}
}

// Failures come quickly, so the quickest one is the one that fails all.
TEST_WITH(test_the_quickest_is_not_the_one_that_fails, rig_setup, rig_teardown)
{
	fx.config.policy = UPSTREAM_LATENCY;
	configure_servers(2);
	fake[0].mode = FAKE_REFUSED;
	fake[1].delay_ms = 20;
	for (unsigned i = 0; i < 20; i++)
		other_zone_answered();
	assert_in_range(fake[0].udp_queries, UPSTREAM_STRIKES, UPSTREAM_STRIKES + 2);
}

// The second one of a race is one that may be expected to answer.
TEST_WITH(test_a_race_is_without_the_one_that_fails, rig_setup, rig_teardown)
{
	fx.config.race = 2;
	configure_servers(3);
	fake[1].delay_ms = 30;
	fake[0].mode = FAKE_SERVFAIL;
	for (unsigned i = 0; i < UPSTREAM_STRIKES + 5; i++)
		other_zone_answered();
	assert_int_equal(fake[0].udp_queries, UPSTREAM_STRIKES);
	assert_true(fake[2].udp_queries >= 5);
}
