// SPDX-License-Identifier: BSD-3-Clause
// TCP connections to upstream servers: the bytes on one connection, its life, and the choice of a
// connection for a query.

#include "upstream_stream.h"

#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum {
	LENGTH_LEN = 2,
	QUERY_MAX = LENGTH_LEN + UPSTREAM_QUERY_MAX + UPSTREAM_KEEPALIVE_LEN + UPSTREAM_PADDING_MAX,
};

// Is there room for one more query?
static bool stream_has_room(const struct upstream_stream *s)
{
	return s->held < UPSTREAM_STREAM_QUERIES
	       && s->out_len - s->out_pos + QUERY_MAX <= UPSTREAM_STREAM_OUT;
}

// The query with its length; the first one asks how long the connection may stay (RFC 7828 3.2.1).
static size_t query_write(
	struct upstream_stream *s, struct upstream_leg *leg, uint8_t out[QUERY_MAX])
{
	uint8_t *msg = out + LENGTH_LEN;
	size_t len = upstream_leg_query(leg, msg, UPSTREAM_QUERY_MAX);
	unsigned options = upstream_leg_options(leg);

	leg->option = len && leg->edns && !leg->no_option && !s->asked;
	if (leg->option) {
		s->asked = true;
		len = upstream_options_keep(msg, len, options);
		options += UPSTREAM_KEEPALIVE_LEN;
	}
	if (len && s->tls && leg->edns)
		len = upstream_options_pad(msg, len, options);
	put_u16(out, (uint16_t)len);
	return len ? len + LENGTH_LEN : 0;
}

// A query that leaves in pieces has left with its last byte.
static void count_written(struct upstream_stream *s)
{
	for (unsigned i = 0; i < s->held; i++) {
		struct upstream_stream_query *q = &s->query[i];
		if (q->written || q->end > s->wrote)
			continue;
		q->written = true;
		s->pool->calls.written(s->pool->owner, q->leg, &s->peer);
	}
}

// Sends bytes; returns how many, or -errno.
static ssize_t bytes_send(struct upstream_stream *s, const uint8_t *bytes, size_t len)
{
	if (s->tls)
		return tls_conn_write(s->tls, bytes, len);
	ssize_t n = send(s->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

// After -EAGAIN: is it the socket that has no room? TLS may have to read before it writes, and the
// reverse.
static bool wants_write(const struct upstream_stream *s, bool is_send)
{
	return s->tls ? tls_conn_wants_write(s->tls) : is_send;
}

// There may be room for waiting queries: on_wake places them.
static void streams_wake(struct upstream_streams *p)
{
	if (p->waiting)
		event_active(&p->wake, EV_TIMEOUT, 0);
}

// Sends waiting bytes as far as possible; the rest when there is room, or when TLS has read what it
// wants. on_readable handles errors.
static void stream_flush(struct upstream_stream *s)
{
	while (s->out_pos < s->out_len) {
		ssize_t n = bytes_send(s, s->out + s->out_pos, s->out_len - s->out_pos);
		if (n == -EAGAIN && (!wants_write(s, true) || event_add(&s->writable, NULL) == 0))
			return;
		if (n < 0) {
			s->error = (int)n;
			event_active(&s->readable, EV_READ, 0);
			return;
		}
		s->there = true;
		s->out_pos += (uint32_t)n;
		s->wrote += (uint64_t)n;
		count_written(s);
	}
	FREE_AND_NULL(s->out);
	s->out_len = s->out_pos = 0;
	streams_wake(s->pool);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_stream *s = arg;
	(void)fd, (void)what;

	if (!s->tls || s->there)
		stream_flush(s);
	if (s->tls)
		event_active(&s->readable, EV_READ, 0); // it may have waited for this, too
}

// The handshake goes on. 1: it is done, 0: more is to come, -errno: the connection is not to be
// used.
static int handshake_continue(struct upstream_stream *s)
{
	char why[TLS_WHY_MAX];
	int rc = tls_conn_handshake(s->tls);

	if (rc == -EAGAIN)
		return tls_conn_wants_write(s->tls) && event_add(&s->writable, NULL) < 0 ? -ENOMEM
											 : 0;
	if (rc < 0) {
		enum tls_failure failure = tls_conn_failure(s->tls, why);
		s->pool->calls.insecure(s, failure, why);
		return rc;
	}
	s->there = true;
	s->heard_ms = clock_mono_ms();
	wheel_stop(&s->idle);
	s->pool->calls.secure(s);
	stream_flush(s);
	return 1;
}

// Puts the query behind the bytes that wait; stream_flush sends what can be sent. 0, -ENOBUFS,
// -ENOMEM, -EMSGSIZE.
static int stream_put(struct upstream_stream *s, struct upstream_leg *leg)
{
	uint8_t query[QUERY_MAX];

	if (!stream_has_room(s))
		return -ENOBUFS;
	if (!s->out)
		s->out = heap_malloc(UPSTREAM_STREAM_OUT);
	if (!s->out)
		return -ENOMEM;
	size_t len = query_write(s, leg, query);
	if (len == 0)
		return -EMSGSIZE;
	memmove(s->out, s->out + s->out_pos, s->out_len - s->out_pos);
	s->out_len -= s->out_pos;
	s->out_pos = 0;
	memcpy(s->out + s->out_len, query, len);
	s->out_len += (uint32_t)len;
	s->put += len;
	return 0;
}

// Reads bytes; returns how many, 0 for the end, or -errno; -EBADMSG: this is no TLS.
static ssize_t bytes_receive(struct upstream_stream *s, uint8_t *bytes, size_t len)
{
	if (s->tls) {
		ssize_t got = tls_conn_read(s->tls, bytes, len);
		return got == -EPROTO ? -EBADMSG : got;
	}
	ssize_t n = recv(s->fd, bytes, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

// Reads until `buf` has `len` bytes. 1: complete, 0: more to come, -errno.
static int read_into(struct upstream_stream *s, uint8_t *buf, uint32_t len)
{
	while (s->in_pos < len && s->reads > 0) {
		s->reads--;
		ssize_t n = bytes_receive(s, buf + s->in_pos, len - s->in_pos);
		if (n == 0)
			return -EPIPE;
		if (n == -EAGAIN)
			return wants_write(s, false) && event_add(&s->writable, NULL) < 0 ? -ENOMEM
											  : 0;
		if (n < 0)
			return (int)n;
		s->there = true;
		s->heard_ms = clock_mono_ms();
		if (s->in_len == 0 && s->in_pos == 0)
			s->part_ms = s->heard_ms;
		s->in_pos += (uint32_t)n;
		if (s->in_pos < len && n < UPSTREAM_STREAM_CRUMB
			&& ++s->crumbs > UPSTREAM_STREAM_CRUMBS)
			return -EBADMSG;
	}
	return s->in_pos == len;
}

static int message_read(struct upstream_stream *s)
{
	if (s->in_len == 0) {
		int rc = read_into(s, s->head, sizeof(s->head));
		if (rc <= 0)
			return rc;
		if (get_u16(s->head) < DNS_HEADER_LEN)
			return -EBADMSG;
		s->in = heap_malloc(get_u16(s->head));
		if (!s->in)
			return -ENOMEM;
		s->in_len = get_u16(s->head);
		s->in_pos = 0;
	}
	return read_into(s, s->in, s->in_len);
}

// Reads the server's idle time for this connection.
static void keepalive_apply(struct upstream_stream *s, const uint8_t *msg, size_t len)
{
	uint16_t units;

	if (!s->asked || !upstream_options_kept(msg, len, &units))
		return;
	uint64_t told_ms = units * UINT64_C(100);
	if (told_ms > UPSTREAM_STREAM_TOLD_MS)
		told_ms = UPSTREAM_STREAM_TOLD_MS;
	s->idle_ms = told_ms - told_ms / 8;
	s->retired |= units == 0;
}

// The query with this id, or UPSTREAM_STREAM_QUERIES.
static unsigned stream_find(const struct upstream_stream *s, uint16_t id)
{
	unsigned i = 0;
	while (i < s->held && s->query[i].id != id)
		i++;
	return i < s->held ? i : UPSTREAM_STREAM_QUERIES;
}

// Query `i` is off the connection.
static void stream_forget(struct upstream_stream *s, unsigned i)
{
	s->live -= s->query[i].leg != NULL;
	s->query[i] = s->query[--s->held];
}

// Finds the query of a reply; -EBADMSG: there is no such query. Without a question the id decides
// (RFC 7766 7).
static int message_accept(struct upstream_stream *s, uint8_t *msg, size_t len)
{
	unsigned i = stream_find(s, get_u16(msg));
	if (i == UPSTREAM_STREAM_QUERIES)
		return -EBADMSG;
	struct upstream_leg *leg = s->query[i].leg;
	bool asks_nothing = get_u16(msg + 2) & DNS_FLAG_QR && get_u16(msg + 4) == 0;
	if (leg && !asks_nothing && !upstream_leg_matches(leg, msg, len, false))
		return -EBADMSG;
	stream_forget(s, i);
	s->answered++;
	if (leg) {
		keepalive_apply(s, msg, len);
		s->pool->calls.reply(leg, s, msg, len);
	} else {
		s->pool->stats.late++;
	}
	return 0;
}

static int message_next(struct upstream_stream *s)
{
	int rc = message_read(s);
	if (rc <= 0)
		return rc;
	// The calls may do anything, so the connection no longer owns the bytes that they get.
	uint8_t *msg = s->in;
	size_t len = s->in_len;
	s->in = NULL;
	s->in_len = 0;
	s->in_pos = 0;
	rc = message_accept(s, msg, len);
	heap_free(msg);
	return rc < 0 ? rc : 1;
}

// Counts a message that is no reply.
static void count_bad(struct upstream_stream *s)
{
	unsigned i = 0;
	while (i < s->held && !s->query[i].leg)
		i++;
	s->pool->stats.bad++;
	if (i < s->held)
		upstream_leg_count_bad(s->query[i].leg);
}

// A connection that the server has closed meanwhile looks alive until the loop comes to it.
static bool is_closed(const struct upstream_stream *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
	return s->there && poll(&p, 1, 0) > 0;
}

// The server has ended this connection: its other connections that it has ended, too, take no more
// queries, or what moves from one would go on to the next. What came on them before is still read.
static void streams_retire_ended(const struct upstream_stream *ended)
{
	for (struct upstream_stream *s = ended->pool->first; s; s = s->next)
		if (s != ended && !s->retired && upstream_same_address(&s->peer, &ended->peer))
			s->retired = is_closed(s);
}

static void stream_unlink(struct upstream_stream *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->pool->stats.open--;
	age_remove(&s->pool->ages, &s->age);
	streams_wake(s->pool);
}

// Closes the connection and notifies the legs that wait.
static void stream_close(struct upstream_stream *s)
{
	stream_unlink(s);
	event_del(&s->readable);
	event_del(&s->writable);
	event_del(&s->again);
	wheel_stop(&s->idle);
	tls_conn_close(s->tls);
	s->tls = NULL;
	close(s->fd);
	// The calls may neither end the connection a second time nor begin anything on it.
	s->closing = s->busy = s->retired = true;
	while (s->held) {
		struct upstream_leg *leg = s->query[0].leg;
		stream_forget(s, 0);
		if (leg)
			s->pool->calls.broken(leg, s);
	}
	FREE_AND_NULL(s->out);
	FREE_AND_NULL(s->in);
	heap_free(s);
}

// A query with a waiting leg, other than this one.
static unsigned find_live(const struct upstream_stream *s, const struct upstream_leg *but)
{
	unsigned i = 0;
	while (i < s->held && (!s->query[i].leg || s->query[i].leg == but))
		i++;
	return i;
}

// Moves the queries of the connection elsewhere, except one whose reply is being read. They keep
// their ids here, so a late reply is known as such. Not to be called in a call of the owner.
static void stream_leave(struct upstream_stream *s)
{
	const struct upstream_leg *stays = NULL;
	unsigned i = s->in_len && s->in_pos >= 2 ? stream_find(s, get_u16(s->in))
						 : UPSTREAM_STREAM_QUERIES;
	if (i < s->held)
		stays = s->query[i].leg;
	s->learnt = s->ours = s->busy = true;
	while ((i = find_live(s, stays)) < s->held) {
		struct upstream_leg *leg = s->query[i].leg;
		s->query[i].leg = NULL;
		s->live--;
		s->pool->calls.broken(leg, s);
	}
	s->busy = false;
}

// Called when a query may have been the last one: closes the connection, or begins to count its
// idle time.
static void stream_end_or_idle(struct upstream_stream *s)
{
	if (s->busy || s->live)
		return;
	if (s->retired || s->taken >= s->uses) {
		stream_close(s);
		return;
	}
	uint64_t now_ms = clock_mono_ms();
	s->rested_ms = now_ms;
	if (s->tls && !s->there)
		return; // the handshake's timer runs
	wheel_start(loop_wheel(s->pool->loop), &s->idle, s->idle_ms, now_ms);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_stream *s = arg;
	unsigned answered = s->answered;
	int rc = 1;
	(void)fd, (void)what;

	s->busy = true;
	if (s->tls && !s->there)
		rc = handshake_continue(s);
	for (s->reads = UPSTREAM_STREAM_READS; s->reads > 0 && rc > 0;)
		rc = message_next(s);
	s->busy = false;
	if (rc >= 0 && s->tls && s->there && s->out_pos < s->out_len)
		stream_flush(s);
	// The socket makes no event for bytes that TLS has taken from it.
	if (rc >= 0 && s->reads == 0 && s->tls && tls_conn_has_more(s->tls)
		&& event_add(&s->again, &(struct timeval){0}) < 0)
		rc = -ENOMEM;
	if (rc >= 0 && s->error)
		rc = s->error;
	// If this side ends the connection, the end does not show how many queries the server
	// takes.
	s->ours |= rc == -EBADMSG || rc == -ETIME;
	s->learnt |= s->ours;
	if (rc == -EBADMSG)
		count_bad(s);
	else if (rc == -ETIME)
		s->pool->stats.evicted++;
	else if (rc < 0) {
		s->pool->stats.closed_peer++;
		streams_retire_ended(s);
	}
	streams_wake(s->pool);
	if (rc < 0) {
		stream_close(s);
		return;
	}
	// The reply was already there at the time-out: this side was late.
	if (s->leaving && s->answered == answered)
		stream_leave(s);
	s->leaving = false;
	stream_end_or_idle(s);
}

static void on_idle(void *arg)
{
	struct upstream_stream *s = arg;

	if (s->there || !s->tls)
		s->pool->stats.closed_idle++;
	else
		s->pool->calls.insecure(s, TLS_FAILURE_handshake,
			"the server did not finish the handshake in time");
	stream_close(s);
}

static unsigned find_leg(const struct upstream_stream *s, const struct upstream_leg *leg)
{
	unsigned i = 0;
	while (i < s->held && s->query[i].leg != leg)
		i++;
	return i;
}

static bool has_part(const struct upstream_stream *s)
{
	return s->in_len || s->in_pos;
}

// Has nothing come for too long since query `i` was sent? The handshake has a deadline of its own.
static bool is_silent(const struct upstream_stream *s, unsigned i)
{
	uint64_t sent_ms = s->query[i].sent_ms;
	// A busy connection has part of a message most of the time: how long has it been this
	// message?
	uint64_t since_ms = has_part(s) ? s->part_ms : s->heard_ms;

	if (s->tls && !s->there)
		return false;
	return clock_mono_ms()
	       >= (since_ms > sent_ms ? since_ms : sent_ms) + UPSTREAM_STREAM_STALL_MS;
}

bool upstream_stream_is_silent(const struct upstream_stream *s, const struct upstream_leg *leg)
{
	unsigned i = find_leg(s, leg);
	return i < s->held && !s->closing && is_silent(s, i);
}

// Drops a leg that no longer waits for its reply.
static void stream_drop(struct upstream_stream *s, const struct upstream_leg *leg)
{
	unsigned i = find_leg(s, leg);
	if (i == s->held)
		return;
	if (s->closing) {
		stream_forget(s, i);
		return;
	}
	bool silent = is_silent(s, i), part = has_part(s);
	s->query[i].leg = NULL;
	s->live--;
	if (!s->retired && (silent || s->held - s->live > UPSTREAM_STREAM_LOST)) {
		s->retired = true;
		s->stalled = silent;
		if (silent && part)
			s->pool->stats.broken++;
		else
			s->pool->stats.stalled++;
	}
	if (silent && s->there) {
		s->leaving = true;
		event_active(&s->readable, EV_READ, 0); // the caller may be in any state
	}
	stream_end_or_idle(s);
}

static int stream_connect(struct upstream_stream *s)
{
	const int on = 1;

	s->fd = socket(s->peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, &s->peer.any, s->peer_len) == 0 || errno == EINPROGRESS)
		return 0;
	int rc = -errno;
	close(s->fd);
	return rc;
}

static int stream_watch(struct upstream_stream *s)
{
	struct event_base *base = loop_base(s->pool->loop);

	event_assign(&s->readable, base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->writable, base, s->fd, EV_WRITE, on_writable, s);
	evtimer_assign(&s->again, base, on_readable, s);
	if (event_add(&s->readable, NULL) == 0 && event_add(&s->writable, NULL) == 0)
		return 0;
	event_del(&s->readable);
	close(s->fd);
	return -ENOMEM;
}

static int stream_secure(struct upstream_stream *s, struct tls_peer *peer)
{
	int rc = tls_conn_connect(&s->tls, peer, s->fd);

	if (rc < 0) {
		close(s->fd);
		return rc;
	}
	s->tls_peer = peer;
	wheel_start(
		loop_wheel(s->pool->loop), &s->idle, UPSTREAM_STREAM_HANDSHAKE_MS, clock_mono_ms());
	return 0;
}

// Opens a connection to the leg's server for `limit` queries (0: any number) at most. -EHOSTDOWN: a
// server over TLS that has left the list, or failed a moment ago, or a leg in clear text to such a
// server; -errno.
static int stream_open(struct upstream_streams *p, const struct upstream_leg *leg, unsigned limit,
	struct upstream_stream **out)
{
	struct tls_peer *peer = NULL;
	int rc = p->calls.peer(p->owner, leg, &peer);
	if (rc < 0)
		return rc;
	struct upstream_stream *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->pool = p;
	s->peer = leg->peer;
	s->peer_len = leg->peer_len;
	s->uses = limit && limit < p->uses_max ? limit : p->uses_max;
	s->idle_ms = UPSTREAM_STREAM_IDLE_MS;
	s->idle = (struct wheel_timer){.fn = on_idle, .arg = s};
	rc = stream_connect(s);
	if (rc == 0 && peer)
		rc = stream_secure(s, peer);
	if (rc == 0)
		rc = stream_watch(s);
	if (rc < 0) {
		wheel_stop(&s->idle);
		tls_conn_close(s->tls);
		heap_free(s);
		return rc;
	}
	s->next = p->first;
	s->link = &p->first;
	if (s->next)
		s->next->link = &s->next;
	p->first = s;
	age_add(&p->ages, &s->age);
	p->stats.opened++;
	if (++p->stats.open > p->stats.high)
		p->stats.high = p->stats.open;
	*out = s;
	return 0;
}

enum { ID_DRAWS = 64 };

// The connections that there are for a query.
struct choice {
	struct upstream_stream *best;    // takes the query, with the fewest in flight
	struct upstream_stream *idle;    // does not take the query, idle for longest
	struct upstream_stream *stalled; // nothing comes from it
	struct upstream_stream *least;   // does not take the query, with the fewest in flight
	unsigned count;                  // all connections to the server
	bool draining;                   // one connection ends with its last reply
};

// May the connection have this query, if it has room?
static bool is_for(
	const struct upstream_stream *s, const struct upstream_stream_place *place, unsigned limit)
{
	return !place->alone && !s->retired && s->taken < s->uses
	       && (!limit || s->uses <= limit || s->probe);
}

static void stream_compare(struct choice *c, struct upstream_stream *s, bool fits)
{
	c->count++;
	if (fits) {
		if (stream_has_room(s) && (!c->best || s->held < c->best->held))
			c->best = s;
	} else if (!s->live && !s->busy) {
		if (!c->idle || s->rested_ms < c->idle->rested_ms)
			c->idle = s;
	} else if (s->retired || s->taken >= s->uses) {
		c->draining = true;
		if (s->stalled && !s->busy)
			c->stalled = s;
	} else if (!c->least || s->held < c->least->held) {
		c->least = s;
	}
}

static void streams_compare(struct upstream_streams *p, const struct upstream_stream_place *place,
	unsigned limit, struct choice *c)
{
	struct upstream_stream *next;

	*c = (struct choice){0};
	for (struct upstream_stream *s = p->first; s; s = next) {
		next = s->next;
		if (!upstream_same_address(&s->peer, &place->leg->peer)
			|| (s->tls_peer != NULL) != place->leg->is_tls)
			continue;
		if (!s->live && !s->busy && is_closed(s)) {
			p->stats.closed_peer++;
			stream_close(s);
			continue;
		}
		stream_compare(c, s, is_for(s, place, limit));
	}
}

// No connection takes the query, and no more may be opened: makes one of them end soon. A silent
// connection ends at once, and its queries go elsewhere; not from here, because their calls may do
// anything.
static void make_way(const struct choice *c)
{
	if (c->stalled && !c->stalled->error) {
		c->stalled->error = -ETIME;
		event_active(&c->stalled->readable, EV_READ, 0);
	} else if (!c->draining && c->least) {
		c->least->retired = true;
	}
}

// An attacker cannot guess on a connection, but two queries with one id would look alike.
static bool id_make_distinct(const struct upstream_stream *s, struct upstream_leg *leg)
{
	unsigned draws = 0;

	while (stream_find(s, leg->id) != UPSTREAM_STREAM_QUERIES && draws++ < ID_DRAWS)
		leg->id = rng_u16(s->pool->rng);
	return draws < ID_DRAWS;
}

static int stream_ask(struct upstream_stream *s, struct upstream_leg *leg)
{
	if (!id_make_distinct(s, leg))
		return -EAGAIN;
	int rc = stream_put(s, leg);
	if (rc < 0)
		return rc;
	s->query[s->held++] = (struct upstream_stream_query){
		.leg = leg, .sent_ms = clock_mono_ms(), .end = s->put, .id = leg->id};
	s->live++;
	s->pool->stats.reused += s->taken++ > 0;
	if (s->there || !s->tls)
		wheel_stop(&s->idle);
	if (s->there)
		stream_flush(s);
	return 0;
}

// Gives the query a connection. 0; -EAGAIN: it must wait; -errno. Makes no calls.
static int place_try(struct upstream_streams *p, struct upstream_stream_place *place)
{
	unsigned limit = place->alone ? 1 : p->calls.limit(place->leg);
	struct upstream_stream *fresh = NULL;
	struct choice c;
	int rc = 0;

	streams_compare(p, place, limit, &c);
	bool room = c.count < UPSTREAM_STREAMS_EACH && p->stats.open < UPSTREAM_STREAMS_MAX;
	if (!c.best && !room && c.idle) {
		p->stats.evicted++;
		stream_close(c.idle);
		room = true;
	}
	if (room && (!c.best || c.best->held >= UPSTREAM_STREAM_SPREAD))
		rc = stream_open(p, place->leg, limit, &fresh);
	struct upstream_stream *s = fresh ? fresh : c.best;
	if (s) {
		rc = stream_ask(s, place->leg);
	} else if (rc == 0) {
		make_way(&c);
		rc = -EAGAIN;
	}
	if (rc == 0)
		place->stream = s;
	else if (fresh)
		stream_close(fresh);
	return rc;
}

static void place_enqueue(struct upstream_streams *p, struct upstream_stream_place *place)
{
	place->next = NULL;
	place->link = p->waiting_end;
	*p->waiting_end = place;
	p->waiting_end = &place->next;
	p->stats.waited++;
	if (++p->stats.waiting > p->stats.waiting_high)
		p->stats.waiting_high = p->stats.waiting;
}

static void place_dequeue(struct upstream_streams *p, struct upstream_stream_place *place)
{
	*place->link = place->next;
	if (place->next)
		place->next->link = place->link;
	else
		p->waiting_end = place->link;
	place->link = NULL;
	p->stats.waiting--;
}

// Places the first query of the queue that need not wait any longer; false: there is no such query.
// `full`: servers (bits) without room for an earlier query, [1] for one that needs a connection
// alone, which delays only queries that do. So an iteration checks all connections once per server
// and not for each waiting query.
static bool wake_one(struct upstream_streams *p, uint32_t full[2])
{
	for (struct upstream_stream_place *place = p->waiting; place; place = place->next) {
		struct upstream_leg *leg = place->leg;
		uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;
		if (full[place->alone] & bit)
			continue;
		int rc = place_try(p, place);
		if (rc == -EAGAIN) {
			full[place->alone] |= bit;
			continue;
		}
		place_dequeue(p, place);
		if (rc == 0)
			p->calls.placed(leg, place->stream);
		else
			p->calls.broken(leg, NULL);
		return true;
	}
	return false;
}

// Runs from the loop, and not from the place where room became free, which is in the middle of a
// connection's work. Each round takes one query out of the queue.
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint32_t full[2] = {0};
	(void)fd, (void)what;

	while (wake_one(arg, full))
		;
}

// Must the leg wait behind queries to its server that wait already?
static bool is_behind(const struct upstream_streams *p, const struct upstream_leg *leg)
{
	const struct upstream_stream_place *place = p->waiting;

	while (place && (place->alone || !upstream_same_address(&place->leg->peer, &leg->peer)))
		place = place->next;
	return place != NULL;
}

// Is the queue full? A server that hangs leaves room for queries to others.
static bool is_full(const struct upstream_streams *p, const struct upstream_leg *leg)
{
	unsigned n = 0;

	for (const struct upstream_stream_place *w = p->waiting;
		w && n < UPSTREAM_STREAMS_WAITING_EACH; w = w->next)
		n += upstream_same_address(&w->leg->peer, &leg->peer);
	return n == UPSTREAM_STREAMS_WAITING_EACH || p->stats.waiting >= UPSTREAM_STREAMS_WAITING;
}

int upstream_streams_ask(struct upstream_streams *p, struct upstream_stream_place *place)
{
	bool behind = !place->alone && is_behind(p, place->leg);
	int rc = behind ? -EAGAIN : place_try(p, place);

	if (rc != -EAGAIN)
		return rc;
	if (is_full(p, place->leg)) {
		p->stats.full++;
		return -EMFILE;
	}
	place_enqueue(p, place);
	return 0;
}

void upstream_streams_drop(struct upstream_streams *p, struct upstream_stream_place *place)
{
	struct upstream_stream *s = place->stream;

	place->stream = NULL;
	if (place->link) {
		place_dequeue(p, place);
		streams_wake(p);
	} else if (s) {
		stream_drop(s, place->leg);
	}
}

int upstream_streams_new(struct upstream_streams **out, struct loop *loop, struct rng *rng,
	struct upstreams *owner, const struct upstream_stream_calls *calls)
{
	struct upstream_streams *p = heap_calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->loop = loop;
	p->rng = rng;
	p->owner = owner;
	p->calls = *calls;
	p->uses_max = UPSTREAM_STREAM_USES;
	p->waiting_end = &p->waiting;
	event_assign(&p->wake, loop_base(p->loop), -1, 0, on_wake, p);
	*out = p;
	return 0;
}

void upstream_streams_free(struct upstream_streams *p)
{
	if (!p)
		return;
	while (p->first)
		stream_close(p->first);
	event_del(&p->wake);
	heap_free(p);
}

void upstream_streams_uses(struct upstream_streams *p, unsigned most)
{
	p->uses_max = most ? most : UPSTREAM_STREAM_USES;
}

void upstream_streams_configure(struct upstream_streams *p, const union upstream_peer *peers,
	struct tls_peer *const *tls, unsigned count)
{
	struct upstream_stream *next;

	for (struct upstream_stream *s = p->first; s; s = next) {
		next = s->next;
		bool stays = s->uses <= p->uses_max;
		unsigned i = 0;
		while (i < count
			&& !(upstream_same_address(&s->peer, &peers[i]) && s->tls_peer == tls[i]))
			i++;
		if (stays && i < count)
			continue;
		s->retired = true;
		stream_end_or_idle(s);
	}
	streams_wake(p);
}

unsigned upstream_streams_to(const struct upstream_streams *p, const union upstream_peer *peer)
{
	unsigned n = 0;
	for (const struct upstream_stream *s = p->first; s; s = s->next)
		n += upstream_same_address(&s->peer, peer);
	return n;
}

void upstream_streams_stats(const struct upstream_streams *p, struct upstream_streams_stats *out)
{
	*out = p->stats;
	out->bytes = sizeof(*p);
	out->since_ms = age_since(&p->ages);
	for (const struct upstream_stream *s = p->first; s; s = s->next) {
		out->queries += s->live;
		out->bytes += sizeof(*s) + (s->out ? UPSTREAM_STREAM_OUT : 0) + s->in_len;
	}
}
