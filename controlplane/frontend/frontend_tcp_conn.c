// SPDX-License-Identifier: BSD-3-Clause
// One connection, whatever it speaks: its socket, buffers, TLS handshake, places for questions,
// deadlines, begin and end.

#include "frontend_tcp_internal.h"
#include "frontend_tcp_shared.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// The socket of a connection, clear or over TLS.

static bool is_later(int rc)
{
	return rc == EAGAIN || rc == EWOULDBLOCK || rc == EINTR;
}

static ssize_t clear_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = recv(c->fd, p, n, MSG_DONTWAIT);
	return got < 0 ? -errno : got;
}

static ssize_t tls_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = tls_conn_read(c->tls, p, n);

	c->more = got > 0 && tls_conn_has_more(c->tls);
	c->blocked = got == -EAGAIN && tls_conn_wants_write(c->tls);
	return got;
}

// Reads bytes and returns their number; 0: no byte is there now; -ENODATA: the client ended its
// side; -errno.
static ssize_t conn_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = c->tls ? tls_recv(c, p, n) : clear_recv(c, p, n);

	if (got == 0)
		return -ENODATA;
	if (got < 0)
		return is_later((int)-got) ? 0 : got;
	c->tcp->count.bytes_in += (uint64_t)got;
	return got;
}

static ssize_t clear_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)part, .msg_iovlen = count};
	ssize_t sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

// Writes one TLS record at a time. OpenSSL keeps a record that the socket did not take and wants
// the same bytes again: they are the first bytes that the caller keeps.
static ssize_t tls_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	ssize_t sent = 0;

	for (unsigned i = 0; i < count; i++) {
		for (size_t pos = 0; pos < part[i].iov_len;) {
			ssize_t n = tls_conn_write(c->tls, (const uint8_t *)part[i].iov_base + pos,
				part[i].iov_len - pos);
			if (n < 0)
				return n == -EAGAIN ? sent : n;
			pos += (size_t)n;
			sent += n;
		}
	}
	return sent;
}

ssize_t conn_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	ssize_t sent = c->tls ? tls_send(c, part, count) : clear_send(c, part, count);

	if (sent < 0)
		return is_later((int)-sent) ? 0 : sent;
	c->sent += (uint64_t)sent;
	c->tcp->count.bytes_out += (uint64_t)sent;
	return sent;
}

// Why a connection ends after conn_recv or conn_send returned `err`.
static enum frontend_tcp_end conn_failed(ssize_t err)
{
	return err == -ENOMEM ? FRONTEND_TCP_END_memory : FRONTEND_TCP_END_error;
}

// Tells the client that nothing more will be sent.
static void conn_send_end(struct frontend_conn *c)
{
	if (c->tls)
		tls_conn_finish(c->tls);
	(void)shutdown(c->fd, SHUT_WR); // or it has ended already
}

// Does the kernel hold over CONN_ON_ITS_WAY bytes that weir sent and the client has not
// acknowledged?
static bool conn_is_unread(const struct frontend_conn *c)
{
	int bytes = 0;
	uint8_t state; // the first byte of struct tcp_info
	socklen_t len = sizeof(state);

	if (c->sent <= CONN_ON_ITS_WAY || ioctl(c->fd, SIOCOUTQ, &bytes) < 0
		|| bytes <= CONN_ON_ITS_WAY)
		return false;
	// The kernel still counts bytes that a reset has dropped.
	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &state, &len) < 0 || state != TCP_CLOSE;
}

// Makes close() reset the connection, which drops replies that the kernel still holds.
static void conn_cut(struct frontend_conn *c)
{
	const struct linger none = {.l_onoff = 1};

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

// Bytes of messages that are not asked yet, and bytes that the client does not take yet.

struct tcp_chunk { // bytes that wait to be sent
	struct tcp_chunk *next;
	uint32_t len, pos;
	uint8_t bytes[];
};

enum { IN_MIN = 512, PARTS_A_SEND = 16 };

void conn_in_drop(struct frontend_conn *c)
{
	if (!c->in)
		return;
	FREE_AND_NULL(c->in);
	tcp_buffer_give(c, c->in_cap);
	growth_step(&c->tcp->growth, c->in_cap, 0);
	c->in_len = c->in_cap = 0;
}

// Grows c->in to `cap` bytes, unless it is as large already.
static bool in_grow(struct frontend_conn *c, size_t cap)
{
	if (cap <= c->in_cap)
		return true;
	if (!tcp_buffer_take(c, cap - c->in_cap))
		return false;
	uint8_t *in = heap_realloc(c->in, cap);
	if (!in) {
		tcp_buffer_give(c, cap - c->in_cap);
		return false;
	}
	growth_step(&c->tcp->growth, c->in_cap, cap);
	c->in = in;
	c->in_cap = (uint32_t)cap;
	return true;
}

// Shrinks a buffer in which many messages waited and few are left.
static void in_shrink(struct frontend_conn *c)
{
	if (c->in_len > IN_MIN || c->in_cap <= 2 * IN_MIN)
		return;
	uint8_t *in = heap_realloc(c->in, IN_MIN);
	if (!in)
		return;
	tcp_buffer_give(c, c->in_cap - IN_MIN);
	growth_step(&c->tcp->growth, c->in_cap, IN_MIN);
	c->in = in;
	c->in_cap = IN_MIN;
}

enum frontend_tcp_end conn_in_keep(struct frontend_conn *c, const uint8_t *p, size_t len)
{
	if (len == 0) {
		conn_in_drop(c);
		return FRONTEND_TCP_OPEN;
	}
	bool inside = c->in && p >= c->in && p < c->in + c->in_cap;
	if (!inside && !in_grow(c, len > IN_MIN ? len : IN_MIN))
		return FRONTEND_TCP_END_evicted_memory;
	memmove(c->in, p, len);
	c->in_len = (uint32_t)len;
	in_shrink(c);
	return FRONTEND_TCP_OPEN;
}

// Room for the rest of the message of which a part is in c->in; *room bytes of it may be written at
// the returned place. The buffer grows as bytes come, not as the length claims. NULL: no memory.
static uint8_t *conn_in_room(struct frontend_conn *c, size_t *room)
{
	size_t whole = c->in_len < 2 ? 2 : 2 + (size_t)get_u16(c->in);
	size_t cap = 2 * (size_t)c->in_cap;

	if (c->in_len == c->in_cap && !in_grow(c, cap < CONN_FRAME_MAX ? cap : CONN_FRAME_MAX))
		return NULL;
	*room = (whole < c->in_cap ? whole : c->in_cap) - c->in_len;
	return c->in + c->in_len;
}

static enum frontend_tcp_end out_keep(struct frontend_conn *c, const uint8_t *p, size_t n)
{
	size_t size = sizeof(struct tcp_chunk) + n;

	if (c->out_len + n > CONN_OUT_MAX)
		return FRONTEND_TCP_END_slow_reader;
	if (!tcp_buffer_take(c, size))
		return FRONTEND_TCP_END_evicted_memory;
	struct tcp_chunk *chunk = heap_malloc(size);
	if (!chunk) {
		tcp_buffer_give(c, size);
		return FRONTEND_TCP_END_evicted_memory;
	}
	chunk->next = NULL;
	chunk->len = (uint32_t)n;
	chunk->pos = 0;
	memcpy(chunk->bytes, p, n);
	*c->out_end = chunk;
	c->out_end = &chunk->next;
	bool first = c->out_len == 0;
	c->out_len += (uint32_t)n;
	if (first) {
		c->drain_ms = clock_mono_ms();
		c->drain_mark = c->sent + c->out_len;
	}
	return FRONTEND_TCP_OPEN;
}

enum frontend_tcp_end conn_out_put(struct frontend_conn *c, const uint8_t *p, size_t n)
{
	ssize_t sent = 0;

	if (c->out_len == 0) {
		struct iovec part = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};
		sent = conn_send(c, &part, 1);
		if (sent < 0)
			return conn_failed(sent);
	}
	return (size_t)sent == n ? FRONTEND_TCP_OPEN : out_keep(c, p + sent, n - (size_t)sent);
}

static void chunk_free_first(struct frontend_conn *c)
{
	struct tcp_chunk *first = c->out;

	c->out = first->next;
	if (!c->out)
		c->out_end = &c->out;
	tcp_buffer_give(c, sizeof(*first) + first->len);
	heap_free(first);
}

static void out_sent(struct frontend_conn *c, size_t n)
{
	c->out_len -= (uint32_t)n;
	while (n > 0) {
		struct tcp_chunk *first = c->out;
		size_t left = first->len - first->pos;
		if (n < left) {
			first->pos += (uint32_t)n;
			return;
		}
		n -= left;
		chunk_free_first(c);
	}
}

// Sends the kept bytes.
static enum frontend_tcp_end conn_out_flush(struct frontend_conn *c)
{
	while (c->out) {
		struct iovec part[PARTS_A_SEND];
		unsigned count = 0;
		size_t wanted = 0;
		for (struct tcp_chunk *k = c->out; k && count < PARTS_A_SEND; k = k->next) {
			part[count].iov_base = k->bytes + k->pos;
			part[count].iov_len = k->len - k->pos;
			wanted += part[count++].iov_len;
		}
		ssize_t sent = conn_send(c, part, count);
		if (sent < 0)
			return conn_failed(sent);
		out_sent(c, (size_t)sent);
		if ((size_t)sent < wanted)
			break;
	}
	return FRONTEND_TCP_OPEN;
}

static void conn_out_drop(struct frontend_conn *c)
{
	while (c->out)
		chunk_free_first(c);
	c->out_len = 0;
}

enum frontend_tcp_end conn_cork_flush(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;
	const uint32_t n = t->cork_len;

	t->cork_len = 0;
	return n ? conn_out_put(c, t->cork, n) : FRONTEND_TCP_OPEN;
}

// Places for a connection's questions, waits for places, and turns.

// A client's part of tcp.queries, because its many connections would take all of it. The part is
// divided by the frontends at which the client has connections, so that no frontend waits for
// questions of another one to end.
static unsigned client_share(const struct frontend_conn *c)
{
	const struct frontend_tcp *t = c->tcp;
	unsigned quarter = t->set.queries / 4;
	unsigned whole = quarter > t->set.pipelined ? quarter : t->set.pipelined;
	unsigned among = atomic_load_explicit(&c->client->shared->frontends, memory_order_relaxed);
	return whole > among ? whole / among : 1;
}

// May one more question of the connection and of its client be in flight?
static bool conn_has_room(const struct frontend_conn *c)
{
	return c->pending < c->tcp->set.pipelined && c->client->pending < client_share(c)
	       && c->out_len < CONN_OUT_SOFT;
}

static bool tcp_has_room(const struct frontend_tcp *t)
{
	return share_has(&t->pending, t->set.queries, 1);
}

static void conn_wait_end(struct frontend_conn *c)
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
	// The client's part may have become larger since: it may have left another frontend.
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

// A bounded number of messages is taken in one iteration, because other events of the loop wait
// meanwhile. The first turn asks for `resume`, which restores the number in the next iteration.
static void turn_spend(struct frontend_tcp *t)
{
	if (t->turn_left-- == TCP_MESSAGES_A_TURN)
		event_add(&t->resume, &(struct timeval){0});
}

// Gives the connection a turn in the next iteration, without an event of its socket.
static void conn_again(struct frontend_conn *c)
{
	if (!c->waiting)
		conn_wait(c, false);
}

// False: the connection will have its turn later.
static bool conn_turn(struct frontend_conn *c)
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

// After a close the kernel keeps replies that the client does not read for TCP_USER_TIMEOUT, and
// the connection is no longer counted: a client that reconnects again and again would cost a socket
// buffer each time. Connections that end on request have waited for the client to read. A few
// replies (CONN_ON_ITS_WAY) are left to the kernel: they may be in flight, and a reset could lose
// them for a distant client.
static bool conn_leaves_unread(const struct frontend_conn *c, enum frontend_tcp_end why)
{
	static const bool is_ours[FRONTEND_TCP_END_COUNT] = {
		[FRONTEND_TCP_END_idle] = true,
		[FRONTEND_TCP_END_drained] = true,
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
	// The connection makes progress, though part of a message is left.
	TAILQ_REMOVE(&t->stalled, c, stall);
	TAILQ_INSERT_TAIL(&t->stalled, c, stall);
}

static void shaking_end(struct frontend_conn *c)
{
	c->shaking = false;
	TAILQ_REMOVE(&c->tcp->shaking, c, shake);
	c->tcp->count.tls.shaking--;
}

// Why a handshake that did not fail by itself was not completed.
static enum tls_refusal refusal_by(enum frontend_tcp_end why)
{
	switch (why) {
	case FRONTEND_TCP_END_slow_handshake:
		return TLS_REFUSED_late;
	case FRONTEND_TCP_END_evicted:
	case FRONTEND_TCP_END_evicted_client:
	case FRONTEND_TCP_END_evicted_handshake:
		return TLS_REFUSED_evicted;
	default:
		return TLS_REFUSED_other;
	}
}

static void conn_tls_end(struct frontend_conn *c, enum frontend_tcp_end why)
{
	struct frontend_tls_status *s = &c->tcp->count.tls;

	if (!c->tls)
		return;
	if (c->shaking) {
		shaking_end(c);
		if (why != FRONTEND_TCP_END_handshake)
			s->failed[refusal_by(why)]++;
	} else if (c->speaks->end) {
		c->speaks->end(c);
	}
	s->open--;
	tls_conn_close(c->tls);
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
	t->count.leaving -= c->is_leaving;
	t->count.ended[why]++;
	heap_free(c);
	conn_feed(t);
}

// False: there is no certificate, or no memory.
static bool conn_tls_begin(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;
	struct frontend_tls_status *s = &t->count.tls;
	struct tls_server *server = tcp_shared_tls(t->shared);

	int rc = server ? tls_conn_accept(&c->tls, server, c->fd, c->speaks->alpn) : -ENOKEY;
	tls_server_free(server);
	if (rc < 0) {
		s->failed[rc == -ENOMEM ? TLS_REFUSED_memory : TLS_REFUSED_other]++;
		return false;
	}
	if (s->shaking == FRONTEND_TLS_SHAKING)
		conn_close(TAILQ_FIRST(&t->shaking), FRONTEND_TCP_END_evicted_handshake);
	c->shaking = true;
	TAILQ_INSERT_TAIL(&t->shaking, c, shake);
	s->open++;
	if (++s->shaking > s->shaking_max)
		s->shaking_max = s->shaking;
	return true;
}

static enum frontend_tcp_end handshake_done(struct frontend_conn *c)
{
	struct frontend_tls_status *s = &c->tcp->count.tls;

	shaking_end(c);
	s->handshakes++;
	s->resumed += tls_conn_is_resumed(c->tls);
	s->certified += tls_conn_is_certified(c->tls);
	c->serves_ms = clock_mono_ms();
	conn_touch(c, c->serves_ms);
	return c->speaks->begin ? c->speaks->begin(c) : FRONTEND_TCP_OPEN;
}

// Does one step of the TLS handshake.
static enum frontend_tcp_end conn_handshake(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;
	char why[TLS_WHY_MAX];

	t->turn_left -= TCP_STEP_COST - 1;
	int rc = tls_conn_handshake(c->tls);
	c->blocked = rc == -EAGAIN && tls_conn_wants_write(c->tls);
	if (rc == 1)
		return handshake_done(c);
	if (rc == -EAGAIN)
		return FRONTEND_TCP_OPEN;
	t->count.tls.failed[tls_conn_refusal(c->tls, why)]++;
	return FRONTEND_TCP_END_handshake;
}

const struct frontend_names *tcp_names(struct frontend_tcp *t)
{
	tcp_shared_names(t->shared, &t->names_turn, &t->names);
	return &t->names;
}

unsigned conn_group(const struct frontend_conn *c, unsigned by_path)
{
	const struct frontend_names *n = tcp_names(c->tcp);

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

// Reads the rest of a partial message into the connection's buffer, other bytes into the scratch.
static enum frontend_tcp_end conn_read(struct frontend_conn *c)
{
	size_t room = sizeof(c->tcp->scratch);
	bool part = c->in != NULL;

	if (c->shaking) {
		enum frontend_tcp_end end = conn_handshake(c);
		if (end != FRONTEND_TCP_OPEN || c->shaking)
			return end;
	}
	uint8_t *at = part ? conn_in_room(c, &room) : c->tcp->scratch;
	if (!at)
		return FRONTEND_TCP_END_evicted_memory;
	ssize_t n = conn_recv(c, at, room);
	c->ended = n == -ENODATA;
	if (c->parting) // parting waits for any end by the client, and for it to have read all
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

// Deadlines of a connection.

// When a drain of the box ends the connection; UINT64_MAX: no drain.
static uint64_t conn_drain_end(const struct frontend_conn *c)
{
	if (c->tcp->drain == FRONTEND_TCP_STAYS)
		return UINT64_MAX;
	return c->is_leaving && !c->is_late ? 0 : c->serves_ms + CONN_DRAINED_MS;
}

// When tcp.connection_age is over, or a drain ends the connection; UINT64_MAX: no limit, or the
// connection is ending (`last`).
static uint64_t conn_age_end(const struct frontend_conn *c)
{
	const uint64_t most_ms = UINT64_C(1000) * c->tcp->set.connection_age_s;
	const uint64_t age_end = most_ms ? c->age.since_ms + most_ms : UINT64_MAX;
	const uint64_t drain_end = conn_drain_end(c);
	if (c->last)
		return UINT64_MAX;
	return drain_end < age_end ? drain_end : age_end;
}

// Must the connection end at its turn, whatever it does?
static bool conn_is_cut(const struct frontend_conn *c)
{
	return !c->tcp->serves[c->kind].enabled
	       || (c->is_leaving && c->tcp->drain == FRONTEND_TCP_CUTS);
}

// Does weir end the connection, by a limit or a refused request? Then its client is to read the
// end.
static bool conn_is_spent(const struct frontend_conn *c)
{
	return c->last == FRONTEND_TCP_END_queries || c->last == FRONTEND_TCP_END_age
	       || c->last == FRONTEND_TCP_END_drained || c->last == FRONTEND_TCP_END_http
	       || c->last == FRONTEND_TCP_END_flood;
}

unsigned conn_idle_ms(const struct frontend_conn *c)
{
	uint64_t now_ms = clock_mono_ms(), end_ms = conn_age_end(c);
	unsigned idle_ms = tcp_idle_ms(c->tcp);

	if (conn_is_spent(c) || end_ms <= now_ms || c->tcp->drain != FRONTEND_TCP_STAYS)
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

	if (conn_is_cut(c))
		return 0;
	if (c->shaking) // a handshake has this time in all, however often bytes come
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

// How a connection ends whose questions are all answered and of which nothing more is read. A
// client that has ended its side may take long to read its replies: until then its connection stays
// open and is counted.
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

// Called after each event of a connection: closes it, or waits for the right events.
static void conn_settle(struct frontend_conn *c, enum frontend_tcp_end end)
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

static void conn_readable(evutil_socket_t, short, void *arg)
{
	struct frontend_conn *c = arg;
	if (conn_turn(c))
		conn_settle(c, conn_read(c));
}

static void conn_writable(evutil_socket_t fd, short what, void *arg)
{
	struct frontend_conn *c = arg;

	if (c->out_len == 0) {
		conn_readable(fd, what, c); // TLS was waiting for room to write
		return;
	}
	enum frontend_tcp_end end = conn_out_flush(c);
	if (end == FRONTEND_TCP_OPEN && c->out_len == 0)
		conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_settle(c, end);
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
		conn_feed(t); // the connection may have used none of the free places
	}
}

void conn_answered(struct frontend_conn *c, enum frontend_tcp_end end)
{
	conn_touch(c, clock_mono_ms());
	conn_hold(c);
	conn_feed(c->tcp);
	conn_settle(c, end);
}

// Unread queries are not answered: a client must expect that (RFC 7766 6.2.4).
static enum frontend_tcp_end conn_grow_old(struct frontend_conn *c)
{
	c->last = clock_mono_ms() >= conn_drain_end(c) ? FRONTEND_TCP_END_drained
						       : FRONTEND_TCP_END_age;
	c->held = false;
	conn_wait_end(c);
	if (c->speaks->part)
		return c->speaks->part(c);
	conn_in_drop(c);
	return FRONTEND_TCP_OPEN;
}

// Thousands of connections may expire at once, as when tcp.idle_timeout is lowered: TCP_ENDS_A_TICK
// end in each tick, so that other work does not wait for all of them. A connection that becomes
// active before its tick leaves its place unused; when the ticks reach beyond what all open
// connections need, they begin again at the present one, or they would come later and later.
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

// The client has as much time for replies in the kernel's buffer as for those in weir's
// (CONN_DRAIN_MS), and is checked again meanwhile.
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

// A deadline or a check of the connection is due (wheel_timer.fn).
static void conn_timer(void *arg)
{
	struct frontend_conn *c = arg;
	uint64_t now_ms = clock_mono_ms();
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;

	if (now_ms < conn_deadline(c))
		end = FRONTEND_TCP_OPEN;
	else if (conn_waits_to_end(c, now_ms))
		return;
	else if (conn_is_cut(c))
		end = c->tcp->serves[c->kind].enabled ? FRONTEND_TCP_END_drained
						      : FRONTEND_TCP_END_stopped;
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

bool conn_start(struct frontend_tcp *t, const struct tcp_arrival *a, struct tcp_client *client)
{
	struct frontend_conn *c = conn_new(t, a->fd, a->kind);

	if (!c)
		return false;
	c->client = client;
	c->peer = a->peer;
	c->out_end = &c->out;
	c->timer.fn = conn_timer;
	c->timer.arg = c;
	stream_session_begin(c);
	event_assign(
		&c->readable, loop_base(t->loop), a->fd, EV_READ | EV_PERSIST, conn_readable, c);
	event_assign(
		&c->writable, loop_base(t->loop), a->fd, EV_WRITE | EV_PERSIST, conn_writable, c);
	TAILQ_INSERT_TAIL(&t->by_use, c, by_use);
	TAILQ_INSERT_TAIL(&client->conns, c, by_client);
	c->used_ms = c->serves_ms = clock_mono_ms();
	age_add(&t->ages, &c->age);
	if (++t->count.open > t->count.open_max)
		t->count.open_max = t->count.open;
	t->count.accepted++;
	t->count.proxied += a->is_named;
	conn_settle(c, FRONTEND_TCP_OPEN);
	return true;
}
