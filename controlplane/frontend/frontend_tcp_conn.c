// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_conn.h"

#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

void conn_touch(struct frontend_conn *c, uint64_t now_ms)
{
	struct frontend_tcp *t = c->tcp;

	c->used_ms = now_ms;
	TAILQ_REMOVE(&t->by_use, c, by_use);
	TAILQ_INSERT_TAIL(&t->by_use, c, by_use);
	TAILQ_REMOVE(&c->client->conns, c, by_client);
	TAILQ_INSERT_TAIL(&c->client->conns, c, by_client);
	if (!c->stalled)
		return;
	// It gets on, only not at the end of a message.
	TAILQ_REMOVE(&t->stalled, c, stall);
	TAILQ_INSERT_TAIL(&t->stalled, c, stall);
}

// The kernel would keep replies that a client does not read for as long as TCP_USER_TIMEOUT, of a
// connection that is no longer counted: a client that reconnects again and again would cost a
// socket buffer each time. Connections that end on request have waited for the client to read. A
// reply or two of any may be in flight: a reset could lose it for a distant client.
static bool conn_leaves_unread(const struct frontend_conn *c, enum frontend_tcp_end why)
{
	static const bool is_ours[FRONTEND_TCP_END_COUNT] = {
		[FRONTEND_TCP_END_idle] = true,
		[FRONTEND_TCP_END_slow_query] = true,
		[FRONTEND_TCP_END_slow_handshake] = true,
		[FRONTEND_TCP_END_slow_reader] = true,
		[FRONTEND_TCP_END_evicted] = true,
		[FRONTEND_TCP_END_evicted_client] = true,
		[FRONTEND_TCP_END_evicted_memory] = true,
		[FRONTEND_TCP_END_evicted_handshake] = true,
	};
	const bool is_waited_for = c->parting && why == c->last;
	return c->out_len || ((is_ours[why] || is_waited_for) && conn_is_unread(c));
}

void conn_close(struct frontend_conn *c, enum frontend_tcp_end why)
{
	struct frontend_tcp *t = c->tcp;

	if (conn_leaves_unread(c, why))
		conn_cut(c);
	t->engine.end(t->engine.frontend, &c->session);
	conn_tls_end(c, why);
	event_del(&c->readable);
	event_del(&c->writable);
	wheel_stop(&c->timer);
	conn_wait_end(c);
	conn_in_drop(c);
	conn_out_drop(c);
	if (c->stalled)
		TAILQ_REMOVE(&t->stalled, c, stall);
	TAILQ_REMOVE(&t->by_use, c, by_use);
	TAILQ_REMOVE(&c->client->conns, c, by_client);
	conn_pending_end(c, c->pending);
	if (!c->gave_place)
		tcp_place_give(&t->shared->open);
	if (!c->gave_client_place)
		tcp_place_give(&c->client->shared->open);
	tcp_client_leave(t->clients, c->client);
	close(c->fd);
	age_remove(&t->ages, &c->age);
	t->count.open--;
	t->count.ended[why]++;
	heap_free(c);
	conn_feed(t);
}

// When it is too old; once it is, or ends for another reason, that no longer matters.
static uint64_t conn_age_end(const struct frontend_conn *c)
{
	uint32_t most_s = c->tcp->set.connection_age_s;
	return most_s && !c->last ? c->age.since_ms + UINT64_C(1000) * most_s : UINT64_MAX;
}

// At what a connection may have: its client is to read the end of it.
static bool conn_is_spent(const struct frontend_conn *c)
{
	return c->last == FRONTEND_TCP_END_queries || c->last == FRONTEND_TCP_END_age
	       || c->last == FRONTEND_TCP_END_http || c->last == FRONTEND_TCP_END_flood;
}

unsigned conn_idle_ms(const struct frontend_conn *c)
{
	uint64_t now_ms = clock_mono_ms(), end_ms = conn_age_end(c);
	unsigned idle_ms = tcp_idle_ms(c->tcp);

	if (conn_is_spent(c) || end_ms <= now_ms)
		return 0;
	return end_ms - now_ms < idle_ms ? (unsigned)(end_ms - now_ms) : idle_ms;
}

static uint64_t kind_deadline(const struct frontend_conn *c)
{
	return c->speaks->deadline ? c->speaks->deadline(c) : UINT64_MAX;
}

bool conn_owes(const struct frontend_conn *c)
{
	return c->speaks->owes && c->of_kind && !c->ended && c->speaks->owes(c);
}

static uint64_t conn_deadline(const struct frontend_conn *c)
{
	uint64_t at = UINT64_MAX, age_end = conn_age_end(c);

	if (!c->tcp->serves[c->kind].enabled)
		return 0;
	if (c->shaking) // in all, however often something comes
		return c->age.since_ms + c->tcp->set.query_timeout_s * 1000;
	if (c->parting)
		return c->used_ms + (c->ended ? CONN_LOOK_MS : CONN_PARTING_MS);
	if (c->out_len)
		at = c->drain_ms + CONN_DRAIN_MS;
	if (c->in && !c->held && c->message_ms + c->tcp->set.query_timeout_s * 1000 < at)
		at = c->message_ms + c->tcp->set.query_timeout_s * 1000;
	if (!c->out_len && !c->in && !c->pending && !conn_owes(c))
		at = c->used_ms + tcp_idle_ms(c->tcp);
	const uint64_t of_kind = kind_deadline(c);
	if (of_kind < at)
		at = of_kind;
	return at < age_end ? at : age_end;
}

void conn_arm(struct frontend_conn *c)
{
	uint64_t now_ms = clock_mono_ms(), at = conn_deadline(c);

	if (at > now_ms)
		c->turn_ms = 0;
	else if (c->turn_ms > now_ms)
		at = c->turn_ms;
	if (at == UINT64_MAX)
		wheel_stop(&c->timer);
	else
		wheel_start(
			loop_wheel(c->tcp->loop), &c->timer, at > now_ms ? at - now_ms : 0, now_ms);
}

static void conn_stall_note(struct frontend_conn *c)
{
	bool stalls = c->in || c->out_len || kind_deadline(c) != UINT64_MAX;

	if (stalls == c->stalled)
		return;
	c->stalled = stalls;
	if (stalls)
		TAILQ_INSERT_TAIL(&c->tcp->stalled, c, stall);
	else
		TAILQ_REMOVE(&c->tcp->stalled, c, stall);
}

static void event_want(struct event *e, bool *added, bool wanted)
{
	if (wanted == *added)
		return;
	*added = wanted && event_add(e, NULL) == 0;
	if (!wanted)
		event_del(e);
}

// All is answered: what now, if nothing more is read? A client that has ended its side may read
// for long what it asked for before, and has a place here, where it counts, until it has.
static enum frontend_tcp_end conn_end(struct frontend_conn *c)
{
	if (!c->last || !(conn_is_spent(c) || conn_is_unread(c)))
		return c->last;
	if (!c->parting) {
		c->parting = true;
		c->used_ms = clock_mono_ms();
		conn_send_end(c);
	}
	return FRONTEND_TCP_OPEN;
}

void conn_settle(struct frontend_conn *c, enum frontend_tcp_end end)
{
	const bool owes = conn_owes(c);
	if (end == FRONTEND_TCP_OPEN && !c->pending && !c->out_len && !c->held && !owes)
		end = conn_end(c);
	if (end != FRONTEND_TCP_OPEN) {
		conn_close(c, end);
		return;
	}
	bool reads = c->parting ? !c->ended : !c->last || owes;
	event_want(&c->readable, &c->reading, reads && !c->held && !c->blocked);
	event_want(&c->writable, &c->writing, c->out_len > 0 || c->blocked);
	conn_stall_note(c);
	conn_arm(c);
	if (reads && !c->held && c->more)
		conn_again(c);
}

void conn_readable(evutil_socket_t, short, void *arg)
{
	struct frontend_conn *c = arg;
	if (conn_turn(c))
		conn_settle(c, conn_read(c));
}

void conn_writable(evutil_socket_t fd, short what, void *arg)
{
	struct frontend_conn *c = arg;

	if (c->out_len == 0) {
		conn_readable(fd, what, c); // TLS was waiting for this
		return;
	}
	enum frontend_tcp_end end = conn_out_flush(c);
	if (end == FRONTEND_TCP_OPEN && c->out_len == 0)
		conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_settle(c, end);
}

// Unread queries are not answered: a client must expect that (RFC 7766 6.2.4).
static enum frontend_tcp_end conn_grow_old(struct frontend_conn *c)
{
	c->last = FRONTEND_TCP_END_age;
	c->held = false;
	conn_wait_end(c);
	if (c->speaks->part)
		return c->speaks->part(c);
	conn_in_drop(c);
	return FRONTEND_TCP_OPEN;
}

// The time of thousands may be over at once, as when tcp.idle_timeout is lowered: each ends in a
// tick of its own, so that other work does not wait for all of them. One that becomes active before
// its tick leaves it unused; unused ticks are given out again, or they would come later and later.
static uint64_t end_turn_ms(struct frontend_tcp *t, uint64_t now_ms)
{
	uint64_t tick = now_ms / WHEEL_TICK_MS, last = tick + t->count.open / TCP_ENDS_A_TICK;

	if (t->ends_tick < tick || t->ends_tick > last) {
		t->ends_tick = tick;
		t->ends_taken = 0;
	} else if (t->ends_taken == TCP_ENDS_A_TICK) {
		t->ends_tick++;
		t->ends_taken = 0;
	}
	t->ends_taken++;
	return t->ends_tick * WHEEL_TICK_MS;
}

static bool conn_waits_to_end(struct frontend_conn *c, uint64_t now_ms)
{
	if (!c->turn_ms)
		c->turn_ms = end_turn_ms(c->tcp, now_ms);
	bool waits = now_ms < c->turn_ms;
	if (waits)
		conn_arm(c);
	else
		c->turn_ms = 0;
	return waits;
}

// The kernel has its replies, and the client has not read them: it has the same time for these as
// for buffered ones, and is checked again meanwhile.
static bool conn_waits_for_reader(struct frontend_conn *c, uint64_t now_ms)
{
	uint64_t over_ms = c->used_ms + CONN_DRAIN_MS, age_end = conn_age_end(c);

	if (now_ms >= over_ms || !conn_is_unread(c))
		return false;
	c->turn_ms = now_ms + (c->parting ? CONN_LOOK_MS : tcp_idle_ms(c->tcp));
	if (c->turn_ms > over_ms)
		c->turn_ms = over_ms;
	if (c->turn_ms > age_end)
		c->turn_ms = age_end;
	return true;
}

void conn_timer(void *arg)
{
	struct frontend_conn *c = arg;
	uint64_t now_ms = clock_mono_ms();
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;

	if (now_ms < conn_deadline(c))
		end = FRONTEND_TCP_OPEN;
	else if (conn_waits_to_end(c, now_ms))
		return;
	else if (!c->tcp->serves[c->kind].enabled)
		end = FRONTEND_TCP_END_stopped;
	else if (c->shaking)
		end = FRONTEND_TCP_END_slow_handshake;
	else if (c->parting)
		end = conn_waits_for_reader(c, now_ms) ? FRONTEND_TCP_OPEN : c->last;
	else if (now_ms >= conn_age_end(c))
		end = conn_grow_old(c);
	else if (now_ms >= kind_deadline(c))
		end = c->speaks->expire(c, now_ms);
	else if (c->in && !c->held && now_ms >= c->message_ms + c->tcp->set.query_timeout_s * 1000)
		end = FRONTEND_TCP_END_slow_query;
	else if (!c->out_len)
		end = conn_waits_for_reader(c, now_ms) ? FRONTEND_TCP_OPEN : FRONTEND_TCP_END_idle;
	else if (c->sent < c->drain_mark)
		end = FRONTEND_TCP_END_slow_reader;
	else {
		c->drain_ms = now_ms;
		c->drain_mark = c->sent + c->out_len;
	}
	conn_settle(c, end);
}
