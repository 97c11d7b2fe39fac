// SPDX-License-Identifier: BSD-3-Clause
// What TCP/53 does with clients that ask and do not read.

#include "tcp_rig.h"
#include "tests/unit/clock_shift.h"

#include <netinet/tcp.h>

enum { DRAIN_MS = 10000 };

// A client that asks and does not read is not read either; when it reads it gets all.
TEST_WITH(test_unread, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { ASKED = 400 };
	struct frontend_tcp_status s;

	tcp_rig_start();
	int fd = tcp_connect(1, 4096), well = tcp_connect(2, 0);
	for (uint16_t id = 1; id <= ASKED; id++)
		tcp_ask(fd, id, TCP_BIG);
	tcp_rig_status(&s);
	WAIT_FOR(s.held > 0, tcp_rig_status(&s));
	STAYS_SO(tcp_rig_asked() < ASKED, 50);
	tcp_rig_status(&s);
	assert_in_range(s.buffered, 1, 200000);
	tcp_echo(well, 77);
	for (uint16_t id = 1; id <= ASKED; id++)
		tcp_reply_is(fd, id, TCP_BIG_LEN);
	tcp_rig_until(buffered, 0);
	close(fd);
	close(well);
}

// It has asked nothing for longer than it may, but has not read its replies either, of which the
// kernel has all: it is not cut off from them.
TEST_WITH(test_idle_while_it_reads, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { ASKED = 3 };
	struct frontend_tcp_status s;

	tcp_rig_start();
	int fd = tcp_connect(1, 4096), silent = tcp_connect(2, 0);
	for (uint16_t id = 1; id <= ASKED; id++)
		tcp_ask(fd, id, TCP_BIG);
	tcp_rig_until(replies, ASKED);
	tcp_echo(silent, 77); // idle later than the other
	// Not before: on a machine that lets us sleep so long they would be over without a word.
	TCP_RIG_CONFIGURE(idle_timeout_s, 1);
	tcp_is_closed(silent);
	tcp_rig_status(&s);
	assert_int_equal(s.buffered, 0);
	for (uint16_t id = 1; id <= ASKED; id++)
		tcp_reply_is(fd, id, TCP_BIG_LEN);
	CLOSED_UNTIL(fd, ended[FRONTEND_TCP_END_idle], 2);
}

// By a reset: what it has not read is gone from the kernel too.
static void is_cut(int fd)
{
	static uint8_t bytes[TCP_MESSAGE_MAX];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		continue;
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

// Replies to questions in flight may be more than is kept for one connection.
TEST_WITH(test_unread_later, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_start();
	int fd = tcp_connect(1, 4096);
	for (uint16_t id = 1; id <= 100; id++)
		tcp_ask(fd, id, TCP_LATER_BIG);
	tcp_rig_until(pending, 100);
	tcp_rig_release();
	tcp_rig_until(ended[FRONTEND_TCP_END_slow_reader], 1);
	tcp_rig_until(buffered, 0);
	is_cut(fd);
}

// All of it is the kernel's by now: the end of one that makes room drops it there, unless it is no
// more than may be on its way to a client that reads.
TEST_WITH(test_unread_evicted, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { MIDDLING = 4500 }; // more than the client takes at first, by less than is dropped
	static uint8_t frame[2 + MIDDLING];
	struct frontend_tcp_status s;

	TCP_RIG_START(connections, 1);
	int fd = tcp_connect(1, 4096);
	ASK_UNTIL(fd, 1, TCP_BIG, replies, 1);
	tcp_rig_status(&s);
	assert_int_equal(s.buffered, 0);
	int other = tcp_connect(2, 0);
	tcp_echo(other, 77);
	tcp_rig_until(ended[FRONTEND_TCP_END_evicted], 1);
	is_cut(fd);
	fd = tcp_connect(3, 4096);
	tcp_send(fd, frame, tcp_message(frame, 1, TCP_ECHO, MIDDLING));
	tcp_rig_until(replies, 3);
	close(other);
	other = tcp_connect(4, 0);
	tcp_echo(other, 77);
	tcp_rig_until(ended[FRONTEND_TCP_END_evicted], 3);
	tcp_reply_is(fd, 1, MIDDLING);
	tcp_is_closed(fd);
	close(other);
}

// The server's end of a client's connection, as the kernel sees it. Without an inode it is
// nobody's.
struct server_end {
	unsigned state;
	unsigned long inode;
};

static struct server_end end_of(int fd)
{
	struct sockaddr_in far, near;
	socklen_t len = sizeof(far);
	char line[256];
	struct server_end end = {0};
	unsigned from, from_port, to, to_port;

	assert_int_equal(getpeername(fd, (struct sockaddr *)&far, &len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&near, &len), 0);
	FILE *f = fopen("/proc/net/tcp", "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		struct server_end e;
		if (sscanf(line, "%*d: %x:%x %x:%x %x %*s %*s %*s %*d %*d %lu", &from, &from_port,
			    &to, &to_port, &e.state, &e.inode)
				== 6
			&& from == far.sin_addr.s_addr && from_port == ntohs(far.sin_port)
			&& to == near.sin_addr.s_addr && to_port == ntohs(near.sin_port))
			end = e;
	}
	fclose(f);
	return end;
}

// A client that has asked and ended its side, and reads nothing; the server has ended its own.
static int asks_and_ends(unsigned host)
{
	int fd = tcp_connect(host, 4096);
	struct server_end end = {0};

	tcp_ask(fd, 1, TCP_BIG);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	WAIT_FOR(end.state == TCP_LAST_ACK, end = end_of(fd));
	assert_int_not_equal(end.inode, 0);
	return fd;
}

// It may read when it likes, within what all have for that, and counts as a connection until it
// has: nothing of it is left to the kernel alone.
TEST_WITH(test_unread_at_its_end, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_start();
	int fd = asks_and_ends(1);
	tcp_rig_until(open, 1);
	tcp_reply_is(fd, 1, TCP_BIG_LEN);
	CLOSED_UNTIL(fd, open, 0);
	tcp_rig_until(ended[FRONTEND_TCP_END_client], 1);
}

TEST_WITH(test_never_read_at_its_end, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_start();
	int fd = asks_and_ends(1);
	tcp_rig_until(open, 1);
	clock_ahead_by_ms(DRAIN_MS);
	tcp_rig_until(ended[FRONTEND_TCP_END_client], 1);
	is_cut(fd);
}

// A reset drops what it has not read, and there is nothing to wait for: it ends before one that was
// there before it and may still read.
TEST_WITH(test_reset_at_its_end, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_start();
	int still = asks_and_ends(1), fd = asks_and_ends(2);
	tcp_rig_until(open, 2);
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_client], 1);
	assert_int_not_equal(end_of(still).inode, 0);
	close(still);
}

TEST_WITH(test_makes_room_at_its_end, tcp_rig_each_start, tcp_rig_each_end)
{
	TCP_RIG_START(connections, 1);
	int fd = asks_and_ends(1), other = tcp_connect(2, 0);
	tcp_echo(other, 77);
	tcp_rig_until(ended[FRONTEND_TCP_END_evicted], 1);
	is_cut(fd);
	close(other);
}

// The same where it is the server that ends it first.
TEST_WITH(test_never_read_when_spent, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;

	TCP_RIG_START(connection_queries, 1);
	int fd = tcp_connect(1, 4096);
	tcp_ask(fd, 1, TCP_BIG);
	WAIT_FOR(end_of(fd).state == TCP_FIN_WAIT1);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	WAIT_FOR(end_of(fd).state == TCP_CLOSING);
	assert_int_not_equal(end_of(fd).inode, 0);
	tcp_rig_status(&s);
	assert_int_equal(s.open, 1);
	clock_ahead_by_ms(DRAIN_MS);
	tcp_rig_until(ended[FRONTEND_TCP_END_queries], 1);
	is_cut(fd);
}
