// SPDX-License-Identifier: BSD-3-Clause

// A new connection: it needs a place among all and one of its client's. Where they are taken, one
// that is idle here makes room, else one at another frontend (frontend_tcp_claim.c).
#include "frontend_tcp_conn.h"

#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// With other frontends, one that has only stalled waits until none of them has an idle one.
static enum conn_place place_find(struct frontend_tcp *t, struct tcp_client *client)
{
	struct frontend_tcp_shared *s = t->shared;
	const bool idle_only = s->frontends > 1;

	if (!tcp_place_take(&client->shared->open, t->set.per_client))
		return tcp_evict(t, client, FRONTEND_TCP_END_evicted_client, idle_only, true)
			       ? CONN_PLACED
			       : CONN_CLIENT_FULL;
	if (tcp_place_take(&s->open, tcp_connections_cap(t))
		|| tcp_evict(t, NULL, FRONTEND_TCP_END_evicted, idle_only, true))
		return CONN_PLACED;
	return CONN_FULL;
}

void conn_refuse_count(struct frontend_tcp *t, enum conn_place place)
{
	t->count.refused_full += place == CONN_FULL;
	t->count.refused_client += place == CONN_CLIENT_FULL;
}

void conn_refuse(struct frontend_tcp *t, int fd, struct tcp_client *client, bool has_client_place)
{
	if (has_client_place)
		tcp_place_give(&client->shared->open);
	tcp_client_leave(t->clients, client);
	if (fd >= 0)
		close(fd);
}

// NULL: no memory, or no certificate for TLS.
static struct frontend_conn *conn_new(struct frontend_tcp *t, int fd, enum frontend_tcp_kind kind)
{
	struct frontend_conn *c = heap_calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->tcp = t;
	c->fd = fd;
	c->kind = kind;
	c->speaks = tcp_kind_of(kind);
	if (!c->speaks->alpn || conn_tls_begin(c))
		return c;
	heap_free(c);
	return NULL;
}

void conn_start(struct frontend_tcp *t, const struct tcp_arrival *a, struct tcp_client *client)
{
	struct frontend_conn *c = conn_new(t, a->fd, a->kind);

	if (!c) {
		tcp_place_give(&t->shared->open);
		conn_refuse(t, a->fd, client, true);
		return;
	}
	c->client = client;
	c->peer = a->peer;
	c->out_end = &c->out;
	c->timer.fn = conn_timer;
	c->timer.arg = c;
	conn_session_begin(c);
	event_assign(
		&c->readable, loop_base(t->loop), a->fd, EV_READ | EV_PERSIST, conn_readable, c);
	event_assign(
		&c->writable, loop_base(t->loop), a->fd, EV_WRITE | EV_PERSIST, conn_writable, c);
	TAILQ_INSERT_TAIL(&t->by_use, c, by_use);
	TAILQ_INSERT_TAIL(&client->conns, c, by_client);
	c->used_ms = clock_mono_ms();
	age_add(&t->ages, &c->age);
	if (++t->count.open > t->count.open_max)
		t->count.open_max = t->count.open;
	t->count.accepted++;
	t->count.proxied += a->is_named;
	conn_settle(c, FRONTEND_TCP_OPEN);
}

void conn_open(struct frontend_tcp *t, const struct tcp_arrival *a)
{
	const bool over_tls = tcp_kind_of(a->kind)->alpn;

	// Or allowed clients would lose their places to others.
	if (t->engine.admits && !t->engine.admits(t->engine.frontend, &a->peer, over_tls)) {
		t->count.refused_denied++;
		close(a->fd);
		return;
	}
	struct tcp_client *client = tcp_client_join(t->clients, &a->peer);
	if (!client) {
		t->count.refused_full++;
		close(a->fd);
		return;
	}
	const enum conn_place place = place_find(t, client);
	if (place == CONN_PLACED) {
		conn_start(t, a, client);
	} else if (!tcp_claim_begin(t, a, client, place)) {
		conn_refuse_count(t, place);
		conn_refuse(t, a->fd, client, place == CONN_FULL);
	}
}
