// SPDX-License-Identifier: BSD-3-Clause
// TCP/53 over real sockets: messages in any pieces, many at once, in any order.

#include "tcp_rig.h"

enum { MODEL_ROUNDS = 60, MODEL_MESSAGES = 80, MODEL_BYTES = 1 << 18 };

static uint8_t reply[TCP_MESSAGE_MAX];

TEST_WITH(test_pieces, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t frames[3 * 400];
	size_t n = 0;

	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= 3; id++)
		n += tcp_message(frames + n, id, TCP_ECHO, id * 100U);
	for (size_t i = 0; i < n; i++)
		tcp_send(fd, frames + i, 1);
	for (uint16_t id = 1; id <= 3; id++)
		tcp_reply_is(fd, id, id * 100U);
	tcp_send(fd, frames, n);
	for (uint16_t id = 1; id <= 3; id++)
		tcp_reply_is(fd, id, id * 100U);
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_client], 1);
	tcp_rig_until(open, 0);
	tcp_rig_until(buffered, 0);
}

// What was asked at once leaves at once: in one segment here, with each length before its reply.
TEST_WITH(test_replies_together, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t frames[4 * 15];
	size_t n = 0;

	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= 4; id++)
		n += tcp_message(frames + n, id, TCP_ECHO, TCP_SHORTEST);
	tcp_send(fd, frames, n);
	assert_int_equal(recv(fd, reply, 1, MSG_PEEK), 1);
	assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), n);
	close(fd);
}

TEST_WITH(test_longest, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t *frame = malloc(2 + TCP_MESSAGE_MAX);

	int fd = tcp_rig_start_one();
	size_t n = tcp_message(frame, 7, TCP_ECHO, TCP_MESSAGE_MAX);
	tcp_send(fd, frame, n);
	tcp_reply_is(fd, 7, TCP_MESSAGE_MAX);
	close(fd);
	free(frame);
}

TEST_WITH(test_out_of_order, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= 3; id++)
		tcp_ask(fd, id, TCP_LATER);
	tcp_echo(fd, 4);
	tcp_rig_release();
	for (uint16_t id = 3; id >= 1; id--)
		tcp_reply_is(fd, id, TCP_SHORTEST - 1);
	close(fd);
}

TEST_WITH(test_half_close, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t frame[64];

	int fd = tcp_rig_start_one(), partial = tcp_connect(1, 0);
	tcp_ask(fd, 1, TCP_LATER);
	tcp_ask(fd, 2, TCP_ECHO);
	shutdown(fd, SHUT_WR);
	tcp_reply_is(fd, 2, TCP_SHORTEST);
	tcp_ask(partial, 3, TCP_ECHO);
	tcp_send(partial, frame, tcp_message(frame, 4, TCP_ECHO, 50) - 1);
	shutdown(partial, SHUT_WR);
	tcp_reply_is(partial, 3, TCP_SHORTEST);
	tcp_is_closed(partial);
	tcp_rig_release();
	tcp_reply_is(fd, 1, TCP_SHORTEST - 1);
	tcp_is_closed(fd);
	assert_int_equal(tcp_rig_asked(), 3);
}

// What a connection waited for may be answered after its end.
TEST_WITH(test_gone, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd = tcp_rig_start_one();
	ASK_UNTIL(fd, 1, TCP_LATER, pending, 1);
	const struct linger at_once = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	CLOSE_UNTIL(fd, ended[FRONTEND_TCP_END_error], 1);
	tcp_rig_until(pending, 0);
	tcp_rig_release();
	tcp_rig_until(replies, 0);
}

TEST_WITH(test_broken, tcp_rig_each_start, tcp_rig_each_end)
{
	static const size_t lengths[] = {0, 1, 11};
	uint8_t frames[64];

	tcp_rig_start();
	for (unsigned i = 0; i < 3; i++) {
		int fd = tcp_connect(1, 0);
		size_t n = tcp_message(frames, 1, TCP_ECHO, TCP_SHORTEST);
		n += tcp_message(frames + n, 2, TCP_ECHO, lengths[i]);
		tcp_send(fd, frames, n);
		tcp_reply_is(fd, 1, TCP_SHORTEST); // the sound query is answered
		tcp_is_closed(fd);
	}
	tcp_rig_until(ended[FRONTEND_TCP_END_broken], 3);
	// Earlier questions without an answer are waited for; later bytes are not read.
	int fd = tcp_connect(1, 0);
	tcp_ask(fd, 1, TCP_LATER);
	tcp_send(fd, frames, tcp_message(frames, 2, TCP_ECHO, 1));
	tcp_rig_until(pending, 1);
	tcp_rig_release_at(8);
	tcp_reply_is(fd, 1, TCP_SHORTEST - 1);
	CLOSED_UNTIL(fd, ended[FRONTEND_TCP_END_broken], 4);
}

TEST_WITH(test_keepalive, tcp_rig_each_start, tcp_rig_each_end)
{
	// A query for the root with an OPT that has the option, without a length; the order lies
	// where the name begins.
	uint8_t query[2 + 12 + 5 + 15] = {
		0, 32, 0, 9, [7] = 1, [13] = 1, [19] = 0, [21] = 41, [29] = 4, [31] = 11};

	tcp_config.idle_timeout_s = 20;
	int fd = tcp_rig_start_one();
	tcp_ask(fd, 1, TCP_OPT);
	assert_int_equal(tcp_reply(fd, reply), 23);
	tcp_send(fd, query, sizeof(query));
	assert_int_equal(tcp_reply(fd, reply), 32);
	tcp_ask(fd, 2, TCP_OPT);
	assert_int_equal(tcp_reply(fd, reply), 29);
	static const uint8_t option[] = {0, 6, 0, 11, 0, 2, 0, 200};
	assert_memory_equal(reply + 21, option, sizeof(option));
	close(fd);
	tcp_rig_drain(FRONTEND_TCP_PARTS); // a client that comes during a drain
	fd = tcp_connect(1, 0);
	tcp_send(fd, query, sizeof(query));
	assert_int_equal(tcp_reply(fd, reply), 32);
	tcp_ask(fd, 3, TCP_OPT);
	assert_int_equal(tcp_reply(fd, reply), 29);
	assert_memory_equal(reply + 21, option, 6);
	assert_int_equal(get_u16(reply + 27), 0);
	close(fd);
}

TEST_WITH(test_no_reply, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd = tcp_rig_start_one();
	tcp_ask(fd, 1, TCP_NONE);
	tcp_echo(fd, 2);
	close(fd);
}

TEST_WITH(test_off_and_on, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd = tcp_rig_start_one();
	ASK_UNTIL(fd, 1, TCP_LATER, pending, 1);
	TCP_RIG_CONFIGURE(enabled, false);
	CLOSED_UNTIL(fd, listener_count, 0);
	tcp_rig_release();
	TCP_RIG_CONFIGURE(enabled, true);
	fd = tcp_connect(1, 0);
	tcp_echo(fd, 2);
	close(fd);
}

// Messages of any length, in pieces of any length, are answered as one after the other would be.
static void model_round(int fd)
{
	static uint8_t bytes[MODEL_BYTES];
	uint16_t id[MODEL_MESSAGES];
	size_t len[MODEL_MESSAGES], n = 0;
	unsigned count = 1 + (unsigned)rand() % MODEL_MESSAGES, read = 0;

	for (unsigned i = 0; i < count; i++) {
		len[i] = TCP_SHORTEST + (size_t)(rand() % (rand() % 20 ? 60 : 9000));
		id[i] = (uint16_t)rand();
		n += tcp_message(bytes + n, id[i], TCP_ECHO, len[i]);
		assert_true(n + 9100 < MODEL_BYTES);
	}
	for (size_t sent = 0, piece; sent < n; sent += piece) {
		piece = 1 + (size_t)(rand() % (rand() % 2 ? 40 : 3000));
		piece = piece < n - sent ? piece : n - sent;
		tcp_send(fd, bytes + sent, piece);
	}
	for (; read < count; read++)
		tcp_reply_is(fd, id[read], len[read]);
}

TEST_WITH(test_model, tcp_rig_each_start, tcp_rig_each_end)
{
	srand(7766);
	int fd = tcp_rig_start_one();
	setsockopt(fd, 6, 1, &(int){1}, sizeof(int)); // TCP_NODELAY: pieces stay pieces
	for (unsigned i = 0; i < MODEL_ROUNDS; i++)
		model_round(fd);
	CLOSE_UNTIL(fd, open, 0);
	tcp_rig_until(buffered, 0);
}

// What had to wait is given back as it goes: while little of it is left the buffer is small again,
// and what is left is still whole.
TEST_WITH(test_buffer_shrinks, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { ASKED = 130, AT_ONCE = 8, FRAME = 2 + TCP_SHORTEST, SMALL = 512 };
	uint8_t frames[ASKED * FRAME];
	bool seen[ASKED + 1] = {false};
	size_t n = 0, held = (ASKED - AT_ONCE) * (size_t)FRAME, left = held;
	struct frontend_tcp_status s;

	tcp_config.pipelined = AT_ONCE;
	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= ASKED; id++)
		n += tcp_message(frames + n, id, TCP_LATER, TCP_SHORTEST);
	tcp_send(fd, frames, n);
	tcp_rig_until_asked(AT_ONCE);
	tcp_rig_until(buffered, held);
	for (unsigned asked = AT_ONCE; asked < ASKED;) {
		tcp_rig_release();
		asked = asked + AT_ONCE < ASKED ? asked + AT_ONCE : ASKED;
		left = (ASKED - asked) * (size_t)FRAME;
		tcp_rig_until_asked(asked);
		tcp_rig_status(&s);
		assert_int_equal(s.buffered, left > SMALL ? held : left > 0 ? SMALL : 0);
	}
	tcp_rig_release();
	for (unsigned i = 0; i < ASKED; i++) {
		assert_int_equal(tcp_reply(fd, reply), 12);
		assert_in_range(get_u16(reply), 1, ASKED);
		assert_false(seen[get_u16(reply)]);
		seen[get_u16(reply)] = true;
	}
	close(fd);
}
