// SPDX-License-Identifier: BSD-3-Clause

// What a server says on a TCP connection that queries share, in pieces: each query has one end, its
// reply is the first message with its id and its question (or none), and nobody gets what is
// another's. The first byte says how the rest is cut, the second how many queries there are,
// whether a reply leads to one more and an end to another try, and how much time passes with each
// piece; the third which of them are dropped, before the first piece or in the midst of them, so
// that connections stall and are left, and idle ones end. Time passes in no other way.

#include "controlplane/upstream/upstream_edns.h"
#include "controlplane/upstream/upstream_internal.h"
#include "controlplane/upstream/upstream_stream.h"
#include "fuzz.h"

#include <event2/event.h>

#include <ctype.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum {
	INPUT_MOST = 4096,
	TURNS_MOST = 64,
	HEAD = 3,
	BEGIN_MASK = 7,
	DROP_LATER = 0x08,
	STEP_SHIFT = 4,
	STEP_MASK = 3,
	ASK_AGAIN = 0x40,
	ASK_MORE = 0x80,
	QUERIES_MOST = 12,
	QUESTION = 7,
	QUERY_LEN = 2 + 12 + QUESTION + 11,
	OPTION_LEN = 4,
};

enum fate { UNASKED, UNDER_WAY, DROPPED, REPLIED, BROKEN };
// What it is on the connection that the input is played on: its id is free (again), used by a query
// that waits, or used by none.
enum held { GONE, WAITED_FOR, NOBODY_S };

static const unsigned steps_ms[] = {0, 100, 600, 4000};

static struct {
	struct upstream_leg leg;
	struct upstream_stream_place place;
	struct upstream_ask ask;
	enum fate fate;
	enum held held;
	bool again;
} query[QUERIES_MOST];

static const struct upstream_callbacks unwatched;
static struct upstreams servers; // what a leg's ask belongs to, for its counters
static struct upstream_streams *pool;
static struct loop *loop;
static union upstream_peer peer;
static socklen_t peer_len;
static int listener;
static unsigned asked;
static uint8_t how;
static struct upstream_stream *first; // the connection that the input is played on
static bool first_over;               // it has ended under a query
static unsigned late_ones;
static uint64_t bad, late; // before the input
static struct timespec now = {.tv_sec = 1000};
static const uint8_t *expected; // messages of it that have not been taken
static size_t expected_len;

// In place of the C library's, for libevent too.
int clock_gettime(clockid_t id, struct timespec *out)
{
	if (id == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, out);
	*out = now;
	return 0;
}

static void clock_turn(unsigned ms)
{
	now.tv_nsec += (long)(ms % 1000) * 1000000;
	now.tv_sec += ms / 1000 + now.tv_nsec / 1000000000;
	now.tv_nsec %= 1000000000;
}

static struct upstream_streams_stats stats(void)
{
	struct upstream_streams_stats s;
	upstream_streams_stats(pool, &s);
	return s;
}

static unsigned number_of(const struct upstream_leg *leg)
{
	for (unsigned i = 0; i < QUERIES_MOST; i++)
		if (leg == &query[i].leg)
			return i;
	FUZZ_CHECK(false);
	return 0;
}

static void ask_one(void)
{
	unsigned i = asked++;
	struct upstream_ask *a = &query[i].ask;

	*a = (struct upstream_ask){
		.owner = &servers, .callbacks = &unwatched, .question_len = QUESTION};
	memcpy(a->question, (const uint8_t[]){1, (uint8_t)('a' + i), 0, 0, 1, 0, 1}, QUESTION);
	query[i].leg = (struct upstream_leg){.ask = a,
		.tcp = true,
		.edns = true,
		.id = (uint16_t)(i + 1),
		.generation = 1,
		.peer = peer,
		.peer_len = peer_len};
	query[i].again = false;
	query[i].place = (struct upstream_stream_place){.leg = &query[i].leg};
	FUZZ_CHECK(upstream_streams_ask(pool, &query[i].place) == 0 && query[i].place.stream);
	FUZZ_CHECK(query[i].leg.id == i + 1);
	query[i].fate = UNDER_WAY;
	query[i].held = WAITED_FOR;
	if (i > 0)
		FUZZ_CHECK(query[i].place.stream == first);
	first = query[i].place.stream;
}

static bool first_is_open(void)
{
	const struct upstream_stream *s = pool->first;
	while (s && s != first)
		s = s->next;
	return s != NULL;
}

// Is it a reply to query i? Written independently, from RFC 7766 7 and RFC 1035 4.1.
static bool fits(unsigned i, const uint8_t *msg, size_t len)
{
	unsigned questions = msg[4] * 256u + msg[5];
	if (!(msg[2] & 0x80) || questions == 0)
		return msg[2] & 0x80;
	return questions == 1 && !(msg[2] & 0x78) && len >= 12 + QUESTION && msg[12] == 1
	       && tolower(msg[13]) == (int)('a' + i)
	       && memcmp(msg + 14, (const uint8_t[]){0, 0, 1, 0, 1}, 5) == 0;
}

// The query that has the id, or QUERIES_MOST.
static unsigned holder(const uint8_t *msg)
{
	unsigned id = msg[0] * 256u + msg[1];
	bool holds = id >= 1 && id <= asked && query[id - 1].held != GONE;
	return holds ? id - 1 : QUERIES_MOST;
}

static bool is_whole(void)
{
	return expected_len >= 2 && expected_len - 2 >= expected[0] * 256u + expected[1];
}

static size_t message_len(void)
{
	return expected[0] * 256u + expected[1];
}

static void message_over(void)
{
	size_t len = 2 + message_len();
	expected += len;
	expected_len -= len;
}

// Over the late replies that come next.
static void late_over(void)
{
	while (is_whole() && message_len() >= 12) {
		unsigned i = holder(expected + 2);
		if (i == QUERIES_MOST || query[i].held != NOBODY_S)
			return;
		query[i].held = GONE;
		late_ones++;
		message_over();
	}
}

// The connection has ended under a query, or is as it will stay, or had nothing to do any more: in
// the first two cases what is next on it is not whole, or nobody's.
static void rest_check(bool ended_under_one)
{
	late_over();
	if (stats().bad == bad) {
		FUZZ_CHECK(!is_whole() || (!ended_under_one && !first_is_open()));
	} else if (is_whole() && message_len() >= 12) {
		unsigned i = holder(expected + 2);
		FUZZ_CHECK(i == QUERIES_MOST || !fits(i, expected + 2, message_len()));
	} else {
		FUZZ_CHECK(expected_len >= 2 && message_len() < 12);
	}
}

static void told_check(const uint8_t *msg, size_t len)
{
	uint16_t units;
	if (!upstream_options_kept(msg, len, &units))
		return;
	const uint8_t option[] = {0, 11, 0, 2, (uint8_t)(units >> 8), (uint8_t)units};
	FUZZ_CHECK(memmem(msg, len, option, sizeof(option)));
}

static void on_reply(struct upstream_leg *leg, struct upstream_stream *s, uint8_t *msg, size_t len)
{
	unsigned i = number_of(leg);
	late_over();
	FUZZ_CHECK(s == first && !first_over && is_whole() && len == message_len() && len >= 12);
	FUZZ_CHECK(memcmp(msg, expected + 2, len) == 0);
	FUZZ_CHECK(query[i].held == WAITED_FOR && holder(msg) == i && fits(i, msg, len));
	told_check(msg, len);
	query[i].fate = REPLIED;
	query[i].held = GONE;
	query[i].place.stream = NULL;
	message_over();
	memset(msg, 0, len); // it is ours
	if (how & ASK_MORE && asked < QUERIES_MOST && !s->retired)
		ask_one();
}

static bool holds_id(const struct upstream_stream *s, uint16_t id)
{
	unsigned i = 0;
	while (i < s->held && s->query[i].id != id)
		i++;
	return i < s->held;
}

// Where it has left a connection that is silent its id stays, as its reply may come.
static void broken_on_first(unsigned i, const struct upstream_stream *s)
{
	bool left = holds_id(s, query[i].leg.id);
	FUZZ_CHECK(query[i].held == WAITED_FOR
		   && (!left || steps_ms[how >> STEP_SHIFT & STEP_MASK] > 0));
	query[i].held = left ? NOBODY_S : GONE;
	if (!left && !first_over)
		rest_check(true);
	first_over |= !left;
}

static void on_broken(struct upstream_leg *leg, struct upstream_stream *s)
{
	unsigned i = number_of(leg);
	FUZZ_CHECK(query[i].fate == UNDER_WAY);
	if (s == first && !query[i].again)
		broken_on_first(i, s);
	query[i].fate = BROKEN;
	query[i].place.stream = NULL;
	if (!(how & ASK_AGAIN) || query[i].again)
		return;
	query[i].again = true;
	FUZZ_CHECK(upstream_streams_ask(pool, &query[i].place) == 0 && query[i].place.stream);
	query[i].fate = UNDER_WAY;
}

// Twelve queries never have to wait.
static void on_placed(struct upstream_leg *, struct upstream_stream *)
{
	FUZZ_CHECK(false);
}

static unsigned no_limit(const struct upstream_leg *)
{
	return 0;
}

static int in_clear(struct upstreams *, const struct upstream_leg *, struct tls_peer **)
{
	return 0;
}

FUZZ_BEGIN
{
	const struct upstream_stream_calls calls = {.limit = no_limit,
		.written = upstream_tcp_calls.written,
		.peer = in_clear,
		.placed = on_placed,
		.reply = on_reply,
		.broken = on_broken};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int n = snprintf(sun.sun_path + 1, 20, "weir-fuzz-%d", getpid());

	static_assert(offsetof(struct sockaddr_un, sun_path) + 21 <= sizeof(peer));
	peer_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	memcpy(&peer, &sun, peer_len);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&sun, peer_len) == 0);
	FUZZ_CHECK(listen(listener, 16) == 0 && loop_new("fuzz", &loop) == 0);
	FUZZ_CHECK(upstream_streams_new(&pool, loop, &servers.rng, &servers, &calls) == 0);
	return 0;
}

static void turn(void)
{
	FUZZ_CHECK(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
}

// The server's side of it, with the queries read.
static int serve(void)
{
	uint8_t got[QUERIES_MOST * (QUERY_LEN + OPTION_LEN)];
	turn();
	int fd = accept(listener, NULL, NULL);
	FUZZ_CHECK(fd >= 0);
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	FUZZ_CHECK(n == (ssize_t)asked * QUERY_LEN + OPTION_LEN);
	for (unsigned i = 0; i < asked; i++) {
		const uint8_t *q = got + (size_t)i * QUERY_LEN + (i > 0 ? OPTION_LEN : 0);
		FUZZ_CHECK(get_u16(q) == QUERY_LEN - 2 + (i == 0 ? OPTION_LEN : 0));
		FUZZ_CHECK(get_u16(q + 2) == i + 1);
	}
	return fd;
}

static void drop(uint8_t which)
{
	for (unsigned i = 0; i < asked; i++) {
		if (!(which >> i & 1) || query[i].fate != UNDER_WAY)
			continue;
		query[i].fate = DROPPED;
		if (query[i].held == WAITED_FOR && query[i].place.stream == first)
			query[i].held = NOBODY_S;
		upstream_streams_drop(pool, &query[i].place);
	}
}

static void play(int fd, const uint8_t *data, size_t len, size_t piece)
{
	for (size_t at = HEAD; at < len; at += piece) {
		size_t n = piece < len - at ? piece : len - at;
		if (send(fd, data + at, n, MSG_NOSIGNAL) < 0)
			break;
		turn();
		clock_turn(steps_ms[how >> STEP_SHIFT & STEP_MASK]);
		if (how & DROP_LATER && at - HEAD <= (len - HEAD) / 2)
			drop(data[2]);
		turn();
	}
	// After so many iterations every whole message has been read.
	for (unsigned i = 0; i < TURNS_MOST; i++)
		turn();
}

static void accepted_close(void)
{
	int fd;
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		close(fd);
}

FUZZ_BODY(data, len)
{
	told_check(data, len);
	if (len < HEAD || len > INPUT_MOST)
		return 0;
	bad = stats().bad;
	late = stats().late;
	size_t piece = data[0] ? data[0] : len;
	if (len / piece > TURNS_MOST)
		piece = len / TURNS_MOST + 1;
	how = data[1];
	asked = late_ones = 0;
	first = NULL;
	first_over = false;
	expected = data + HEAD;
	expected_len = len - HEAD;
	for (unsigned i = 0; i < QUERIES_MOST; i++)
		query[i].fate = UNASKED, query[i].held = GONE;
	for (unsigned i = 0; i <= (how & BEGIN_MASK); i++)
		ask_one();
	int fd = serve();
	if (!(how & DROP_LATER))
		drop(data[2]);
	play(fd, data, len, piece);
	if (!first_over)
		rest_check(false);
	if (!first_over && first_is_open())
		FUZZ_CHECK(stats().late - late == late_ones);
	first_over = true;
	close(fd);
	for (unsigned i = 0; i < TURNS_MOST && stats().open > 0; i++) {
		turn();
		accepted_close();
	}
	accepted_close(); // those that weir has closed already
	for (unsigned i = 0; i < asked; i++)
		FUZZ_CHECK(query[i].fate != UNDER_WAY);
	FUZZ_CHECK(stats().open == 0 && stats().queries == 0 && stats().bytes == sizeof(*pool));
	return 0;
}
