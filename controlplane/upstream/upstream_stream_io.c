// SPDX-License-Identifier: BSD-3-Clause
// The bytes on a connection: queries out, replies in.

#include "upstream_internal.h"
#include "upstream_options.h"

#include <event2/event.h>

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum {
	LENGTH_LEN = 2,
	QUERY_MAX = LENGTH_LEN + UPSTREAM_QUERY_MAX + UPSTREAM_KEEPALIVE_LEN + UPSTREAM_PADDING_MAX,
};

bool upstream_stream_has_room(const struct upstream_stream *s)
{
	return s->held < UPSTREAM_STREAM_QUERIES
	       && s->out_len - s->out_pos + QUERY_MAX <= UPSTREAM_STREAM_OUT;
}

// The query with its length; the first one asks how long the connection may stay (RFC 7828 3.2.1).
static size_t query_write(
	struct upstream_stream *s, struct upstream_leg *leg, uint8_t out[QUERY_MAX])
{
	uint8_t *msg = out + LENGTH_LEN;
	size_t len = upstream_leg_query(leg, msg, UPSTREAM_QUERY_MAX);
	unsigned options = upstream_leg_options(leg);

	leg->option = len && leg->edns && !leg->no_option && !s->asked;
	if (leg->option) {
		s->asked = true;
		len = upstream_options_keep(msg, len, options);
		options += UPSTREAM_KEEPALIVE_LEN;
	}
	if (len && s->tls && leg->edns)
		len = upstream_options_pad(msg, len, options);
	put_u16(out, (uint16_t)len);
	return len ? len + LENGTH_LEN : 0;
}

// A query that leaves in pieces has left with its last byte.
static void count_written(struct upstream_stream *s)
{
	for (unsigned i = 0; i < s->held; i++) {
		struct upstream_stream_query *q = &s->query[i];
		if (q->written || q->end > s->wrote)
			continue;
		q->written = true;
		s->pool->calls.written(s->pool->owner, q->leg, &s->peer);
	}
}

// Bytes, or -errno.
static ssize_t bytes_send(struct upstream_stream *s, const uint8_t *bytes, size_t len)
{
	if (s->tls)
		return tls_conn_write(s->tls, bytes, len);
	ssize_t n = send(s->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

// After -EAGAIN: is it the socket that has no room? TLS may have to read before it writes, and the
// reverse.
static bool wants_write(const struct upstream_stream *s, bool is_send)
{
	return s->tls ? tls_conn_wants_write(s->tls) : is_send;
}

// Sends waiting bytes as far as possible; the rest when there is room, or when TLS has read what it
// wants. on_readable handles errors.
void upstream_stream_flush(struct upstream_stream *s)
{
	while (s->out_pos < s->out_len) {
		ssize_t n = bytes_send(s, s->out + s->out_pos, s->out_len - s->out_pos);
		if (n == -EAGAIN && (!wants_write(s, true) || event_add(&s->writable, NULL) == 0))
			return;
		if (n < 0) {
			s->error = (int)n;
			event_active(&s->readable, EV_READ, 0);
			return;
		}
		s->there = true;
		s->out_pos += (uint32_t)n;
		s->wrote += (uint64_t)n;
		count_written(s);
	}
	FREE_AND_NULL(s->out);
	s->out_len = s->out_pos = 0;
	upstream_streams_wake(s->pool);
}

void upstream_stream_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_stream *s = arg;
	(void)fd, (void)what;

	if (!s->tls || s->there)
		upstream_stream_flush(s);
	if (s->tls)
		event_active(&s->readable, EV_READ, 0); // it may have waited for this, too
}

// The handshake goes on. 1: it is done, 0: more is to come, -errno: the connection is not to be
// used.
static int secure(struct upstream_stream *s)
{
	char why[TLS_WHY_MAX];
	int rc = tls_conn_handshake(s->tls);

	if (rc == -EAGAIN)
		return tls_conn_wants_write(s->tls) && event_add(&s->writable, NULL) < 0 ? -ENOMEM
											 : 0;
	if (rc < 0) {
		enum tls_failure failure = tls_conn_failure(s->tls, why);
		s->pool->calls.insecure(s, failure, why);
		return rc;
	}
	s->there = true;
	s->heard_ms = clock_mono_ms();
	wheel_stop(&s->idle);
	s->pool->calls.secure(s);
	upstream_stream_flush(s);
	return 1;
}

int upstream_stream_put(struct upstream_stream *s, struct upstream_leg *leg)
{
	uint8_t query[QUERY_MAX];

	if (!upstream_stream_has_room(s))
		return -ENOBUFS;
	if (!s->out)
		s->out = heap_malloc(UPSTREAM_STREAM_OUT);
	if (!s->out)
		return -ENOMEM;
	size_t len = query_write(s, leg, query);
	if (len == 0)
		return -EMSGSIZE;
	memmove(s->out, s->out + s->out_pos, s->out_len - s->out_pos);
	s->out_len -= s->out_pos;
	s->out_pos = 0;
	memcpy(s->out + s->out_len, query, len);
	s->out_len += (uint32_t)len;
	s->put += len;
	return 0;
}

// Bytes, 0 for the end, or -errno; -EBADMSG: this is no TLS.
static ssize_t bytes_take(struct upstream_stream *s, uint8_t *bytes, size_t len)
{
	if (s->tls) {
		ssize_t got = tls_conn_read(s->tls, bytes, len);
		return got == -EPROTO ? -EBADMSG : got;
	}
	ssize_t n = recv(s->fd, bytes, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

// 1: complete, 0: more to come, -errno.
static int read_into(struct upstream_stream *s, uint8_t *buf, uint32_t len)
{
	while (s->in_pos < len && s->reads > 0) {
		s->reads--;
		ssize_t n = bytes_take(s, buf + s->in_pos, len - s->in_pos);
		if (n == 0)
			return -EPIPE;
		if (n == -EAGAIN)
			return wants_write(s, false) && event_add(&s->writable, NULL) < 0 ? -ENOMEM
											  : 0;
		if (n < 0)
			return (int)n;
		s->there = true;
		s->heard_ms = clock_mono_ms();
		if (s->in_len == 0 && s->in_pos == 0)
			s->part_ms = s->heard_ms;
		s->in_pos += (uint32_t)n;
		if (s->in_pos < len && n < UPSTREAM_STREAM_CRUMB
			&& ++s->crumbs > UPSTREAM_STREAM_CRUMBS)
			return -EBADMSG;
	}
	return s->in_pos == len;
}

static int message_read(struct upstream_stream *s)
{
	if (s->in_len == 0) {
		int rc = read_into(s, s->head, sizeof(s->head));
		if (rc <= 0)
			return rc;
		if (get_u16(s->head) < DNS_HEADER_LEN)
			return -EBADMSG;
		s->in = heap_malloc(get_u16(s->head));
		if (!s->in)
			return -ENOMEM;
		s->in_len = get_u16(s->head);
		s->in_pos = 0;
	}
	return read_into(s, s->in, s->in_len);
}

// Reads the server's idle time for this connection.
static void keepalive_take(struct upstream_stream *s, const uint8_t *msg, size_t len)
{
	uint16_t units;

	if (!s->asked || !upstream_options_kept(msg, len, &units))
		return;
	uint64_t told_ms = units * UINT64_C(100);
	if (told_ms > UPSTREAM_STREAM_TOLD_MS)
		told_ms = UPSTREAM_STREAM_TOLD_MS;
	s->idle_ms = told_ms - told_ms / 8;
	s->retired |= units == 0;
}

// Finds the query of a reply. 0, -EBADMSG: none. Without a question the id decides (RFC 7766 7).
static int message_take(struct upstream_stream *s, uint8_t *msg, size_t len)
{
	unsigned i = upstream_stream_find(s, get_u16(msg));
	if (i == UPSTREAM_STREAM_QUERIES)
		return -EBADMSG;
	struct upstream_leg *leg = s->query[i].leg;
	bool asks_nothing = get_u16(msg + 2) & DNS_FLAG_QR && get_u16(msg + 4) == 0;
	if (leg && !asks_nothing && !upstream_leg_matches(leg, msg, len, false))
		return -EBADMSG;
	upstream_stream_forget(s, i);
	s->answered++;
	if (leg) {
		keepalive_take(s, msg, len);
		s->pool->calls.reply(leg, s, msg, len);
	} else {
		s->pool->stats.late++;
	}
	return 0;
}

static int message_next(struct upstream_stream *s)
{
	int rc = message_read(s);
	if (rc <= 0)
		return rc;
	// The calls may do anything, so the connection no longer owns the bytes that they get.
	uint8_t *msg = s->in;
	size_t len = s->in_len;
	s->in = NULL;
	s->in_len = 0;
	s->in_pos = 0;
	rc = message_take(s, msg, len);
	heap_free(msg);
	return rc < 0 ? rc : 1;
}

// Some server has sent what is no reply.
static void count_bad(struct upstream_stream *s)
{
	unsigned i = 0;
	while (i < s->held && !s->query[i].leg)
		i++;
	s->pool->stats.bad++;
	if (i < s->held)
		upstream_leg_count_bad(s->query[i].leg);
}

void upstream_stream_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_stream *s = arg;
	unsigned answered = s->answered;
	int rc = 1;
	(void)fd, (void)what;

	s->busy = true;
	if (s->tls && !s->there)
		rc = secure(s);
	for (s->reads = UPSTREAM_STREAM_READS; s->reads > 0 && rc > 0;)
		rc = message_next(s);
	s->busy = false;
	if (rc >= 0 && s->tls && s->there && s->out_pos < s->out_len)
		upstream_stream_flush(s);
	// The socket says nothing of bytes that TLS has taken from it.
	if (rc >= 0 && s->reads == 0 && s->tls && tls_conn_has_more(s->tls)
		&& event_add(&s->again, &(struct timeval){0}) < 0)
		rc = -ENOMEM;
	if (rc >= 0 && s->error)
		rc = s->error;
	// If this side ends it, the end does not show how many queries the server takes.
	s->ours |= rc == -EBADMSG || rc == -ETIME;
	s->learnt |= s->ours;
	if (rc == -EBADMSG)
		count_bad(s);
	else if (rc == -ETIME)
		s->pool->stats.evicted++;
	else if (rc < 0) {
		s->pool->stats.closed_peer++;
		upstream_streams_ended(s);
	}
	upstream_streams_wake(s->pool);
	if (rc < 0) {
		upstream_stream_close(s);
		return;
	}
	// The reply was already there at the time-out: this side was late.
	if (s->leaving && s->answered == answered)
		upstream_stream_leave(s);
	s->leaving = false;
	upstream_stream_settle(s);
}
