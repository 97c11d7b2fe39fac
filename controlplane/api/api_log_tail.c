// SPDX-License-Identifier: BSD-3-Clause
// Endpoint that streams rows of the query log as they come, a line of JSON each, until the client
// closes. {"missed": N}: rows without room in a full buffer. A stuck client (api_lines.h) is
// closed.

#include "api_lines.h"
#include "api_param.h"
#include "querylog/sinks/tail.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { TAIL_PENDING_MAX = 64 * 1024 };

struct api_tail {
	LIST_ENTRY(api_tail) link;
	struct api *api;
	struct api_lines out;
	unsigned reader;
	uint64_t since_ms;
	char lines[TAIL_BUFFER_MAX];
};

static void reader_free(struct api_tail *w)
{
	if (w)
		api_lines_end(&w->out);
	heap_free(w);
}

static void tail_end(struct api_tail *w, bool is_cut)
{
	tail_leave(w->api->deps.tail, w->reader, is_cut);
	LIST_REMOVE(w, link);
	reader_free(w);
}

static bool lines_send(struct api_tail *w)
{
	uint64_t missed;
	size_t len = tail_take(w->api->deps.tail, w->reader, w->lines, &missed);
	return api_lines_send(&w->out, w->lines, len, missed);
}

static void on_tick(int, short, void *arg)
{
	struct api_tail *w = arg;
	enum api_lines_state state = api_lines_look(&w->out, TAIL_PENDING_MAX, clock_mono_ms());
	if (state == API_LINES_GONE)
		tail_end(w, false);
	else if (state == API_LINES_STUCK || (state == API_LINES_ROOM && !lines_send(w)))
		tail_end(w, true);
}

// False: it has been replied to.
static bool filter_take(const struct api *a, struct http_exchange *x, struct tail_filter *f)
{
	*f = (struct tail_filter){0};
	return api_param_log_name(x, f->name) && api_param_client(a, x, f->client)
	       && api_param_verdict(x, f->verdict) && api_param_validation(x, f->validation)
	       && api_param_group(a, x, f->group);
}

static struct api_tail *reader_new(struct api *a)
{
	struct api_tail *w = heap_malloc(sizeof(*w));
	if (!w || api_lines_init(&w->out, a->deps.service, on_tick, w) < 0) {
		heap_free(w);
		return NULL;
	}
	w->api = a;
	w->since_ms = clock_mono_ms();
	return w;
}

// False: refused.
static bool reader_admit(struct api *a, struct http_exchange *x)
{
	const struct api_tail *w;
	struct api_places places = {0};
	LIST_FOREACH (w, &a->tails, link)
		api_places_count(&places, &w->out, x);
	if (api_places_admit(&places, x, TAIL_READERS_MAX, "readers"))
		return true;
	a->tails_refused++;
	return false;
}

static void serve_log_tail(struct api *a, struct http_exchange *x)
{
	struct tail_filter filter;
	if (!filter_take(a, x, &filter))
		return;
	if (!a->deps.tail) {
		api_refuse(x, 409, "there is no query log");
		return;
	}
	if (!reader_admit(a, x))
		return;
	struct api_tail *w = reader_new(a);
	int err = w ? tail_join(a->deps.tail, &filter, &w->reader) : -ENOMEM;
	if (err < 0) {
		reader_free(w);
		if (err == -EUSERS)
			api_refuse(x, 503, "%d readers are there already", TAIL_READERS_MAX);
		else
			http_reply(x, 500, NULL);
		return;
	}
	if (!api_lines_begin(&w->out, x, API_LINES_JSON)) {
		tail_leave(a->deps.tail, w->reader, false);
		reader_free(w);
		return;
	}
	LIST_INSERT_HEAD(&a->tails, w, link);
}

static void tails_close(struct api *a)
{
	while (!LIST_EMPTY(&a->tails))
		tail_end(LIST_FIRST(&a->tails), false);
}

static void tail_tables(struct api *a, struct table_registry *tables)
{
	const struct api_tail *w;
	struct tail_counts c;
	uint64_t since_ms = 0;
	if (!a->deps.tail)
		return;
	tail_counts(a->deps.tail, &c);
	LIST_FOREACH (w, &a->tails, link)
		since_ms = w->since_ms; // the newest come first
	table_register(
		tables, &(struct table_info){.name = "log_readers",
				.owner = "query log",
				.eviction = "refuse; skip rows; close a stalled reader",
				.lifetime = "life of the connection",
				.kind = TABLE_WORK,
				.cap = TAIL_READERS_MAX,
				.used = c.readers,
				.bytes = c.readers * (TAIL_BUFFER_MAX + sizeof(struct api_tail)),
				.evicted = c.cut,
				.refused = c.refused + a->tails_refused,
				.oldest_ms = table_age(since_ms, clock_mono_ms()),
				.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}

const struct api_part api_log_tail_part = {
	.endpoint = {{"/log/tail", serve_log_tail, API_GET, CONTROL_READ,
		"name client verdict validation group"}},
	.tables = tail_tables,
	.close = tails_close,
};
