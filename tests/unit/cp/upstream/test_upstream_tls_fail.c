// SPDX-License-Identifier: BSD-3-Clause

// Questions to a server over TLS to which no connection can be opened.
#include "tests/unit/unit.h"
#include "tls_stream.h"

static void refused(enum tls_rig_kind kind, enum tls_failure failure)
{
	server_is(kind);
	ask_fails();
	struct upstream_status s = server_status();
	assert_int_equal(s.tls_failed[failure], 1);
	assert_true(s.tls_why[0]);
	assert_int_equal(s.sent, 0); // nobody saw the question
	assert_int_equal(conn[0].len, 0);
}

TEST_WITH(test_a_wrong_name, tls_stream_setup, tls_stream_teardown)
{
	refused(TLS_RIG_WRONG, TLS_FAILURE_name);
}

TEST_WITH(test_an_expired_certificate, tls_stream_setup, tls_stream_teardown)
{
	refused(TLS_RIG_EXPIRED, TLS_FAILURE_certificate);
}

TEST_WITH(test_a_stranger, tls_stream_setup, tls_stream_teardown)
{
	refused(TLS_RIG_UNTRUSTED, TLS_FAILURE_certificate);
}

TEST_WITH(test_another_key, tls_stream_setup, tls_stream_teardown)
{
	struct config_upstream_tls *t = &rig.config.server[0].tls;
	t->pin_count = 1;
	tls_rig_pin(TLS_RIG_GOOD, t->pin[0]);
	stream_configure();
	answer_ask(0);
	conn_close(0, false);
	server_is(TLS_RIG_OTHER_KEY);
	ask_fails();
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_pin], 1);
}

TEST_WITH(test_no_authorities, tls_stream_setup, tls_stream_teardown)
{
	STREAM_CONFIGURE(ca_file, (char[]){"/nowhere/ca.pem"});
	ask_fails();
	turn();
	assert_int_equal(rig.conns, 0);
	assert_non_null(strstr(server_status().tls_why, "/nowhere/ca.pem: No such file"));
}

// After a failure no connection is opened for 250 ms, then for twice as long.
TEST_WITH(test_backoff, tls_stream_setup, tls_stream_teardown)
{
	server_is(TLS_RIG_WRONG);
	ask_fails();
	wait_conns(1);
	ask_fails();
	clock_turn(200);
	ask_fails();
	assert_int_equal(rig.conns, 1);
	clock_turn(60);
	ask_fails();
	wait_conns(2);
	clock_turn(300);
	ask_fails();
	assert_int_equal(rig.conns, 2);
	clock_turn(250);
	server_is(TLS_RIG_GOOD);
	answer_ask(2);
	assert_string_equal(server_status().tls_why, "");
}

static bool all_failed(const void *arg)
{
	serve_all();
	return server_status().tls_failed[TLS_FAILURE_handshake] == *(const unsigned *)arg;
}

// A restart ends all connections: one accident, one unanswered query, the first back-off.
TEST_WITH(test_connections_that_fail_together, tls_stream_setup, tls_stream_teardown)
{
	const unsigned count = 4;
	STREAM_CONFIGURE(check, UPSTREAM_CHECK_OFF);
	unsigned first = ask_more(70);
	wait_conns(count);
	for (unsigned i = 0; i < count; i++)
		conn_close(i, true);
	wait_for(all_failed, &count);
	for (unsigned i = first; i < first + 70; i++)
		assert_true(rig.ended[i]);
	assert_true(server_status().up);
	assert_int_equal(upstream_health_get(rig.up->server[0].health, silent), 1);
	clock_turn(260);
	answer_ask(count);
	assert_int_equal(rig.conns, count + 1);
}

static bool is_checked(const void *)
{
	serve_all();
	return !server_status().suspect && server_status().up;
}

// Handshakes that fail are no questions left unanswered: the first check that is answered ends it.
TEST_WITH(test_a_check_brings_it_back, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	rig.config.check = UPSTREAM_CHECK_DOWN;
	rig.config.check_interval_s = 10;
	STREAM_CONFIGURE(check_type, DNS_TYPE_NS);
	server_is(TLS_RIG_WRONG);
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		ask_fails();
		clock_turn(1100);
	}
	assert_false(server_status().up);
	server_is(TLS_RIG_GOOD);
	upstream_check_now(rig.up->checks, 0);
	query_take(UPSTREAM_DOWN_AFTER, &q);
	answer(UPSTREAM_DOWN_AFTER, &q);
	wait_for(is_checked, NULL);
}

TEST_WITH(test_a_handshake_that_stalls, tls_stream_setup, tls_stream_teardown)
{
	enum tls_failure handshake = TLS_FAILURE_handshake;
	unsigned first = ask_more(1);
	wait_conns(1);
	clock_turn(2900);
	assert_false(rig.ended[first]);
	assert_int_equal(streams().open, 1);
	clock_turn(200);
	assert_true(rig.ended[first]);
	assert_true(has_failed(&handshake));
	assert_int_equal(streams().open, 0);
	assert_non_null(strstr(server_status().tls_why, "in time"));
}

// It is one unanswered query, not one for each question that waits for it.
TEST_WITH(test_a_handshake_that_stalls_counts_once, tls_stream_setup, tls_stream_teardown)
{
	const unsigned questions = 5;
	STREAM_CONFIGURE(check, UPSTREAM_CHECK_OFF);
	unsigned first = ask_more(questions);
	wait_conns(1);
	clock_turn(1100);
	assert_int_equal(upstream_health_get(rig.up->server[0].health, silent), 1);
	assert_true(server_status().up);
	clock_turn(2000);
	for (unsigned i = first; i < first + questions; i++)
		assert_true(rig.ended[i]);
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_handshake], 1);
	assert_int_equal(upstream_health_get(rig.up->server[0].health, silent), 1);
}

// On a connection that was good until then.
TEST_WITH(test_what_is_no_tls, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	answer_ask(0);
	unsigned first = ask_more(1);
	query_take(0, &q);
	bytes_send(rig.conn[0], (const uint8_t *)"220 mail.example ESMTP\r\n", 24);
	answer_asked(1, first);
	assert_int_equal(streams().bad, 1);
	assert_int_equal(server_status().bad_replies, 1);
}

TEST_WITH(test_resets, tls_stream_setup, tls_stream_teardown)
{
	enum tls_failure handshake = TLS_FAILURE_handshake;
	unsigned first = ask_more(1);
	wait_conns(1);
	conn_close(0, true);
	wait_for(has_failed, &handshake);
	assert_true(rig.ended[first]);
	clock_turn(300);
	// With queries on it, once there: they go elsewhere.
	answer_ask(1);
	first = ask_more(1);
	struct stream_query q;
	query_take(1, &q);
	conn_close(1, true);
	answer_asked(2, first);
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_handshake], 1);
}

// Once without the keepalive option, too, which may have been why.
static void ask_met_by_an_end(unsigned i)
{
	struct stream_query q;
	unsigned first = ask_more(1);
	for (unsigned k = 0; k < 2; k++) {
		query_take(i + k, &q);
		conn_close(i + k, false);
	}
	ask_wait(first);
	assert_true(rig.ended[first]);
}

// Ends in place of answers are as good as silence: such a server is no longer the first one asked.
TEST_WITH(test_an_end_after_each_question, tls_stream_setup, tls_stream_teardown)
{
	STREAM_CONFIGURE(check, UPSTREAM_CHECK_OFF);
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		assert_true(server_status().up);
		ask_met_by_an_end(2 * i);
	}
	assert_false(server_status().up);
	clock_turn(rig.config.backoff_s * 1000 + 100);
	answer_ask(2 * UPSTREAM_DOWN_AFTER);
	assert_true(server_status().up);
}

// Replies that ask and answer nothing are no better.
TEST_WITH(test_replies_that_say_nothing, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	STREAM_CONFIGURE(check, UPSTREAM_CHECK_OFF);
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		assert_true(server_status().up);
		unsigned first = ask_more(1);
		query_take(0, &q);
		const uint8_t bare[2 + DNS_HEADER_LEN] = {
			0, DNS_HEADER_LEN, q.msg[0], q.msg[1], 0x80, DNS_RCODE_SERVFAIL};
		tls_side_write(conn[0].side, bare, sizeof(bare));
		ask_wait(first);
		assert_true(rig.ended[first]);
	}
	assert_false(server_status().up);
}

static bool is_suspect(const void *)
{
	serve_all();
	return server_status().suspect;
}

// A check that is met by the end of its connection has failed.
TEST_WITH(test_checks_that_are_met_by_an_end, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	rig.config.check_interval_s = 10;
	STREAM_CONFIGURE(check, UPSTREAM_CHECK_DOWN);
	upstream_check_now(rig.up->checks, 0);
	query_take(0, &q);
	conn_close(0, false);
	wait_for(is_suspect, NULL);
	assert_int_equal(server_status().checks_failed, 1);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)

static int failing_open(void)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct config_upstream *s = rig.config.server;

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &(socklen_t){sizeof(a)}), 0);
	s[1] = s[0];
	s[0] = (struct config_upstream){.address = socket_here(ntohs(a.sin_port))};
	rig.config.count = 2;
	return fd;
}

static bool fails(const void *arg)
{
	const int fd = *(const int *)arg;
	uint8_t q[600];
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	ssize_t n = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&peer, &peer_len);

	if (n < DNS_HEADER_LEN)
		return false;
	put_u16(q + 2, DNS_FLAG_QR | DNS_RCODE_SERVFAIL);
	put_u16(q + 10, 0);
	return sendto(fd, q, question_end(q), 0, (struct sockaddr *)&peer, peer_len) > 0;
}

static bool has_reply(const void *)
{
	return rig.steps[TRACE_reply] == 1;
}

// The other server of its race has failed, and the query still waits for a connection.
TEST_WITH(test_no_connection_in_a_race, tls_stream_setup, tls_stream_teardown)
{
	STREAM_CONFIGURE(socket_uses, 1);
	ask_more(UPSTREAM_STREAMS_EACH);
	int other = failing_open();
	STREAM_CONFIGURE(race, 2);
	ask_more(1);
	assert_int_equal(streams().waiting, 1);
	wait_for(fails, &other);
	wait_for(has_reply, NULL);
	clock_turn(100);
	assert_int_equal(rig.steps[TRACE_timed_out], 0);
	assert_int_equal(rig.steps[TRACE_udp_sent], 1);
	rig.steps[TRACE_udp_sent] = 0;
	close(other);
}
