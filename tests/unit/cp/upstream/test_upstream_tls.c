// SPDX-License-Identifier: BSD-3-Clause

// Queries to a server over TLS.
#include "tests/unit/unit.h"
#include "tls_stream.h"

#include <event2/event.h>

#include <netinet/tcp.h>
#include <weir/mem_account.h>

TEST_WITH(test_queries_share_a_connection, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q[3];
	unsigned first = ask_more(3);
	for (unsigned i = 0; i < 3; i++) {
		query_take(0, &q[i]);
		assert_true(q[i].edns);
		assert_int_equal(q[i].len % 128, 0); // RFC 8467
	}
	assert_string_equal(tls_side_name(conn[0].side), "dns.example");
	assert_true(tls_side_alpn(conn[0].side, "dot"));
	for (unsigned i = 3; i-- > 0;)
		answer(0, &q[i]);
	for (unsigned i = first; i < first + 3; i++)
		ask_wait(i);
	assert_int_equal(replied(first, 3), 3);
	assert_int_equal(server_status().srtt_us, 0); // they waited for the handshake
	answer_ask(0);
	assert_int_equal(rig.conns, 1);
	struct upstream_status s = server_status();
	assert_true(s.srtt_us > 0);
	assert_int_equal(s.sent, 4);
	assert_int_equal(s.tls_handshakes, 1);
	assert_int_equal(s.tcp_opened, 1);
	assert_non_null(strstr(s.tls_about, "TLSv1.3"));
	assert_non_null(strstr(s.address, "tls://dns.example@127.0.0.1:"));
}

// The option of padding, behind that of keepalive or alone, is what the length says.
TEST_WITH(test_padding_is_an_option, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	for (unsigned n = 0; n < 2; n++) {
		unsigned first = ask_more(1);
		query_take(0, &q);
		struct rd r = rd_init(q.msg, q.len);
		rd_skip(&r, question_end(q.msg) + 9);
		unsigned options = rd_u16(&r);
		assert_int_equal(options, rd_left(&r));
		if (n == 0) {
			assert_int_equal(rd_u16(&r), 11);
			assert_int_equal(rd_u16(&r), 0);
		}
		assert_int_equal(rd_u16(&r), 12);
		unsigned pad = rd_u16(&r);
		assert_int_equal(rd_left(&r), pad);
		for (unsigned i = 0; i < pad; i++)
			assert_int_equal(rd_u8(&r), 0);
		answer(0, &q);
		ask_wait(first);
	}
}

static bool waits_to_write(void)
{
	return event_pending(&rig.up->streams->first->writable, EV_WRITE, NULL);
}

// Amid a ticket TLS reads before it writes; the socket has room all the time.
TEST_WITH(test_a_write_that_waits_for_a_read, tls_stream_setup, tls_stream_teardown)
{
	answer_ask(0);
	tls_side_ticket_begin(conn[0].side);
	turn();
	unsigned first = ask_more(1);
	turn();
	assert_false(waits_to_write());
	serve_all();
	assert_int_equal(conn[0].len, 0);
	tls_side_ticket_end(conn[0].side);
	answer_asked(0, first);
	assert_false(waits_to_write());
	assert_int_equal(rig.conns, 1);
}

// It is slower than a wait, but not than the question's life: the handshake goes on.
TEST_WITH(test_a_slow_handshake, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	unsigned first = ask_more(1);
	wait_conns(1);
	clock_turn(2000);
	query_take(0, &q);
	clock_turn(2000);
	answer(0, &q);
	ask_wait(first);
	assert_true(rig.replied[first]);
	assert_int_equal(rig.conns, 1);
}

TEST_WITH(test_an_end_after_each_answer, tls_stream_setup, tls_stream_teardown)
{
	for (unsigned i = 0; i < 5; i++) {
		answer_ask(i);
		tls_side_goodbye(conn[i].side);
		conn_close(i, false);
	}
	struct upstream_status s = server_status();
	assert_int_equal(s.tls_handshakes, 5);
	assert_int_equal(s.tls_resumed, 4);
	assert_int_equal(s.failures, 0);
}

// A connection that is there and says nothing any more: the query goes out on another one.
TEST_WITH(test_silence, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	answer_ask(0);
	unsigned first = ask_more(1);
	query_take(0, &q);
	clock_turn(1100);
	answer_asked(1, first);
	assert_int_equal(server_status().timeouts, 1);
}

TEST_WITH(test_checks_go_over_tls, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	rig.config.check = UPSTREAM_CHECK_ALL;
	rig.config.check_interval_s = 1;
	STREAM_CONFIGURE(check_type, DNS_TYPE_NS);
	clock_turn(1200);
	query_take(0, &q);
	assert_int_equal(q.msg[DNS_HEADER_LEN], 0); // the root
	assert_false(q.edns);
	struct upstream_status s = server_status();
	assert_int_equal(s.checks, 1);
	assert_int_equal(s.sent, 0);
	clock_turn(900);
	assert_int_equal(server_status().checks_failed, 1);
	assert_true(server_status().suspect);
}

static bool no_check(const void *)
{
	serve_all();
	return !upstream_health_get(rig.up->server[0].health, is_checked);
}

// A server far away: the handshake alone takes longer than a check may, and the next turn of checks
// comes meanwhile.
TEST_WITH(test_a_check_waits_for_the_handshake, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	rig.config.check = UPSTREAM_CHECK_ALL;
	rig.config.check_interval_s = 1;
	STREAM_CONFIGURE(check_type, DNS_TYPE_NS);
	clock_turn(1200);
	wait_conns(1);
	clock_turn(2000);
	assert_int_equal(server_status().checks, 1);
	assert_int_equal(server_status().checks_failed, 0);
	query_take(0, &q);
	clock_turn(700);
	answer(0, &q);
	wait_for(no_check, NULL);
	assert_int_equal(server_status().checks_failed, 0);
	assert_false(server_status().suspect);
	// On a connection that is there it begins at once.
	clock_turn(1200);
	query_take(0, &q);
	clock_turn(900);
	assert_true(server_status().checks_failed > 0);
}

TEST_WITH(test_a_new_name_ends_connections, tls_stream_setup, tls_stream_teardown)
{
	answer_ask(0);
	stream_configure();
	answer_ask(0); // the same server as before
	name_is("other.example");
	ask_fails();
	assert_int_equal(rig.conns, 2);
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_name], 1);
	name_is("dns.example");
	answer_ask(2);
	assert_false(tls_side_resumed(conn[2].side));
}

static bool one_left(const void *)
{
	serve_all();
	return streams().open == 0;
}

TEST_WITH(test_memory_comes_back, tls_stream_setup, tls_stream_teardown)
{
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	uint64_t before = 0;
	for (unsigned round = 0; round < 4; round++) {
		answer_ask(round);
		conn_close(round, false);
		wait_for(one_left, NULL);
		name_is(round % 2 ? "dns.example" : "DNS.example"); // other peers, other sessions
		uint64_t now = (mem_accounts(by), by[MEM_ACCOUNT_upstream].blocks);
		if (round > 1)
			assert_int_equal(now, before);
		before = now;
	}
}

// A reply in records of one byte each.
static void answer_in_bytes(unsigned i, const struct stream_query *q)
{
	uint8_t out[700];
	size_t len = reply_write(q, -1, out);
	for (size_t k = 0; k < len; k++)
		tls_side_write(conn[i].side, &out[k], 1);
}

// A server with many records of little holds the loop for so many reads a turn, and no longer.
TEST_WITH(test_a_turn_has_so_many_reads, tls_stream_setup, tls_stream_teardown)
{
	enum { ASKS = 8 };
	struct stream_query q[ASKS];
	unsigned first = ask_more(ASKS);
	for (unsigned i = 0; i < ASKS; i++)
		query_take(0, &q[i]);
	setsockopt(rig.conn[0], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	for (unsigned i = 0; i < ASKS; i++)
		answer_in_bytes(0, &q[i]);
	for (unsigned i = 1; replied(first, ASKS) < ASKS; i++) {
		event_base_loop(loop_base(rig.loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
		assert_true(replied(first, ASKS) * 50 <= i * UPSTREAM_STREAM_READS);
		assert_true(
			i < 100); // nothing more comes: what TLS has read already is gone on with
	}
	assert_int_equal(rig.conns, 1);
	assert_int_equal(streams().bad, 0);
}

// It is no server that goes on so: the connection ends, and counts as one with what is no reply.
TEST_WITH(test_crumbs_end_a_connection, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	unsigned first = 0, asks = 0;
	while (streams().bad == 0) {
		assert_true(++asks < 25);
		first = ask_more(1);
		query_take(0, &q);
		answer_in_bytes(0, &q);
		WAIT_FOR((turn(), streams().bad || rig.replied[first]));
	}
	assert_true(asks > 15);
	wait_conns(2); // the query is sent once more
	answer_asked(1, first);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
