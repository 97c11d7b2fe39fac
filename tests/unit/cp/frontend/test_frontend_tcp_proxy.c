// SPDX-License-Identifier: BSD-3-Clause
// Connections from load balancers: the client's address is that of the PROXY header, and a
// connection without a header ends.

#include "dot_rig.h"

enum { HEADER = 28, BALANCER = 10, LOCAL = 0x20, PROXY = 0x21 };

static const uint8_t signature[] = "\r\n\r\n\0\r\nQUIT\n";

static void balanced(void)
{
	tcp_rig_balancers = (struct config_proxy_protocol){.from_count = 2,
		.from = {{.version = 6, .prefix_len = 0},
			{.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, BALANCER}}}};
}

// It says that the connection is that of 127.0.0.<host>.
static void header_make(uint8_t out[HEADER], uint8_t command, uint8_t host)
{
	const uint8_t body[] = {command, 0x11, 0, 12, 127, 0, 0, host, 192, 0, 2, 1, 9, 9, 0, 53};
	memcpy(out, signature, sizeof(signature) - 1);
	memcpy(out + sizeof(signature) - 1, body, sizeof(body));
}

static void header_send(int fd, uint8_t command, uint8_t host)
{
	uint8_t header[HEADER];
	header_make(header, command, host);
	tcp_send(fd, header, sizeof(header));
}

static int connect_for(uint8_t host)
{
	int fd = tcp_connect(BALANCER, 0);
	header_send(fd, PROXY, host);
	return fd;
}

static void served(int fd, uint8_t host)
{
	tcp_echo(fd, 77);
	assert_int_equal(tcp_rig_host, host);
}

TEST_WITH(test_the_named_client_is_the_client, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;
	balanced();
	tcp_rig_start();
	int fd = connect_for(7), other = tcp_connect(2, 0);
	served(fd, 7);
	served(other, 2);
	served(fd, 7);
	tcp_rig_status(&s);
	assert_int_equal(s.proxied, 1);
	assert_int_equal(s.accepted, 2);
	CLOSE_UNTIL(other, clients, 1);
	tcp_rig_status(&s);
	assert_int_equal(s.busiest.bytes[3], 7);
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_client], 2);
}

// A header and a query in one piece, then byte by byte.
TEST_WITH(test_any_pieces, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t both[HEADER + 2 + TCP_SHORTEST];
	balanced();
	tcp_rig_start();
	header_make(both, PROXY, 8);
	tcp_message(both + HEADER, 5, TCP_ECHO, TCP_SHORTEST);
	int fd = tcp_connect(BALANCER, 0);
	tcp_send(fd, both, sizeof(both));
	tcp_reply_is(fd, 5, TCP_SHORTEST);
	close(fd);
	fd = tcp_connect(BALANCER, 0);
	for (size_t i = 0; i < sizeof(both); i++) {
		tcp_send(fd, &both[i], 1);
		tcp_rig_until(bytes_in, sizeof(both) + i + 1);
	}
	tcp_reply_is(fd, 5, TCP_SHORTEST);
	assert_int_equal(tcp_rig_host, 8);
	close(fd);
}

TEST_WITH(test_a_denied_client_is_refused, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;
	balanced();
	tcp_rig_start();
	CLOSED_UNTIL(connect_for(TCP_DENIED_HOST), refused_denied, 1);
	int fd = connect_for(7);
	served(fd, 7);
	tcp_rig_status(&s);
	assert_int_equal(s.proxied, 1);
	assert_int_equal(s.accepted, 1);
	close(fd);
}

// Many clients share the balancer's address, and none of them its place.
TEST_WITH(test_per_client, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { WAITS = 5 };
	int fd[WAITS];
	tcp_config.per_client = 1;
	balanced();
	tcp_rig_start();
	for (unsigned i = 0; i < WAITS; i++)
		fd[i] = tcp_connect(BALANCER, 0);
	int first = connect_for(1), second = connect_for(2);
	served(first, 1);
	served(second, 2);
	int again = connect_for(1);
	served(again, 1);
	CLOSED_UNTIL(first, ended[FRONTEND_TCP_END_evicted_client], 1);
	header_send(fd[WAITS - 1], PROXY, 3);
	served(fd[WAITS - 1], 3);
	served(second, 2);
	for (unsigned i = 0; i < WAITS; i++)
		close(fd[i]);
	tcp_rig_until(ended[FRONTEND_TCP_END_client], WAITS);
	close(second);
	close(again);
}

// A health check, by a balancer that speaks for itself.
TEST_WITH(test_local, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;
	balanced();
	tcp_rig_start();
	int fd = tcp_connect(BALANCER, 0);
	header_send(fd, LOCAL, 7);
	served(fd, BALANCER);
	tcp_rig_status(&s);
	assert_int_equal(s.proxied, 0);
	close(fd);
	CLOSE_UNTIL(tcp_connect(BALANCER, 0), ended[FRONTEND_TCP_END_client],
		2); // one that only connects
	tcp_rig_until(accepted, 2);
}

TEST_WITH(test_a_header_is_due, tcp_rig_each_start, tcp_rig_each_end)
{
	static const char text[] = "PROXY TCP4 127.0.0.7 192.0.2.1 2313 53\r\n";
	balanced();
	tcp_rig_start();
	int fd = tcp_connect(BALANCER, 0);
	tcp_ask(fd, 1, TCP_ECHO);
	tcp_is_closed(fd);
	fd = tcp_connect(BALANCER, 0);
	tcp_send(fd, text, strlen(text));
	tcp_is_closed(fd);
	fd = tcp_connect(BALANCER, 0);
	header_send(fd, 0x31, 7);
	CLOSED_UNTIL(fd, ended[FRONTEND_TCP_END_proxy], 3);
	tcp_rig_until(accepted, 3);
	assert_int_equal(tcp_rig_asked(), 0);
}

// Of others it is the begin of a long message.
TEST_WITH(test_strangers_are_not_believed, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_config.query_timeout_s = 1;
	balanced();
	tcp_rig_start();
	int fd = tcp_connect(3, 0);
	header_send(fd, PROXY, 7);
	tcp_ask(fd, 1, TCP_ECHO);
	CLOSED_UNTIL(fd, ended[FRONTEND_TCP_END_slow_query], 1);
	assert_int_equal(tcp_rig_asked(), 0);
}

TEST_WITH(test_a_slow_header, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_config.query_timeout_s = 1;
	balanced();
	tcp_rig_start();
	int silent = tcp_connect(BALANCER, 0), slow = tcp_connect(BALANCER, 0);
	tcp_send(slow, signature, sizeof(signature) - 1);
	tcp_is_closed(silent);
	CLOSED_UNTIL(slow, ended[FRONTEND_TCP_END_slow_proxy], 2);
	tcp_rig_until(open, 0);
}

// The one that has waited longest makes room; connections with a header are not touched.
TEST_WITH(test_too_many_waits, tcp_rig_each_start, tcp_rig_each_end)
{
	static int fd[FRONTEND_PROXY_WAITS];
	balanced();
	tcp_rig_start();
	int live = connect_for(7);
	served(live, 7);
	for (unsigned i = 0; i < FRONTEND_PROXY_WAITS; i++)
		fd[i] = tcp_connect(BALANCER, 0);
	int one_more = connect_for(8);
	served(one_more, 8);
	tcp_rig_until(ended[FRONTEND_TCP_END_evicted_proxy], 1);
	tcp_is_closed(fd[0]);
	served(live, 7);
	header_send(fd[1], PROXY, 9);
	served(fd[1], 9);
	for (unsigned i = 1; i < FRONTEND_PROXY_WAITS; i++)
		close(fd[i]);
	tcp_rig_until(ended[FRONTEND_TCP_END_client], FRONTEND_PROXY_WAITS - 1);
	close(live);
	close(one_more);
}

// The header comes before the handshake.
TEST_WITH(test_over_tls, tcp_rig_each_start, tcp_rig_each_end)
{
	balanced();
	dot_start();
	const int fd = tcp_connect_dot(BALANCER);
	header_send(fd, PROXY, 7);
	const struct dot d = {fd, tls_side_client(fd, 3, "\3dot")};
	assert_true(tls_side_turn(d.side));
	dot_echo(d, 1);
	assert_int_equal(tcp_rig_host, 7);
	dot_close(d);
	const int denied = tcp_connect_dot(BALANCER);
	header_send(denied, PROXY, TCP_REFUSED_HOST);
	dot_gone(denied);
	tcp_rig_until(refused_denied, 1);
	tcp_rig_until(tls.handshakes, 1);
}

// New connections go by the new list; those of a kind that is turned off end.
TEST_WITH(test_reload, tcp_rig_each_start, tcp_rig_each_end)
{
	balanced();
	tcp_rig_start();
	int waits = tcp_connect(BALANCER, 0), open = connect_for(7);
	served(open, 7);
	tcp_rig_balancers.from_count = 0;
	tcp_rig_configure();
	served(open, 7);
	int fd = tcp_connect(BALANCER, 0);
	served(fd, BALANCER);
	header_send(waits, PROXY, 8);
	served(waits, 8);
	balanced();
	tcp_rig_configure();
	int other = tcp_connect(BALANCER, 0), late = connect_for(9);
	served(late, 9);
	TCP_RIG_CONFIGURE(enabled, false);
	CLOSED_UNTIL(other, ended[FRONTEND_TCP_END_stopped], 5);
	close(open);
	close(fd);
	close(waits);
	close(late);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
