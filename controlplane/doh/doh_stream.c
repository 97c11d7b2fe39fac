// SPDX-License-Identifier: BSD-3-Clause

// Requests in progress, and the memory of a connection.
#include "doh_internal.h"

#include <weir/heap_site.h>

static bool memory_has_room(const struct doh_memory *m, size_t had, size_t n)
{
	return m->bytes - had + n <= DOH_MEMORY_MAX;
}

static void memory_count(struct doh_memory *m, size_t had, size_t has)
{
	m->bytes = m->bytes - had + has;
	growth_step(m->all, had, has);
}

void *doh_realloc(struct doh_memory *m, void *p, size_t n)
{
	size_t had = p ? heap_size(p) : 0;

	if (!memory_has_room(m, had, n))
		return NULL;
	void *to = heap_realloc(p, n);
	if (to)
		memory_count(m, had, heap_size(to));
	return to;
}

void doh_release(struct doh_memory *m, void *p)
{
	if (!p)
		return;
	memory_count(m, heap_size(p), 0);
	heap_free(p);
}

void *doh_library_realloc(void *p, size_t n, void *memory)
{
	struct doh_memory *m = memory;
	size_t had = p ? heap_size(p) : 0;

	if (!memory_has_room(m, had, n))
		return NULL;
	void *to = heap_nghttp2_realloc(p, n ? n : 1);
	if (to)
		memory_count(m, had, heap_size(to));
	return to;
}

void *doh_library_malloc(size_t n, void *memory)
{
	return doh_library_realloc(NULL, n, memory);
}

void *doh_library_calloc(size_t count, size_t n, void *memory)
{
	size_t all;
	void *p = __builtin_mul_overflow(count, n, &all) ? NULL
							 : doh_library_realloc(NULL, all, memory);

	return p ? memset(p, 0, all) : NULL;
}

void doh_library_free(void *p, void *memory)
{
	doh_release(memory, p);
}

void doh_conn_fail(struct doh_conn *c, enum doh_end why)
{
	if (c->end == DOH_OPEN)
		c->end = why;
}

struct doh_stream *doh_stream_new(struct doh_conn *c, int32_t id, uint64_t now_ms)
{
	struct doh_stream *s = doh_realloc(&c->memory, NULL, sizeof(*s));

	if (!s) {
		doh_conn_fail(c, DOH_END_memory);
		return NULL;
	}
	*s = (struct doh_stream){.conn = c, .id = id, .stage = DOH_RECEIVING, .since_ms = now_ms};
	TAILQ_INSERT_TAIL(&c->in[DOH_RECEIVING], s, list);
	c->streams++;
	return s;
}

static void unlist(struct doh_stream *s)
{
	if (s->stage < DOH_LISTS)
		TAILQ_REMOVE(&s->conn->in[s->stage], s, list);
	else
		s->conn->slot[s->slot].stream = NULL;
}

static void request_drop(struct doh_stream *s)
{
	doh_request_drop(&s->request, &s->conn->memory);
	if (s->window && s->conn->version == DOH_http2)
		doh_h2_consumed(s->conn, s->window);
	s->window = 0;
}

void doh_stream_free(struct doh_stream *s)
{
	struct doh_conn *c = s->conn;

	unlist(s);
	request_drop(s);
	c->answers -= s->reply.len;
	doh_bytes_drop(&c->memory, &s->reply);
	c->streams--;
	doh_release(&c->memory, s);
}

void doh_stream_move(struct doh_stream *s, enum doh_stage stage, uint64_t now_ms)
{
	unlist(s);
	s->stage = stage;
	s->since_ms = now_ms;
	if (stage < DOH_LISTS)
		TAILQ_INSERT_TAIL(&s->conn->in[stage], s, list);
}

void doh_stream_whole(struct doh_stream *s, enum doh_status status, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;

	c->doh->counts.requests[c->version][s->request.method]++;
	if (status == DOH_200) {
		doh_stream_move(s, DOH_READY, now_ms);
		return;
	}
	c->unasked++;
	doh_stream_respond(s, status, NULL, 0, now_ms);
}

void doh_stream_headers_end(struct doh_stream *s, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;
	const enum doh_status status =
		doh_request_headers_end(&s->request, &c->memory, c->doh->set.path);

	if (s->request.no_memory)
		doh_conn_fail(c, DOH_END_memory);
	if (status == DOH_413 || status == DOH_431)
		doh_stream_whole(s, status, now_ms);
}

bool doh_stream_body(struct doh_stream *s, const uint8_t *p, size_t n, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;

	if (s->stage != DOH_RECEIVING || s->answered) {
		s->request.discarded += n;
		return false;
	}
	const bool goes_on = doh_request_body(&s->request, &c->memory, p, n);
	if (s->request.no_memory)
		doh_conn_fail(c, DOH_END_memory);
	else if (!goes_on)
		doh_stream_whole(
			s, s->request.status == DOH_200 ? DOH_413 : s->request.status, now_ms);
	if (!goes_on || s->request.discarded)
		return false;
	s->window += n;
	return true;
}

void doh_stream_linger(struct doh_stream *s, uint64_t now_ms)
{
	s->answered = true;
	doh_stream_move(s, DOH_RECEIVING, now_ms);
}

void doh_stream_end(struct doh_stream *s, uint64_t now_ms)
{
	if (s->stage == DOH_RECEIVING && !s->answered)
		doh_stream_whole(s, doh_request_end(&s->request), now_ms);
}

void doh_stream_respond(struct doh_stream *s, enum doh_status status, const uint8_t *msg,
	size_t len, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;
	struct doh_response r = {.status = status, .body = msg, .len = len};

	if (status == DOH_200) {
		r.max_age_s = doh_max_age(msg, len);
	} else {
		r.body = (const uint8_t *)doh_http_text(status);
		r.len = s->request.is_head ? 0 : strlen(doh_http_text(status));
	}
	request_drop(s);
	doh_stream_move(s, DOH_ANSWERING, now_ms);
	if (!doh_bytes_add(&c->memory, &s->reply, r.body, r.len)) {
		doh_conn_fail(c, DOH_END_memory);
		return;
	}
	c->answers += r.len;
	if (c->answers > DOH_ANSWERS_MAX)
		doh_conn_fail(c, DOH_END_slow_reader);
	c->doh->counts.responses[status]++;
	if (c->version == DOH_http2)
		doh_h2_respond(s, &r);
	else
		doh_http1_respond(s, &r);
}
