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
static void test_the_server_says_for_how_long(void **)
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

// All places are taken: by as many connections of one query each as leave `rest`, then by one with
// UPSTREAM_STREAM_SPREAD queries and so on. The number of the first of these.
static unsigned fill_all_but(unsigned rest, unsigned queries)
{
	rig.config.socket_uses = 1;
	stream_configure();
	ask_more(UPSTREAM_STREAMS_MAX - rest);
	wait_conns(UPSTREAM_STREAMS_MAX - rest);
	rig.config.socket_uses = UPSTREAM_SOCKET_USES - 1;
	stream_configure();
	unsigned first = ask_more(queries);
	wait_conns(UPSTREAM_STREAMS_MAX);
	assert_int_equal(streams().open, UPSTREAM_STREAMS_MAX);
	return first;
}

// Two are idle, one for longer. A third ends under two queries that are then sent again alone: one
// has its place, the other needs one.
static void test_the_one_idle_longest_makes_room(void **)
{
	enum { EACH = UPSTREAM_STREAM_SPREAD, A = UPSTREAM_STREAMS_MAX - 3, B, C, D, E };
	struct stream_query q[EACH], again;
	unsigned first = fill_all_but(3, 2 * EACH + 1);

	for (unsigned i = 0; i < EACH; i++) {
		query_read(rig.conn[B], &q[0]);
		reply(rig.conn[B], &q[0]);
	}
	wait_done(EACH);
	clock_turn(100);
	query_read(rig.conn[C], &q[0]);
	reply(rig.conn[C], &q[0]);
	wait_done(EACH + 1);
	for (unsigned i = 0; i < EACH; i++)
		query_read(rig.conn[A], &q[i]);
	for (unsigned i = 3; i < EACH; i++)
		upstream_ask_stop(&rig.ask[q[i].number]);
	reply(rig.conn[A], &q[0]);
	conn_end(rig.conn[A], false);
	wait_conns(E + 1);
	assert_int_equal(streams().evicted, 1);
	assert_int_equal(streams().open, UPSTREAM_STREAMS_MAX);
	wait_closed(rig.conn[B]);
	assert_false(query_is_there(rig.conn[C]));
	for (unsigned c = D; c <= E; c++) {
		query_read(rig.conn[c], &again);
		reply(rig.conn[c], &again);
	}
	wait_done(EACH + 4);
	assert_int_equal(replied(first, 2 * EACH + 1), EACH + 4);
	assert_int_equal(streams().full, 0);
}

// It has room, and replies to come that nobody waits for: it is used, and not ended to make room.
static void test_one_that_is_to_be_used_does_not_make_room(void **)
{
	enum { EACH = UPSTREAM_STREAM_SPREAD, ALL = UPSTREAM_STREAMS_MAX };
	struct stream_query q;
	unsigned first = fill_all_but(1, EACH);

	for (unsigned i = 0; i < EACH; i++) {
		query_read(rig.conn[ALL - 1], &q);
		upstream_ask_stop(&rig.ask[q.number]);
	}
	assert_int_equal(ask_more(1), first + EACH);
	query_read(rig.conn[ALL - 1], &q);
	assert_int_equal(q.number, first + EACH);
	reply(rig.conn[ALL - 1], &q);
	wait_done(1);
	assert_int_equal(replied(first + EACH, 1), 1);
	assert_int_equal(streams().evicted, 0);
	assert_int_equal(rig.conns, ALL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, stream_rig_setup, stream_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_silence_ends_it),
		T(test_the_server_says_for_how_long),
		T(test_the_server_says_no_longer),
		T(test_keep_alive_off),
		T(test_recycled_after_so_many),
		T(test_a_server_that_leaves),
		T(test_a_server_that_answers_nobody_in_time),
		T(test_the_one_idle_longest_makes_room),
		T(test_one_that_is_to_be_used_does_not_make_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
