// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { ID_DRAWS = 64 };

// What there is for a query to its server.
struct choice {
	struct upstream_stream *best;    // that takes it, with the fewest under way
	struct upstream_stream *idle;    // that does not take it, idle for longest
	struct upstream_stream *stalled; // from which nothing comes
	struct upstream_stream *least;   // that does not take it, with the fewest under way
	unsigned count;                  // all there are to the server
	bool draining;                   // one that ends with its last reply
};

// A connection that the server has closed meanwhile looks alive until the loop comes to it.
static bool is_closed(const struct upstream_stream *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
	return s->there && poll(&p, 1, 0) > 0;
}

void upstream_streams_ended(const struct upstream_stream *ended)
{
	for (struct upstream_stream *s = ended->pool->first; s; s = s->next)
		if (s != ended && !s->retired && upstream_same_address(&s->peer, &ended->peer))
			s->retired = is_closed(s);
}

// May it have this query? If it has room.
static bool is_for(
	const struct upstream_stream *s, const struct upstream_stream_place *place, unsigned limit)
{
	return !place->alone && !s->retired && s->taken < s->uses
	       && (!limit || s->uses <= limit || s->probe);
}

static void look_at(struct choice *c, struct upstream_stream *s, bool fits)
{
	c->count++;
	if (fits) {
		if (upstream_stream_has_room(s) && (!c->best || s->held < c->best->held))
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

static void look(struct upstream_streams *p, const struct upstream_stream_place *place,
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
			upstream_stream_close(s);
			continue;
		}
		look_at(c, s, is_for(s, place, limit));
	}
}

// No connection takes the query, and no more may be opened: one of them will end soon. A silent one
// ends at once, and its queries go elsewhere; not from here, because their calls may do anything.
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

	while (upstream_stream_find(s, leg->id) != UPSTREAM_STREAM_QUERIES && draws++ < ID_DRAWS)
		leg->id = rng_u16(s->pool->rng);
	return draws < ID_DRAWS;
}

static int stream_ask(struct upstream_stream *s, struct upstream_leg *leg)
{
	if (!id_make_distinct(s, leg))
		return -EAGAIN;
	int rc = upstream_stream_put(s, leg);
	if (rc < 0)
		return rc;
	s->query[s->held++] = (struct upstream_stream_query){
		.leg = leg, .sent_ms = clock_mono_ms(), .end = s->put, .id = leg->id};
	s->live++;
	s->pool->stats.reused += s->taken++ > 0;
	if (s->there || !s->tls)
		wheel_stop(&s->idle);
	if (s->there)
		upstream_stream_flush(s);
	return 0;
}

// 0, -EAGAIN: it must wait, -errno. Makes no calls.
static int place_try(struct upstream_streams *p, struct upstream_stream_place *place)
{
	unsigned limit = place->alone ? 1 : p->calls.limit(place->leg);
	struct upstream_stream *fresh = NULL;
	struct choice c;
	int rc = 0;

	look(p, place, limit, &c);
	bool room = c.count < UPSTREAM_STREAMS_EACH && p->stats.open < UPSTREAM_STREAMS_MAX;
	if (!c.best && !room && c.idle) {
		p->stats.evicted++;
		upstream_stream_close(c.idle);
		room = true;
	}
	if (room && (!c.best || c.best->held >= UPSTREAM_STREAM_SPREAD))
		rc = upstream_stream_open(p, place->leg, limit, &fresh);
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
		upstream_stream_close(fresh);
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

// The first one in the queue that need not wait any longer; false: no such query. `full`: servers
// (bits) without room for an earlier query, [1] for one that needs a connection alone, which delays
// only the same kind. So an iteration checks all connections once per server and not for each
// waiting query.
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

// From the loop, and not from the place where room became free, which is in the middle of a
// connection's work. Each iteration takes one out of the queue.
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint32_t full[2] = {0};
	(void)fd, (void)what;

	while (wake_one(arg, full))
		;
}

void upstream_streams_wake(struct upstream_streams *p)
{
	if (p->waiting)
		event_active(&p->wake, EV_TIMEOUT, 0);
}

// Waiting queries come first.
static bool is_behind(const struct upstream_streams *p, const struct upstream_leg *leg)
{
	const struct upstream_stream_place *place = p->waiting;

	while (place && (place->alone || !upstream_same_address(&place->leg->peer, &leg->peer)))
		place = place->next;
	return place != NULL;
}

// A server that hangs leaves room for queries to others.
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
		upstream_streams_wake(p);
	} else if (s) {
		upstream_stream_drop(s, place->leg);
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
		upstream_stream_close(p->first);
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
		upstream_stream_settle(s);
	}
	upstream_streams_wake(p);
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
