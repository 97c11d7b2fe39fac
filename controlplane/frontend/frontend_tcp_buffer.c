// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_conn.h"

#include <string.h>
#include <sys/uio.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

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

// To `cap` bytes at least.
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

// Grows as bytes come, not as the length claims.
uint8_t *conn_in_room(struct frontend_conn *c, size_t *room)
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

enum frontend_tcp_end conn_out_flush(struct frontend_conn *c)
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

void conn_out_drop(struct frontend_conn *c)
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
