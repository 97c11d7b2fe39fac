// SPDX-License-Identifier: BSD-3-Clause

// What the owner of a connection calls, and which question belongs to which request.
#include "doh_internal.h"

#include <errno.h>
#include <weir/bytes.h>
#include <weir/heap_site.h>

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

// As HTTP/1.1 it has one request at a time.
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
	doh_stream_move(s, DOH_ASKED, now_ms);
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
	doh_stream_respond(s, DOH_200, msg, len, now_ms);
}

void doh_conn_refuse(struct doh_conn *c, uint16_t id, enum doh_status status, uint64_t now_ms)
{
	uint16_t client_id;
	struct doh_stream *s = question_end(c, id, &client_id);

	if (s)
		doh_stream_respond(s, status, NULL, 0, now_ms);
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

uint64_t doh_conn_deadline(const struct doh_conn *c)
{
	const struct doh_stream *receiving = TAILQ_FIRST(&c->in[DOH_RECEIVING]);
	const struct doh_stream *answering = TAILQ_FIRST(&c->in[DOH_ANSWERING]);
	uint64_t at = UINT64_MAX;

	if (c->begun_ms)
		at = c->begun_ms + c->doh->set.request_ms;
	if (receiving && receiving->since_ms + c->doh->set.request_ms < at)
		at = receiving->since_ms + c->doh->set.request_ms;
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
	while ((s = TAILQ_FIRST(&c->in[DOH_RECEIVING]))
		&& now_ms >= s->since_ms + set->request_ms) {
		if (c->version == DOH_http2) {
			doh_h2_reset(s, false);
			continue;
		}
		doh_stream_respond(s, DOH_408, NULL, 0, now_ms);
		doh_conn_fail(c, DOH_END_slow_query);
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
