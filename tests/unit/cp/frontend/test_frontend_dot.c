// SPDX-License-Identifier: BSD-3-Clause
// DNS over TLS: the connections of TCP/53 behind a handshake, with clients that play by the rules
// and others.

#include "dot_rig.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/cp/tls/tls_client.h"

enum { MANY = 900, PADDED = 468, TICKS_MS = 50 };

TEST_WITH(test_queries_over_tls, tcp_rig_each_start, tcp_rig_each_end)
{
	dot_start();
	struct dot d = dot_connect(1);
	for (uint16_t id = 1; id <= 20; id++) {
		dot_echo(d, id);
	}
	dot_ask(d, 30, TCP_LATER);
	tcp_rig_release_at(21);
	dot_reply_is(d, 30, DNS_HEADER_LEN);
	int clear = tcp_connect(2, 0);
	tcp_echo(clear, 31);
	CLOSE_UNTIL(clear, tls.handshakes, 1);
	tcp_rig_until(tls.open, 1);
	tls_side_goodbye(d.side);
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_client], 2);
	tcp_rig_until(tls.open, 0);
}

// Who may not ask gets REFUSED in clear text, and no handshake for it.
TEST_WITH(test_denied, tcp_rig_each_start, tcp_rig_each_end)
{
	dot_start();
	for (unsigned i = 0; i < 3; i++)
		dot_gone(tcp_connect_dot(TCP_REFUSED_HOST));
	tcp_rig_until(refused_denied, 3);
	int clear = tcp_connect(TCP_REFUSED_HOST, 0);
	tcp_echo(clear, 1);
	close(clear);
	struct frontend_tcp_status s;
	tcp_rig_status(&s);
	assert_int_equal(s.accepted, 1);
	assert_int_equal(s.tls.shaking_max, 0);
}

// In one piece, which is longer than a record and than what a turn may do; then byte by byte.
TEST_WITH(test_any_pieces, tcp_rig_each_start, tcp_rig_each_end)
{
	static uint8_t frames[MANY * (2 + TCP_SHORTEST)];
	size_t len = 0;
	dot_start();
	struct dot d = dot_connect(1);
	for (uint16_t id = 0; id < MANY; id++)
		len += tcp_message(frames + len, id, TCP_ECHO, TCP_SHORTEST);
	tls_side_write(d.side, frames, len);
	for (uint16_t id = 0; id < MANY; id++)
		dot_reply_is(d, id, TCP_SHORTEST);
	for (size_t i = 0; i < 3 * (2 + TCP_SHORTEST); i++)
		tls_side_write(d.side, frames + i, 1);
	for (uint16_t id = 0; id < 3; id++)
		dot_reply_is(d, id, TCP_SHORTEST);
	dot_close(d);
}

// A client that reads late gets all, of replies that are longer than a record.
TEST_WITH(test_large_replies, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { REPLIES = 12 };
	dot_start();
	struct dot d = dot_connect(1);
	for (unsigned round = 0; round < 4; round++) {
		for (uint16_t id = 0; id < REPLIES; id++)
			dot_ask(d, id, TCP_BIG);
		tcp_rig_until_asked((round + 1) * REPLIES);
		tcp_rig_until(replies, (round + 1) * REPLIES);
		for (uint16_t id = 0; id < REPLIES; id++)
			dot_reply_is(d, id, TCP_BIG_LEN);
	}
	tcp_rig_until(buffered, 0);
	dot_close(d);
}

// A query with an OPT, whose first label has the length that is the order.
static size_t query_make(uint8_t *out, bool pads)
{
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 12, 0, 0};
	size_t len = tcp_message(out, 9, TCP_OPT, DNS_HEADER_LEN + 1 + TCP_OPT + 1 + 4) - 2;
	put_u16(out + 2 + 4, 1);
	put_u16(out + 2 + 10, 1);
	memset(out + 2 + DNS_HEADER_LEN + 1, 'a', TCP_OPT);
	put_u16(out + 2 + len - 4, 1);
	put_u16(out + 2 + len - 2, 1);
	memcpy(out + 2 + len, opt, sizeof(opt));
	out[2 + len + 12] = pads ? 12 : 10;
	len += sizeof(opt);
	put_u16(out, (uint16_t)len);
	return 2 + len;
}

TEST_WITH(test_padding, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t query[512], reply[TCP_MESSAGE_MAX];
	dot_start();
	struct dot d = dot_connect(1);
	tls_side_write(d.side, query, query_make(query, false));
	assert_int_equal(dot_reply(d, reply), DNS_HEADER_LEN + DNS_OPT_FIXED_LEN);
	tls_side_write(d.side, query, query_make(query, true));
	assert_int_equal(dot_reply(d, reply), PADDED);
	assert_int_equal(get_u16(reply + DNS_HEADER_LEN + DNS_OPT_FIXED_LEN), 12);
	dot_ask(d, 3, TCP_ECHO); // no OPT in its reply
	dot_reply_is(d, 3, TCP_SHORTEST);
	dot_close(d);
	int clear = tcp_connect(1, 0);
	tcp_send(clear, query, query_make(query, true));
	assert_int_equal(tcp_reply(clear, reply), DNS_HEADER_LEN + DNS_OPT_FIXED_LEN);
	close(clear);
}

TEST_WITH(test_half_open_handshakes, tcp_rig_each_start, tcp_rig_each_end)
{
	static const uint8_t hello[] = {0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3};
	tcp_config.query_timeout_s = 1;
	dot_start();
	int silent = tcp_connect_dot(1), slow = tcp_connect_dot(1);
	size_t sent = 0;
	tcp_rig_until(tls.shaking, 2);
	WAIT_FOR(tcp_has_ended(slow), // a byte now and then, and never all of the record
		(void)send(slow, sent < sizeof(hello) ? &hello[sent++] : hello, 1, MSG_NOSIGNAL));
	dot_gone(silent);
	dot_gone(slow);
	tcp_rig_until(ended[FRONTEND_TCP_END_slow_handshake], 2);
	tcp_rig_until(tls.failed[TLS_REFUSED_late], 2);
	tcp_rig_until(tls.shaking, 0);
	tcp_rig_until(open, 0);
}

TEST_WITH(test_garbage_for_a_hello, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t frame[2 + TCP_SHORTEST];
	dot_start();
	int fd = tcp_connect_dot(1);
	tcp_send(fd, frame, tcp_message(frame, 1, TCP_ECHO, TCP_SHORTEST));
	dot_gone(fd);
	fd = tcp_connect_dot(1);
	tcp_send(fd, "GET / HTTP/1.1\r\n\r\n", 18);
	dot_gone(fd);
	close(tcp_connect_dot(1));
	fd = tcp_connect_dot(1);
	struct tls_side *old = tls_side_client(fd, 1, NULL);
	assert_false(tls_side_turn(old));
	tls_side_free(old);
	dot_gone(fd);
	tcp_rig_until(tls.failed[TLS_REFUSED_not_tls], 2);
	tcp_rig_until(tls.failed[TLS_REFUSED_ended], 1);
	tcp_rig_until(tls.failed[TLS_REFUSED_version], 1);
	tcp_rig_until(ended[FRONTEND_TCP_END_handshake], 4);
	assert_int_equal(tcp_rig_asked(), 0);
}

// An onlooker could send it again. The client asks once more, and has one answer.
TEST_WITH(test_early_data_is_no_question, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t frame[2 + TCP_SHORTEST];
	dot_start();
	struct dot d = dot_connect(1);
	dot_echo(d, 1); // the ticket comes before
	struct ssl_session_st *session = tls_client_session(d.side);
	tls_side_goodbye(d.side);
	dot_close(d);
	const int fd = tcp_connect_dot(1);
	d = (struct dot){fd, tls_side_client(fd, 3, "\3dot")};
	const size_t len = tcp_message(frame, 2, TCP_ECHO, TCP_SHORTEST);
	assert_false(tls_client_early(d.side, session, frame, len));
	dot_echo(d, 3);
	tcp_rig_until(tls.resumed, 1);
	assert_int_equal(tcp_rig_asked(), 2);
	dot_close(d);
}

// The one that began it first makes room, and no other is harmed.
TEST_WITH(test_too_many_handshakes, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { HALF = FRONTEND_TLS_SHAKING };
	static int fd[HALF];
	tcp_config.connections = tcp_config.per_client = 2 * HALF;
	dot_start();
	struct dot live = dot_connect(2);
	for (unsigned i = 0; i < HALF; i++)
		fd[i] = tcp_connect_dot(1);
	tcp_rig_until(tls.shaking, HALF);
	struct dot d = dot_connect(2);
	dot_echo(d, 1);
	dot_echo(live, 2);
	tcp_rig_until(ended[FRONTEND_TCP_END_evicted_handshake], 1);
	tcp_rig_until(tls.failed[TLS_REFUSED_evicted], 1);
	dot_gone(fd[0]);
	for (unsigned i = 1; i < HALF; i++)
		close(fd[i]);
	tcp_rig_until(tls.failed[TLS_REFUSED_ended], HALF - 1);
	tcp_rig_until(tls.open, 2);
	dot_close(d);
	dot_close(live);
}

// One that the begin of a drain finds in its handshake may ask, as one that comes later.
TEST_WITH(test_a_handshake_during_a_drain, tcp_rig_each_start, tcp_rig_each_end)
{
	dot_start();
	const int fd = tcp_connect_dot(1);
	tcp_rig_until(tls.shaking, 1);
	tcp_rig_drain(FRONTEND_TCP_PARTS);
	tcp_rig_until(leaving, 1);
	clock_ahead_by_ms(4000); // of the 5 s that a handshake may take
	struct dot d = {fd, tls_side_client(fd, 3, "\3dot")};
	assert_true(tls_side_turn(d.side));
	tcp_rig_until(tls.handshakes, 1);
	clock_ahead_by_ms(2000);
	(void)poll(NULL, 0, TICKS_MS);
	dot_echo(d, 1);
	clock_ahead_by_ms(3000);
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_drained], 1);
	tcp_rig_until(leaving, 0);
}

// Connections go on with what they began with.
TEST_WITH(test_another_certificate, tcp_rig_each_start, tcp_rig_each_end)
{
	dot_start();
	struct dot before = dot_connect(1);
	tcp_rig_certify(dot_certificate(TLS_RIG_WILD));
	struct dot after = dot_connect(1);
	dot_echo(before, 1);
	dot_echo(after, 2);
	struct frontend_tcp_status s;
	tcp_rig_status(&s);
	assert_int_equal(s.tls.certificates, 1);
	assert_string_equal(s.tls.certificate[0].names, "*.kids.example");
	dot_close(before);
	dot_close(after);
}

TEST_WITH(test_no_certificate, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;
	tcp_rig_dot = true;
	tcp_rig_certify(NULL);
	tcp_rig_start();
	tcp_rig_status(&s);
	assert_int_equal(s.listener_count, 2);
	assert_int_equal(s.listener[1].kind, FRONTEND_TCP_DOT);
	assert_string_equal(frontend_tcp_listen_error(s.listener[1].err), "no certificate");
	tcp_rig_certify(dot_certificate(TLS_RIG_GOOD));
	tcp_rig_configure();
	dot_close(dot_connect(1));
}

// A live connection keeps what it began with; nobody else does.
TEST_WITH(test_no_certificate_any_more, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;
	dot_start();
	struct dot d = dot_connect(1);
	tcp_rig_certify(NULL);
	tcp_rig_status(&s);
	assert_int_equal(s.tls.certificates, 0);
	dot_echo(d, 1);
	dot_gone(tcp_connect_dot(1));
	tcp_rig_until(tls.failed[TLS_REFUSED_other], 1);
	dot_close(d);
}

TEST_WITH(test_turned_off, tcp_rig_each_start, tcp_rig_each_end)
{
	dot_start();
	struct dot d = dot_connect(1);
	int half = tcp_connect_dot(1), clear = tcp_connect(1, 0);
	tcp_rig_until(open, 3);
	tcp_rig_dot = false;
	tcp_rig_configure();
	assert_true(tls_side_ended(d.side));
	dot_gone(half);
	tcp_rig_until(open, 1);
	tcp_echo(clear, 1);
	struct frontend_tcp_status s;
	tcp_rig_status(&s);
	assert_int_equal(s.listener_count, 1);
	dot_close(d);
	close(clear);
}

// What is open then is closed, in whatever state it is.
TEST_WITH(test_a_stop, tcp_rig_each_start, tcp_rig_each_end)
{
	dot_start();
	struct dot idle = dot_connect(1), asking = dot_connect(1);
	int half = tcp_connect_dot(1);
	dot_ask(asking, 1, TCP_LATER);
	tcp_rig_until_asked(1);
	tcp_rig_until(tls.open, 3);
	tcp_rig_stop();
	assert_true(tls_side_ended(idle.side));
	assert_true(tls_side_ended(asking.side));
	dot_gone(half);
	dot_close(idle);
	dot_close(asking);
	dot_start(); // for the end of the test
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
