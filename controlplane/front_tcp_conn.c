// SPDX-License-Identifier: BSD-3-Clause
#include "front_tcp_internal.h"
#include "front_tcp_keepalive.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>

static void conn_touch(struct front_conn *c, uint64_t now_ms)
{
	struct front_tcp *t = c->tcp;

	c->used_ms = now_ms;
	TAILQ_REMOVE(&t->by_use, c, by_use);
	TAILQ_INSERT_TAIL(&t->by_use, c, by_use);
	TAILQ_REMOVE(&c->client->conns, c, by_client);
	TAILQ_INSERT_TAIL(&c->client->conns, c, by_client);
}

// May one more question be under way: of its own, and of all?
static bool conn_has_room(const struct front_conn *c)
{
	return c->pending < c->tcp->set.pipelined && c->out_len < CONN_OUT_SOFT;
}

static bool tcp_has_room(const struct front_tcp *t)
{
	return t->count.pending < t->set.queries;
}

static void conn_wait_end(struct front_conn *c)
{
	struct front_tcp *t = c->tcp;

	if (!c->waiting)
		return;
	TAILQ_REMOVE(c->starving ? &t->starved : &t->ready, c, wait);
	c->waiting = false;
}

static void conn_wait(struct front_conn *c, bool starving)
{
	struct front_tcp *t = c->tcp;

	conn_wait_end(c);
	c->waiting = true;
	c->starving = starving;
	TAILQ_INSERT_TAIL(starving ? &t->starved : &t->ready, c, wait);
	if (!starving)
		event_add(&t->resume, &(struct timeval){0});
}

// A held one waits for its turn, or for others; while it has enough under way itself it waits for
// nothing but that, and this is called again when some of it ends.
static void conn_hold(struct front_conn *c)
{
	if (c->held && !c->waiting && conn_has_room(c))
		conn_wait(c, !tcp_has_room(c->tcp));
}

void conn_feed(struct front_tcp *t)
{
	struct front_conn *c = TAILQ_FIRST(&t->starved);

	if (c && tcp_has_room(t))
		conn_wait(c, false);
}

void conn_close(struct front_conn *c, enum front_tcp_end why)
{
	struct front_tcp *t = c->tcp;

	t->count.pending -= c->pending;
	t->engine.end(t->engine.front, &c->session);
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
	tcp_client_leave(t->clients, c->client);
	close(c->fd);
	t->count.open--;
	t->count.ended[why]++;
	free(c);
	conn_feed(t);
}

static enum front_tcp_end cork_flush(struct front_conn *c)
{
	struct front_tcp *t = c->tcp;
	uint32_t n = t->cork_len;

	t->cork_len = 0;
	return n ? conn_out_put(c, t->cork, n) : FRONT_TCP_OPEN;
}

static enum front_tcp_end reply_put(struct front_conn *c, struct front_reply *reply)
{
	struct front_tcp *t = c->tcp;

	if (reply->len == 0)
		return FRONT_TCP_OPEN;
	if (c->keepalive)
		tcp_keepalive_tell(reply, tcp_idle_ms(t));
	uint8_t *frame = reply->msg - 2;
	size_t n = 2 + (size_t)reply->len;
	put_u16(frame, reply->len);
	t->count.replies++;
	if (t->corked != c)
		return conn_out_put(c, frame, n);
	enum front_tcp_end end = FRONT_TCP_OPEN;
	if (t->cork_len + n > sizeof(t->cork))
		end = cork_flush(c);
	memcpy(t->cork + t->cork_len, frame, n);
	t->cork_len += (uint32_t)n;
	return end;
}

static enum front_tcp_end message_ask(struct front_conn *c, const uint8_t *msg, size_t len)
{
	struct front_tcp *t = c->tcp;
	struct front_reply reply;

	t->count.queries++;
	c->keepalive = c->keepalive || tcp_keepalive_asked(msg, len);
	switch (t->engine.ask(t->engine.front, &c->session, &c->peer, msg, len, &reply)) {
	case FRONT_REPLY:
		return reply_put(c, &reply);
	case FRONT_LATER:
		c->pending++;
		if (++t->count.pending > t->count.pending_max)
			t->count.pending_max = t->count.pending;
		return FRONT_TCP_OPEN;
	case FRONT_NO_REPLY:
		return FRONT_TCP_OPEN;
	case FRONT_BROKEN:
		c->last = FRONT_TCP_END_broken;
		return FRONT_TCP_OPEN;
	}
	return FRONT_TCP_END_error;
}

// Asks what is whole, as far as it may; *taken: octets that are done with.
static enum front_tcp_end messages_take(
	struct front_conn *c, const uint8_t *p, size_t len, size_t *taken)
{
	enum front_tcp_end end = FRONT_TCP_OPEN;
	size_t pos = 0, frame;

	c->held = false;
	for (unsigned n = 0; end == FRONT_TCP_OPEN && len - pos >= 2; n++, pos += frame) {
		if (c->last == FRONT_TCP_END_broken) {
			pos = len; // no DNS either, whatever it is
			break;
		}
		frame = 2 + (size_t)get_u16(p + pos);
		if (len - pos < frame)
			break;
		if (n == CONN_MESSAGES_A_TURN || !conn_has_room(c) || !tcp_has_room(c->tcp)) {
			c->held = true;
			break;
		}
		end = message_ask(c, p + pos + 2, frame - 2);
	}
	*taken = pos;
	return end;
}

// Octets at p that came, or that had to wait: whole messages are asked, their replies leave
// together, the rest is kept.
static enum front_tcp_end conn_take(struct front_conn *c, const uint8_t *p, size_t len)
{
	struct front_tcp *t = c->tcp;
	uint64_t now_ms = clock_mono_ms();
	bool fresh = !c->in || c->held; // what will be left has begun now
	size_t taken;

	t->corked = c;
	enum front_tcp_end end = messages_take(c, p, len, &taken);
	t->corked = NULL;
	enum front_tcp_end flushed = cork_flush(c);
	if (end == FRONT_TCP_OPEN)
		end = flushed;
	if (taken)
		conn_touch(c, now_ms);
	if (taken || fresh)
		c->message_ms = now_ms;
	if (end == FRONT_TCP_OPEN)
		end = conn_in_keep(c, p + taken, len - taken);
	if (end != FRONT_TCP_OPEN)
		return end;
	t->count.held += c->held;
	if (c->held)
		conn_hold(c);
	else if (c->last)
		conn_in_drop(c); // a message that will never be whole
	return FRONT_TCP_OPEN;
}

// A message of which a part has come is read into its own buffer, all else by way of the scratch.
static enum front_tcp_end conn_read(struct front_conn *c)
{
	size_t room = sizeof(c->tcp->scratch);
	bool part = c->in != NULL;
	uint8_t *at = part ? conn_in_room(c, &room) : c->tcp->scratch;

	if (!at)
		return FRONT_TCP_END_evicted_memory;
	ssize_t n = conn_recv(c, at, room);
	if (n == -ENODATA) {
		c->last = FRONT_TCP_END_client;
		conn_in_drop(c);
		return FRONT_TCP_OPEN;
	}
	if (n <= 0)
		return n == 0 ? FRONT_TCP_OPEN : FRONT_TCP_END_error;
	if (!part)
		return conn_take(c, at, (size_t)n);
	c->in_len += (uint32_t)n;
	return conn_take(c, c->in, c->in_len);
}

static uint64_t conn_deadline(const struct front_conn *c)
{
	uint64_t at = UINT64_MAX;

	if (c->out_len)
		at = c->drain_ms + CONN_DRAIN_MS;
	if (c->in && !c->held && c->message_ms + c->tcp->set.query_timeout_s * 1000 < at)
		at = c->message_ms + c->tcp->set.query_timeout_s * 1000;
	if (!c->out_len && !c->in && !c->pending)
		at = c->used_ms + tcp_idle_ms(c->tcp);
	return at;
}

static void conn_arm(struct front_conn *c)
{
	uint64_t now_ms = clock_mono_ms(), at = conn_deadline(c);

	if (at == UINT64_MAX)
		wheel_stop(&c->timer);
	else
		wheel_start(
			loop_wheel(c->tcp->loop), &c->timer, at > now_ms ? at - now_ms : 0, now_ms);
}

static void conn_stall_note(struct front_conn *c)
{
	bool stalls = c->in || c->out_len;

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

// After whatever happened to it: closed, or waits for the right things.
static void conn_settle(struct front_conn *c, enum front_tcp_end end)
{
	if (end == FRONT_TCP_OPEN && !c->pending && !c->out_len && !c->held)
		end = c->last;
	if (end != FRONT_TCP_OPEN) {
		conn_close(c, end);
		return;
	}
	event_want(&c->readable, &c->reading, !c->last && !c->held);
	event_want(&c->writable, &c->writing, c->out_len > 0);
	conn_stall_note(c);
	conn_arm(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct front_conn *c = arg;
	(void)fd, (void)what;
	conn_settle(c, conn_read(c));
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct front_conn *c = arg;
	(void)fd, (void)what;
	enum front_tcp_end end = conn_out_flush(c);
	if (end == FRONT_TCP_OPEN && c->out_len == 0)
		conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_settle(c, end);
}

static void on_reply(
	struct front_session *s, const union front_client *client, const struct front_reply *given)
{
	struct front_conn *c =
		(struct front_conn *)(void *)((char *)s - offsetof(struct front_conn, session));
	struct front_tcp *t = c->tcp;
	struct front_reply reply = *given;
	(void)client;

	c->pending--;
	t->count.pending--;
	enum front_tcp_end end = reply_put(c, &reply);
	conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_feed(t);
	conn_settle(c, end);
}

static void on_timer(void *arg)
{
	struct front_conn *c = arg;
	uint64_t now_ms = clock_mono_ms();
	enum front_tcp_end end = FRONT_TCP_OPEN;

	if (now_ms < conn_deadline(c))
		end = FRONT_TCP_OPEN;
	else if (c->in && !c->held && now_ms >= c->message_ms + c->tcp->set.query_timeout_s * 1000)
		end = FRONT_TCP_END_slow_query;
	else if (!c->out_len)
		end = FRONT_TCP_END_idle;
	else if (c->sent < c->drain_mark)
		end = FRONT_TCP_END_slow_reader;
	else {
		c->drain_ms = now_ms;
		c->drain_mark = c->sent + c->out_len;
	}
	conn_settle(c, end);
}

void conn_resume_some(struct front_tcp *t)
{
	struct front_conn *c;

	for (unsigned i = 0; i < TCP_READY_A_TURN && (c = TAILQ_FIRST(&t->ready)); i++) {
		conn_wait_end(c);
		conn_settle(c, conn_take(c, c->in, c->in_len));
		conn_feed(t); // it may have taken nothing of what there is
	}
	if (TAILQ_FIRST(&t->ready))
		event_add(&t->resume, &(struct timeval){0});
}

static bool conn_admit(struct front_tcp *t, struct tcp_client *client)
{
	if (client->count > t->set.per_client
		&& !tcp_evict(t, client, FRONT_TCP_END_evicted_client)) {
		t->count.refused_client++;
		return false;
	}
	if (t->count.open >= tcp_connections_cap(t) && !tcp_evict(t, NULL, FRONT_TCP_END_evicted)) {
		t->count.refused_full++;
		return false;
	}
	return true;
}

void conn_open(struct front_tcp *t, int fd, const union front_client *peer)
{
	struct tcp_client *client = tcp_client_join(t->clients, peer);
	struct front_conn *c = NULL;

	if (!client)
		t->count.refused_full++;
	else if (conn_admit(t, client))
		c = calloc(1, sizeof(*c));
	if (!c) {
		if (client)
			tcp_client_leave(t->clients, client);
		close(fd);
		return;
	}
	c->tcp = t;
	c->fd = fd;
	c->client = client;
	c->peer = *peer;
	c->out_end = &c->out;
	c->timer.fn = on_timer;
	c->timer.arg = c;
	c->session.reply = on_reply;
	c->session.transport = FRONT_TCP;
	t->engine.begin(&c->session);
	event_assign(&c->readable, loop_base(t->loop), fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, loop_base(t->loop), fd, EV_WRITE | EV_PERSIST, on_writable, c);
	TAILQ_INSERT_TAIL(&t->by_use, c, by_use);
	TAILQ_INSERT_TAIL(&client->conns, c, by_client);
	c->used_ms = clock_mono_ms();
	if (++t->count.open > t->count.open_max)
		t->count.open_max = t->count.open;
	t->count.accepted++;
	conn_settle(c, FRONT_TCP_OPEN);
}
