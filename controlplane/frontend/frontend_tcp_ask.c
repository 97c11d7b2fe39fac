// SPDX-License-Identifier: BSD-3-Clause

// Questions under bounds, whatever a connection speaks: a place for each, waits for places, turns.
#include "frontend_tcp_conn.h"

#include <errno.h>
#include <weir/clock.h>

// A client's part of tcp.queries, or its many connections would take all of it: divided by the
// frontends that it has connections at, so that none waits for what another one has to end.
static unsigned client_share(const struct frontend_conn *c)
{
	const struct frontend_tcp *t = c->tcp;
	unsigned quarter = t->set.queries / 4;
	unsigned whole = quarter > t->set.pipelined ? quarter : t->set.pipelined;
	unsigned among = atomic_load_explicit(&c->client->shared->frontends, memory_order_relaxed);
	return whole > among ? whole / among : 1;
}

// May one more question be in flight: for it, its client and all?
static bool conn_has_room(const struct frontend_conn *c)
{
	return c->pending < c->tcp->set.pipelined && c->client->pending < client_share(c)
	       && c->out_len < CONN_OUT_SOFT;
}

static bool tcp_has_room(const struct frontend_tcp *t)
{
	return share_has(&t->pending, t->set.queries, 1);
}

void conn_wait_end(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;

	if (!c->waiting)
		return;
	TAILQ_REMOVE(c->starving ? &t->starved : &t->ready, c, wait);
	c->waiting = false;
}

static void conn_wait(struct frontend_conn *c, bool starving)
{
	struct frontend_tcp *t = c->tcp;

	conn_wait_end(c);
	c->waiting = true;
	c->starving = starving;
	TAILQ_INSERT_TAIL(starving ? &t->starved : &t->ready, c, wait);
	if (!starving)
		event_add(&t->resume, &(struct timeval){0});
}

// A freed place is for connections that wait, not for the one whose question ended.
void conn_hold(struct frontend_conn *c)
{
	const struct frontend_tcp *t = c->tcp;

	if (c->held && !c->waiting && conn_has_room(c))
		conn_wait(c, !tcp_has_room(t) || !TAILQ_EMPTY(&t->starved));
}

void conn_pending_end(struct frontend_conn *c, unsigned count)
{
	struct tcp_client *client = c->client;
	struct frontend_conn *other;
	struct frontend_tcp *t = c->tcp;
	// Its part may have become larger since, as it has left another frontend.
	bool was_full = client->pending >= client_share(c) || t->shared->frontends > 1;

	c->pending -= count;
	client->pending -= count;
	share_give(&t->pending, t->set.queries, count);
	if (!was_full || count == 0)
		return;
	TAILQ_FOREACH (other, &client->conns, by_client)
		if (other != c)
			conn_hold(other);
}

void conn_feed(struct frontend_tcp *t)
{
	struct frontend_conn *c = TAILQ_FIRST(&t->starved);

	if (c && tcp_has_room(t))
		conn_wait(c, false);
}

void conn_held_count(struct frontend_conn *c)
{
	c->tcp->count.held += !(conn_has_room(c) && tcp_has_room(c->tcp));
}

bool conn_question_take(struct frontend_conn *c)
{
	const struct frontend_tcp *t = c->tcp;
	return t->turn_left > 0 && conn_has_room(c)
	       && share_take(&c->tcp->pending, t->set.queries, 1);
}

void conn_question_give(struct frontend_conn *c)
{
	share_give(&c->tcp->pending, c->tcp->set.queries, 1);
}

unsigned conn_group(const struct frontend_conn *c, unsigned by_path)
{
	const struct frontend_names *n = &c->tcp->names;

	if (!c->tls || n->count == 0)
		return 0;
	const unsigned certified = frontend_names_find_certified(n, tls_conn_client_name(c->tls));
	if (certified || by_path)
		return certified ? certified : by_path;
	return frontend_names_find_server(n, tls_conn_server_name(c->tls));
}

enum frontend_outcome conn_ask(struct frontend_conn *c, struct frontend_session *s,
	const uint8_t *msg, size_t len, struct frontend_reply *out)
{
	struct frontend_tcp *t = c->tcp;

	t->count.queries++;
	t->turn_left--;
	c->asked++;
	if (t->set.connection_queries && c->asked >= t->set.connection_queries)
		c->last = FRONTEND_TCP_END_queries;
	const enum frontend_outcome outcome =
		t->engine.ask(t->engine.frontend, s, &c->peer, msg, len, out);
	if (outcome != FRONTEND_LATER) {
		conn_question_give(c);
		return outcome;
	}
	c->pending++;
	c->client->pending++;
	if (t->pending.own > t->count.pending_max)
		t->count.pending_max = (unsigned)t->pending.own;
	return outcome;
}

// A message of which a part has come is read into its own buffer, all else by way of the scratch.
enum frontend_tcp_end conn_read(struct frontend_conn *c)
{
	size_t room = sizeof(c->tcp->scratch);
	bool part = c->in != NULL;

	if (c->shaking) {
		enum frontend_tcp_end end = conn_shake(c);
		if (end != FRONTEND_TCP_OPEN || c->shaking)
			return end;
	}
	uint8_t *at = part ? conn_in_room(c, &room) : c->tcp->scratch;
	if (!at)
		return FRONTEND_TCP_END_evicted_memory;
	ssize_t n = conn_recv(c, at, room);
	c->ended = n == -ENODATA;
	if (c->parting) // any end of the client's is what was waited for, but that it has not read
		return n >= 0 || (c->ended && conn_is_unread(c)) ? FRONTEND_TCP_OPEN : c->last;
	if (c->ended) {
		c->last = FRONTEND_TCP_END_client;
		conn_in_drop(c);
		return FRONTEND_TCP_OPEN;
	}
	if (n <= 0)
		return n == 0 ? FRONTEND_TCP_OPEN : conn_failed(n);
	if (!part)
		return c->speaks->take(c, at, (size_t)n);
	c->in_len += (uint32_t)n;
	return c->speaks->take(c, c->in, c->in_len);
}

// What a turn may do is bounded, as the other events of the loop have to wait for it: the first one
// that takes some of it asks for the next turn, which gives it all back.
static void turn_spend(struct frontend_tcp *t)
{
	if (t->turn_left-- == TCP_MESSAGES_A_TURN)
		event_add(&t->resume, &(struct timeval){0});
}

void conn_again(struct frontend_conn *c)
{
	if (!c->waiting)
		conn_wait(c, false);
}

bool conn_turn(struct frontend_conn *c)
{
	if (c->waiting)
		return false;
	if (c->tcp->turn_left > 0) {
		turn_spend(c->tcp);
		return true;
	}
	conn_wait(c, false);
	return false;
}

void conn_resume_some(struct frontend_tcp *t)
{
	struct frontend_conn *c;

	t->turn_left = TCP_MESSAGES_A_TURN;
	t->accepts_left = TCP_ACCEPTS_A_TURN;
	while (t->turn_left > 0 && (c = TAILQ_FIRST(&t->ready))) {
		turn_spend(t);
		conn_wait_end(c);
		conn_settle(c, c->held ? c->speaks->resume(c) : conn_read(c));
		conn_feed(t); // it may have used none of the free places
	}
}

void conn_answered(struct frontend_conn *c, enum frontend_tcp_end end)
{
	conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_feed(c->tcp);
	conn_settle(c, end);
}
