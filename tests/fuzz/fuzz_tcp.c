// SPDX-License-Identifier: BSD-3-Clause

// A client's stream over TCP, in pieces: however they are cut, the engine gets each message once,
// whole and in order, and each reply comes back with its length. The first byte says how the rest
// is cut; the engine echoes.

#include "controlplane/frontend/frontend_tcp_internal.h"
#include "fuzz.h"

#include <event2/event.h>

#include <sys/socket.h>

enum { INPUT_MOST = 4096, TURNS_MOST = 64 };

static struct loop *loop;
static struct frontend_tcp *server;
static const uint8_t *expected; // the messages to come
static size_t expected_len;
static uint8_t room[REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM];
static size_t echoed; // bytes of replies

static enum frontend_outcome engine_ask(struct frontend *, struct frontend_session *,
	const union client_address *, const uint8_t *msg, size_t len, struct frontend_reply *out)
{
	FUZZ_CHECK(expected_len >= 2 + len && get_u16(expected) == len);
	FUZZ_CHECK(memcmp(expected + 2, msg, len) == 0);
	expected += 2 + len;
	expected_len -= 2 + len;
	if (len < DNS_HEADER_LEN)
		return FRONTEND_NO_REPLY;
	memcpy(room + REPLY_HEADROOM, msg, len);
	*out = (struct frontend_reply){.msg = room + REPLY_HEADROOM, .len = (uint16_t)len};
	echoed += 2 + len;
	return FRONTEND_REPLY;
}

static void engine_begin(struct frontend_session *s)
{
	s->pending = 0;
}

static void engine_end(struct frontend *, struct frontend_session *)
{
}

FUZZ_BEGIN
{
	const struct frontend_tcp_engine engine = {
		.ask = engine_ask, .begin = engine_begin, .end = engine_end};
	const struct config_tcp config = {.enabled = true,
		.connections = 64,
		.per_client = 32,
		.pipelined = 100,
		.queries = 1024,
		.idle_timeout_s = 600,
		.query_timeout_s = 600,
		.buffer_kb = 4096};
	const struct frontend_tcp_settings set = {.tcp = config, .serves = {{true, FRONTEND_PORT}}};
	FUZZ_CHECK(loop_new("fuzz", &loop) == 0);
	FUZZ_CHECK(frontend_tcp_open(&server, loop, &engine, &set, NULL, 0, 64) == 0);
	return 0;
}

static void turn(void)
{
	FUZZ_CHECK(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
}

static size_t drain(int fd)
{
	static uint8_t out[1 << 16];
	size_t got = 0;
	ssize_t n;
	while ((n = recv(fd, out, sizeof(out), MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	return got;
}

// What is left of `expected` when no whole message is in it any more.
static bool all_asked(void)
{
	return expected_len < 2 || expected_len < 2u + get_u16(expected);
}

FUZZ_BODY(data, len)
{
	union client_address peer = {.v4 = {.sin_family = AF_INET, .sin_port = 1}};
	int pair[2];
	if (len < 2 || len > INPUT_MOST)
		return 0;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	size_t piece = data[0] ? data[0] * 3u : len, got = 0;
	if (len / piece > TURNS_MOST)
		piece = len / TURNS_MOST + 1;
	expected = data + 1;
	expected_len = len - 1;
	echoed = 0;
	tcp_accept_conn(server,
		&(struct tcp_arrival){.peer = peer, .kind = FRONTEND_TCP_CLEAR, .fd = pair[0]});
	for (size_t at = 1; at < len; at += piece) {
		size_t n = piece < len - at ? piece : len - at;
		FUZZ_CHECK(send(pair[1], data + at, n, MSG_NOSIGNAL) == (ssize_t)n);
		turn();
		got += drain(pair[1]);
	}
	for (unsigned i = 0; i < TURNS_MOST && !all_asked(); i++) {
		turn();
		got += drain(pair[1]);
	}
	turn();
	got += drain(pair[1]);
	FUZZ_CHECK(all_asked() && got == echoed);
	close(pair[1]);
	turn();
	struct frontend_tcp_status status;
	frontend_tcp_status(server, &status);
	FUZZ_CHECK(status.open == 0 && status.buffered == 0);
	return 0;
}
