// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

static void stream_unlink(struct upstream_stream *s)
{
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->pool->stats.open--;
	age_remove(&s->pool->ages, &s->age);
	upstream_streams_wake(s->pool);
}

unsigned upstream_stream_find(const struct upstream_stream *s, uint16_t id)
{
	unsigned i = 0;
	while (i < s->held && s->query[i].id != id)
		i++;
	return i < s->held ? i : UPSTREAM_STREAM_QUERIES;
}

void upstream_stream_forget(struct upstream_stream *s, unsigned i)
{
	s->live -= s->query[i].leg != NULL;
	s->query[i] = s->query[--s->held];
}

void upstream_stream_close(struct upstream_stream *s)
{
	stream_unlink(s);
	event_del(&s->readable);
	event_del(&s->writable);
	event_del(&s->again);
	wheel_stop(&s->idle);
	tls_conn_close(s->tls);
	s->tls = NULL;
	close(s->fd);
	// The calls may neither end it a second time nor begin anything on it.
	s->closing = s->busy = s->retired = true;
	while (s->held) {
		struct upstream_leg *leg = s->query[0].leg;
		upstream_stream_forget(s, 0);
		if (leg)
			s->pool->calls.broken(leg, s);
	}
	FREE_AND_NULL(s->out);
	FREE_AND_NULL(s->in);
	heap_free(s);
}

static void on_idle(void *arg)
{
	struct upstream_stream *s = arg;

	if (s->there || !s->tls)
		s->pool->stats.closed_idle++;
	else
		s->pool->calls.insecure(s, TLS_FAILURE_handshake,
			"the server did not finish the handshake in time");
	upstream_stream_close(s);
}

void upstream_stream_settle(struct upstream_stream *s)
{
	if (s->busy || s->live)
		return;
	if (s->retired || s->taken >= s->uses) {
		upstream_stream_close(s);
		return;
	}
	uint64_t now_ms = clock_mono_ms();
	s->rested_ms = now_ms;
	if (s->tls && !s->there)
		return; // its timer is that of the handshake
	wheel_start(loop_wheel(s->pool->loop), &s->idle, s->idle_ms, now_ms);
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

// Since query i was sent. The handshake has a deadline of its own.
static bool is_silent(const struct upstream_stream *s, unsigned i)
{
	uint64_t sent_ms = s->query[i].sent_ms;
	// One that is busy has part of a message most of the time: how long has it been that one?
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

void upstream_stream_drop(struct upstream_stream *s, const struct upstream_leg *leg)
{
	unsigned i = find_leg(s, leg);
	if (i == s->held)
		return;
	if (s->closing) {
		upstream_stream_forget(s, i);
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
	upstream_stream_settle(s);
}

// A query with a waiting leg, other than this one.
static unsigned find_live(const struct upstream_stream *s, const struct upstream_leg *but)
{
	unsigned i = 0;
	while (i < s->held && (!s->query[i].leg || s->query[i].leg == but))
		i++;
	return i;
}

// They keep their ids, so what comes after all is known to be late.
void upstream_stream_leave(struct upstream_stream *s)
{
	const struct upstream_leg *stays = NULL;
	unsigned i = s->in_len && s->in_pos >= 2 ? upstream_stream_find(s, get_u16(s->in))
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

	event_assign(
		&s->readable, base, s->fd, EV_READ | EV_PERSIST, upstream_stream_on_readable, s);
	event_assign(&s->writable, base, s->fd, EV_WRITE, upstream_stream_on_writable, s);
	evtimer_assign(&s->again, base, upstream_stream_on_readable, s);
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

int upstream_stream_open(struct upstream_streams *p, const struct upstream_leg *leg, unsigned limit,
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
