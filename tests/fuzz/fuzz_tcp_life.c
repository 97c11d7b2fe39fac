// SPDX-License-Identifier: BSD-3-Clause

// Clients over TCP that do anything at any time, step by step: open, say whole messages, parts and
// bytes that are none, read or not, end their side, close; questions that are answered later, in
// any order; time, and limits that change. Whatever happens the engine gets each message once,
// whole and in order, each reply goes to its client, the caps hold, the counters add up, and idle
// clients are closed. The clock stands still between steps.
//
// The first byte chooses the limits; a step is two: what and who, how much. OP_RAW has its bytes
// behind it.

#include "controlplane/frontend/frontend_tcp_internal.h"
#include "fuzz.h"

#include <event2/event.h>

#include <sys/socket.h>
#include <sys/syscall.h>

// Clients over TCP that a fuzz body plays, on the server that they ask and an engine of its own,
// which knows of each question whose it is. The clock stands still unless the body turns it. What a
// message is stands in its byte TCP_PLAYERS_ORDER_AT, one of tcp_players_orders.

enum {
	TCP_PLAYERS = 6,
	TCP_QUESTIONS_MOST = 8192, // of one input; more get no reply
	TCP_PLAYERS_ORDER_AT = 12,
	TCP_PLAYERS_SHORTEST = 13, // message that has an order
};

static struct tcp_player {
	int fd;                           // its end; -1: none
	struct frontend_session *session; // the server's; NULL: it has ended
	unsigned life;
	bool keepalive; // it has asked for how long it may be silent
	uint8_t *said;
	size_t said_len, asked; // bytes; of these asked
	uint8_t in[2 + DNS_MESSAGE_MAX];
	size_t in_len;
} tcp_player[TCP_PLAYERS];

static struct tcp_question {
	unsigned client, life;
	char order;
	bool is_open; // its reply has not come
} tcp_question[TCP_QUESTIONS_MOST];

static unsigned tcp_questions, tcp_players_later;
static struct frontend_tcp *tcp_server;
static const char tcp_players_orders[] = "elbBnxoq";

enum { SAID_MOST = 1 << 18, BIG = 20000, SENT_AT_ONCE = 8192, OPTION_LEN = 6, DENIED = 5 };

static struct {
	struct frontend_session *session;
	unsigned number;
} later[TCP_QUESTIONS_MOST];

static struct loop *loop;
static struct config_tcp limits;
static unsigned opening; // the one whose session begins
static struct timespec now;
static uint8_t room[REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM];

// In place of the C library's, for libevent too.
int clock_gettime(clockid_t id, struct timespec *out)
{
	if (id == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, out);
	*out = now;
	return 0;
}

static struct tcp_player *client_of(const struct frontend_session *s)
{
	for (unsigned i = 0; i < TCP_PLAYERS; i++)
		if (tcp_player[i].session == s)
			return &tcp_player[i];
	FUZZ_CHECK(!"a session that is there");
	return NULL;
}

static bool has_opt(char order)
{
	return order == 'o' || order == 'q';
}

static size_t reply_len(const struct tcp_question *q)
{
	bool big = q->order == 'b' || q->order == 'B';
	return DNS_HEADER_LEN + (big ? BIG : has_opt(q->order) ? DNS_OPT_FIXED_LEN : 0);
}

static struct frontend_reply reply_make(unsigned number)
{
	struct tcp_question *q = &tcp_question[number];
	uint8_t *msg = room + REPLY_HEADROOM;
	size_t len = reply_len(q);
	memset(msg, (int)number, len);
	put_u32(msg + 4, number);
	if (has_opt(q->order))
		put_u16(msg + DNS_HEADER_LEN + DNS_OPT_FIXED_LEN - 2, 0);
	return (struct frontend_reply){
		.msg = msg, .len = (uint16_t)len, .opt = has_opt(q->order) ? DNS_HEADER_LEN : 0};
}

static unsigned later_of(const struct frontend_session *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < tcp_players_later; i++)
		n += !s || later[i].session == s;
	return n;
}

static enum frontend_outcome engine_ask(struct frontend *, struct frontend_session *s,
	const union client_address *, const uint8_t *msg, size_t len, struct frontend_reply *out)
{
	struct tcp_player *c = client_of(s);
	const uint8_t *next = c->said + c->asked;
	FUZZ_CHECK(c->said_len - c->asked >= 2 + len && get_u16(next) == len);
	FUZZ_CHECK(memcmp(next + 2, msg, len) == 0);
	FUZZ_CHECK(later_of(s) < limits.pipelined && later_of(NULL) < limits.queries);
	c->asked += 2 + len;
	char order = len < TCP_PLAYERS_SHORTEST ? 'x' : (char)msg[TCP_PLAYERS_ORDER_AT];
	if (order == 'x' || len < DNS_HEADER_LEN)
		return FRONTEND_BROKEN;
	if (!strchr(tcp_players_orders, order) || order == 'n'
		|| tcp_questions == TCP_QUESTIONS_MOST)
		return FRONTEND_NO_REPLY;
	unsigned number = tcp_questions++;
	tcp_question[number] =
		(struct tcp_question){(unsigned)(c - tcp_player), c->life, order, true};
	if (order == 'l' || order == 'B' || order == 'q') {
		later[tcp_players_later].session = s;
		later[tcp_players_later++].number = number;
		return FRONTEND_LATER;
	}
	*out = reply_make(number);
	return FRONTEND_REPLY;
}

static void engine_begin(struct frontend_session *s)
{
	s->pending = 0;
	tcp_player[opening].session = s;
}

static void engine_end(struct frontend *, struct frontend_session *s)
{
	unsigned kept = 0;
	client_of(s)->session = NULL;
	for (unsigned i = 0; i < tcp_players_later; i++)
		if (later[i].session != s)
			later[kept++] = later[i];
	tcp_players_later = kept;
}

static bool engine_admits(struct frontend *, const union client_address *from, bool)
{
	return from->any.sa_family != AF_INET || from->v4.sin_addr.s_addr != DENIED;
}

// Runs the handlers that are ready on the loop.
static void tcp_players_turn(void)
{
	FUZZ_CHECK(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
}

// the clock
static void tcp_players_wait(unsigned ms)
{
	now.tv_nsec += ms % 1000 * 1000000L;
	now.tv_sec += ms / 1000 + now.tv_nsec / 1000000000;
	now.tv_nsec %= 1000000000;
}

static const struct config_tcp *tcp_players_limits(void)
{
	return &limits;
}

// what tcp_players_limits() is from now on
static void tcp_players_limit(unsigned how)
{
	limits = (struct config_tcp){.enabled = (how & 0xc0) != 0xc0,
		.connections = how & 1 ? TCP_PLAYERS : TCP_PLAYERS - 2,
		.per_client = how & 2 ? TCP_PLAYERS : 2,
		.pipelined = how & 4 ? 100 : 3,
		.queries = how & 8 ? 1024 : 4,
		.idle_timeout_s = how & 16 ? 10 : 2,
		.query_timeout_s = 5,
		.connection_queries = how & 32 ? 0 : 40,
		.connection_age_s = how & 64 ? 0 : 9,
		.buffer_kb = 160};
}

static void tcp_player_open(unsigned i, unsigned from)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct tcp_player *c = &tcp_player[i];
	union client_address peer = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = from % 8}};
	const int small = SENT_AT_ONCE;
	int pair[2];
	if (c->fd >= 0 || c->session) // its queries before the close may still be in flight
		return;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	FUZZ_CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	if (from & 8) {
		peer.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
		peer.v6.sin6_addr.s6_addr[0] = (uint8_t)from;
		if (from & 16)
			memcpy(&peer.v6.sin6_addr, mapped, sizeof(mapped));
	}
	c->fd = pair[1];
	c->life++;
	c->keepalive = false;
	c->said_len = c->asked = c->in_len = 0;
	opening = i;
	tcp_accept_conn(tcp_server,
		&(struct tcp_arrival){.peer = peer, .kind = FRONTEND_TCP_CLEAR, .fd = pair[0]});
}

static void tcp_player_close(struct tcp_player *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void tcp_player_say(struct tcp_player *c, const void *bytes, size_t len)
{
	if (c->fd < 0 || c->said_len + len > SAID_MOST)
		return;
	ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
	if (n <= 0)
		return;
	memcpy(c->said + c->said_len, bytes, (size_t)n);
	c->said_len += (size_t)n;
}

static void reply_check(struct tcp_player *c, const uint8_t *msg, size_t len)
{
	FUZZ_CHECK(len >= DNS_HEADER_LEN);
	unsigned number = get_u32(msg + 4);
	FUZZ_CHECK(number < tcp_questions);
	struct tcp_question *q = &tcp_question[number];
	size_t plain = reply_len(q);
	FUZZ_CHECK(q->is_open && q->client == (unsigned)(c - tcp_player) && q->life == c->life);
	FUZZ_CHECK(
		len == plain || (len == plain + OPTION_LEN && has_opt(q->order) && c->keepalive));
	FUZZ_CHECK(len == plain || get_u32(msg + plain) == 0xb0002);
	FUZZ_CHECK(msg[0] == (uint8_t)number && msg[DNS_HEADER_LEN - 1] == (uint8_t)number);
	q->is_open = false;
}

// False: nothing has come.
// Reads, and judges what is whole. False: nothing has come.
static bool tcp_player_read(struct tcp_player *c, size_t most)
{
	size_t space = sizeof(c->in) - c->in_len;
	if (c->fd < 0)
		return false;
	ssize_t n = recv(c->fd, c->in + c->in_len, most < space ? most : space, MSG_DONTWAIT);
	if (n <= 0)
		return false;
	c->in_len += (size_t)n;
	while (c->in_len >= 2 && c->in_len >= 2u + get_u16(c->in)) {
		size_t frame = 2u + get_u16(c->in);
		reply_check(c, c->in + 2, frame - 2);
		c->in_len -= frame;
		memmove(c->in, c->in + frame, c->in_len);
	}
	return true;
}

// to one of those that wait
static void tcp_players_reply(unsigned which)
{
	if (tcp_players_later == 0)
		return;
	which %= tcp_players_later;
	struct frontend_session *s = later[which].session;
	unsigned number = later[which].number;
	tcp_players_later--;
	memmove(&later[which], &later[which + 1], (tcp_players_later - which) * sizeof(later[0]));
	struct frontend_reply r = reply_make(number);
	s->reply(s, NULL, &r);
}

// begins to serve, with the limits that these bits choose
static void tcp_players_server(unsigned how)
{
	const struct frontend_tcp_engine engine = {.ask = engine_ask,
		.begin = engine_begin,
		.end = engine_end,
		.admits = engine_admits};
	tcp_players_limit((how & 0x3f) | 0x40);
	const struct frontend_tcp_settings set = {
		.tcp = limits, .serves = {{limits.enabled, FRONTEND_PORT}}};
	FUZZ_CHECK(frontend_tcp_open(&tcp_server, loop, &engine, &set, NULL, 0, 64) == 0);
}

// once
static void tcp_players_begin(void)
{
	now.tv_sec = 1000;
	for (unsigned i = 0; i < TCP_PLAYERS; i++) {
		tcp_player[i].fd = -1;
		FUZZ_CHECK((tcp_player[i].said = malloc(SAID_MOST)));
	}
	FUZZ_CHECK(loop_new("fuzz", &loop) == 0);
}

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
