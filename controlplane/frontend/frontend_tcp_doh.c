// SPDX-License-Identifier: BSD-3-Clause
// Connections that carry DNS messages in HTTP (RFC 8484): the kind `doh` of
// frontend_tcp_internal.h. doh/doh.h parses and writes HTTP; this file finds places for the
// questions. Each connection has a `struct doh_conn` of its frontend's `struct doh`. The memory for
// requests and responses, above that of a new connection, counts against tcp.buffer_kb.

#include "doh/doh.h"
#include "frontend_tcp.h"
#include "frontend_tcp_internal.h"

#include <string.h>
#include <sys/uio.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>

enum {
	TABLES_MAX_BYTES = 16384, // HPACK tables of both directions, above a new connection's
};

struct frontend_doh {
	struct doh_conn *conn;
	size_t plain;    // bytes that the connection may hold for its life
	size_t buffered; // bytes above `plain`, taken of tcp.buffer_kb
};

// What a connection sends, and the memory that it takes.

// Gathers what there is to send, until doh_go_on sends it before other connections have their turn.
static enum frontend_tcp_end doh_gather(struct frontend_conn *c, uint64_t now_ms)
{
	const struct frontend_doh *h = c->of_kind;
	struct frontend_tcp *t = c->tcp;
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;
	const uint8_t *p;
	size_t n;

	while (end == FRONTEND_TCP_OPEN && (n = doh_conn_out(h->conn, &p, now_ms)) > 0) {
		if (t->cork_len + n > sizeof(t->cork))
			end = conn_cork_flush(c);
		memcpy(t->cork + t->cork_len, p, n);
		t->cork_len += (uint32_t)n;
	}
	return end;
}

static enum frontend_tcp_end memory_note(struct frontend_conn *c)
{
	struct frontend_doh *h = c->of_kind;
	const size_t now = doh_conn_memory(h->conn), above = now > h->plain ? now - h->plain : 0;

	if (above > h->buffered && !tcp_buffer_take(c, above - h->buffered))
		return FRONTEND_TCP_END_evicted_memory;
	if (above < h->buffered)
		tcp_buffer_give(c, h->buffered - above);
	h->buffered = above;
	return FRONTEND_TCP_OPEN;
}

// Called after each call of doh/doh.h, with its result `end`: sends what is gathered, and ends the
// connection where HTTP has ended. A client that is to read the reason gets its last responses
// first.
static enum frontend_tcp_end doh_go_on(
	struct frontend_conn *c, enum frontend_tcp_end end, uint64_t now_ms)
{
	static const struct {
		enum frontend_tcp_end end;
		bool at_once;
	} ends[] = {
		[DOH_END_client] = {FRONTEND_TCP_END_client, false},
		[DOH_END_broken] = {FRONTEND_TCP_END_http, false},
		[DOH_END_flood] = {FRONTEND_TCP_END_flood, false},
		[DOH_END_slow_reader] = {FRONTEND_TCP_END_slow_reader, true},
		[DOH_END_slow_query] = {FRONTEND_TCP_END_slow_query, true},
		[DOH_END_memory] = {FRONTEND_TCP_END_evicted_memory, true},
	};
	const struct frontend_doh *h = c->of_kind;

	if (end == FRONTEND_TCP_OPEN)
		end = doh_gather(c, now_ms);
	const enum frontend_tcp_end flushed = conn_cork_flush(c);
	if (end == FRONTEND_TCP_OPEN)
		end = flushed;
	if (end == FRONTEND_TCP_OPEN)
		end = memory_note(c);
	const enum doh_end over = doh_conn_end(h->conn);
	if (end != FRONTEND_TCP_OPEN || over == DOH_OPEN)
		return end;
	if (ends[over].at_once)
		return ends[over].end;
	if (!c->last)
		c->last = ends[over].end;
	return FRONTEND_TCP_OPEN;
}

// Padding is made in a copy, in the room behind what is gathered.
static enum frontend_tcp_end doh_reply_put(
	struct frontend_conn *c, const struct frontend_reply *reply, uint64_t now_ms)
{
	const struct frontend_doh *h = c->of_kind;
	struct frontend_tcp *t = c->tcp;
	const unsigned pad = c->pads ? tcp_padding_of(reply) : 0;
	const size_t n = (size_t)reply->len + pad;
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;

	t->count.replies++;
	if (t->cork_len + n > sizeof(t->cork))
		end = conn_cork_flush(c);
	uint8_t *msg = t->cork + t->cork_len;
	memcpy(msg, reply->msg, reply->len);
	if (pad > 0)
		tcp_padding_put(msg, reply, pad);
	doh_conn_answer(h->conn, msg, n, now_ms);
	return end == FRONTEND_TCP_OPEN ? doh_gather(c, now_ms) : end;
}

static enum frontend_tcp_end question_ask(struct frontend_conn *c, uint64_t now_ms)
{
	const struct frontend_doh *h = c->of_kind;
	struct doh_question q;
	struct frontend_reply reply;

	if (!doh_conn_next(h->conn, &q, now_ms))
		return FRONTEND_TCP_OPEN;
	const unsigned by_path = frontend_names_find(tcp_names(c->tcp), q.name, strlen(q.name));
	c->session.group = (uint8_t)conn_group(c, by_path);
	if (q.name[0] && !by_path) {
		conn_question_give(c);
		c->tcp->turn_left--;
		doh_conn_unknown(h->conn, q.id, now_ms);
		return doh_gather(c, now_ms);
	}
	c->pads = c->pads || (tcp_options_of(q.msg, q.len) & TCP_OPTION_PADDING);
	const enum frontend_outcome outcome = conn_ask(c, &c->session, q.msg, q.len, &reply);
	if (c->last)
		doh_conn_part(h->conn);
	switch (outcome) {
	case FRONTEND_REPLY:
		return doh_reply_put(c, &reply, now_ms);
	case FRONTEND_LATER:
		return FRONTEND_TCP_OPEN;
	case FRONTEND_NO_REPLY:
		doh_conn_refuse(h->conn, q.id, DOH_403, now_ms);
		return doh_gather(c, now_ms);
	case FRONTEND_BROKEN: // a response, or from a client that may not ask any more
		doh_conn_refuse(h->conn, q.id, get_u16(q.msg + 2) & DNS_FLAG_QR ? DOH_400 : DOH_403,
			now_ms);
		return doh_gather(c, now_ms);
	}
	return FRONTEND_TCP_END_error;
}

// Requests that the connection has had, with and without a question.
static uint64_t requests_of(const struct frontend_conn *c)
{
	const struct frontend_doh *h = c->of_kind;
	return c->asked + doh_conn_unasked(h->conn);
}

// Asks complete questions while there are places, and the connection has had fewer than `most`
// requests.
static enum frontend_tcp_end questions_ask(struct frontend_conn *c, uint64_t most, uint64_t now_ms)
{
	const struct frontend_doh *h = c->of_kind;
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;

	while (end == FRONTEND_TCP_OPEN && !c->last && doh_conn_is_ready(h->conn)) {
		c->held = requests_of(c) >= most || !conn_question_take(c);
		if (c->held)
			return FRONTEND_TCP_OPEN;
		conn_touch(c, now_ms);
		end = question_ask(c, now_ms);
	}
	return end;
}

// A connection that asks nothing more is read only for its client's windows.
static bool is_read(const struct frontend_conn *c)
{
	return !c->last || conn_owes(c);
}

// Takes what it may; the rest waits for a response (HTTP/1.1), for the client to read, for places.
static enum frontend_tcp_end bytes_take(
	struct frontend_conn *c, const uint8_t *p, size_t len, size_t *taken, uint64_t now_ms)
{
	const struct frontend_doh *h = c->of_kind;
	const uint64_t most = requests_of(c) + CONN_MESSAGES_A_TURN;
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;
	size_t n = 1;

	*taken = 0;
	c->held = false;
	while (end == FRONTEND_TCP_OPEN && n > 0) {
		end = questions_ask(c, most, now_ms);
		if (end != FRONTEND_TCP_OPEN || c->held || !is_read(c)
			|| c->out_len >= CONN_OUT_SOFT)
			break;
		c->held = *taken < len && requests_of(c) >= most;
		if (c->held)
			break;
		const uint64_t unasked = doh_conn_unasked(h->conn);
		n = *taken < len ? doh_conn_take(h->conn, p + *taken, len - *taken, now_ms) : 0;
		*taken += n;
		c->tcp->turn_left -= (int)(doh_conn_unasked(h->conn) - unasked);
		end = doh_gather(c, now_ms);
	}
	return end;
}

static enum frontend_tcp_end doh_take(struct frontend_conn *c, const uint8_t *p, size_t len)
{
	const struct frontend_doh *h = c->of_kind;
	const uint64_t now_ms = clock_mono_ms();
	size_t taken;

	if (c->held) // what a request lacks may wait in the kernel
		doh_conn_spare(h->conn, now_ms);
	enum frontend_tcp_end end = bytes_take(c, p, len, &taken, now_ms);
	const bool for_places = c->held;

	end = doh_go_on(c, end, now_ms);
	if (end == FRONTEND_TCP_OPEN && is_read(c))
		end = conn_in_keep(c, p + taken, len - taken);
	if (end != FRONTEND_TCP_OPEN)
		return end;
	if (!is_read(c)) {
		c->held = false;
		conn_in_drop(c);
		return FRONTEND_TCP_OPEN;
	}
	c->held = for_places || taken < len;
	if (for_places)
		conn_held_count(c);
	// Bytes that wait for a response go on with it.
	if (for_places || c->out_len >= CONN_OUT_SOFT)
		conn_hold(c);
	return FRONTEND_TCP_OPEN;
}

static enum frontend_tcp_end doh_resume(struct frontend_conn *c)
{
	static const uint8_t nothing[1];
	return doh_take(c, c->in ? c->in : nothing, c->in_len);
}

static void on_reply(struct frontend_session *s, const union client_address *,
	const struct frontend_reply *reply)
{
	struct frontend_conn *c = conn_of(s);
	const struct frontend_doh *h = c->of_kind;
	const uint64_t now_ms = clock_mono_ms();
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;

	conn_pending_end(c, 1);
	if (reply->len > 0)
		end = doh_reply_put(c, reply, now_ms);
	else if (reply->msg)
		doh_conn_refuse(h->conn, get_u16(reply->msg), DOH_403, now_ms);
	else
		doh_conn_lost(h->conn, now_ms);
	end = doh_go_on(c, end, now_ms);
	// A request may have waited for this place: its client need not send anything more.
	c->held = c->held || (!c->last && doh_conn_is_ready(h->conn));
	conn_answered(c, end);
}

static enum frontend_tcp_end doh_begin(struct frontend_conn *c)
{
	struct frontend_doh *h = heap_calloc(1, sizeof(*h));
	const uint64_t now_ms = clock_mono_ms();
	const bool is_h2 = tls_conn_agreed(c->tls, "h2");

	if (!h)
		return FRONTEND_TCP_END_evicted_memory;
	c->of_kind = h;
	if (doh_conn_new(&h->conn, c->tcp->doh, is_h2 ? DOH_http2 : DOH_http1, now_ms) < 0)
		return FRONTEND_TCP_END_evicted_memory;
	h->plain = doh_conn_memory(h->conn) + TABLES_MAX_BYTES;
	c->session.reply = on_reply;
	c->session.complete = NULL; // the keepalive option is for streams without HTTP (RFC 7828)
	return doh_go_on(c, FRONTEND_TCP_OPEN, now_ms);
}

// Says which requests were seen (RFC 9113 6.8), if the socket takes it at once.
static void goodbye(struct frontend_conn *c)
{
	const struct frontend_doh *h = c->of_kind;
	struct iovec part;
	const uint8_t *p;

	if (!h->conn || c->out_len || doh_conn_end(h->conn) != DOH_OPEN)
		return;
	doh_conn_part(h->conn);
	while ((part.iov_len = doh_conn_out(h->conn, &p, clock_mono_ms())) > 0) {
		part.iov_base = (void *)(uintptr_t)p;
		(void)conn_send(c, &part, 1); // or it has ended already
	}
}

static void doh_end(struct frontend_conn *c)
{
	struct frontend_doh *h = c->of_kind;

	if (!h)
		return;
	goodbye(c);
	doh_conn_free(h->conn);
	if (h->buffered)
		tcp_buffer_give(c, h->buffered);
	heap_free(h);
	c->of_kind = NULL;
}

static uint64_t doh_deadline(const struct frontend_conn *c)
{
	const struct frontend_doh *h = c->of_kind;
	return h ? doh_conn_deadline(h->conn) : UINT64_MAX;
}

static enum frontend_tcp_end doh_expire(struct frontend_conn *c, uint64_t now_ms)
{
	const struct frontend_doh *h = c->of_kind;

	if (c->held) // what a request lacks may wait in the kernel
		doh_conn_spare(h->conn, now_ms);
	doh_conn_expire(h->conn, now_ms);
	return doh_go_on(c, FRONTEND_TCP_OPEN, now_ms);
}

static enum frontend_tcp_end doh_part(struct frontend_conn *c)
{
	const struct frontend_doh *h = c->of_kind;

	doh_conn_part(h->conn);
	return doh_resume(c);
}

static bool doh_owes(const struct frontend_conn *c)
{
	const struct frontend_doh *h = c->of_kind;
	return h->conn && doh_conn_owes(h->conn);
}

const struct tcp_kind tcp_kind_doh = {
	.transport = FRONTEND_DOH,
	.alpn = "\2h2\10http/1.1",
	.begin = doh_begin,
	.take = doh_take,
	.resume = doh_resume,
	.end = doh_end,
	.deadline = doh_deadline,
	.expire = doh_expire,
	.part = doh_part,
	.owes = doh_owes,
};
