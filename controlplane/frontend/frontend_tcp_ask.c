// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_conn.h"
#include "frontend_tcp_keepalive.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
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
	t->count.pending -= count;
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

static enum frontend_tcp_end cork_flush(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;
	uint32_t n = t->cork_len;

	t->cork_len = 0;
	return n ? conn_out_put(c, t->cork, n) : FRONTEND_TCP_OPEN;
}

enum frontend_tcp_end conn_reply(struct frontend_conn *c, struct frontend_reply *reply)
{
	struct frontend_tcp *t = c->tcp;

	if (reply->len == 0)
		return FRONTEND_TCP_OPEN;
	uint8_t *frame = reply->msg - 2;
	size_t n = 2 + (size_t)reply->len;
	put_u16(frame, reply->len);
	t->count.replies++;
	if (t->corked != c)
		return conn_out_put(c, frame, n);
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;
	if (t->cork_len + n > sizeof(t->cork))
		end = cork_flush(c);
	memcpy(t->cork + t->cork_len, frame, n);
	t->cork_len += (uint32_t)n;
	return end;
}

// There is a place among tcp.queries for it.
static enum frontend_tcp_end message_ask(struct frontend_conn *c, const uint8_t *msg, size_t len)
{
	struct frontend_tcp *t = c->tcp;
	struct frontend_reply reply;

	t->count.queries++;
	t->turn_left--;
	c->keepalive = c->keepalive || tcp_keepalive_asked(msg, len);
	c->asked++;
	if (t->set.connection_queries && c->asked >= t->set.connection_queries)
		c->last = FRONTEND_TCP_END_queries;
	const enum frontend_outcome outcome =
		t->engine.ask(t->engine.frontend, &c->session, &c->peer, msg, len, &reply);
	if (outcome != FRONTEND_LATER)
		share_give(&t->pending, t->set.queries, 1);
	switch (outcome) {
	case FRONTEND_REPLY:
		return conn_reply(c, &reply);
	case FRONTEND_LATER:
		c->pending++;
		c->client->pending++;
		if (++t->count.pending > t->count.pending_max)
			t->count.pending_max = t->count.pending;
		return FRONTEND_TCP_OPEN;
	case FRONTEND_NO_REPLY:
		return FRONTEND_TCP_OPEN;
	case FRONTEND_BROKEN:
		c->last = FRONTEND_TCP_END_broken;
		return FRONTEND_TCP_OPEN;
	}
	return FRONTEND_TCP_END_error;
}

// Asks what is whole, as far as it may; *taken: bytes that are done with.
static enum frontend_tcp_end messages_take(
	struct frontend_conn *c, const uint8_t *p, size_t len, size_t *taken)
{
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;
	size_t pos = 0, frame;

	c->held = false;
	for (unsigned n = 0; end == FRONTEND_TCP_OPEN && len - pos >= 2; n++, pos += frame) {
		if (c->last) {
			pos = len; // not DNS either, or more than it may ask
			break;
		}
		frame = 2 + (size_t)get_u16(p + pos);
		if (len - pos < frame)
			break;
		if (n == CONN_MESSAGES_A_TURN || c->tcp->turn_left <= 0 || !conn_has_room(c)
			|| !share_take(&c->tcp->pending, c->tcp->set.queries, 1)) {
			c->held = true;
			break;
		}
		end = message_ask(c, p + pos + 2, frame - 2);
	}
	*taken = pos;
	return end;
}

enum frontend_tcp_end conn_take(struct frontend_conn *c, const uint8_t *p, size_t len)
{
	struct frontend_tcp *t = c->tcp;
	uint64_t now_ms = clock_mono_ms();
	bool fresh = !c->in || c->held; // what will be left has begun now
	size_t taken;

	t->corked = c;
	enum frontend_tcp_end end = messages_take(c, p, len, &taken);
	t->corked = NULL;
	enum frontend_tcp_end flushed = cork_flush(c);
	if (end == FRONTEND_TCP_OPEN)
		end = flushed;
	if (taken)
		conn_touch(c, now_ms);
	if (taken || fresh)
		c->message_ms = now_ms;
	if (end == FRONTEND_TCP_OPEN)
		end = conn_in_keep(c, p + taken, len - taken);
	if (end != FRONTEND_TCP_OPEN)
		return end;
	t->count.held += c->held && !(conn_has_room(c) && tcp_has_room(t));
	if (c->held)
		conn_hold(c);
	else if (c->last)
		conn_in_drop(c); // a message that will never be whole
	return FRONTEND_TCP_OPEN;
}

// A message of which a part has come is read into its own buffer, all else by way of the scratch.
enum frontend_tcp_end conn_read(struct frontend_conn *c)
{
	size_t room = sizeof(c->tcp->scratch);
	bool part = c->in != NULL;
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
		return n == 0 ? FRONTEND_TCP_OPEN : FRONTEND_TCP_END_error;
	if (!part)
		return conn_take(c, at, (size_t)n);
	c->in_len += (uint32_t)n;
	return conn_take(c, c->in, c->in_len);
}

// What a turn may do is bounded, as the other events of the loop have to wait for it: the first one
// that takes some of it asks for the next turn, which gives it all back.
static void turn_spend(struct frontend_tcp *t)
{
	if (t->turn_left-- == TCP_MESSAGES_A_TURN)
		event_add(&t->resume, &(struct timeval){0});
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
		conn_settle(c, c->held ? conn_take(c, c->in, c->in_len) : conn_read(c));
		conn_feed(t); // it may have used none of the free places
	}
}

static struct frontend_conn *conn_of(struct frontend_session *s)
{
	return (struct frontend_conn *)(void *)((char *)s
						- offsetof(struct frontend_conn, session));
}

static void on_reply(struct frontend_session *s, const union client_address *,
	const struct frontend_reply *given)
{
	struct frontend_conn *c = conn_of(s);
	struct frontend_tcp *t = c->tcp;
	struct frontend_reply reply = *given;

	conn_pending_end(c, 1);
	enum frontend_tcp_end end = conn_reply(c, &reply);
	conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_feed(t);
	conn_settle(c, end);
}

static void on_complete(struct frontend_session *s, struct frontend_reply *reply)
{
	const struct frontend_conn *c = conn_of(s);
	if (c->keepalive)
		tcp_keepalive_tell(reply, conn_idle_ms(c));
}

void conn_session_begin(struct frontend_conn *c)
{
	socklen_t len = sizeof(c->session.service);

	c->session.reply = on_reply;
	c->session.complete = on_complete;
	c->session.transport = FRONTEND_TCP;
	if (getsockname(c->fd, &c->session.service.any, &len) < 0)
		memset(&c->session.service, 0, sizeof(c->session.service));
	c->tcp->engine.begin(&c->session);
}
