// SPDX-License-Identifier: BSD-3-Clause
//
// A connection that is closing under its queries, one of which gives up another: nothing may be
// begun on it any more, for it is freed when the last one has been told.

#include "controlplane/upstream/upstream_internal.h"
#include "controlplane/upstream/upstream_stream.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#include <sys/syscall.h>
#include <sys/un.h>

enum { QUERIES = 4, QUESTION = 7 };

static struct {
	struct upstream_leg leg;
	struct upstream_stream_place place;
	struct upstream_ask ask;
} query[QUERIES];

static const struct upstream_callbacks unwatched;
static struct upstreams servers;
static struct upstream_streams *pool;
static struct loop *loop;
static struct timespec now = {.tv_sec = 1000};
static unsigned told, awake; // queries that were told of the end; events left on a closing one

// In place of the C library's, for libevent too.
int clock_gettime(clockid_t id, struct timespec *out)
{
	if (id == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, out);
	*out = now;
	return 0;
}

// The first one to be told gives up all others, after a silence that would make the connection be
// left.
static void on_broken(struct upstream_leg *leg, struct upstream_stream *s)
{
	told++;
	for (unsigned i = 0; i < QUERIES; i++)
		if (leg != &query[i].leg && query[i].place.stream)
			upstream_streams_drop(pool, &query[i].place);
		else
			query[i].place.stream = NULL;
	awake += event_pending(&s->readable, EV_READ | EV_WRITE | EV_TIMEOUT, NULL) != 0;
	awake += event_pending(&s->writable, EV_READ | EV_WRITE | EV_TIMEOUT, NULL) != 0;
}

static void on_reply(struct upstream_leg *, struct upstream_stream *, uint8_t *, size_t)
{
	fail();
}

static void on_placed(struct upstream_leg *, struct upstream_stream *)
{
	fail();
}

static unsigned no_limit(const struct upstream_leg *)
{
	return 0;
}

static void turn(void)
{
	for (unsigned i = 0; i < 8; i++)
		assert_true(event_base_loop(loop_base(loop), EVLOOP_NONBLOCK) >= 0);
}

static void ask(unsigned i, const union upstream_peer *peer, socklen_t peer_len)
{
	struct upstream_ask *a = &query[i].ask;
	*a = (struct upstream_ask){
		.owner = &servers, .callbacks = &unwatched, .question_len = QUESTION};
	memcpy(a->question, (const uint8_t[]){1, (uint8_t)('a' + i), 0, 0, 1, 0, 1}, QUESTION);
	query[i].leg = (struct upstream_leg){.ask = a,
		.tcp = true,
		.id = (uint16_t)(i + 1),
		.generation = 1,
		.peer = *peer,
		.peer_len = peer_len};
	query[i].place = (struct upstream_stream_place){.leg = &query[i].leg};
	assert_int_equal(upstream_streams_ask(pool, &query[i].place), 0);
	assert_non_null(query[i].place.stream);
}

static int in_clear(struct upstreams *, const struct upstream_leg *, struct tls_peer **)
{
	return 0;
}

TEST(test_one_query_gives_up_the_others_as_it_closes)
{
	const struct upstream_stream_calls calls = {.limit = no_limit,
		.written = upstream_tcp_calls.written,
		.peer = in_clear,
		.placed = on_placed,
		.reply = on_reply,
		.broken = on_broken};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	union upstream_peer peer = {0};
	int n = snprintf(sun.sun_path + 1, 20, "weir-close-%d", getpid());
	socklen_t peer_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	memcpy(&peer, &sun, peer_len);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, peer_len), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(loop_new("close", &loop), 0);
	assert_int_equal(upstream_streams_new(&pool, loop, &servers.rng, &servers, &calls), 0);
	for (unsigned i = 0; i < QUERIES; i++)
		ask(i, &peer, peer_len);
	turn();
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_true(query[0].place.stream->there);
	// It never blocks the loop, and no child inherits it.
	assert_true(fcntl(query[0].place.stream->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(query[0].place.stream->fd, F_GETFD) & FD_CLOEXEC);
	now.tv_sec += 1;
	close(fd);
	turn();
	assert_int_equal(told, 1);
	assert_int_equal(awake, 0);
	struct upstream_streams_stats stats;
	upstream_streams_stats(pool, &stats);
	assert_int_equal(stats.open, 0);
	upstream_streams_free(pool);
	loop_free(loop);
	close(listener);
}

// A part of what waits has been written: the rest moves to the front before more is put behind it.
TEST(test_put_behind_what_is_written_in_part)
{
	enum { PART = 5, EACH = 2 + DNS_HEADER_LEN + QUESTION, MANY = 3 };
	struct upstream_stream s = {.uses = MANY, .out = malloc(UPSTREAM_STREAM_OUT)};
	static struct upstream_streams none = {.calls.limit = no_limit, .uses_max = MANY};
	uint8_t whole[MANY * EACH];
	assert_non_null(s.out);
	s.pool = &none;
	none.first = &s; // it is not there yet, so nothing is written
	for (unsigned i = 0; i < MANY; i++) {
		struct upstream_ask *a = &query[i].ask;
		*a = (struct upstream_ask){
			.owner = &servers, .callbacks = &unwatched, .question_len = QUESTION};
		memcpy(a->question, (const uint8_t[]){1, (uint8_t)('a' + i), 0, 0, 1, 0, 1},
			QUESTION);
		query[i].leg =
			(struct upstream_leg){.ask = a, .tcp = true, .id = (uint16_t)(i + 1)};
		query[i].place = (struct upstream_stream_place){.leg = &query[i].leg};
		assert_int_equal(upstream_streams_ask(&none, &query[i].place), 0);
		assert_ptr_equal(query[i].place.stream, &s);
		if (i == 0) {
			memcpy(whole, s.out, PART);
			s.out_pos = PART;
		}
	}
	assert_int_equal(s.out_pos, 0);
	assert_int_equal(s.out_len, sizeof(whole) - PART);
	memcpy(whole + PART, s.out, s.out_len);
	for (unsigned i = 0; i < MANY; i++) {
		const uint8_t *p = whole + i * EACH;
		assert_int_equal(get_u16(p), EACH - 2);
		assert_int_equal(get_u16(p + 2), i + 1);
		assert_memory_equal(p + 2 + DNS_HEADER_LEN, query[i].ask.question, QUESTION);
	}
	free(s.out);
}
