// SPDX-License-Identifier: BSD-3-Clause
// How long TCP connections to upstreams live.

#include "stream_rig.h"
#include "unit.h"

static void test_silence_ends_it(void **)
{
	answer_one(0, -1);
	clock_turn(UPSTREAM_STREAM_IDLE_MS - 100);
	assert_int_equal(streams().open, 1);
	clock_turn(200);
	assert_int_equal(streams().open, 0);
	assert_int_equal(streams().closed_idle, 1);
	wait_closed(rig.conn[0]);
}

// RFC 7828 3.4: as long as the server says, but not for ever.
static void rfc7828_3_4_the_server_says_for_how_long(void **)
{
	answer_one(0, 100); // 10 s
	clock_turn(8600);
	answer_one(0, -1);
	clock_turn(8600);
	assert_int_equal(streams().open, 1);
	clock_turn(300);
	assert_int_equal(streams().open, 0);
	answer_one(1, 65535);
	clock_turn(UPSTREAM_STREAM_TOLD_MS);
	assert_int_equal(streams().open, 0);
}

static void test_the_server_says_no_longer(void **)
{
	struct stream_query q[2];
	uint8_t out[700];

	ask_more(2);
	wait_conns(1);
	query_read(rig.conn[0], &q[0]);
	query_read(rig.conn[0], &q[1]);
	octets_send(rig.conn[0], out, reply_write(&q[0], 0, out));
	wait_done(1);
	answer_one(1, -1); // not on the first one
	assert_int_equal(streams().open, 2);
	reply(rig.conn[0], &q[1]);
	wait_done(3);
	assert_int_equal(replied(0, 3), 3);
	wait_closed(rig.conn[0]);
}

static void test_keep_alive_off(void **)
{
	rig.config.socket_uses = 1;
	stream_configure();
	for (unsigned i = 0; i < 5; i++) {
		answer_one(i, -1);
		wait_closed(rig.conn[i]);
	}
	assert_int_equal(streams().opened, 5);
	assert_int_equal(streams().reused, 0);
}

static void test_recycled_after_so_many(void **)
{
	rig.config.socket_uses = 3;
	stream_configure();
	for (unsigned i = 0; i < 9; i++)
		answer_one(i / 3, -1);
	assert_int_equal(streams().opened, 3);
}

// A server that leaves the list answers what it was asked.
static void test_a_server_that_leaves(void **)
{
	struct stream_query q;

	answer_one(0, -1);
	ask_more(1);
	query_read(rig.conn[0], &q);
	rig.config.server[0].address.port ^= 1;
	stream_configure();
	reply(rig.conn[0], &q);
	wait_done(2);
	assert_int_equal(replied(0, 2), 2);
	wait_closed(rig.conn[0]);
	assert_int_equal(streams().open, 0);
}

// Queries that it lets lie fill no connection for good.
static void test_a_server_that_answers_nobody_in_time(void **)
{
	const unsigned all = UPSTREAM_STREAMS_EACH * UPSTREAM_STREAM_QUERIES;

	ask_more(all);
	wait_queries(all);
	for (unsigned i = 0; i < all; i++)
		upstream_ask_stop(&rig.ask[i]);
	assert_int_equal(streams().stalled, UPSTREAM_STREAMS_EACH);
	assert_int_equal(streams().open, 0);
	answer_one(UPSTREAM_STREAMS_EACH, -1);
}

enum { EACH = UPSTREAM_STREAM_SPREAD, CONNS = UPSTREAM_STREAMS_EACH };

static void fill(void)
{
	ask_more(CONNS * EACH);
	wait_conns(CONNS);
	wait_queries(CONNS * EACH);
}

// Three are idle, and the fourth ends after a reply, so what was on it is sent on a connection for
// one query, and what comes next on another.
static void test_the_one_idle_longest_makes_room(void **)
{
	struct stream_query q[EACH], one;

	fill();
	for (unsigned c = 1; c < CONNS; c++) {
		for (unsigned i = 0; i < EACH; i++) {
			query_read(rig.conn[c], &one);
			reply(rig.conn[c], &one);
		}
		wait_done(c * EACH);
		clock_turn(100);
	}
	for (unsigned i = 0; i < EACH; i++)
		query_read(rig.conn[0], &q[i]);
	for (unsigned i = 2; i < EACH; i++)
		upstream_ask_stop(&rig.ask[q[i].number]);
	reply(rig.conn[0], &q[0]);
	conn_end(rig.conn[0], false);
	wait_conns(CONNS + 1);
	assert_int_equal(streams().evicted, 0);
	ask_more(1);
	wait_conns(CONNS + 2);
	assert_int_equal(streams().evicted, 1);
	assert_int_equal(streams().open, CONNS);
	wait_closed(rig.conn[1]);
	assert_false(query_is_there(rig.conn[2]) || query_is_there(rig.conn[3]));
	for (unsigned c = CONNS; c < CONNS + 2; c++) {
		query_read(rig.conn[c], &one);
		reply(rig.conn[c], &one);
	}
	wait_done((CONNS - 1) * EACH + 3);
	assert_int_equal(replied(0, rig.started), (CONNS - 1) * EACH + 3);
	assert_int_equal(streams().high, CONNS);
}

// It has room, and replies to come that nobody waits for: it is used, and not ended to make room.
static void test_one_that_is_to_be_used_does_not_make_room(void **)
{
	struct stream_query q;

	fill();
	for (unsigned i = 0; i < EACH; i++) {
		query_read(rig.conn[CONNS - 1], &q);
		upstream_ask_stop(&rig.ask[q.number]);
	}
	unsigned next = ask_more(1);
	query_read(rig.conn[CONNS - 1], &q);
	assert_int_equal(q.number, next);
	reply(rig.conn[CONNS - 1], &q);
	wait_done(1);
	assert_int_equal(replied(next, 1), 1);
	assert_int_equal(streams().evicted, 0);
	assert_int_equal(rig.conns, CONNS);
}

// Nothing comes from any of four, and somebody needs a place: one ends, with what is on it sent
// again.
static void test_a_stalled_one_makes_room(void **)
{
	struct stream_query q;

	fill();
	clock_turn(UPSTREAM_STREAM_STALL_MS + 100);
	for (unsigned c = 0; c < CONNS; c++) {
		query_read(rig.conn[c], &q);
		upstream_ask_stop(&rig.ask[q.number]);
	}
	assert_int_equal(streams().stalled, CONNS);
	unsigned next = ask_more(1);
	wait_conns(CONNS + 1);
	for (unsigned i = 0; i < EACH; i++) {
		query_read(rig.conn[CONNS], &q);
		assert_true(i > 0 || q.number == next);
		reply(rig.conn[CONNS], &q);
	}
	wait_done(EACH);
	assert_int_equal(streams().evicted, 1);
	assert_int_equal(streams().high, CONNS);
	assert_int_equal(sent_again(), EACH - 1);
	assert_int_equal(server_status().tcp_limit, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, stream_rig_setup, stream_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_silence_ends_it),
		T(rfc7828_3_4_the_server_says_for_how_long),
		T(test_the_server_says_no_longer),
		T(test_keep_alive_off),
		T(test_recycled_after_so_many),
		T(test_a_server_that_leaves),
		T(test_a_server_that_answers_nobody_in_time),
		T(test_the_one_idle_longest_makes_room),
		T(test_one_that_is_to_be_used_does_not_make_room),
		T(test_a_stalled_one_makes_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
