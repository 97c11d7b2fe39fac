// SPDX-License-Identifier: BSD-3-Clause
// What connections over HTTPS send, and the memory that it takes.
#include "frontend_tcp_doh.h"
#include "frontend_tcp_options.h"

#include <string.h>

enum frontend_tcp_end tcp_doh_gather(struct frontend_conn *c, uint64_t now_ms)
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

enum frontend_tcp_end tcp_doh_go_on(
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
		end = tcp_doh_gather(c, now_ms);
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
enum frontend_tcp_end tcp_doh_reply_put(
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
	return end == FRONTEND_TCP_OPEN ? tcp_doh_gather(c, now_ms) : end;
}
