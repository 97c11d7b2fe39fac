// SPDX-License-Identifier: BSD-3-Clause
// Two servers of TCP on loops of their own: their bounds hold in sum, and a connection over a bound
// has one at the other server closed.

#include "controlplane/base/loop.h"
#include "controlplane/frontend/frontend_tcp.h"
#include "controlplane/frontend/frontend_tcp_shared.h"
#include "tcp_rig.h"

#include <semaphore.h>

enum { SERVERS = 2, PORT = 53054, QUERY = TCP_SHORTEST, FRAME = 2 + QUERY };

static struct server {
	struct loop *loop;
	struct frontend_tcp *tcp;
	pthread_t thread;
	struct socket_address address;
	uint8_t room[REPLY_HEADROOM + QUERY + REPLY_TAILROOM];
} server[SERVERS];
static struct frontend_tcp_shared *shared;
static struct config_tcp config;

// A message with a last byte of 1 is never answered, any other at once.
static enum frontend_outcome engine_ask(struct frontend *f, struct frontend_session *,
	const union client_address *, const uint8_t *msg, size_t len, struct frontend_reply *out)
{
	uint8_t *reply = ((struct server *)(void *)f)->room + REPLY_HEADROOM;

	assert_int_equal(len, QUERY);
	if (msg[QUERY - 1] == 1)
		return FRONTEND_LATER;
	memcpy(reply, msg, len);
	*out = (struct frontend_reply){.msg = reply, .len = (uint16_t)len};
	return FRONTEND_REPLY;
}

static void engine_begin(struct frontend_session *)
{
}

static void engine_end(struct frontend *, struct frontend_session *)
{
}

static void *run(void *arg)
{
	assert_int_equal(loop_run(((struct server *)arg)->loop), 0);
	return NULL;
}

static void start(void)
{
	const unsigned pid = (unsigned)getpid();

	assert_int_equal(frontend_tcp_shared_new(&shared, SERVERS), 0);
	for (unsigned i = 0; i < SERVERS; i++) {
		struct server *s = &server[i];
		const struct frontend_tcp_engine engine = {.frontend = (struct frontend *)(void *)s,
			.ask = engine_ask,
			.begin = engine_begin,
			.end = engine_end,
			.number = i,
			.shared = shared};
		s->address = (struct socket_address){
			.ip = {4, 32, {127, (uint8_t)(100 + i), (uint8_t)(pid >> 8), (uint8_t)pid}},
			.port = PORT};
		assert_int_equal(loop_new("test", &s->loop), 0);
		const struct frontend_tcp_settings set = {
			.tcp = config, .serves = {{config.enabled, PORT}}};
		assert_int_equal(frontend_tcp_open(&s->tcp, s->loop, &engine, &set, &s->address.ip,
					 1, FRONTEND_TCP_FILES_ALL),
			0);
	}
	for (unsigned i = 0; i < SERVERS; i++)
		assert_int_equal(pthread_create(&server[i].thread, NULL, run, &server[i]), 0);
}

static int each_start(void **)
{
	config = (struct config_tcp){.enabled = true,
		.connections = 16,
		.per_client = 3,
		.pipelined = 4,
		.queries = 16,
		.idle_timeout_s = 60,
		.query_timeout_s = 60,
		.buffer_kb = 256};
	return 0;
}

static int each_end(void **)
{
	struct loop *loops[SERVERS];

	for (unsigned i = 0; i < SERVERS; i++) {
		loops[i] = server[i].loop;
		loop_stop(server[i].loop);
		pthread_join(server[i].thread, NULL);
	}
	loops_settle(loops, SERVERS);
	for (unsigned i = 0; i < SERVERS; i++)
		frontend_tcp_close(server[i].tcp);
	for (unsigned i = 0; i < SERVERS; i++)
		loop_free(server[i].loop);
	assert_int_equal(shared->open, 0);
	assert_int_equal(shared->clients, 0);
	assert_int_equal(shared->pending.common, 0);
	assert_int_equal(shared->buffered.common, 0);
	frontend_tcp_shared_free(shared);
	return 0;
}

static struct look {
	struct frontend_tcp_status status;
	sem_t done;
} look;

static void on_look(void *tcp)
{
	frontend_tcp_status(tcp, &look.status);
	sem_post(&look.done);
}

static struct frontend_tcp_status status_of(unsigned i)
{
	sem_init(&look.done, 0, 0);
	assert_int_equal(loop_call(server[i].loop, on_look, server[i].tcp), 0);
	while (sem_wait(&look.done) < 0)
		assert_int_equal(errno, EINTR);
	return look.status;
}

// From 127.0.0.<host> to server `i`.
static int connected(unsigned host, unsigned i)
{
	tcp_rig_address = server[i].address;
	return tcp_connect(host, 0);
}

static void ask(int fd, bool is_answered)
{
	tcp_ask(fd, 0, !is_answered);
}

// What comes within TCP_WAIT_MS: bytes, 0 at the end, or -1 after a reset.
static ssize_t heard(int fd)
{
	uint8_t frame[FRAME];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, TCP_WAIT_MS), 1);
	return recv(fd, frame, FRAME, MSG_WAITALL);
}

static int answered(unsigned host, unsigned i)
{
	const int fd = connected(host, i);
	ask(fd, true);
	assert_int_equal(heard(fd), FRAME);
	return fd;
}

static void until_waiting(unsigned i, unsigned questions)
{
	WAIT_FOR(status_of(i).pending >= questions);
	assert_int_equal(status_of(i).pending, questions);
}

static void end_all(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

TEST_WITH(a_client_gives_one_at_the_other_server, each_start, each_end)
{
	int fds[4];

	start();
	for (unsigned i = 0; i < 3; i++)
		fds[i] = answered(1, 0);
	assert_int_equal(status_of(0).busiest_open, 3);
	fds[3] = answered(1, 1);
	assert_int_equal(heard(fds[0]), 0); // idle longest
	ask(fds[1], true);
	assert_int_equal(heard(fds[1]), FRAME);
	assert_int_equal(status_of(0).ended[FRONTEND_TCP_END_evicted_client], 1);
	assert_int_equal(status_of(1).refused_client, 0);
	assert_int_equal(status_of(0).busiest_open, 3);
	assert_int_equal(shared->open, 3);
	end_all(fds, 4);
}

static atomic_bool is_stuck;

static void on_stuck(void *)
{
	WAIT_FOR(!is_stuck);
}

// The server with the idle ones is stuck until the client has been refused: it closes none then.
TEST_WITH(a_late_claim_closes_nothing, each_start, each_end)
{
	int fds[4];

	start();
	for (unsigned i = 0; i < 3; i++)
		fds[i] = answered(1, 0);
	is_stuck = true;
	assert_int_equal(loop_call(server[0].loop, on_stuck, NULL), 0);
	fds[3] = connected(1, 1);
	assert_true(heard(fds[3]) <= 0);
	is_stuck = false;
	assert_int_equal(status_of(0).ended[FRONTEND_TCP_END_evicted_client], 0);
	assert_int_equal(status_of(1).refused_client, 1);
	for (unsigned i = 0; i < 3; i++) {
		ask(fds[i], true);
		assert_int_equal(heard(fds[i]), FRAME);
	}
	end_all(fds, 4);
}

// Connections with a question have nothing to give.
TEST_WITH(a_client_without_an_idle_one_is_refused, each_start, each_end)
{
	int fds[4];

	start();
	for (unsigned i = 0; i < 3; i++)
		ask(fds[i] = connected(1, i % 2), false);
	until_waiting(0, 2);
	until_waiting(1, 1);
	fds[3] = connected(1, 1);
	assert_true(heard(fds[3]) <= 0);
	assert_int_equal(status_of(1).refused_client, 1);
	assert_int_equal(shared->open, 3);
	int other = answered(2, 1); // another client is not concerned
	close(other);
	end_all(fds, 4);
}

TEST_WITH(the_last_place_of_all_is_given_by_the_other_server, each_start, each_end)
{
	int fds[17];

	start();
	for (unsigned i = 0; i < 16; i++)
		fds[i] = answered(1 + i, 0);
	fds[16] = answered(50, 1);
	assert_int_equal(heard(fds[0]), 0);
	assert_int_equal(status_of(0).ended[FRONTEND_TCP_END_evicted], 1);
	assert_int_equal(status_of(0).open, 15);
	assert_int_equal(status_of(1).open, 1);
	assert_int_equal(shared->open, 16);
	end_all(fds, 17);
}

// One that has stalled, with a part of a message, is closed when none is idle anywhere.
TEST_WITH(one_that_has_stalled_gives_its_place, each_start, each_end)
{
	int fds[4];

	start();
	for (unsigned i = 0; i < 3; i++) {
		ask(fds[i] = connected(1, 0), false);
		assert_int_equal(send(fds[i], "\0", 1, 0), 1);
	}
	WAIT_FOR(status_of(0).buffered >= 3 * 512);
	fds[3] = answered(1, 1);
	assert_true(heard(fds[0]) <= 0);
	assert_int_equal(shared->open, 3);
	end_all(fds, 4);
}

// A server of which all questions wait has its part of tcp.queries left by the other one.
TEST_WITH(a_server_keeps_its_part_of_the_questions, each_start, each_end)
{
	int fds[17];

	config.connections = 32;
	start();
	for (unsigned i = 0; i < 13; i++)
		ask(fds[i] = connected(1 + i, 0), false);
	until_waiting(0, 12); // its quarter, and the half that is common
	ask(fds[13] = connected(40, 1), true);
	assert_int_equal(heard(fds[13]), FRAME);
	for (unsigned i = 14; i < 17; i++)
		ask(fds[i] = connected(27 + i, 1), false);
	until_waiting(1, 3);
	assert_int_equal(status_of(0).pending, 12);
	end_all(fds, 17);
}
