// SPDX-License-Identifier: BSD-3-Clause
// What one connection may have where the operator says so: queries, and time (RFC 9210 4.2).

#include "tcp_rig.h"
#include "tests/unit/clock_shift.h"

// MANY: two descriptors each. A tick of 4 ms has turns for 32 of them.
enum { MANY = 400, ENDS_A_TICK = 32, TICK_MS = 4 };

// The server has closed its side, and did not reset the connection.
static void at_its_end(int fd)
{
	uint8_t byte;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, TCP_WAIT_MS), 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

// A query to a server that may have closed by now, on a machine that let us sleep so long.
static void ask_whoever_is_there(int fd, uint16_t id)
{
	uint8_t frame[2 + TCP_SHORTEST];
	(void)send(fd, frame, tcp_message(frame, id, TCP_ECHO, TCP_SHORTEST), MSG_NOSIGNAL);
}

TEST_WITH(test_queries, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t frames[5 * (2 + TCP_SHORTEST)];
	size_t len = 0;

	tcp_config.connection_queries = 3;
	int fd = tcp_rig_start_one(), other = tcp_connect(1, 0);
	for (uint16_t id = 1; id <= 5; id++)
		len += tcp_message(frames + len, id, TCP_ECHO, TCP_SHORTEST);
	tcp_send(fd, frames, len - 1); // the last one not whole
	for (uint16_t id = 1; id <= 3; id++)
		tcp_reply_is(fd, id, TCP_SHORTEST);
	at_its_end(fd);
	ask_whoever_is_there(fd, 6);
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_queries], 1);
	assert_int_equal(tcp_rig_asked(), 3);
	tcp_echo(other, 7);
	CLOSE_UNTIL(other, ended[FRONTEND_TCP_END_client], 1);
	tcp_rig_until(buffered, 0);
}

// Queries whose answers are not there yet are waited for, and then a client that does not close is
// not waited for for long.
TEST_WITH(test_queries_under_way, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_config.connection_queries = 2;
	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= 3; id++)
		tcp_ask(fd, id, TCP_LATER);
	tcp_rig_until_asked(2);
	tcp_rig_until(open, 1);
	tcp_rig_release();
	tcp_reply_is(fd, 2, TCP_LATER_LEN);
	tcp_reply_is(fd, 1, TCP_LATER_LEN);
	at_its_end(fd);
	tcp_rig_until(ended[FRONTEND_TCP_END_queries], 1);
	tcp_rig_until(open, 0);
	assert_int_equal(tcp_rig_asked(), 2);
	close(fd);
}

// Both may go on for ever, and both may be taken back, of connections that are there.
TEST_WITH(test_live, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= 3; id++) {
		tcp_echo(fd, id);
	}
	TCP_RIG_CONFIGURE(connection_queries, 2);
	tcp_echo(fd, 4);
	at_its_end(fd);
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_queries], 1);
}

// A client's reset, too, is the end that was waited for, and no error.
TEST_WITH(test_reset_at_the_end, tcp_rig_each_start, tcp_rig_each_end)
{
	const struct linger reset = {.l_onoff = 1};

	tcp_config.connection_queries = 1;
	int fd = tcp_rig_start_one();
	tcp_echo(fd, 1);
	at_its_end(fd);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	CLOSE_UNTIL(fd, open, 0);
	tcp_rig_until(ended[FRONTEND_TCP_END_queries], 1);
	tcp_rig_until(ended[FRONTEND_TCP_END_error], 0);
}

static void ends_when_lowered(uint32_t *time_s, enum frontend_tcp_end end)
{
	int fd = tcp_connect(1, 0);
	tcp_rig_until(open, 1);
	*time_s = 1;
	tcp_rig_configure();
	at_its_end(fd);
	CLOSE_UNTIL(fd, ended[end], 1);
}

// Times that are lowered hold for a connection that has nothing to do, and would not have been
// checked for minutes.
TEST_WITH(test_lower_times, tcp_rig_each_start, tcp_rig_each_end)
{
	TCP_RIG_START(idle_timeout_s, 600);
	ends_when_lowered(&tcp_config.connection_age_s, FRONTEND_TCP_END_age);
	TCP_RIG_CONFIGURE(connection_age_s, 0);
	ends_when_lowered(&tcp_config.idle_timeout_s, FRONTEND_TCP_END_idle);
}

static void many_connect(int fd[MANY])
{
	tcp_config.connections = tcp_config.per_client = 4 * MANY;
	tcp_rig_start();
	for (unsigned i = 0; i < MANY; i++)
		fd[i] = tcp_connect(1, 0);
	tcp_rig_until(open, MANY);
}

// From here on no more of them a tick than allowed.
static void many_have_ended(const int fd[MANY], uint64_t began_ms)
{
	assert_true(clock_mono_ms() - began_ms >= (MANY / ENDS_A_TICK - 1) * TICK_MS);
	for (unsigned i = 0; i < MANY; i++)
		tcp_is_closed(fd[i]);
}

// Many are over at one time, and end one after the other, so that the loop serves others meanwhile.
TEST_WITH(test_many_ends, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd[MANY];

	many_connect(fd);
	clock_ahead_by_ms(1100);
	tcp_config.idle_timeout_s = 1;
	uint64_t began_ms = clock_mono_ms();
	tcp_rig_configure();
	tcp_rig_until(ended[FRONTEND_TCP_END_idle], MANY);
	many_have_ended(fd, began_ms);
}

// So do all that there are when TCP is turned off.
TEST_WITH(test_many_ends_when_off, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd[MANY];

	many_connect(fd);
	tcp_config.enabled = false;
	uint64_t began_ms = clock_mono_ms();
	tcp_rig_configure();
	tcp_rig_until(ended[FRONTEND_TCP_END_stopped], MANY);
	many_have_ended(fd, began_ms);
}

// A query that had to wait for those of another connection goes on when the limits are raised, and
// not only with the end of one in flight: none of these was the last that fitted.
TEST_WITH(test_raised_limits, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_config.queries = tcp_config.pipelined = 2;
	tcp_rig_start();
	int busy = tcp_connect(1, 0), waits = tcp_connect(1, 0);
	tcp_ask(busy, 1, TCP_LATER);
	ASK_UNTIL(busy, 2, TCP_LATER, pending, 2);
	ASK_UNTIL(waits, 3, TCP_ECHO, held, 1);
	tcp_config.queries = 1024;
	TCP_RIG_CONFIGURE(pipelined, 100);
	tcp_reply_is(waits, 3, TCP_SHORTEST);
	tcp_rig_release();
	tcp_reply_is(busy, 2, TCP_LATER_LEN);
	tcp_reply_is(busy, 1, TCP_LATER_LEN);
	close(busy);
	close(waits);
}

TEST_WITH(test_age, tcp_rig_each_start, tcp_rig_each_end)
{
	static const uint8_t begun[] = {1, 0, 0, 0};
	uint64_t began_ms = clock_mono_ms();
	struct pollfd p = {.events = POLLIN};

	tcp_rig_start();
	int idle = tcp_connect(1, 0), part = tcp_connect(1, 0), waits = tcp_connect(1, 0);
	int busy = tcp_connect(1, 0);
	tcp_send(part, begun, sizeof(begun));
	ASK_UNTIL(waits, 1, TCP_LATER, bytes_in, sizeof(begun) + 2 + TCP_SHORTEST);
	// Not before: on a machine that lets us sleep so long they would be over without a word.
	TCP_RIG_CONFIGURE(connection_age_s, 1);
	p.fd = busy;
	for (uint16_t id = 1;; id++) { // until the server's end
		static uint8_t reply[TCP_MESSAGE_MAX];
		ask_whoever_is_there(busy, id);
		if (tcp_reply(busy, reply) == 0)
			break;
		assert_true(clock_mono_ms() - began_ms < TCP_WAIT_MS);
		poll(&p, 1, 10);
	}
	assert_true(clock_mono_ms() - began_ms >= 1000);
	at_its_end(idle);
	at_its_end(part);
	assert_int_equal(recv(waits, &(uint8_t){0}, 1, MSG_DONTWAIT), -1);
	tcp_rig_release();
	tcp_reply_is(waits, 1, TCP_LATER_LEN);
	at_its_end(waits);
	close(idle);
	close(part);
	close(waits);
	CLOSE_UNTIL(busy, ended[FRONTEND_TCP_END_age], 4);
	tcp_rig_until(buffered, 0);
}

// Whole queries that wait for others' to be answered are dropped with it, and nothing is left of
// it.
TEST_WITH(test_age_of_a_held_one, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_config.queries = tcp_config.pipelined = 1;
	int fd = tcp_rig_start_one(), other = tcp_connect(2, 0);
	ASK_UNTIL(fd, 1, TCP_LATER, pending, 1);
	ASK_UNTIL(other, 2, TCP_LATER, held, 1);
	TCP_RIG_CONFIGURE(connection_age_s, 1);
	at_its_end(other);
	CLOSE_UNTIL(other, ended[FRONTEND_TCP_END_age], 1);
	tcp_rig_release();
	tcp_reply_is(fd, 1, TCP_LATER_LEN);
	at_its_end(fd);
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_age], 2);
	assert_int_equal(tcp_rig_asked(), 1);
	tcp_rig_until(buffered, 0);
}

// A drain ends idle connections at once, and the others with their answers. A client that comes
// meanwhile is served for a while.
TEST_WITH(test_drain, tcp_rig_each_start, tcp_rig_each_end)
{
	int idle = tcp_rig_start_one(), busy = tcp_connect(1, 0);
	ASK_UNTIL(busy, 1, TCP_LATER, pending, 1);
	tcp_rig_until(open, 2);
	tcp_rig_drain(FRONTEND_TCP_PARTS);
	at_its_end(idle);
	CLOSE_UNTIL(idle, leaving, 1);
	assert_int_equal(recv(busy, &(uint8_t){0}, 1, MSG_DONTWAIT), -1);
	int fresh = tcp_connect(1, 0);
	tcp_echo(fresh, 2);
	tcp_rig_release();
	tcp_reply_is(busy, 1, TCP_LATER_LEN);
	at_its_end(busy);
	CLOSE_UNTIL(busy, leaving, 0);
	tcp_rig_until(ended[FRONTEND_TCP_END_drained], 2);
	tcp_echo(fresh, 3);
	clock_ahead_by_ms(5000);
	at_its_end(fresh);
	CLOSE_UNTIL(fresh, ended[FRONTEND_TCP_END_drained], 3);
}

// What still waits at the end of the drain's time is closed, and a new client is not. The end of
// the drain leaves all as they were.
TEST_WITH(test_drain_at_its_deadline, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd = tcp_rig_start_one();
	ASK_UNTIL(fd, 1, TCP_LATER, pending, 1);
	tcp_rig_drain(FRONTEND_TCP_PARTS);
	tcp_rig_until(leaving, 1);
	int fresh = tcp_connect(1, 0);
	tcp_rig_until(open, 2);
	tcp_rig_drain(FRONTEND_TCP_CUTS);
	CLOSED_UNTIL(fd, leaving, 0);
	tcp_echo(fresh, 2);
	tcp_rig_drain(FRONTEND_TCP_STAYS);
	clock_ahead_by_ms(5000);
	tcp_echo(fresh, 3);
	CLOSE_UNTIL(fresh, ended[FRONTEND_TCP_END_drained], 1);
}
