// SPDX-License-Identifier: BSD-3-Clause
// What the owner of a connection calls, which question belongs to which request, requests in
// progress, and the memory of connections.

#include "doh.h"

#include "doh_internal.h"

#include <errno.h>
#include <weir/bytes.h>
#include <weir/heap_site.h>

const char *const doh_http_versions[] = {
#define X(name) [DOH_##name] = #name,
	DOH_VERSIONS(X)
#undef X
};

const char *const doh_http_methods[] = {
#define X(name) [DOH_METHOD_##name] = #name,
	DOH_METHODS(X)
#undef X
};

const uint16_t doh_http_numbers[] = {
#define X(number, reason, text) [DOH_##number] = number,
	DOH_STATUSES(X)
#undef X
};

static const struct {
	const char *reason, *text;
} statuses[] = {
#define X(number, reason, text) [DOH_##number] = {reason, text},
	DOH_STATUSES(X)
#undef X
};

static const char *status_text(enum doh_status status)
{
	return statuses[status].text;
}

const char *doh_http_reason(enum doh_status status)
{
	return statuses[status].reason;
}

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

static void stream_move(struct doh_stream *s, enum doh_stage stage, uint64_t now_ms)
{
	unlist(s);
	s->stage = stage;
	s->since_ms = now_ms;
	s->spared_ms = 0;
	if (stage < DOH_LISTS)
		TAILQ_INSERT_TAIL(&s->conn->in[stage], s, list);
}

// DOH_200: with the message; any other status: with its text.
static void stream_respond(struct doh_stream *s, enum doh_status status, const uint8_t *msg,
	size_t len, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;
	struct doh_response r = {.status = status, .body = msg, .len = len};

	if (status == DOH_200) {
		r.max_age_s = doh_max_age(msg, len);
	} else {
		r.body = (const uint8_t *)status_text(status);
		r.len = s->request.is_head ? 0 : strlen(status_text(status));
	}
	request_drop(s);
	stream_move(s, DOH_ANSWERING, now_ms);
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

void doh_stream_whole(struct doh_stream *s, enum doh_status status, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;

	c->doh->counts.requests[c->version][s->request.method]++;
	if (status == DOH_200) {
		stream_move(s, DOH_READY, now_ms);
		return;
	}
	c->unasked++;
	stream_respond(s, status, NULL, 0, now_ms);
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
	stream_move(s, DOH_RECEIVING, now_ms);
}

void doh_stream_end(struct doh_stream *s, uint64_t now_ms)
{
	if (s->stage == DOH_RECEIVING && !s->answered)
		doh_stream_whole(s, doh_request_end(&s->request), now_ms);
}

int doh_new(struct doh **out, const struct doh_settings *settings)
{
	struct doh *d = heap_calloc(1, sizeof(*d));

	*out = NULL;
	if (!d)
		return -ENOMEM;
	if (doh_library_new(&d->h2)) {
		heap_free(d);
		return -ENOMEM;
	}
	doh_configure(d, settings);
	*out = d;
	return 0;
}

void doh_configure(struct doh *d, const struct doh_settings *settings)
{
	d->set = *settings;
	if (d->set.streams > DOH_STREAMS_MAX)
		d->set.streams = DOH_STREAMS_MAX;
}

void doh_free(struct doh *d)
{
	if (!d)
		return;
	doh_library_end(d->h2);
	heap_free(d);
}

void doh_status(const struct doh *d, struct doh_status_now *out)
{
	*out = (struct doh_status_now){.counts = d->counts,
		.connections = d->connections,
		.bytes = d->memory.bytes,
		.bytes_most = d->memory.most,
		.grown = d->memory.grown,
		.shrunk = d->memory.shrunk};
}

void doh_status_add(struct doh_status_now *sum, const struct doh_status_now *one)
{
	struct doh_counts *all = &sum->counts;
	const struct doh_counts *n = &one->counts;

	for (unsigned v = 0; v < DOH_VERSION_COUNT; v++)
		for (unsigned m = 0; m < DOH_METHOD_COUNT; m++)
			all->requests[v][m] += n->requests[v][m];
	for (unsigned i = 0; i < DOH_STATUS_COUNT; i++)
		all->responses[i] += n->responses[i];
	all->resets_client += n->resets_client;
	all->resets_server += n->resets_server;
	all->goaways += n->goaways;
	all->unwanted += n->unwanted;
	sum->connections += one->connections;
	sum->bytes += one->bytes;
	sum->bytes_most += one->bytes_most;
	sum->grown += one->grown;
	sum->shrunk += one->shrunk;
}

// HTTP/1.1 has one request at a time.
static unsigned slots_of(const struct doh *d, enum doh_version version)
{
	return version == DOH_http1 || d->set.streams == 0 ? 1 : d->set.streams;
}

int doh_conn_new(struct doh_conn **out, struct doh *d, enum doh_version version, uint64_t now_ms)
{
	struct doh_memory memory = {.all = &d->memory};
	struct doh_conn *c = doh_realloc(&memory, NULL, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	*c = (struct doh_conn){
		.doh = d, .version = version, .memory = memory, .begun_ms = now_ms ? now_ms : 1};
	for (unsigned i = 0; i < DOH_LISTS; i++)
		TAILQ_INIT(&c->in[i]);
	d->connections++;
	if (d->connections > d->connections_most)
		d->connections_most = d->connections;
	c->slots = slots_of(d, version);
	c->slot = doh_realloc(&c->memory, NULL, c->slots * sizeof(*c->slot));
	if (c->slot)
		memset(c->slot, 0, c->slots * sizeof(*c->slot));
	if (!c->slot || (version == DOH_http2 ? doh_h2_open(c) : doh_http1_open(c))) {
		doh_conn_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void doh_conn_free(struct doh_conn *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < DOH_LISTS; i++)
		while (!TAILQ_EMPTY(&c->in[i]))
			doh_stream_free(TAILQ_FIRST(&c->in[i]));
	for (unsigned i = 0; c->slot && i < c->slots; i++)
		if (c->slot[i].stream)
			doh_stream_free(c->slot[i].stream);
	if (c->version == DOH_http2)
		doh_h2_close(c);
	else
		doh_http1_close(c);
	doh_release(&c->memory, c->slot);
	struct doh_memory memory = c->memory;
	c->doh->connections--;
	doh_release(&memory, c);
}

size_t doh_conn_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms)
{
	size_t n = len < DOH_PIECE ? len : DOH_PIECE;

	if (c->end != DOH_OPEN || n == 0)
		return 0;
	return c->version == DOH_http2 ? doh_h2_take(c, p, n, now_ms)
				       : doh_http1_take(c, p, n, now_ms);
}

bool doh_conn_is_ready(const struct doh_conn *c)
{
	return c->end == DOH_OPEN && !TAILQ_EMPTY(&c->in[DOH_READY]) && c->asked < c->slots;
}

bool doh_conn_next(struct doh_conn *c, struct doh_question *out, uint64_t now_ms)
{
	unsigned i = 0;

	if (!doh_conn_is_ready(c))
		return false;
	struct doh_stream *s = TAILQ_FIRST(&c->in[DOH_READY]);
	while (c->slot[i].order)
		i++;
	uint8_t *msg = s->request.message.p;
	stream_move(s, DOH_ASKED, now_ms);
	s->slot = (uint16_t)i;
	c->slot[i] = (struct doh_slot){.stream = s, .order = ++c->order, .id = get_u16(msg)};
	c->asked++;
	put_u16(msg, s->slot);
	*out = (struct doh_question){
		.msg = msg, .len = s->request.message.len, .id = s->slot, .name = s->request.name};
	return true;
}

// Frees the slot of a question; NULL: its request is gone.
static struct doh_stream *question_end(struct doh_conn *c, unsigned i, uint16_t *id)
{
	if (i >= c->slots || c->slot[i].order == 0)
		return NULL;
	struct doh_stream *s = c->slot[i].stream;
	*id = c->slot[i].id;
	c->slot[i].order = 0;
	c->asked--;
	c->doh->counts.unwanted += !s;
	return s;
}

void doh_conn_answer(struct doh_conn *c, uint8_t *msg, size_t len, uint64_t now_ms)
{
	uint16_t id;
	struct doh_stream *s = question_end(c, get_u16(msg), &id);

	if (!s)
		return;
	put_u16(msg, id);
	stream_respond(s, DOH_200, msg, len, now_ms);
}

void doh_conn_refuse(struct doh_conn *c, uint16_t id, enum doh_status status, uint64_t now_ms)
{
	uint16_t client_id;
	struct doh_stream *s = question_end(c, id, &client_id);

	if (s)
		stream_respond(s, status, NULL, 0, now_ms);
}

void doh_conn_unknown(struct doh_conn *c, uint16_t id, uint64_t now_ms)
{
	c->unasked++;
	doh_conn_refuse(c, id, DOH_404, now_ms);
}

void doh_conn_lost(struct doh_conn *c, uint64_t now_ms)
{
	unsigned oldest = c->slots;

	for (unsigned i = 0; i < c->slots; i++)
		if (c->slot[i].order
			&& (oldest == c->slots || c->slot[i].order < c->slot[oldest].order))
			oldest = i;
	if (oldest < c->slots)
		doh_conn_refuse(c, (uint16_t)oldest, DOH_503, now_ms);
}

uint64_t doh_conn_unasked(const struct doh_conn *c)
{
	return c->unasked;
}

static bool is_idle(const struct doh_conn *c)
{
	return c->streams == 0 && c->asked == 0;
}

size_t doh_conn_out(struct doh_conn *c, const uint8_t **p, uint64_t now_ms)
{
	if (c->end == DOH_END_memory) // nghttp2 takes no calls after a fatal error
		return 0;
	size_t n = c->version == DOH_http2 ? doh_h2_out(c, p, now_ms) : doh_http1_out(c, p);

	if (n == 0 && c->parting && is_idle(c))
		doh_conn_fail(c, DOH_END_client);
	return n;
}

enum doh_end doh_conn_end(const struct doh_conn *c)
{
	return c->end;
}

void doh_conn_part(struct doh_conn *c)
{
	struct doh_stream *s;

	if (c->parting)
		return;
	c->parting = true;
	if (c->version != DOH_http2)
		return;
	while ((s = TAILQ_FIRST(&c->in[DOH_READY])) || (s = TAILQ_FIRST(&c->in[DOH_RECEIVING])))
		doh_h2_reset(s, true);
	doh_h2_part(c);
}

bool doh_conn_owes(const struct doh_conn *c)
{
	return c->end == DOH_OPEN && !TAILQ_EMPTY(&c->in[DOH_ANSWERING]);
}

// When a request that is not whole ends.
static uint64_t receiving_end(const struct doh_stream *s)
{
	return s->since_ms + s->spared_ms + s->conn->doh->set.request_ms;
}

uint64_t doh_conn_deadline(const struct doh_conn *c)
{
	const struct doh_stream *receiving = TAILQ_FIRST(&c->in[DOH_RECEIVING]);
	const struct doh_stream *answering = TAILQ_FIRST(&c->in[DOH_ANSWERING]);
	uint64_t at = UINT64_MAX;

	if (c->begun_ms)
		at = c->begun_ms + c->doh->set.request_ms;
	if (receiving && receiving_end(receiving) < at)
		at = receiving_end(receiving);
	if (answering && answering->since_ms + c->doh->set.drain_ms < at)
		at = answering->since_ms + c->doh->set.drain_ms;
	return at;
}

void doh_conn_expire(struct doh_conn *c, uint64_t now_ms)
{
	const struct doh_settings *set = &c->doh->set;
	struct doh_stream *s = TAILQ_FIRST(&c->in[DOH_ANSWERING]);

	if (c->begun_ms && now_ms >= c->begun_ms + set->request_ms)
		doh_conn_fail(c, DOH_END_slow_query);
	if (s && now_ms >= s->since_ms + set->drain_ms)
		doh_conn_fail(c, DOH_END_slow_reader);
	while ((s = TAILQ_FIRST(&c->in[DOH_RECEIVING])) && now_ms >= receiving_end(s)) {
		if (c->version == DOH_http2) {
			doh_h2_reset(s, false);
			continue;
		}
		stream_respond(s, DOH_408, NULL, 0, now_ms);
		doh_conn_fail(c, DOH_END_slow_query);
	}
}

void doh_conn_spare(struct doh_conn *c, uint64_t now_ms)
{
	const uint64_t most_ms = (DOH_SPARED_MAX - 1) * c->doh->set.request_ms;
	struct doh_stream *s;

	TAILQ_FOREACH (s, &c->in[DOH_RECEIVING], list) {
		s->spared_ms = now_ms - s->since_ms;
		if (s->spared_ms > most_ms)
			s->spared_ms = most_ms;
	}
}

size_t doh_conn_memory(const struct doh_conn *c)
{
	return c->memory.bytes;
}

void doh_tables(const struct doh *d, uint64_t cap, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "doh_connections",
				       .owner = "frontend loop",
				       .eviction = "as tcp_connections",
				       .lifetime = "as tcp_connections",
				       .kind = TABLE_WORK,
				       .cap = cap,
				       .used = d->connections,
				       .bytes = d->memory.bytes,
				       .high = d->connections_most,
				       .grown = d->memory.grown,
				       .shrunk = d->memory.shrunk,
				       .has = TABLE_GROWS});
}
