// SPDX-License-Identifier: BSD-3-Clause
// Slow servers: what an ask holds open, repeats and still believes.
#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

#include <sys/resource.h>

static unsigned in_use(void)
{
	const struct upstream_totals t = totals();
	return t.sockets.open - t.sockets.idle;
}

static void use_servers(unsigned count, unsigned first_timeout_ms)
{
	fx.config.first_timeout_ms = first_timeout_ms;
	configure_servers(count);
}

TEST_WITH(test_second_of_delay_costs_a_second, rig_setup, rig_teardown)
{
	use_servers(1, 400);
	fake[0].delay_ms = 1000;
	ANSWERED(5000);
	assert_in_range(fx.took_ms, 990, 1190);
	assert_int_equal(totals().sent, 2);
}

TEST_WITH(test_repeated_query_is_the_same, rig_setup, rig_teardown)
{
	use_servers(1, 60);
	fake[0].mode = FAKE_SILENT;
	UNANSWERED(400);
	assert_int_equal(fake[0].udp_queries, 3);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(fake[0].id[i], fake[0].id[0]);
		assert_int_equal(fake[0].source_port[i], fake[0].source_port[0]);
		assert_int_equal(fake[0].upper[i], fake[0].upper[0]);
	}
}

TEST_WITH(test_first_slow_second_dead, rig_setup, rig_teardown)
{
	use_servers(2, 100);
	fake[0].delay_ms = 280; // asked at 0 and 200 ms
	fake[1].mode = FAKE_SILENT;
	ANSWERED(2000);
	assert_in_range(fx.took_ms, 275, 395);
	assert_int_equal(totals().sent, 3);
	assert_int_equal(status(0).answered, 1);
	assert_int_equal(
		status(0).srtt_us, 0); // it was asked twice: which query is this the reply to?
	assert_int_equal(status(1).timeouts, 1);
}

TEST_WITH(test_late_reply_after_failover_counts, rig_setup, rig_teardown)
{
	use_servers(2, 200);
	fake[0].delay_ms = 250;
	fake[1].mode = FAKE_SILENT;
	for (unsigned i = 0; i <= UPSTREAM_DOWN_AFTER; i++) {
		ANSWERED(2000);
		assert_in_range(fx.took_ms, 245, 390);
	}
	assert_int_equal(fake[0].udp_queries, UPSTREAM_DOWN_AFTER + 1);
	assert_int_equal(status(0).timeouts, UPSTREAM_DOWN_AFTER + 1);
	assert_true(status(0).up);
	assert_in_range(
		status(0).srtt_us, 245000, 390000); // since it was sent, not since the failover
}

TEST_WITH(test_failure_leaves_the_other_leg_open, rig_setup, rig_teardown)
{
	fx.config.max_sends = 2;
	use_servers(2, 60);
	fake[0].delay_ms = 150;
	fake[1].mode = FAKE_SERVFAIL;
	ANSWERED(2000);
	assert_in_range(fx.took_ms, 145, 400);
	assert_int_equal(status(1).failures, 1);
	assert_int_equal(totals().sent, 2);
}

TEST_WITH(test_late_failure_does_not_hurry, rig_setup, rig_teardown)
{
	use_servers(2, 150);
	fake[0].mode = FAKE_SERVFAIL;
	fake[0].delay_ms = 190;
	fake[1].delay_ms = 80;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_int_equal(status(0).failures, 1);
	// When the last leg has failed as well there is nothing to wait for.
	fx.config.max_sends = 2;
	use_servers(2, 150);
	fake[1].mode = FAKE_REFUSED;
	fake[0].delay_ms = 300;
	UNANSWERED(2000);
	assert_int_equal(fx.why, UPSTREAM_END_FAILURE);
	assert_in_range(fx.took_ms, 295, 600);
}

TEST_WITH(test_wrong_id_on_an_earlier_leg, rig_setup, rig_teardown)
{
	use_servers(2, 150);
	fake[0].mode = FAKE_WRONG_ID;
	fake[0].delay_ms = 220;
	fake[1].mode = FAKE_SILENT;
	ANSWERED(2000);
	assert_in_range(fx.took_ms, 215, 400);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_int_equal(fake[1].udp_queries, 1);
}

TEST_WITH(test_tcp_one_server_after_the_other, rig_setup, rig_teardown)
{
	fx.config.max_sends = 4;
	use_servers(2, 150);
	fake[0].mode = fake[1].mode = FAKE_TRUNCATE;
	fake[0].delay_ms = fake[1].delay_ms = 220;
	fake[0].tcp_delay_ms = 1500;
	ANSWERED(3000);
	assert_in_range(fx.took_ms, 215 + UPSTREAM_TCP_MS, 400 + UPSTREAM_TCP_MS);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_int_equal(fake[1].tcp_queries, 1);
	assert_int_equal(totals().streams.queries, 0);
}

TEST_WITH(test_legs_are_few_and_all_closed, rig_setup, rig_teardown)
{
	use_servers(4, 60);
	for (unsigned i = 0; i < 4; i++)
		fake[i].mode = FAKE_SILENT;
	ask_start(2000);
	run_for(210);
	assert_int_equal(fake[3].udp_queries, 1);
	assert_int_equal(in_use(), UPSTREAM_LEGS);
	upstream_ask_stop(&fx.ask);
	assert_int_equal(in_use(), 0);
}

TEST_WITH(test_leg_outlives_a_new_list, rig_setup, rig_teardown)
{
	use_servers(1, 60);
	fake[0].delay_ms = 150;
	ask_start(2000);
	fx.config.server[1] = fx.config.server[0]; // the same server, elsewhere in the list
	fx.config.server[0].address.port ^= 1;
	CONFIGURE(count, 2);
	FINISHED(replies);
	assert_in_range(fx.took_ms, 145, 250);
	assert_int_equal(status(1).answered, 1);
	if (fake[0].udp_queries > 1)
		assert_int_equal(fake[0].source_port[1], fake[0].source_port[0]);
}

TEST_WITH(test_no_socket_is_a_send_error, rig_setup, rig_teardown)
{
	struct rlimit all, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ask(2000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(fx.ended, 1);
	assert_int_equal(fx.why, UPSTREAM_END_NETWORK);
	assert_int_equal(status(0).send_errors, UPSTREAM_SENDS_EACH);
	assert_int_equal(status(1).send_errors, UPSTREAM_SENDS_EACH);
	ANSWERED(2000);
}

TEST_WITH(test_closed_port_is_silence, rig_setup, rig_teardown)
{
	use_servers(1, 60);
	for (unsigned i = 0; i < RIG_SERVERS; i++)
		fake[i].mode = FAKE_SILENT; // if one has that port
	fx.config.server[0].address.port ^= 1;
	upstreams_configure(fx.up, &fx.config);
	UNANSWERED(400);
	assert_int_equal(fx.why, UPSTREAM_END_TIMEOUT);
	assert_in_range(fx.took_ms, 390, 600);
	assert_int_equal(status(0).send_errors, 0);
	assert_int_equal(status(0).sent, 3);
	assert_int_equal(status(0).refused, 1);
}

// The second server of a race has its own time, whatever the host of the first one says.
TEST_WITH(test_closed_port_in_a_race, rig_setup, rig_teardown)
{
	use_servers(3, 1000);
	fake[0].delay_ms = 200;
	for (unsigned i = 1; i < RIG_SERVERS; i++)
		fake[i].mode = FAKE_SILENT; // if one has that port
	fx.config.race = 2;
	fx.config.server[0].address.port = fake[1].port ^ 1;
	CONFIGURE(server[1].address.port, fake[0].port);
	ANSWERED(3000);
	assert_int_equal(status(0).refused, 1);
	assert_int_equal(status(1).timeouts, 0);
	assert_int_equal(status(1).answered, 1);
}

// Where there is another server the refusal ends the wait for this one; both refuse: no tries are
// spent sooner than by silence, and the question waits for its replies to the end.
TEST_WITH(test_closed_port_ends_the_try, rig_setup, rig_teardown)
{
	use_servers(2, 1000);
	for (unsigned i = 1; i < RIG_SERVERS; i++)
		fake[i].mode = FAKE_SILENT; // if one has that port
	fx.config.server[0] = fx.config.server[1];
	fx.config.server[0].address.port ^= 1;
	CONFIGURE(server[1].address.port, fake[0].port);
	ANSWERED(3000);
	assert_true(fx.took_ms < 500);
	assert_int_equal(status(0).refused, 1);
	assert_int_equal(status(0).timeouts, 1);
	assert_int_equal(fake[0].udp_queries, 1);
	fx.config.server[1].address.port ^= 1;
	upstreams_configure(fx.up, &fx.config);
	UNANSWERED(800);
	assert_int_equal(fx.why, UPSTREAM_END_TIMEOUT);
	assert_in_range(fx.took_ms, 790, 1000);
	assert_int_equal(totals().sent, 4);
}

// A server that was quick and is slow now: no repeated query tells how slow (Karn), so waits grow
// until one is answered at its first sending.
TEST_WITH(test_wait_follows_a_server_that_slows_down, rig_setup, rig_teardown)
{
	use_servers(1, 1000);
	for (unsigned i = 0; i < 8; i++)
		ask(2000);
	uint32_t quick_us = status(0).srtt_us;
	assert_in_range(quick_us, 1, 40000);
	fake[0].delay_ms = 130;
	for (unsigned i = 0; i < 4; i++) {
		ANSWERED(2000);
		assert_in_range(fx.took_ms, 125, 300);
	}
	assert_true(status(0).srtt_us >= quick_us + 5000);
}

// A question in another zone each time.
static void question_next(struct upstream_ask *a)
{
	static const uint8_t question[] = "\1a\0\0\1\0\1";

	if (a->question_len == 0)
		memcpy(a->question, question, sizeof(question));
	a->question_len = sizeof(question) - 1;
	a->question[1]++;
}

TEST(test_server_that_answers_others_is_not_down)
{
	struct upstream s = {.name = "slow", .health = &s.own};
	struct upstreams *u = calloc(1, sizeof(*u));
	struct upstream_ask ask = {.owner = u};
	struct upstream_leg leg = {.ask = &ask, .sends = 1, .last_sent_us = clock_mono_us()};
	u->backoff_s = 30;
	memset(&u->secret, 7, sizeof(u->secret));
	upstream_server_answered(&s, 1000000, leg.last_sent_us + 1);
	for (unsigned i = 0; i <= UPSTREAM_DOWN_AFTER; i++)
		assert_false(upstream_server_timed_out(u, &s, &leg));
	assert_int_equal(s.timeouts, UPSTREAM_DOWN_AFTER + 1);
	assert_false(upstream_server_down(u, &s, clock_mono_ms()));
	leg.last_sent_us += 2;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		question_next(&ask);
		assert_int_equal(upstream_server_timed_out(u, &s, &leg), i == 0);
	}
	assert_true(upstream_server_down(u, &s, clock_mono_ms()));
	upstream_server_answered(&s, 0, clock_mono_us());
	assert_false(upstream_server_down(u, &s, clock_mono_ms()));
	free(u);
}
