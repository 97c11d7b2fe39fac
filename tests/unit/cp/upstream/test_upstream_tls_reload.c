// SPDX-License-Identifier: BSD-3-Clause

// A server that is asked in clear text, and over TLS after a reload, with queries under way.
#include "tests/unit/unit.h"
#include "tls_stream.h"

enum { CLEAR = 4 }; // connections that a server may have

static void clear_until_now(void)
{
	STREAM_CONFIGURE(server[0].tls.is_on, false);
}

// Its reply says: ask over TCP. The server that did is not there any more.
TEST_WITH(test_a_datagram_under_way, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	int udp = rig.udp;
	clear_until_now();
	rig.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); // the server reads nothing
	unsigned first = ask_more(1);
	assert_int_equal(rig.steps[TRACE_udp_sent], 1);
	rig.steps[TRACE_udp_sent] = 0;
	name_is("dns.example");
	clock_turn(450);
	query_take(0, &q);
	close(rig.udp);
	rig.udp = udp; // it reads the query of before
	turn();
	turn();
	answer(0, &q);
	ask_wait(first);
	assert_true(rig.replied[first]);
	assert_int_equal(rig.conns, 1);
	assert_int_equal(server_status().tcp_retries, 0);
}

// It has had no connection until now, and gets none in clear text.
TEST_WITH(test_a_query_that_waits, tls_stream_setup, tls_stream_teardown)
{
	struct stream_query q;
	int fd[CLEAR];
	clear_until_now();
	STREAM_CONFIGURE(socket_uses, 1);
	unsigned first = ask_more(CLEAR + 1);
	wait_conns(CLEAR);
	assert_int_equal(streams().waiting, 1);
	rig.steps[TRACE_udp_sent] = 0;
	for (unsigned i = 0; i < CLEAR; i++) {
		fd[i] = rig.conn[i];
		rig.conn[i] = -1;
	}
	name_is("dns.example");
	close(fd[0]); // so there is room for one more
	for (unsigned i = CLEAR; i < CLEAR + 2; i++) {
		query_take(i, &q);
		answer(i, &q);
		ask_wait(q.number);
		assert_true(rig.replied[q.number]);
	}
	assert_true(rig.replied[first] && rig.replied[first + CLEAR]);
	assert_int_equal(rig.conns, CLEAR + 2);
	for (unsigned i = 1; i < CLEAR; i++)
		close(fd[i]);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
