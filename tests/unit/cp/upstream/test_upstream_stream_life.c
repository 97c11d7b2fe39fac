// SPDX-License-Identifier: BSD-3-Clause
// How long TCP connections to upstreams live.

#include "stream_rig.h"
#include "tests/unit/unit.h"

#include <netinet/tcp.h>

TEST_WITH(test_silence_ends_it, stream_rig_setup, stream_rig_teardown)
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
TEST_WITH(rfc7828_3_4_the_server_says_for_how_long, stream_rig_setup, stream_rig_teardown)
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

TEST_WITH(test_the_server_says_no_longer, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[2];
	uint8_t out[700];

	ask_over(1, 2);
	queries_read(rig.conn[0], q, 2);
	bytes_send(rig.conn[0], out, reply_write(&q[0], 0, out));
	wait_done(1);
	answer_one(1, -1); // not on the first one
	assert_int_equal(streams().open, 2);
	reply(rig.conn[0], &q[1]);
	wait_done(3);
	assert_int_equal(replied(0, 3), 3);
	wait_closed(rig.conn[0]);
}

TEST_WITH(test_keep_alive_off, stream_rig_setup, stream_rig_teardown)
{
	STREAM_CONFIGURE(socket_uses, 1);
	for (unsigned i = 0; i < 5; i++) {
		answer_one(i, -1);
		wait_closed(rig.conn[i]);
	}
	assert_int_equal(streams().opened, 5);
	assert_int_equal(streams().reused, 0);
}

TEST_WITH(test_recycled_after_so_many, stream_rig_setup, stream_rig_teardown)
{
	STREAM_CONFIGURE(socket_uses, 3);
	for (unsigned i = 0; i < 9; i++)
		answer_one(i / 3, -1);
	assert_int_equal(streams().opened, 3);
}

// A server that leaves the list answers what it was asked.
TEST_WITH(test_a_server_that_leaves, stream_rig_setup, stream_rig_teardown)
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
TEST_WITH(test_a_server_that_answers_nobody_in_time, stream_rig_setup, stream_rig_teardown)
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
	ask_over(CONNS, CONNS * EACH);
	wait_queries(CONNS * EACH);
}

// Three are idle, and the fourth ends after a reply, so what was on it is sent on a connection for
// one query, and what comes next on another.
TEST_WITH(test_the_one_idle_longest_makes_room, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[EACH], one;

	fill();
	for (unsigned c = 1; c < CONNS; c++) {
		queries_serve(rig.conn[c], EACH);
		wait_done(c * EACH);
		clock_turn(100);
	}
	queries_read(rig.conn[0], q, EACH);
	for (unsigned i = 2; i < EACH; i++)
		upstream_ask_stop(&rig.ask[q[i].number]);
	reply(rig.conn[0], &q[0]);
	conn_end(rig.conn[0], false);
	wait_conns(CONNS + 1);
	assert_int_equal(streams().evicted, 0);
	ask_over(CONNS + 2, 1);
	assert_int_equal(streams().evicted, 1);
	assert_int_equal(streams().open, CONNS);
	wait_closed(rig.conn[1]);
	assert_false(query_is_there(rig.conn[2]) || query_is_there(rig.conn[3]));
	for (unsigned c = CONNS; c < CONNS + 2; c++) {
		query_serve(rig.conn[c], &one);
	}
	wait_done((CONNS - 1) * EACH + 3);
	assert_int_equal(replied(0, rig.started), (CONNS - 1) * EACH + 3);
	assert_int_equal(streams().high, CONNS);
}

// It has room, and replies to come that nobody waits for: it is used, and not ended to make room.
TEST_WITH(test_one_that_is_to_be_used_does_not_make_room, stream_rig_setup, stream_rig_teardown)
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

static void half_send(unsigned conn, const struct stream_query *q, bool rest)
{
	uint8_t out[700];
	size_t len = reply_write(q, -1, out), half = 20;

	bytes_send(rig.conn[conn], rest ? out + half : out, rest ? len - half : half);
	turn();
}

// Half a message is what a busy connection has most of the time; it is no sign of anything.
TEST_WITH(test_half_a_message_that_has_just_begun, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[3];

	ask_over(1, 3);
	queries_read(rig.conn[0], q, 3);
	clock_turn(UPSTREAM_STREAM_STALL_MS + 100);
	half_send(0, &q[1], false);
	upstream_ask_stop(&rig.ask[q[0].number]);
	half_send(0, &q[1], true);
	wait_done(1);
	reply(rig.conn[0], &q[2]);
	wait_done(2);
	answer_one(0, -1);
	assert_int_equal(streams().broken + streams().stalled, 0);
	assert_int_equal(totals().tcp_again, 0);
}

// Nor is the first byte of its length.
TEST_WITH(test_a_length_that_has_just_begun, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[2];
	uint8_t out[700];
	size_t len;

	ask_over(1, 2);
	queries_read(rig.conn[0], q, 2);
	assert_int_equal(totals().sent, 2 * 2); // by UDP, then here
	clock_turn(UPSTREAM_STREAM_STALL_MS + 100);
	len = reply_write(&q[1], -1, out);
	bytes_send(rig.conn[0], out, 1);
	turn();
	upstream_ask_stop(&rig.ask[q[0].number]);
	bytes_send(rig.conn[0], out + 1, len - 1);
	wait_done(1);
	assert_int_equal(streams().broken + streams().stalled, 0);
	assert_int_equal(totals().tcp_again, 0);
}

// Those that came last to a connection which is dead are asked elsewhere when the first is given
// up, and have time for that.
TEST_WITH(test_the_others_leave_a_silent_one, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	ask_over(1, 3);
	for (unsigned i = 0; i < 3; i++)
		query_read(rig.conn[0], &q);
	clock_turn(90);
	ask_more(2);
	wait_queries(5);
	clock_turn(UPSTREAM_TCP_MS - 80);
	wait_done(3);
	assert_int_equal(replied(0, 3), 0);
	assert_int_equal(streams().stalled, 1);
	wait_conns(2);
	query_read(rig.conn[0], &q);
	query_read(rig.conn[0], &q);
	wait_closed(rig.conn[0]);
	clock_turn(UPSTREAM_TCP_LEAST_MS - 100);
	for (unsigned i = 0; i < 2; i++) {
		query_read(rig.conn[1], &q);
		assert_in_range(q.number, 3, 4);
		assert_int_equal(q.keepalive, i == 0); // silence says nothing of the option
		reply(rig.conn[1], &q);
	}
	wait_done(5);
	assert_int_equal(replied(3, 2), 2);
	assert_int_equal(totals().tcp_again, 2);
	assert_int_equal(server_status().tcp_limit, 0);
}

// It may be a large one on a slow way.
TEST_WITH(test_all_but_the_one_that_is_coming_leave, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q[3], again;

	ask_over(1, 3);
	queries_read(rig.conn[0], q, 3);
	half_send(0, &q[1], false);
	clock_turn(UPSTREAM_STREAM_STALL_MS + 100);
	upstream_ask_stop(&rig.ask[q[0].number]);
	assert_int_equal(streams().broken, 1);
	wait_conns(2);
	query_read(rig.conn[1], &again);
	assert_int_equal(again.number, q[2].number);
	reply(rig.conn[1], &again);
	wait_done(1);
	half_send(0, &q[1], true);
	wait_done(2);
	assert_int_equal(replied(0, 3), 2);
	assert_int_equal(totals().tcp_again, 1);
	wait_closed(rig.conn[0]);
}

// Half a message and then nothing comes from any of four, and somebody needs a place: one ends, and
// the query whose reply that was is sent again like those that have left.
TEST_WITH(test_a_stalled_one_makes_room, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query part[CONNS], gone[CONNS];

	fill();
	for (unsigned c = 0; c < CONNS; c++) {
		query_read(rig.conn[c], &part[c]);
		query_read(rig.conn[c], &gone[c]);
		half_send(c, &part[c], false);
	}
	clock_turn(UPSTREAM_STREAM_STALL_MS + 100);
	for (unsigned c = 0; c < CONNS; c++)
		upstream_ask_stop(&rig.ask[gone[c].number]);
	assert_int_equal(streams().broken, CONNS);
	wait_conns(CONNS + 1);
	const unsigned moved = CONNS * (EACH - 2) + 1;
	queries_serve(rig.conn[CONNS], moved);
	wait_done(moved);
	assert_int_equal(streams().evicted, 1);
	assert_int_equal(streams().high, CONNS);
	assert_int_equal(totals().tcp_again, moved);
	assert_int_equal(server_status().tcp_limit, 0);
}

// The server's side of a connection ends, and ours has heard of it.
static void end_is_there(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	WAIT_FOR(info.tcpi_state == TCP_FIN_WAIT2,
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0));
}

// A server that starts again ends all four at one time: what was on one of them does not go to
// another that is dead as well.
TEST_WITH(test_all_end_at_once, stream_rig_setup, stream_rig_teardown)
{
	const unsigned left = 2; // on each, so that all fit one new connection
	struct stream_query q;

	fill();
	for (unsigned c = 0; c < CONNS; c++)
		for (unsigned i = 0; i < EACH; i++) {
			query_read(rig.conn[c], &q);
			if (i >= left)
				reply(rig.conn[c], &q);
		}
	wait_done(CONNS * (EACH - left));
	for (unsigned c = 0; c < CONNS; c++)
		end_is_there(rig.conn[c]);
	wait_conns(CONNS + 1);
	queries_serve(rig.conn[CONNS], CONNS * left);
	wait_done(CONNS * EACH);
	assert_int_equal(replied(0, CONNS * EACH), CONNS * EACH);
	assert_int_equal(totals().tcp_again, CONNS * left);
	assert_int_equal(streams().closed_peer, CONNS);
}

// A query that comes as a place becomes free does not overtake the one that waits for it.
TEST_WITH(test_who_waits_comes_first, stream_rig_setup, stream_rig_teardown)
{
	const unsigned all = UPSTREAM_STREAMS_EACH * UPSTREAM_STREAM_QUERIES;
	struct stream_query q;
	uint8_t out[700];

	ask_more(all);
	wait_queries(all);
	const unsigned first = ask_more(1);
	turn();
	assert_int_equal(streams().waiting, 1);
	query_read(rig.conn[0], &q);
	bytes_send(rig.conn[0], out, reply_write(&q, -1, out)); // read before the next one's TC
	const unsigned second = ask_more(1);
	for (unsigned i = 0; i < UPSTREAM_STREAM_QUERIES; i++)
		query_read(rig.conn[0], &q);
	assert_int_equal(q.number, first);
	assert_int_equal(streams().waiting, 1);
	reply(rig.conn[0], &q);
	query_read(rig.conn[0], &q);
	assert_int_equal(q.number, second);
	assert_int_equal(streams().waiting, 0);
}

// What two groups of connections say of themselves, put together.
TEST_WITH(test_sums, stream_rig_setup, stream_rig_teardown)
{
	struct upstream_streams_stats one = {.since_ms = 18};
	unsigned *const few[] = {
		&one.open, &one.high, &one.queries, &one.waiting, &one.waiting_high};
	uint64_t *const many[] = {&one.waited, &one.opened, &one.reused, &one.late, &one.bad,
		&one.stalled, &one.broken, &one.closed_peer, &one.closed_idle, &one.evicted,
		&one.full};
	for (unsigned i = 0; i < ARRAY_LEN(few); i++)
		*few[i] = i + 1;
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		*many[i] = 10 + i;
	one.bytes = 100;
	const struct upstream_totals more = {.streams = one};
	struct upstream_totals sum = more;
	upstream_totals_add(&sum, &more);
	for (unsigned i = 0; i < ARRAY_LEN(few); i++)
		*few[i] *= 2;
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		*many[i] *= 2;
	one.bytes *= 2;
	assert_memory_equal(&sum.streams, &one, sizeof(one));
}
