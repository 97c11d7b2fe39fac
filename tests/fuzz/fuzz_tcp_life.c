// SPDX-License-Identifier: BSD-3-Clause

// Clients over TCP that do anything at any time, step by step: open, say whole messages, parts and
// bytes that are none, read or not, end their side, close; questions that are answered later, in
// any order; time, and limits that change. Whatever happens the engine gets each message once,
// whole and in order, each reply goes to its client, the caps hold, the counters add up, and idle
// clients are closed. The clock stands still between steps.
//
// The first byte chooses the limits; a step is two: what and who, how much. OP_RAW has its bytes
// behind it.

#include "tcp_players.h"

#include <sys/socket.h>

enum op {
	OP_OPEN,
	OP_RAW,
	OP_ASK,
	OP_LONG,
	OP_MORE,
	OP_HALF,
	OP_CLOSE,
	OP_READ,
	OP_REPLY,
	OP_TIME,
	OP_LIMITS,
	OP_REPLY_ALL,
	OP_KEEPALIVE,
	OP_DRAIN,
	OPS
};

enum { STEPS_MOST = 250, TICK_MS = 50, QUIET_S = 60, TURNS_MOST = 2000 };

static void ask(struct tcp_player *c, char order, unsigned count)
{
	uint8_t frames[32 * (2 + TCP_PLAYERS_SHORTEST)] = {0};
	for (unsigned i = 0; i < count; i++) {
		uint8_t *frame = frames + (size_t)i * (2 + TCP_PLAYERS_SHORTEST);
		put_u16(frame, TCP_PLAYERS_SHORTEST);
		frame[2 + TCP_PLAYERS_ORDER_AT] = (uint8_t)order;
	}
	tcp_player_say(c, frames, (size_t)count * (2 + TCP_PLAYERS_SHORTEST));
}

// The shortest query with an OPT that has the option; its order stands in the question's place.
static void ask_keepalive(struct tcp_player *c)
{
	static const uint8_t frame[] = {0, 32, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 'o', 0, 1,
		0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0};
	static_assert(sizeof(frame) == 34);
	c->keepalive = true;
	tcp_player_say(c, frame, sizeof(frame));
}

static void step(enum op op, unsigned who, unsigned arg, const uint8_t *bytes, size_t len)
{
	static const uint8_t part[256] = {0x75, 0x30};
	struct tcp_player *c = &tcp_player[who];
	switch (op) {
	case OP_OPEN:
		tcp_player_open(who, arg);
		break;
	case OP_RAW:
		tcp_player_say(c, bytes, len);
		break;
	case OP_ASK:
		ask(c, tcp_players_orders[arg % 8], 1 + arg / 8);
		break;
	case OP_LONG:
		tcp_player_say(c, part, 2 + arg % 254);
		break;
	case OP_MORE:
		for (unsigned i = 0; i < arg; i++)
			tcp_player_say(c, part + 2, sizeof(part) - 2);
		break;
	case OP_HALF:
		(void)(c->fd >= 0 && shutdown(c->fd, SHUT_WR));
		break;
	case OP_CLOSE:
		tcp_player_close(c);
		break;
	case OP_READ:
		(void)tcp_player_read(c, 1 + arg * 64u);
		break;
	case OP_REPLY:
		tcp_players_reply(arg);
		break;
	case OP_TIME:
		tcp_players_wait((1 + arg) * TICK_MS);
		break;
	case OP_LIMITS:
		tcp_players_limit(arg);
		frontend_tcp_configure(tcp_server,
			&(struct frontend_tcp_settings){.tcp = *tcp_players_limits(),
				.serves = {{tcp_players_limits()->enabled, FRONTEND_PORT}}});
		break;
	case OP_REPLY_ALL:
		for (unsigned i = tcp_players_later; i > 0; i--)
			tcp_players_reply(arg);
		break;
	case OP_KEEPALIVE:
		ask_keepalive(c);
		break;
	case OP_DRAIN:
		while (tcp_player_read(c, sizeof(c->in)))
			tcp_players_turn();
		break;
	case OPS:
		break;
	}
}

static void counters_check(void)
{
	struct frontend_tcp_status s;
	struct table_registry tables = {0};
	uint64_t ended = 0;
	unsigned sessions = 0;
	frontend_tcp_status(tcp_server, &s);
	frontend_tcp_tables(tcp_server, &tables);
	for (unsigned i = 0; i < FRONTEND_TCP_END_COUNT; i++)
		ended += s.ended[i];
	for (unsigned i = 0; i < TCP_PLAYERS; i++)
		sessions += tcp_player[i].session != NULL;
	FUZZ_CHECK(s.open == sessions && s.accepted == s.open + ended);
	FUZZ_CHECK(s.pending == tcp_players_later && s.buffered <= s.buffered_cap);
	FUZZ_CHECK(s.clients <= s.open && s.busiest_open <= s.open && tables.count == 8);
	FUZZ_CHECK(s.queries >= tcp_questions && s.replies <= tcp_questions);
}

// Everyone reads and everything is answered: nothing that is whole stays unasked, and nothing that
// was asked unanswered, on a connection that goes on.
static void all_settle(void)
{
	unsigned quiet = 0;
	for (unsigned i = 0; quiet < 3; i++) {
		FUZZ_CHECK(i < TURNS_MOST);
		bool any = tcp_players_later > 0;
		while (tcp_players_later)
			tcp_players_reply(0);
		for (unsigned k = 0; k < TCP_PLAYERS; k++)
			any |= tcp_player_read(&tcp_player[k], sizeof(tcp_player[k].in));
		tcp_players_turn();
		quiet = any ? 0 : quiet + 1;
	}
	for (unsigned i = 0; i < tcp_questions; i++) {
		const struct tcp_player *c = &tcp_player[tcp_question[i].client];
		FUZZ_CHECK(!tcp_question[i].is_open || tcp_question[i].life != c->life
			   || !c->session || c->fd < 0);
	}
	for (unsigned i = 0; i < TCP_PLAYERS; i++) {
		const struct tcp_player *c = &tcp_player[i];
		if (!c->session || c->fd < 0)
			continue;
		const struct frontend_conn *conn =
			(const void *)((const char *)c->session
				       - offsetof(struct frontend_conn, session));
		size_t left = c->said_len - c->asked;
		FUZZ_CHECK(conn->last || left < 2 || left < 2u + get_u16(c->said + c->asked));
	}
}

// Nobody says or reads anything any more.
static void all_end(void)
{
	struct frontend_tcp_status s;
	for (unsigned i = 0; i < QUIET_S; i++) {
		tcp_players_wait(1000);
		tcp_players_turn();
		tcp_players_turn();
		while (tcp_players_later)
			tcp_players_reply(0);
	}
	frontend_tcp_status(tcp_server, &s);
	FUZZ_CHECK(s.open == 0 && s.pending == 0 && s.buffered == 0 && s.clients == 0);
	FUZZ_CHECK(tcp_server->growth.bytes == 0);
}

FUZZ_BEGIN
{
	tcp_players_begin();
	return 0;
}

FUZZ_BODY(data, len)
{
	if (len < 1)
		return 0;
	tcp_questions = tcp_players_later = 0;
	tcp_players_server(data[0]);
	size_t pos = 1;
	for (unsigned i = 0; i < STEPS_MOST && pos + 2 <= len; i++) {
		enum op op = data[pos] % OPS;
		unsigned who = data[pos] / OPS % TCP_PLAYERS, arg = data[pos + 1];
		pos += 2;
		size_t raw = op != OP_RAW ? 0 : arg < len - pos ? arg : len - pos;
		step(op, who, arg, data + pos, raw);
		pos += raw;
		tcp_players_turn();
		counters_check();
	}
	all_settle();
	if (data[0] & 0x80) // or they are there when it stops
		all_end();
	frontend_tcp_close(tcp_server);
	for (unsigned i = 0; i < TCP_PLAYERS; i++) {
		FUZZ_CHECK(!tcp_player[i].session);
		tcp_player_close(&tcp_player[i]);
	}
	tcp_players_turn();
	return 0;
}
