// SPDX-License-Identifier: BSD-3-Clause
// TCP to upstream servers: connections shared, kept, given up; what a server may do to them.

#include "stream_rig.h"
#include "tests/unit/unit.h"

TEST_WITH(test_a_connection_is_used_again, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	for (unsigned i = 0; i < 20; i++) {
		ask_over(1, 1);
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

TEST_WITH(test_queries_are_pipelined_and_replies_taken_in_any_order, stream_rig_setup,
	stream_rig_teardown)
{
	enum { N = UPSTREAM_STREAM_SPREAD };
	struct stream_query q[N];

	ask_over(1, N);
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

// One segment: what a reader gets that looks once is all of it.
TEST_WITH(rfc7766_8_the_length_leaves_with_the_message, stream_rig_setup, stream_rig_teardown)
{
	uint8_t bytes[700];

	for (unsigned i = 0; i < 20; i++) {
		ask_over(1, 1);
		while (!query_is_there(rig.conn[0]))
			turn();
		ssize_t n = recv(rig.conn[0], bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);
		assert_int_equal(n, 2 + get_u16(bytes));
		queries_serve(rig.conn[0], 1);
		wait_done(i + 1);
	}
}

// As many as there is room for, each with an id of its own; one more waits for a reply.
TEST_WITH(test_four_connections_at_most, stream_rig_setup, stream_rig_teardown)
{
	enum { ALL = UPSTREAM_STREAMS_EACH * UPSTREAM_STREAM_QUERIES };
	static struct stream_query q;
	static bool seen[65536];

	ask_over(UPSTREAM_STREAMS_EACH, ALL);
	wait_queries(ALL);
	ask_more(1);
	while (streams().waiting == 0)
		turn();
	for (unsigned c = 0; c < UPSTREAM_STREAMS_EACH; c++) {
		memset(seen, 0, sizeof(seen));
		for (unsigned i = 0; i < UPSTREAM_STREAM_QUERIES; i++) {
			query_read(rig.conn[c], &q);
			assert_false(seen[get_u16(q.msg)]);
			seen[get_u16(q.msg)] = true;
			reply(rig.conn[c], &q);
		}
	}
	wait_done(ALL);
	while (streams().waiting > 0)
		turn();
	for (unsigned c = 0; c < UPSTREAM_STREAMS_EACH; c++)
		if (query_is_there(rig.conn[c]))
			queries_serve(rig.conn[c], 1);
	wait_done(ALL + 1);
	assert_int_equal(replied(0, ALL + 1), ALL + 1);
	assert_int_equal(streams().waited, 1);
	assert_int_equal(streams().full, 0);
	assert_int_equal(streams().opened, UPSTREAM_STREAMS_EACH);
	assert_int_equal(streams().high, UPSTREAM_STREAMS_EACH);
}

// Plays a server that ends each connection after so many replies, until so many asks are done. Of
// those before `first` it says nothing.
struct short_server {
	unsigned each, first, done, replies[STREAM_CONNS];
};

static bool serve_short(const void *arg)
{
	struct short_server *s = *(struct short_server *const *)arg;
	struct stream_query q;
	unsigned ended = 0;

	for (unsigned c = s->first; c < rig.conns; c++) {
		if (rig.conn[c] < 0 || !query_is_there(rig.conn[c]))
			continue;
		uint8_t byte;
		if (recv(rig.conn[c], &byte, 1, MSG_PEEK) <= 0) {
			conn_end(rig.conn[c], false);
			continue;
		}
		query_serve(rig.conn[c], &q);
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

// Asks in tens until the server is known for what it is; the number of asks.
static unsigned teach(struct short_server *s)
{
	unsigned done = 0;

	while (server_status().tcp_limit == 0) {
		assert_true(done < 100);
		ask_more(10);
		serve_short_until(s, done += 10);
	}
	assert_int_equal(replied(0, done), done);
	assert_true(totals().tcp_again > 0);
	return done;
}

TEST_WITH(test_a_server_that_closes_after_each_query, stream_rig_setup, stream_rig_teardown)
{
	static struct short_server s;

	s = (struct short_server){.each = 1};
	unsigned done = teach(&s);
	assert_int_equal(server_status().tcp_limit, 1);
	// It is known now.
	uint64_t again = totals().tcp_again, opened = streams().opened;
	ask_more(20);
	serve_short_until(&s, done += 20);
	assert_int_equal(replied(0, done), done);
	assert_int_equal(totals().tcp_again, again);
	assert_int_equal(streams().opened, opened + 20);
	assert_int_equal(streams().high, UPSTREAM_STREAMS_EACH);
	// Not for ever.
	clock_turn(UPSTREAM_LIMIT_KEEP_MS);
	assert_int_equal(server_status().tcp_limit, 0);
}

// It was given another server's software: one connection finds that out, the next ones use it.
TEST_WITH(test_a_server_that_does_so_no_longer, stream_rig_setup, stream_rig_teardown)
{
	static struct short_server s;

	s = (struct short_server){.each = 1};
	unsigned done = teach(&s), first = done;
	s.each = 1000000;
	uint64_t opened = streams().opened;
	clock_turn(UPSTREAM_LIMIT_PROBE_MS);
	for (unsigned i = 0; i < 10; i++) {
		ask_more(20);
		serve_short_until(&s, done += 20);
	}
	assert_int_equal(replied(0, done), done);
	assert_int_equal(server_status().tcp_limit, 0);
	assert_in_range(streams().opened - opened, 1, (done - first) / 4);
	assert_int_equal(streams().high, UPSTREAM_STREAMS_EACH);
}

// One of four closes after a reply, the others say nothing yet: what was on it has few places.
TEST_WITH(
	rfc7766_6_2_2_never_more_than_four_after_an_accident, stream_rig_setup, stream_rig_teardown)
{
	enum { EACH = UPSTREAM_STREAM_SPREAD, ALL = UPSTREAM_STREAMS_EACH * EACH };
	static struct short_server s;
	struct stream_query q[EACH];

	ask_over(UPSTREAM_STREAMS_EACH, ALL);
	queries_read(rig.conn[0], q, EACH);
	reply(rig.conn[0], &q[0]);
	wait_done(1);
	conn_end(rig.conn[0], false);
	s = (struct short_server){.each = ALL, .first = UPSTREAM_STREAMS_EACH};
	serve_short_until(&s, EACH);
	for (unsigned c = 1; c < UPSTREAM_STREAMS_EACH; c++)
		queries_serve(rig.conn[c], EACH);
	wait_done(ALL);
	assert_int_equal(replied(0, ALL), ALL);
	assert_int_equal(streams().high, UPSTREAM_STREAMS_EACH);
	assert_int_equal(totals().tcp_again, EACH - 1);
	assert_true(streams().waited > 0);
}

// It ends all four at one time, and that is one time.
TEST_WITH(test_a_restart_is_no_habit, stream_rig_setup, stream_rig_teardown)
{
	enum { EACH = UPSTREAM_STREAMS_EACH, ALL = EACH * UPSTREAM_STREAM_SPREAD };
	static struct short_server s = {.each = ALL, .first = EACH};

	ask_over(EACH, ALL);
	wait_queries(ALL);
	for (unsigned c = 0; c < EACH; c++)
		queries_serve(rig.conn[c], 2);
	wait_done(2 * EACH);
	for (unsigned c = 0; c < EACH; c++)
		conn_end(rig.conn[c], false);
	serve_short_until(&s, ALL);
	assert_int_equal(replied(0, ALL), ALL);
	assert_int_equal(server_status().tcp_limit, 0);
}

TEST_WITH(test_a_server_that_closes_after_three, stream_rig_setup, stream_rig_teardown)
{
	static struct short_server s;

	s = (struct short_server){.each = 3};
	ask_more(12);
	serve_short_until(&s, 12);
	assert_int_equal(replied(0, 12), 12);
	assert_int_equal(streams().opened, 4);
	assert_int_equal(totals().tcp_again, 9);
}

static void end_midway(bool reset)
{
	struct stream_query q;

	ask_over(1, 5);
	for (unsigned i = 0; i < 5; i++)
		query_read(rig.conn[0], &q);
	conn_end(rig.conn[0], reset);
	wait_conns(2);
	queries_serve(rig.conn[1], 5);
	wait_done(5);
	assert_int_equal(replied(0, 5), 5);
	assert_int_equal(totals().tcp_again, 5);
	assert_int_equal(streams().closed_peer, 1);
}

TEST_WITH(test_closed_with_queries_on_it, stream_rig_setup, stream_rig_teardown)
{
	end_midway(false);
}

TEST_WITH(test_reset_with_queries_on_it, stream_rig_setup, stream_rig_teardown)
{
	end_midway(true);
}

// Once more, then alone, and that was it.
TEST_WITH(test_closed_each_time, stream_rig_setup, stream_rig_teardown)
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
	assert_int_equal(totals().tcp_again, 4);
	assert_int_equal(server_status().tcp_retries, 2);
}

TEST_WITH(test_closed_under_its_only_query, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	ask_over(1, 1);
	query_read(rig.conn[0], &q);
	assert_true(q.keepalive);
	conn_end(rig.conn[0], false);
	wait_conns(2);
	query_read(rig.conn[1], &q);
	assert_true(q.edns);
	assert_false(q.keepalive);
	conn_end(rig.conn[1], false);
	wait_done(1);
	assert_int_equal(replied(0, 1), 0);
	assert_int_equal(totals().tcp_again, 1);
}

TEST_WITH(test_refused, stream_rig_setup, stream_rig_teardown)
{
	close(rig.listener);
	rig.listener = -1;
	ask_more(2);
	wait_done(2);
	assert_int_equal(replied(0, 2), 0);
	assert_int_equal(totals().tcp_again, 0);
	assert_int_equal(streams().open, 0);
	assert_int_equal(server_status().sent, 2); // by UDP; no byte has left over TCP
	assert_int_equal(rig.steps[TRACE_tcp_queued], 2);
	assert_int_equal(rig.steps[TRACE_tcp_sent], 0);
}

TEST_WITH(test_a_connection_that_was_closed_idle_is_not_used, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	ask_over(1, 1);
	query_serve(rig.conn[0], &q);
	wait_done(1);
	conn_end(rig.conn[0], false);
	ask_over(2, 1);
	query_serve(rig.conn[1], &q);
	wait_done(2);
	assert_int_equal(replied(0, 2), 2);
}

TEST_WITH(test_a_server_that_never_answers, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;

	ask_over(1, 3);
	for (unsigned i = 0; i < 3; i++)
		query_read(rig.conn[0], &q);
	clock_turn(UPSTREAM_TCP_MS + 50);
	wait_done(3);
	assert_int_equal(replied(0, 3), 0);
	assert_int_equal(streams().stalled, 1);
	assert_int_equal(streams().broken, 0);
	wait_closed(rig.conn[0]);
	answer_one(1, -1);
}

TEST_WITH(test_a_server_that_says_half, stream_rig_setup, stream_rig_teardown)
{
	struct stream_query q;
	uint8_t out[700];

	ask_over(1, 2);
	query_read(rig.conn[0], &q);
	query_read(rig.conn[0], &q);
	size_t len = reply_write(&q, -1, out);
	for (unsigned i = 0; i < 10; i++) { // a byte now and then is no sign of life
		bytes_send(rig.conn[0], out + i, 1);
		clock_turn(90);
	}
	assert_true(len > 20);
	clock_turn(200);
	wait_done(2);
	assert_int_equal(replied(0, 2), 0);
	assert_int_equal(streams().broken, 1);
	assert_int_equal(streams().stalled, 0);
	wait_closed(rig.conn[0]);
	answer_one(1, -1);
}

// With a query for each connection four leave at a time. So many wait, and one more is refused.
TEST_WITH(test_no_more_than_all_wait, stream_rig_setup, stream_rig_teardown)
{
	enum { EACH = UPSTREAM_STREAMS_EACH, ALL = EACH + UPSTREAM_STREAMS_WAITING_EACH };

	STREAM_CONFIGURE(socket_uses, 1);
	ask_over(EACH, EACH);
	ask_more(UPSTREAM_STREAMS_WAITING_EACH + 1);
	wait_done(1);
	assert_int_equal(streams().full, 1);
	assert_int_equal(streams().waiting, UPSTREAM_STREAMS_WAITING_EACH);
	for (unsigned c = 0; c < 3 * EACH; c++) {
		wait_conns(EACH + c);
		queries_serve(rig.conn[c], 1);
		wait_done(2 + c);
		conn_end(rig.conn[c], false);
	}
	assert_int_equal(replied(0, ALL + 1), 3 * EACH);
	assert_int_equal(streams().high, EACH);
	assert_int_equal(streams().waited, UPSTREAM_STREAMS_WAITING_EACH);
}

// Who gives up leaves the queue; whom nobody asked is not to blame for it.
TEST_WITH(test_time_runs_out_in_the_queue, stream_rig_setup, stream_rig_teardown)
{
	enum { EACH = UPSTREAM_STREAMS_EACH };

	STREAM_CONFIGURE(socket_uses, 1);
	ask_over(EACH, EACH);
	wait_queries(EACH);
	clock_turn(UPSTREAM_TCP_MS - 100);
	ask_more(2);
	while (streams().waiting < 2)
		turn();
	upstream_ask_stop(&rig.ask[EACH + 1]);
	assert_int_equal(streams().waiting, 1);
	clock_turn(150);
	wait_done(EACH);
	assert_int_equal(server_status().timeouts, EACH);
	wait_conns(EACH + 1); // theirs ended, as nobody waits on them
	queries_serve(rig.conn[EACH], 1);
	wait_done(EACH + 1);
	assert_true(rig.replied[EACH]);
	assert_int_equal(streams().waiting, 0);
	assert_int_equal(totals().sent, EACH + 2 + EACH + 1); // TCP: all but the one that left
	assert_int_equal(rig.steps[TRACE_tcp_sent] + rig.steps[TRACE_udp_sent], totals().sent);
	assert_int_equal(server_status().sent, totals().sent);
}
