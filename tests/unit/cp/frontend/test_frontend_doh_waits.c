// SPDX-License-Identifier: BSD-3-Clause
// DNS over HTTP/2: requests that wait for a place, and what is left when a connection ends.

#include "doh_client.h"
#include "tests/unit/clock_shift.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { PING = 6, REFUSED = 7, CANCEL = 8, FIRST_WINDOW = 16 };

static void reset(struct dot d, uint32_t stream)
{
	static const uint8_t code[4] = {0, 0, 0, CANCEL};
	http2_frame(d, sizeof(code), RST_STREAM, 0, stream, code);
}

// The place of a reset request is free when its answer comes: nothing more comes from the client.
TEST_WITH(test_a_request_waits_for_a_reset_one, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	tcp_config.pipelined = 1;
	struct dot d = http2_start();
	http2_post(d, 1, TCP_LATER);
	tcp_rig_until_asked(1);
	reset(d, 1);
	http2_post(d, 3, TCP_ECHO);
	tcp_rig_until(doh.counts.requests[DOH_http2][DOH_METHOD_post], 2);
	assert_int_equal(tcp_rig_asked(), 1);
	tcp_rig_release();
	tcp_rig_until(doh.counts.unwanted, 1);
	tcp_rig_until(doh.counts.responses[DOH_200], 1);
	assert_int_equal(http2_next(d, DATA, 0, &value), 3);
	dot_close(d);
}

// A rule drops the later answer: the older question keeps its own.
TEST_WITH(test_an_answer_is_dropped_alone, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;
	struct dot d = http2_start();

	http2_post(d, 1, TCP_LATER);
	http2_post(d, 3, TCP_DROPPED);
	tcp_rig_release_at(2);
	tcp_rig_until(doh.counts.responses[DOH_403], 1);
	tcp_rig_until(doh.counts.responses[DOH_200], 1);
	assert_int_equal(http2_next(d, DATA, 0, &value), 3);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	dot_close(d);
}

enum { REST = 9 + DOH_QUERY };

struct in_part {
	struct dot busy;    // has the one place
	struct dot held;    // waits for it, with a whole request and one that lacks `rest`
	struct dot slow;    // has a request that began later, and is never whole
	uint8_t rest[REST]; // of the request of stream 3
};

static struct in_part in_part_begin(void)
{
	static const uint8_t ping[8];
	uint8_t text[2 * HTTP2_POST];
	uint32_t value;
	struct in_part p;

	tcp_config.queries = 1;
	p.busy = http2_start();
	p.held = http2_connect();
	p.slow = http2_connect();
	http2_post(p.busy, 1, TCP_LATER);
	tcp_rig_until_asked(1);
	size_t n = http2_post_put(text, 1, "/dns-query", TCP_ECHO);
	n += http2_post_put(text + n, 3, "/dns-query", TCP_ECHO);
	memcpy(p.rest, text + n - REST, REST);
	tls_side_write(p.held.side, text, n - REST);
	tcp_rig_until(held, 1);
	http2_head(p.slow, 1);
	http2_frame(p.slow, sizeof(ping), PING, 0, 0, ping);
	(void)http2_next(p.slow, PING, 0, &value); // weir has read the head
	return p;
}

// The slow request ends, and the one that began before it does not.
static void in_part_end(struct in_part *p)
{
	uint32_t value;

	tcp_rig_until(doh.counts.responses[DOH_200], 3);
	tcp_rig_until(doh.counts.resets_server, 1);
	assert_int_equal(http2_next(p->held, DATA, 0, &value), 1);
	assert_int_equal(http2_next(p->held, DATA, 0, &value), 3);
	dot_close(p->busy);
	dot_close(p->held);
	dot_close(p->slow);
}

// The rest of a request comes while its connection waits for a place, and is not read.
TEST_WITH(test_a_request_waits_in_part, tcp_rig_each_start, tcp_rig_each_end)
{
	struct in_part p = in_part_begin();

	tls_side_write(p.held.side, p.rest, REST);
	clock_ahead_by_ms(1000 * tcp_config.query_timeout_s);
	tcp_rig_until(doh.counts.resets_server, 1);
	tcp_rig_release();
	in_part_end(&p);
}

// The connection has its place before the time of the request is over.
TEST_WITH(test_a_wait_does_not_count, tcp_rig_each_start, tcp_rig_each_end)
{
	const uint32_t half_ms = 500 * tcp_config.query_timeout_s;
	struct in_part p = in_part_begin();

	clock_ahead_by_ms(half_ms);
	tcp_rig_release();
	tcp_rig_until(doh.counts.responses[DOH_200], 2);
	clock_ahead_by_ms(half_ms);
	tcp_rig_until(doh.counts.resets_server, 1);
	tls_side_write(p.held.side, p.rest, REST);
	in_part_end(&p);
}

TEST_WITH(test_the_last_response_leaves_whole, tcp_rig_each_start, tcp_rig_each_end)
{
	static const uint8_t window[6] = {0, 4, 0, 0, 0, FIRST_WINDOW}, more[4] = {0, 0, 64, 0};
	static uint8_t payload[DOH_TEXT * 8];
	uint8_t head[9];
	uint32_t value;
	size_t got = FIRST_WINDOW;

	tcp_config.connection_queries = 1;
	struct dot d = http2_start();
	http2_frame(d, sizeof(window), SETTINGS, 0, 0, window);
	http2_post(d, 1, TCP_BIG);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	http2_frame(d, sizeof(more), WINDOW_UPDATE, 0, 1, more);
	http2_frame(d, sizeof(more), WINDOW_UPDATE, 0, 1, more);
	while (got < TCP_BIG_LEN) {
		doh_read(d, head, sizeof(head));
		doh_read(d, payload, get_u16(head + 1));
		got += head[3] == DATA ? get_u16(head + 1) : 0;
	}
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_queries], 1);
	tcp_rig_until(doh.bytes, 0);
}

// Requests that weir has not asked are refused, so that the client may repeat them.
TEST_WITH(test_what_is_not_asked_is_refused, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t msg[DOH_QUERY];
	uint32_t value;

	tcp_config.connection_queries = 1;
	struct dot d = http2_start();
	doh_query(msg, 5, TCP_LATER);
	for (uint32_t stream = 1; stream < 6; stream += 2)
		http2_head(d, stream);
	http2_frame(d, sizeof(msg), DATA, END_STREAM, 5, msg);
	tcp_rig_until_asked(1);
	for (uint32_t stream = 1; stream < 4; stream += 2) {
		assert_int_equal(http2_next(d, RST_STREAM, 0, &value), stream);
		assert_int_equal(value, REFUSED);
	}
	(void)http2_next(d, GOAWAY, 0, &value);
	assert_int_equal(value, 5);
	tcp_rig_release();
	assert_int_equal(http2_next(d, DATA, 0, &value), 5);
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_queries], 1);
}

TEST_WITH(test_an_idle_client_hears_of_the_end, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	tcp_config.idle_timeout_s = 1;
	struct dot d = http2_start();
	http2_post(d, 1, TCP_ECHO);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	(void)http2_next(d, GOAWAY, 0, &value);
	assert_int_equal(value, 1); // the last request that was seen
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_idle], 1);
	tcp_rig_until(doh.bytes, 0);
	tcp_rig_until(buffered, 0);
}

// Returns once the server's kernel has it.
static void write_through(struct dot d, const void *p, size_t n)
{
	int left = 1;

	tls_side_write(d.side, p, n);
	WAIT_FOR(!left, assert_int_equal(ioctl(d.fd, SIOCOUTQ, &left), 0));
	assert_int_equal(left, 0);
}

// A connection with much to ask leaves turns to others.
TEST_WITH(test_connections_take_turns, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { EACH = 64, TURN = 32 };
	uint8_t text[EACH * HTTP2_POST];
	size_t n = 0;
	uint32_t value;

	struct dot one = http2_start(), other = http2_connect();
	http2_post(one, 1, TCP_ECHO);
	http2_post(other, 1, TCP_ECHO);
	tcp_rig_until_asked(2);
	tcp_rig_hold();
	for (uint32_t stream = 3; stream < 2 * EACH + 2; stream += 2)
		n += http2_post_put(text + n, stream, "/dns-query", TCP_ECHO);
	write_through(one, text, n);
	write_through(other, text, n);
	tcp_rig_go_on();
	tcp_rig_until_asked(2 + 2 * EACH);
	assert_in_range(tcp_rig_row(), 1, 1 + TURN); // its first question may be one of them
	for (uint32_t stream = 1; stream < 2 * EACH + 2; stream += 2)
		assert_int_equal(http2_next(other, DATA, 0, &value), stream);
	dot_close(one);
	dot_close(other);
}

// Requests that get 404 for their name cost as much of a turn as questions do.
TEST_WITH(test_unknown_names_leave_turns_to_others, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { ROUNDS = 4, UNKNOWN = 33 };
	uint8_t text[ROUNDS * (UNKNOWN + 1) * HTTP2_POST];
	uint32_t stream = 3;
	size_t n = 0;

	struct dot one = http2_start(), other = http2_connect();
	http2_post(one, 1, TCP_ECHO);
	http2_post(other, 1, TCP_ECHO);
	tcp_rig_until_asked(2);
	tcp_rig_hold();
	for (unsigned i = 0; i < ROUNDS * (UNKNOWN + 1); i++, stream += 2)
		n += http2_post_put(text + n, stream,
			i % (UNKNOWN + 1) == UNKNOWN ? "/dns-query" : "/dns-query/nobody",
			TCP_ECHO);
	write_through(one, text, n);
	write_through(other, text, n);
	tcp_rig_go_on();
	tcp_rig_until_asked(2 + 2 * ROUNDS);
	assert_in_range(tcp_rig_row(), 1, 2); // its first question may be one of them
	tcp_rig_until(doh.counts.responses[DOH_404], 2 * ROUNDS * UNKNOWN);
	dot_close(one);
	dot_close(other);
	tcp_rig_until(pending, 0);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)

TEST_WITH(test_an_idle_client_hears_of_a_drain, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	struct dot d = http2_start();
	http2_post(d, 1, TCP_ECHO);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	tcp_rig_drain(FRONTEND_TCP_PARTS);
	(void)http2_next(d, GOAWAY, 0, &value);
	assert_int_equal(value, 1);
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_drained], 1);
}
