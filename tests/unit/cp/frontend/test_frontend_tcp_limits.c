// SPDX-License-Identifier: BSD-3-Clause
// What TCP/53 does with too many, too slow and too greedy clients.

#include "tcp_rig.h"
#include "tests/unit/few_files.h"

#include <dirent.h>

TEST_WITH(test_pipelined, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_config.pipelined = 4;
	int fd = tcp_rig_start_one();
	for (uint16_t id = 1; id <= 10; id++)
		tcp_ask(fd, id, TCP_LATER);
	tcp_rig_until_asked(4);
	int other = tcp_connect(1, 0);
	tcp_echo(other, 77);
	tcp_rig_until(pending, 4);
	tcp_rig_release();
	for (uint16_t id = 4; id >= 1; id--)
		tcp_reply_is(fd, id, TCP_LATER_LEN);
	tcp_rig_release_at(9); // with the one of the other
	tcp_rig_release_at(11);
	for (unsigned i = 5; i <= 10; i++) {
		static uint8_t reply[TCP_MESSAGE_MAX];
		assert_int_equal(tcp_reply(fd, reply), TCP_LATER_LEN);
	}
	tcp_rig_until(buffered, 0);
	close(fd);
	close(other);
}

// Answers that become slower are no leak of places.
TEST_WITH(test_the_age_of_questions, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_since_ms = clock_mono_ms() - 4000;
	tcp_rig_start();
	const struct table_info t = tcp_rig_table("tcp_questions");
	tcp_rig_since_ms = 0;
	assert_int_equal(t.has, TABLE_AGES | TABLE_REFUSES);
	assert_in_range(t.oldest_ms, 4000, 4000 + TCP_WAIT_MS);
	assert_int_equal(tcp_rig_table("tcp_questions").oldest_ms, 0);
}

// The total is shared: those that find it full go on in turn, and none is forgotten, also when what
// the first of them asks next takes no place.
TEST_WITH(test_queries, tcp_rig_each_start, tcp_rig_each_end)
{
	static uint8_t reply[TCP_MESSAGE_MAX];
	int fd[4];

	TCP_RIG_START(queries, 3);
	for (unsigned i = 0; i < 4; i++) {
		fd[i] = tcp_connect(i + 1, 0);
		for (uint16_t id = 1; id <= 3; id++)
			tcp_ask(fd[i], id, i == 2 ? TCP_ECHO : TCP_LATER);
		tcp_rig_until_asked(3);
	}
	WAIT_FOR(tcp_rig_asked() >= 12, tcp_rig_release());
	tcp_rig_release_at(12);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 3; k++)
			assert_true(tcp_reply(fd[i], reply) >= TCP_LATER_LEN);
		close(fd[i]);
	}
	tcp_rig_until(pending, 0);
	tcp_rig_until(pending_max, 3);
}

// One that has more to ask the moment a question of its own is answered does not take the place
// from under another that has waited for it.
TEST_WITH(test_queries_in_order, tcp_rig_each_start, tcp_rig_each_end)
{
	static uint8_t reply[TCP_MESSAGE_MAX];

	tcp_config.queries = tcp_config.pipelined = 2;
	tcp_rig_start();
	int greedy = tcp_connect(1, 0), patient = tcp_connect(2, 0);
	for (uint16_t id = 1; id <= 6; id++)
		tcp_ask(greedy, id, TCP_LATER);
	tcp_rig_until(held, 1);
	ASK_UNTIL(patient, 77, TCP_LATER, held, 2);
	tcp_rig_release();
	tcp_rig_release_at(4);
	tcp_reply_is(patient, 77, TCP_LATER_LEN);
	tcp_rig_release_at(6);
	tcp_rig_release_at(7);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(tcp_reply(greedy, reply), TCP_LATER_LEN);
	close(greedy);
	close(patient);
}

// Of the total a client has a part, however many connections it makes; what becomes free goes to
// any of them, also when one dies with its questions.
TEST_WITH(test_queries_of_a_client, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { CONNS = 4, PIPELINED = 3 };
	int greedy[CONNS];

	tcp_config.queries = 8;
	TCP_RIG_START(pipelined, PIPELINED);
	for (unsigned i = 0; i < CONNS; i++) {
		greedy[i] = tcp_connect(1, 0);
		tcp_ask(greedy[i], 1, TCP_LATER);
		ASK_UNTIL(greedy[i], 2, TCP_LATER, queries, i == 0 ? 2 : 3);
	}
	tcp_rig_until(held, CONNS - 1);
	tcp_rig_until(pending, 3);
	int other = tcp_connect(2, 0);
	for (uint16_t id = 1; id <= PIPELINED; id++)
		tcp_ask(other, id, TCP_LATER);
	tcp_rig_until(pending, 3 + PIPELINED);
	const struct linger reset = {.l_onoff = 1};
	assert_int_equal(setsockopt(greedy[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	CLOSE_UNTIL(greedy[0], queries, 3 + PIPELINED + 2); // with two of the three
	tcp_rig_release();
	for (uint16_t id = PIPELINED; id >= 1; id--)
		tcp_reply_is(other, id, TCP_LATER_LEN);
	WAIT_FOR(tcp_rig_asked() >= 2 * CONNS + PIPELINED, tcp_rig_release());
	tcp_rig_release_at(2 * CONNS + PIPELINED);
	tcp_rig_until(pending, 0);
	for (unsigned i = 1; i < CONNS; i++)
		close(greedy[i]);
	close(other);
}

// More than a turn takes from all that have something to say at once.
TEST_WITH(test_turns, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { CONNS = 40, EACH_ASKS = 50 };
	static uint8_t frames[EACH_ASKS * (2 + TCP_SHORTEST)];
	int fd[CONNS];
	size_t n = 0;

	for (uint16_t id = 0; id < EACH_ASKS; id++)
		n += tcp_message(frames + n, id, TCP_ECHO, TCP_SHORTEST);
	tcp_rig_start();
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < CONNS; i++) {
			fd[i] = tcp_connect(1 + i, 0);
			tcp_send(fd[i], frames, n);
		}
		for (unsigned i = 0; i < CONNS; i++) {
			for (uint16_t id = 0; id < EACH_ASKS; id++)
				tcp_reply_is(fd[i], id, TCP_SHORTEST);
			close(fd[i]);
		}
	}
	tcp_rig_until(open, 0);
	tcp_rig_until(held, 0); // a turn is not a limit that anybody has reached
}

TEST_WITH(test_idle, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_start();
	int silent = tcp_connect(1, 0), asked = tcp_connect(1, 0), waits = tcp_connect(1, 0);
	tcp_echo(asked, 77);
	ASK_UNTIL(waits, 1, TCP_LATER, pending, 1);
	// Not before: on a machine that lets us sleep so long they would be over without a word.
	TCP_RIG_CONFIGURE(idle_timeout_s, 1);
	tcp_is_closed(silent);
	CLOSED_UNTIL(asked, ended[FRONTEND_TCP_END_idle], 2);
	tcp_rig_release(); // a client that waits for an answer is not idle
	tcp_reply_is(waits, 1, TCP_LATER_LEN);
	tcp_is_closed(waits);
}

TEST_WITH(test_slow_query, tcp_rig_each_start, tcp_rig_each_end)
{
	static const uint8_t begun[] = {4, 0, 0, 0};

	TCP_RIG_START(query_timeout_s, 1);
	int slow[2] = {tcp_connect(1, 0), tcp_connect(1, 0)}, well = tcp_connect(1, 0);
	tcp_send(slow[0], begun, 1);
	tcp_echo(slow[1], 77);
	tcp_send(slow[1], begun, sizeof(begun));
	// A byte now and then does not help.
	WAIT_FOR(tcp_has_ended(slow[1]), (void)send(slow[1], begun, 1, MSG_NOSIGNAL));
	tcp_is_closed(slow[0]);
	tcp_is_closed(slow[1]);
	tcp_echo(well, 77);
	tcp_rig_until(ended[FRONTEND_TCP_END_slow_query], 2);
	tcp_rig_until(buffered, 0);
	close(well);
}

TEST_WITH(rfc9210_4_2_connections_of_all_are_limited, tcp_rig_each_start, tcp_rig_each_end)
{
	int fd[4];

	TCP_RIG_START(connections, 4);
	for (unsigned i = 0; i < 4; i++) {
		fd[i] = tcp_connect(1 + i, 0);
		tcp_echo(fd[i], 77);
	}
	tcp_echo(fd[0], 77); // so the second was idle longest
	ASK_UNTIL(fd[2], 1, TCP_LATER, pending, 1);
	int more[2] = {tcp_connect(9, 0), tcp_connect(9, 0)};
	tcp_echo(more[0], 77);
	tcp_echo(more[1], 77);
	tcp_is_closed(fd[1]);
	CLOSED_UNTIL(fd[3], ended[FRONTEND_TCP_END_evicted], 2);
	tcp_echo(fd[0], 77);
	// When all have asked, there is no place.
	tcp_ask(fd[0], 1, TCP_LATER);
	tcp_ask(more[0], 1, TCP_LATER);
	ASK_UNTIL(more[1], 1, TCP_LATER, pending, 4);
	CLOSED_UNTIL(tcp_connect(10, 0), refused_full, 1);
	tcp_rig_release();
	tcp_reply_is(fd[2], 1, TCP_LATER_LEN);
	close(fd[0]);
	close(fd[2]);
	close(more[0]);
	CLOSE_UNTIL(more[1], clients, 0);
}

// A client that may not ask displaces no other.
TEST_WITH(test_denied, tcp_rig_each_start, tcp_rig_each_end)
{
	TCP_RIG_START(connections, 2);
	int fd[2] = {tcp_connect(1, 0), tcp_connect(2, 0)};
	tcp_echo(fd[0], 77);
	tcp_echo(fd[1], 77);
	for (unsigned i = 0; i < 5; i++)
		tcp_is_closed(tcp_connect(TCP_DENIED_HOST, 0));
	tcp_rig_until(refused_denied, 5);
	tcp_echo(fd[0], 77);
	tcp_echo(fd[1], 77);
	tcp_rig_until(accepted, 2);
	close(fd[0]);
	close(fd[1]);
}

TEST_WITH(test_per_client, tcp_rig_each_start, tcp_rig_each_end)
{
	TCP_RIG_START(per_client, 2);
	int other = tcp_connect(2, 0), first = tcp_connect(1, 0), second = tcp_connect(1, 0);
	tcp_echo(other, 77);
	tcp_echo(first, 77);
	tcp_echo(second, 77);
	tcp_rig_until(clients, 2);
	tcp_rig_until(busiest_open, 2);
	int third = tcp_connect(1, 0);
	tcp_echo(third, 77);
	tcp_is_closed(first);
	tcp_ask(second, 1, TCP_LATER);
	ASK_UNTIL(third, 1, TCP_LATER, pending, 2);
	CLOSED_UNTIL(tcp_connect(1, 0), refused_client, 1);
	tcp_echo(other, 77); // was idle longest of all, but is another's
	tcp_rig_release();
	close(other);
	close(second);
	close(third);
}

// As the last quarter of the places fills, less and less silence is allowed.
TEST_WITH(test_idle_shrinks, tcp_rig_each_start, tcp_rig_each_end)
{
	struct frontend_tcp_status s;
	int fd[16];
	unsigned last = 100000;

	tcp_config.connections = 16;
	TCP_RIG_START(idle_timeout_s, 100);
	for (unsigned i = 0; i < 16; i++) {
		fd[i] = tcp_connect(1, 0);
		tcp_echo(fd[i], 77);
		tcp_rig_status(&s);
		if (i < 11)
			assert_int_equal(s.idle_ms, 100000);
		else
			assert_true(s.idle_ms < last);
		last = s.idle_ms;
	}
	assert_true(last >= 10000 && last < 30000);
	for (unsigned i = 0; i < 16; i++)
		close(fd[i]);
}

// When the memory for slow clients is used up the one that has stalled longest goes.
TEST_WITH(test_memory, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { SLOW = 8, PART = 60000 };
	int fd[SLOW];
	static uint8_t frame[2 + TCP_MESSAGE_MAX];

	TCP_RIG_START(buffer_kb, 256);
	(void)tcp_message(frame, 1, TCP_ECHO, TCP_MESSAGE_MAX);
	for (unsigned i = 0; i < SLOW; i++) {
		struct frontend_tcp_status s = {0};
		fd[i] = tcp_connect(1 + i, 0);
		tcp_send(fd[i], frame, PART);
		WAIT_FOR(s.bytes_in >= (i + 1) * (uint64_t)PART, tcp_rig_status(&s));
		assert_in_range(s.buffered, 1, 256 * 1024);
	}
	tcp_is_closed(fd[0]);
	int well = tcp_connect(20, 0);
	tcp_echo(well, 77);
	close(well);
	tcp_send(fd[SLOW - 1], frame + PART, sizeof(frame) - PART);
	tcp_reply_is(fd[SLOW - 1], 1, TCP_MESSAGE_MAX);
	for (unsigned i = 1; i < SLOW; i++)
		close(fd[i]);
	tcp_rig_until(open, 0);
	tcp_rig_until(buffered, 0);
}

// Without a free file a connection waits in the kernel; the loop neither turns nor forgets it.
TEST_WITH(test_files, tcp_rig_each_start, tcp_rig_each_end)
{
	enum { FILES = 128 };
	struct few_files files;
	struct frontend_tcp_status s;
	int sockets[2];

	tcp_rig_start();
	sockets[0] = tcp_connect(1, 0);
	tcp_echo(sockets[0], 77);
	few_files_begin(&files, FILES);
	sockets[1] = tcp_connect(1, 0);
	tcp_ask(sockets[1], 1, TCP_ECHO);
	tcp_is_closed(sockets[0]); // the only idle one makes room: its client's end, and its own
	sockets[0] = dup(0);
	tcp_reply_is(sockets[1], 1, TCP_SHORTEST);
	ASK_UNTIL(sockets[1], 2, TCP_LATER, pending, 1);
	int third = sockets[0];
	close(third);
	third = tcp_connect(1, 0);
	tcp_ask(third, 3, TCP_ECHO);
	uint64_t from_ms = clock_mono_ms();
	tcp_rig_status(&s);
	uint64_t paused = s.accept_paused;
	WAIT_FOR(s.accept_paused >= paused + 3, tcp_rig_status(&s));
	assert_in_range(s.accept_paused, paused + 1, paused + 2 + (clock_mono_ms() - from_ms) / 12);
	assert_int_equal(s.accept_errors[FRONTEND_TCP_ACCEPT_files], s.accept_paused);
	few_files_lift(&files);
	tcp_reply_is(third, 3, TCP_SHORTEST);
	close(third);
	close(sockets[1]);
	few_files_close(&files);
}

TEST(test_errors_of_accept)
{
	static const struct {
		int err;
		enum frontend_tcp_accept_error kind;
	} expected[] = {{ECONNABORTED, FRONTEND_TCP_ACCEPT_lost}, {EPERM, FRONTEND_TCP_ACCEPT_lost},
		{ETIMEDOUT, FRONTEND_TCP_ACCEPT_lost}, {EMFILE, FRONTEND_TCP_ACCEPT_files},
		{ENFILE, FRONTEND_TCP_ACCEPT_files}, {ENOMEM, FRONTEND_TCP_ACCEPT_memory},
		{ENOBUFS, FRONTEND_TCP_ACCEPT_memory}, {EINVAL, FRONTEND_TCP_ACCEPT_other}};

	for (unsigned i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(frontend_tcp_accept_error_of(expected[i].err), expected[i].kind);
}

TEST_WITH(test_files_cap, tcp_rig_each_start, tcp_rig_each_end)
{
	tcp_rig_start_files(2);
	int fd[3];
	for (unsigned i = 0; i < 3; i++) {
		fd[i] = tcp_connect(1, 0);
		tcp_echo(fd[i], 77);
	}
	tcp_rig_until(cap, 2);
	tcp_is_closed(fd[0]);
	close(fd[1]);
	close(fd[2]);
}
