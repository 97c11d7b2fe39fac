// SPDX-License-Identifier: BSD-3-Clause

// Connections that carry DNS messages with their length (RFC 1035 4.2.2), in clear text or over
// TLS: the kinds `tcp` and `dot` of frontend_tcp_internal.h.
#include "frontend_tcp.h"
#include "frontend_tcp_internal.h"

#include <string.h>
#include <sys/socket.h>
#include <weir/clock.h>

static enum frontend_tcp_end stream_reply(struct frontend_conn *c, struct frontend_reply *reply)
{
	struct frontend_tcp *t = c->tcp;

	if (reply->len == 0)
		return FRONTEND_TCP_OPEN;
	uint8_t *frame = reply->msg - 2;
	const size_t n = 2 + (size_t)reply->len;
	const unsigned pad = c->pads ? tcp_padding_of(reply) : 0;
	put_u16(frame, (uint16_t)(reply->len + pad));
	t->count.replies++;
	if (t->corked != c && pad == 0)
		return conn_out_put(c, frame, n);
	enum frontend_tcp_end end = FRONTEND_TCP_OPEN;
	if (t->cork_len + n + pad > sizeof(t->cork))
		end = conn_cork_flush(c);
	uint8_t *at = t->cork + t->cork_len;
	memcpy(at, frame, n);
	if (pad > 0)
		tcp_padding_put(at + 2, reply, pad);
	t->cork_len += (uint32_t)n + pad;
	return t->corked == c || end != FRONTEND_TCP_OPEN ? end : conn_cork_flush(c);
}

// The message has a place among tcp.queries.
static enum frontend_tcp_end message_ask(struct frontend_conn *c, const uint8_t *msg, size_t len)
{
	struct frontend_reply reply;

	const unsigned options = tcp_options_of(msg, len);
	c->keepalive = c->keepalive || (options & TCP_OPTION_KEEPALIVE);
	c->pads = c->pads || (c->tls && (options & TCP_OPTION_PADDING));
	c->session.group = (uint8_t)conn_group(c, 0);
	switch (conn_ask(c, &c->session, msg, len, &reply)) {
	case FRONTEND_REPLY:
		return stream_reply(c, &reply);
	case FRONTEND_LATER:
		return FRONTEND_TCP_OPEN;
	case FRONTEND_NO_REPLY:
		return FRONTEND_TCP_OPEN;
	case FRONTEND_BROKEN:
		c->last = FRONTEND_TCP_END_broken;
		return FRONTEND_TCP_OPEN;
	}
	return FRONTEND_TCP_END_error;
}

// Asks complete messages while there are places; *taken: bytes that are done with.
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
		if (n == CONN_MESSAGES_A_TURN || !conn_question_take(c)) {
			c->held = true;
			break;
		}
		end = message_ask(c, p + pos + 2, frame - 2);
	}
	*taken = pos;
	return end;
}

static enum frontend_tcp_end stream_take(struct frontend_conn *c, const uint8_t *p, size_t len)
{
	struct frontend_tcp *t = c->tcp;
	uint64_t now_ms = clock_mono_ms();
	bool fresh = !c->in || c->held; // a partial message that remains has begun now
	size_t taken;

	t->corked = c;
	enum frontend_tcp_end end = messages_take(c, p, len, &taken);
	t->corked = NULL;
	enum frontend_tcp_end flushed = conn_cork_flush(c);
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
	if (c->held) {
		conn_held_count(c);
		conn_hold(c);
	} else if (c->last) {
		conn_in_drop(c); // a message that will never be whole
	}
	return FRONTEND_TCP_OPEN;
}

static enum frontend_tcp_end stream_resume(struct frontend_conn *c)
{
	return stream_take(c, c->in, c->in_len);
}

static void on_reply(struct frontend_session *s, const union client_address *,
	const struct frontend_reply *given)
{
	struct frontend_conn *c = conn_of(s);
	struct frontend_reply reply = *given;

	conn_pending_end(c, 1);
	conn_answered(c, stream_reply(c, &reply));
}

static void on_complete(struct frontend_session *s, struct frontend_reply *reply)
{
	const struct frontend_conn *c = conn_of(s);
	if (c->keepalive)
		tcp_keepalive_tell(reply, conn_idle_ms(c));
}

void stream_session_begin(struct frontend_conn *c)
{
	socklen_t len = sizeof(c->session.service);

	c->session.reply = on_reply;
	c->session.complete = on_complete;
	c->session.transport = c->speaks->transport;
	if (getsockname(c->fd, &c->session.service.any, &len) < 0)
		memset(&c->session.service, 0, sizeof(c->session.service));
	c->tcp->engine.begin(&c->session);
}

const struct tcp_kind tcp_kind_clear = {
	.transport = FRONTEND_TCP,
	.take = stream_take,
	.resume = stream_resume,
};

const struct tcp_kind tcp_kind_dot = {
	.transport = FRONTEND_DOT,
	.alpn = "\3dot",
	.take = stream_take,
	.resume = stream_resume,
};
