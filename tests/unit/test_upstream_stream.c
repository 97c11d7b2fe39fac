// SPDX-License-Identifier: BSD-3-Clause
// TCP to upstream servers: connections shared, kept, given up; what a server may do to them.

#include "stream_rig.h"
#include "unit.h"

#include <string.h>
#include <unistd.h>

static void test_a_connection_is_used_again(void **)
{
	struct stream_query q;

	for (unsigned i = 0; i < 20; i++) {
		ask_more(1);
		wait_conns(1);
		query_read(rig.conn[0], &q);
		assert_int_equal(q.number, i);
		assert_int_equal(q.keepalive, i == 0); // RFC 7828 3.2.1
		reply(rig.conn[0], &q);
		wait_done(i + 1);
	}
	assert_int_equal(replied(0, 20), 20);
	assert_int_equal(streams().opened, 1);
	assert_int_equal(streams().reused, 19);
	assert_int_equal(server_status().tcp_opened, 1);
	assert_int_equal(server_status().tcp_open, 1);
	assert_int_equal(server_status().tcp_retries, 20);
}

static void test_queries_are_pipelined_and_replies_taken_in_any_order(void **)
{
	enum { N = UPSTREAM_STREAM_SPREAD };
	struct stream_query q[N];

	ask_more(N);
	wait_conns(1);
	for (unsigned i = 0; i < N; i++) {
		query_read(rig.conn[0], &q[i]);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(get_u16(q[i].msg), get_u16(q[k].msg));
	}
	for (unsigned i = N; i-- > 0;) {
		reply(rig.conn[0], &q[i]);
		wait_done(N - i);
		assert_true(rig.replied[q[i].number]);
	}
	assert_int_equal(streams().opened, 1);
}

static void test_replies_in_any_pieces(void **)
{
	struct stream_query q[3];
	uint8_t out[3 * 700];
	size_t len = 0;

	ask_more(3);
	wait_conns(1);
	for (unsigned i = 0; i < 3; i++) {
		query_read(rig.conn[0], &q[i]);
		len += reply_write(&q[i], -1, out + len);
	}
	for (size_t i = 0; i < len; i++) {
		octets_send(rig.conn[0], out + i, 1);
		turn();
	}
	wait_done(3);
	assert_int_equal(replied(0, 3), 3);
}

// As many as there is room for, each with an id of its own; one more is refused.
static void test_four_connections_at_most(void **)
{
	enum { ALL = UPSTREAM_STREAMS_EACH * UPSTREAM_STREAM_QUERIES };
	static struct stream_query q;
	static bool seen[65536];

	ask_more(ALL);
	wait_conns(UPSTREAM_STREAMS_EACH);
	wait_queries(ALL);
	ask_more(1);
	wait_done(1);
	assert_true(rig.ended[ALL]);
	assert_true(streams().full > 0);
	for (unsigned c = 0; c < UPSTREAM_STREAMS_EACH; c++) {
		memset(seen, 0, sizeof(seen));
		for (unsigned i = 0; i < UPSTREAM_STREAM_QUERIES; i++) {
			query_read(rig.conn[c], &q);
			assert_false(seen[get_u16(q.msg)]);
			seen[get_u16(q.msg)] = true;
			reply(rig.conn[c], &q);
		}
	}
	wait_done(ALL + 1);
	assert_int_equal(replied(0, ALL), ALL);
	assert_int_equal(streams().opened, UPSTREAM_STREAMS_EACH);
	assert_int_equal(streams().high, UPSTREAM_STREAMS_EACH);
}

// Plays a server that ends each connection after so many replies, until all asks are done.
struct short_server {
	unsigned each, done, replies[STREAM_CONNS];
};

static bool serve_short(const void *arg)
{
	struct short_server *s = *(struct short_server *const *)arg;
	struct stream_query q;
	unsigned ended = 0;

	for (unsigned c = 0; c < rig.conns; c++) {
		if (rig.conn[c] < 0 || !query_is_there(rig.conn[c]))
			continue;
		uint8_t octet;
		if (recv(rig.conn[c], &octet, 1, MSG_PEEK) <= 0) {
			conn_end(rig.conn[c], false);
			continue;
		}
		query_read(rig.conn[c], &q);
		reply(rig.conn[c], &q);
		if (++s->replies[c] == s->each)
			conn_end(rig.conn[c], false);
	}
	for (unsigned i = 0; i < rig.started; i++)
		ended += rig.replied[i] || rig.ended[i];
	return ended == s->done;
}

static void serve_short_until(struct short_server *s, unsigned done)
{
	s->done = done;
	wait_for(serve_short, &s);
}

static void test_a_server_that_closes_after_each_query(void **)
{
	static struct short_server s;
	unsigned done = 0;

	s = (struct short_server){.each = 1};
	for (unsigned i = 0; i < UPSTREAM_TCP_STRIKES; i++) {
		ask_more(10);
		serve_short_until(&s, done += 10);
		assert_int_equal(server_status().tcp_limit, i + 1 == UPSTREAM_TCP_STRIKES);
	}
	assert_int_equal(replied(0, done), done);
	assert_true(sent_again() > 0);
	// It is known now.
	uint64_t again = sent_again(), opened = streams().opened;
	ask_more(20);
	serve_short_until(&s, done += 20);
	assert_int_equal(replied(0, done), done);
	assert_int_equal(sent_again(), again);
	assert_int_equal(streams().opened, opened + 20);
	// Not for ever.
	clock_turn(UPSTREAM_PLAIN_MS);
	assert_int_equal(server_status().tcp_limit, 0);
}

static void test_a_server_that_closes_after_three(void **)
{
	static struct short_server s;

	s = (struct short_server){.each = 3};
	ask_more(12);
	serve_short_until(&s, 12);
	assert_int_equal(replied(0, 12), 12);
	assert_int_equal(streams().opened, 4);
	assert_int_equal(sent_again(), 9);
}

static void end_midway(bool reset)
{
	struct stream_query q;

	ask_more(5);
	wait_conns(1);
	for (unsigned i = 0; i < 5; i++)
		query_read(rig.conn[0], &q);
	conn_end(rig.conn[0], reset);
	wait_conns(2);
	for (unsigned i = 0; i < 5; i++) {
		query_read(rig.conn[1], &q);
		reply(rig.conn[1], &q);
	}
	wait_done(5);
	assert_int_equal(replied(0, 5), 5);
	assert_int_equal(sent_again(), 5);
	assert_int_equal(streams().closed_peer, 1);
}

static void test_closed_with_queries_on_it(void **)
{
	end_midway(false);
}

static void test_reset_with_queries_on_it(void **)
{
	end_midway(true);
}

// Once more, then alone, and that was it.
static void test_closed_each_time(void **)
{
	struct stream_query q;

	ask_more(2);
	for (unsigned c = 0; c < 2; c++) {
		wait_conns(c + 1);
		query_read(rig.conn[c], &q);
		query_read(rig.conn[c], &q);
		conn_end(rig.conn[c], false);
	}
	wait_conns(4);
	for (unsigned c = 2; c < 4; c++) {
		query_read(rig.conn[c], &q);
		conn_end(rig.conn[c], false);
	}
	wait_done(2);
	assert_int_equal(replied(0, 2), 0);
	assert_int_equal(rig.conns, 4);
	assert_int_equal(sent_again(), 4);
	assert_int_equal(server_status().tcp_retries, 2);
}

static void test_closed_under_its_only_query(void **)
{
	struct stream_query q;

	ask_more(1);
	wait_conns(1);
	query_read(rig.conn[0], &q);
	conn_end(rig.conn[0], false);
	wait_done(1);
	assert_int_equal(replied(0, 1), 0);
	assert_int_equal(sent_again(), 0);
}

static void test_refused(void **)
{
	close(rig.listener);
	rig.listener = -1;
	ask_more(2);
	wait_done(2);
	assert_int_equal(replied(0, 2), 0);
	assert_int_equal(sent_again(), 0);
	assert_int_equal(streams().open, 0);
}

static void test_a_connection_that_was_closed_idle_is_not_used(void **)
{
	struct stream_query q;

	ask_more(1);
	wait_conns(1);
	query_read(rig.conn[0], &q);
	reply(rig.conn[0], &q);
	wait_done(1);
	conn_end(rig.conn[0], false);
	ask_more(1);
	wait_conns(2);
	query_read(rig.conn[1], &q);
	reply(rig.conn[1], &q);
	wait_done(2);
	assert_int_equal(replied(0, 2), 2);
}

static void test_a_server_that_never_answers(void **)
{
	struct stream_query q;

	ask_more(3);
	wait_conns(1);
	for (unsigned i = 0; i < 3; i++)
		query_read(rig.conn[0], &q);
	clock_turn(UPSTREAM_TCP_MS + 50);
	wait_done(3);
	assert_int_equal(replied(0, 3), 0);
	assert_int_equal(streams().stalled, 1);
	wait_closed(rig.conn[0]);
	answer_one(1, -1);
}

static void test_a_server_that_says_half(void **)
{
	struct stream_query q;
	uint8_t out[700];

	ask_more(2);
	wait_conns(1);
	query_read(rig.conn[0], &q);
	query_read(rig.conn[0], &q);
	size_t len = reply_write(&q, -1, out);
	for (unsigned i = 0; i < 10; i++) { // an octet now and then is no sign of life
		octets_send(rig.conn[0], out + i, 1);
		clock_turn(90);
	}
	assert_true(len > 20);
	clock_turn(200);
	wait_done(2);
	assert_int_equal(replied(0, 2), 0);
	wait_closed(rig.conn[0]);
	answer_one(1, -1);
}

// 256 in all; there may be that many only with one query on each.
static void test_no_more_than_all(void **)
{
	struct stream_query q;

	rig.config.socket_uses = 1;
	stream_configure();
	ask_more(UPSTREAM_STREAMS_MAX);
	wait_conns(UPSTREAM_STREAMS_MAX);
	ask_more(1);
	wait_done(1);
	assert_true(rig.ended[UPSTREAM_STREAMS_MAX]);
	assert_true(streams().full > 0);
	for (unsigned i = 0; i < UPSTREAM_STREAMS_MAX; i++) {
		query_read(rig.conn[i], &q);
		reply(rig.conn[i], &q);
	}
	wait_done(UPSTREAM_STREAMS_MAX + 1);
	assert_int_equal(replied(0, UPSTREAM_STREAMS_MAX), UPSTREAM_STREAMS_MAX);
	assert_int_equal(streams().open, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, stream_rig_setup, stream_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_connection_is_used_again),
		T(test_queries_are_pipelined_and_replies_taken_in_any_order),
		T(test_replies_in_any_pieces),
		T(test_four_connections_at_most),
		T(test_a_server_that_closes_after_each_query),
		T(test_a_server_that_closes_after_three),
		T(test_closed_with_queries_on_it),
		T(test_reset_with_queries_on_it),
		T(test_closed_each_time),
		T(test_closed_under_its_only_query),
		T(test_refused),
		T(test_a_connection_that_was_closed_idle_is_not_used),
		T(test_a_server_that_never_answers),
		T(test_a_server_that_says_half),
		T(test_no_more_than_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
