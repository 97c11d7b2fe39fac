// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of live counters, for pages and screens: a stream of server-sent events, with a sample
// each EVERY_MS. A sample has the counters of both processes (readers compute differences) and the
// number of the newest event, so that a reader asks again for what an event changed only after an
// event. Each sample is made once for all readers, and only while there is a reader. It takes a
// call to each loop and a copy of the data plane's statistics; the next sample waits for it. weir
// hangs up on a stuck client (api_lines.h), and counts it.

#include "api_lines.h"
#include "api_server.h"
#include "memory/process.h"

#include <event2/event.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/stats_read.h>

enum {
	READERS_MAX = 128,
	EVERY_MS = 2000,
	PENDING_MAX = 32 * 1024, // room for several samples
};

struct api_live_reader {
	LIST_ENTRY(api_live_reader) link;
	struct api *api;
	struct api_lines out;
	uint64_t since_ms;
};

// Outlives the API while a sample is being made.
struct api_live {
	struct api *api; // NULL: the API is closed
	struct event *every;
	LIST_HEAD(, api_live_reader) readers;
	unsigned count;
	uint64_t refused, cut;
	bool sampling;
	struct frontends_status frontends; // for the sample that is being made
};

static void reader_end(struct api_live_reader *r)
{
	struct api_live *l = r->api->live;
	l->count--;
	LIST_REMOVE(r, link);
	api_lines_end(&r->out);
	heap_free(r);
	if (l->count == 0)
		(void)event_del(l->every);
}

static void verdicts_out(struct json_out *o, struct json_node *n, const uint64_t *verdict)
{
	struct json_node *verdicts = json_out_object(o, n, "verdicts");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (verdict[v])
			json_out_count(o, verdicts, verdict_names[v], verdict[v]);
}

static void frames_out(struct json_out *o, struct json_node *n, const struct stats_copy *s)
{
	json_out_count(o, n, "rx_frames", s->counter[COUNTER_rx_frames]);
	json_out_count(o, n, "tx_frames", s->counter[COUNTER_tx_frames]);
	json_out_count(o, n, "busy_us",
		s->tsc_hz ? (
			uint64_t)((double)s->counter[COUNTER_busy_cycles] * 1e6 / (double)s->tsc_hz)
			  : 0);
}

static void ports_out(struct json_out *o, struct json_node *n, const struct stats_copy *s)
{
	struct json_node *list = json_out_array(o, n, "ports");
	for (unsigned i = 0; i < s->ports; i++) {
		const struct stats_port_copy *p = &s->port[i];
		struct json_node *port = json_out_object(o, list, NULL);
		json_out_text(o, port, "name", p->name);
		json_out_bool(o, port, "link_up", p->link_up);
		json_out_count(o, port, "received", p->ipackets);
		json_out_count(o, port, "sent", p->opackets);
		json_out_count(o, port, "missed", p->imissed + p->rx_nombuf);
		json_out_count(o, port, "errors", p->ierrors + p->oerrors);
	}
}

// Adds the histogram of response times of answers from L0.
static void took_out(struct json_out *o, struct json_node *n, const struct took *t)
{
	struct json_node *list = json_out_array(o, n, "hit_ns");
	for (unsigned i = 0; i + 1 < TOOK_BUCKETS; i++) {
		if (!t->bucket[i])
			continue;
		struct json_node *b = json_out_object(o, list, NULL);
		json_out_count(o, b, "below", took_bound_ns(i));
		json_out_count(o, b, "count", t->bucket[i]);
	}
}

// Adds the times of stages, over the batches that are timed.
static void stages_out(struct json_out *o, struct json_node *n, const struct stats_copy *s)
{
	struct json_node *list = json_out_array(o, n, "stages");
	for (unsigned i = 0; i < STAGE_COUNT; i++) {
		struct json_node *stage = json_out_object(o, list, NULL);
		json_out_text(o, stage, "name", stage_names[i]);
		json_out_count(o, stage, "batches", took_count(&s->stage[i]));
		json_out_count(o, stage, "ns", s->stage[i].sum_ns);
	}
}

static void dataplane_out(struct json_out *o, struct json_node *root, struct api *a)
{
	char why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(a->deps.publisher);
	const struct stats_copy *s = api_stats_read(a, why);
	struct json_node *n = json_out_object(o, root, "dataplane");
	json_out_text(
		o, n, "state", process_state_text(s ? dataplane_state(paths, s) : PROCESS_DOWN));
	if (s) {
		uint64_t rss, anonymous;
		process_memory_of((pid_t)s->pid, &rss, &anonymous);
		json_out_count(o, n, "rss", rss);
		json_out_count(o, n, "started_ms", s->start_ms);
		json_out_count(o, n, "workers", s->workers);
		verdicts_out(o, n, s->verdict);
		frames_out(o, n, s);
		ports_out(o, n, s);
		stages_out(o, n, s);
		took_out(o, n, &s->outcome[OUTCOME_hit]);
	}
}

static void controlplane_out(struct json_out *o, struct json_node *root, const struct api_live *l,
	const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "controlplane");
	uint64_t rss, anonymous;
	struct timespec cpu;
	process_memory(&rss, &anonymous);
	json_out_count(o, n, "rss", rss);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	json_out_count(
		o, n, "busy_us", (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000);
	json_out_count(o, n, "l0_entries", s->l0.entries);
	JSON_COUNTS(o, n, s, misses, answered, answered_stale, servfail, upstream_sent,
		upstream_replies, inflight, waiters);
	struct json_node *of = json_out_object(o, n, "frontend");
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++) {
		const struct frontend_counts *c = &l->frontends.engine.of[t];
		struct json_node *one = json_out_object(o, of, frontend_transport_names[t]);
		verdicts_out(o, one, c->verdict);
		JSON_COUNTS(o, one, c, answers, answers_stale, answers_servfail, answers_blocked);
	}
}

// The server-sent event of a sample; its document is one line. NULL: no memory.
static char *sample_text(const struct api_live *l, const struct resolver_status *s, size_t *len)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	const struct events *events = l->api->deps.events;
	json_out_signed(o, root, "unix_ms", (int64_t)clock_ms_of(CLOCK_REALTIME));
	json_out_count(o, root, "monotonic_ms", clock_mono_ms());
	json_out_count(o, root, "newest_event", events ? events_newest(events) : 0);
	dataplane_out(o, root, l->api);
	controlplane_out(o, root, l, s);
	char *data = json_out_finish(o), *text = NULL;
	int n = data ? asprintf(&text, "event: sample\ndata: %s\n\n", data) : -1;
	heap_free(data);
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? NULL : text;
}

static void live_free(struct api_live *l)
{
	event_free(l->every);
	heap_free(l);
}

// Called when no sample is being made any more. True: the API is closed, and `l` is freed.
static bool is_over(struct api_live *l)
{
	l->sampling = false;
	if (l->api)
		return false;
	live_free(l);
	return true;
}

// Sends the sample, except to readers with a full buffer: the next sample has its counters, too.
static void on_resolvers(void *arg, const struct resolver_status *s)
{
	struct api_live *l = arg;
	if (is_over(l))
		return;
	size_t len;
	char *text = sample_text(l, s, &len);
	for (struct api_live_reader *r = LIST_FIRST(&l->readers), *next; r; r = next) {
		next = LIST_NEXT(r, link);
		if (!text || (r->out.pending < PENDING_MAX && !api_lines_put(&r->out, text, len))) {
			l->cut++;
			reader_end(r);
		}
	}
	heap_free(text);
}

static void on_frontends(void *arg, const struct frontends_status *s)
{
	struct api_live *l = arg;
	if (l->api) {
		l->frontends = *s;
		const struct api_deps *d = &l->api->deps;
		if (resolvers_status(d->resolvers, d->service, on_resolvers, l) == 0)
			return;
	}
	(void)is_over(l); // leaves this sample out
}

static void sample(struct api_live *l)
{
	const struct api_deps *d = &l->api->deps;
	l->sampling = frontends_report(d->frontends, d->service, on_frontends, l) == 0;
}

// Checks all readers at once: a timer for each of 50 would take more time than their samples.
static void readers_look(struct api_live *l)
{
	const uint64_t now_ms = clock_mono_ms();
	for (struct api_live_reader *r = LIST_FIRST(&l->readers), *next; r; r = next) {
		next = LIST_NEXT(r, link);
		const enum api_lines_state state = api_lines_look(&r->out, PENDING_MAX, now_ms);
		if (state == API_LINES_STUCK)
			l->cut++;
		if (state == API_LINES_GONE || state == API_LINES_STUCK)
			reader_end(r);
	}
}

static void on_every(int, short, void *arg)
{
	struct api_live *l = arg;
	readers_look(l);
	if (l->count > 0 && !l->sampling)
		sample(l);
}

static struct api_live *live_of(struct api *a)
{
	if (a->live)
		return a->live;
	struct api_live *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->api = a;
	LIST_INIT(&l->readers);
	l->every = event_new(loop_base(a->deps.service), -1, EV_PERSIST, on_every, l);
	if (!l->every) {
		heap_free(l);
		return NULL;
	}
	return a->live = l;
}

static void reader_begin(struct api *a, struct http_exchange *x)
{
	static const struct timeval every = {.tv_sec = EVERY_MS / 1000};
	struct api_live_reader *r = heap_calloc(1, sizeof(*r));
	if (!r || api_lines_init(&r->out, a->deps.service, NULL, NULL) < 0) {
		heap_free(r);
		http_reply(x, 500, NULL);
		return;
	}
	r->api = a;
	r->since_ms = clock_mono_ms();
	if (!api_lines_begin(&r->out, x, "text/event-stream")) {
		api_lines_end(&r->out);
		heap_free(r);
		return;
	}
	LIST_INSERT_HEAD(&a->live->readers, r, link);
	if (a->live->count++ == 0)
		(void)event_add(a->live->every, &every);
	if (!a->live->sampling)
		sample(a->live); // the reader's first sample
}

// Whether there is a place for one more reader. False: the request is refused.
static bool reader_admit(struct api_live *l, struct http_exchange *x)
{
	const struct api_live_reader *r;
	struct api_places places = {0};
	readers_look(l); // some may have hung up
	LIST_FOREACH (r, &l->readers, link)
		api_places_count(&places, &r->out, x);
	return api_places_admit(&places, x, READERS_MAX, "readers of samples", &l->refused);
}

// Streams the counters of both processes every two seconds.
static void serve_live(struct api *a, struct http_exchange *x)
{
	struct api_live *l = live_of(a);
	if (!l)
		http_reply(x, 500, NULL);
	else if (reader_admit(l, x))
		reader_begin(a, x);
}

static void live_end(struct api *a)
{
	struct api_live *l = a->live;
	if (!l)
		return;
	while (!LIST_EMPTY(&l->readers))
		reader_end(LIST_FIRST(&l->readers));
	a->live = NULL;
	l->api = NULL;
	if (!l->sampling)
		live_free(l);
}

static void live_tables(struct api *a, struct table_registry *tables)
{
	static const struct api_live none;
	const struct api_live *l = a->live ? a->live : &none;
	const struct api_live_reader *r;
	uint64_t since_ms = 0;
	LIST_FOREACH (r, &l->readers, link)
		since_ms = r->since_ms; // the newest come first
	table_register(tables, &(struct table_info){.name = "live_readers",
				       .owner = "control API",
				       .eviction = "refuse; close a stalled reader",
				       .lifetime = "life of the connection",
				       .kind = TABLE_WORK,
				       .cap = READERS_MAX,
				       .used = l->count,
				       .bytes = l->count * sizeof(*r) + (a->live ? sizeof(*l) : 0),
				       .evicted = l->cut,
				       .refused = l->refused,
				       .oldest_ms = table_age(since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}

const struct api_part api_live_part = {
	.endpoint = {{"/live", serve_live, API_GET, CONTROL_READ, ""}},
	.tables = live_tables,
	.close = live_end,
};
