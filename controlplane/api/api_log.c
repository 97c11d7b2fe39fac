// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the query log: its counters, its sinks and the query store; search; and a stream of
// new rows.

#include "api_lines.h"
#include "api_param.h"
#include "api_server.h"
#include "base/frontend_neighbour.h"
#include "base/rdata_text.h"
#include "querylog/querylog.h"
#include "querylog/sinks/sink_thread.h"
#include "querylog/sinks/tail.h"
#include "querylog/store/query_folder.h"
#include "querylog/store/query_search.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// Adds the server's URL of the sink "clickhouse"; "" for other sinks.
static void server_out(struct json_out *o, struct json_node *n, const char *sink, struct api *a)
{
	struct clickhouse_status s = {0};
	if (a->deps.clickhouse && strcmp(sink, "clickhouse") == 0)
		clickhouse_status(a->deps.clickhouse, &s);
	json_out_text(o, n, "server", s.sender.url);
}

static void sinks_out(
	struct json_out *o, struct json_node *root, const struct querylog_status *s, struct api *a)
{
	struct json_node *list = json_out_array(o, root, "sinks");
	for (unsigned i = 0; i < s->sink_count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", s->sink[i].name);
		server_out(o, n, s->sink[i].name, a);
		counts_json(o, n, "", querylog_sink_rows(), &s->sink[i]);
	}
}

static void outputs_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	const struct api *a = l->api;
	for (unsigned i = 0; i < a->deps.output_count; i++) {
		struct sink_status s;
		sink_thread_status(a->deps.outputs[i], &s);
		if (!s.failing && !s.is_ill)
			continue;
		api_reason_add(reasons, API_REASON_sink, s.name, "the sink %s takes no rows: %s",
			s.name, s.why);
	}
	struct query_store_status q = {.failing = false};
	if (a->deps.store)
		query_store_status(a->deps.store, &q);
	if (q.failing)
		api_reason_add(reasons, API_REASON_query_store, "", "the query store cannot write");
}

static void outputs_out(struct json_out *o, struct json_node *root, struct api *a)
{
	struct json_node *list = json_out_array(o, root, "outputs");
	for (unsigned i = 0; i < a->deps.output_count; i++) {
		struct sink_status s;
		sink_thread_status(a->deps.outputs[i], &s);
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", s.name);
		json_out_text(o, n, "target", s.target);
		json_out_text(o, n, "state", s.failing || s.is_ill ? "failing" : "up");
		json_out_text(o, n, "why", s.why);
		json_out_count(o, n, "retry_in_ms", s.failing || s.is_ill ? s.retry_in_ms : 0);
		counts_json(o, n, "", sink_rows(), &s);
	}
}

static void tail_out(struct json_out *o, struct json_node *root, struct api *a)
{
	struct tail_counts c;
	if (!a->deps.tail)
		return;
	tail_counts(a->deps.tail, &c);
	c.refused += a->tails_refused;
	struct json_node *n = json_out_object(o, root, "tail");
	JSON_COUNTS(o, n, &c, readers, joined, refused, cut, rows, missed);
}

static void log_out(struct json_out *o, struct json_node *n, struct api *a)
{
	const struct config_query_log *c = &a->deps.config_current(a->deps.reload_arg)->query_log;
	struct querylog_status s;
	querylog_status(a->deps.log, &s);
	json_out_bool(o, n, "enabled", c->enabled);
	json_out_count(o, n, "sample", c->sample);
	counts_json(o, n, "", querylog_rows(), &s);
	json_out_count(o, n, "batches_cap", QUERYLOG_BATCHES_MAX);
	sinks_out(o, n, &s, a);
	outputs_out(o, n, a);
	tail_out(o, n, a);
}

// Replies with the state of the query log.
static void serve_log(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	if (a->deps.log)
		log_out(o, json_out_root(o), a);
	http_reply(x, 200, json_out_finish(o));
}

static void store_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct query_store_status s;
	if (!a->deps.store)
		return;
	query_store_status(a->deps.store, &s);
	struct json_node *n = json_out_object(o, root, "query_store");
	json_out_text(o, n, "state", s.failing ? "failing" : "up");
	json_out_text(o, n, "why", s.why);
	json_out_text(o, n, "directory", s.folder);
	counts_json(o, n, "", query_store_rows(), &s);
}

static void log_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	store_out(o, root, l->api);
	if (l->api->deps.log)
		log_out(o, json_out_object(o, root, "query_log"), l->api);
}

static void log_tables(struct api *a, struct table_registry *tables)
{
	if (a->deps.store) {
		struct query_store_status store;
		query_store_status(a->deps.store, &store);
		query_store_tables(&store, tables);
	}
	if (!a->deps.log)
		return;
	for (unsigned i = 0; i < a->deps.output_count; i++)
		sink_thread_tables(a->deps.outputs[i], tables);
	struct querylog_status s;
	querylog_status(a->deps.log, &s);
	table_register(tables,
		&(struct table_info){.name = "log_batches",
			.owner = "query log",
			.eviction = "reading of the rings pauses; they fill and rows get weights",
			.lifetime = "until every sink is done",
			TABLE_WORK_FOR(30000),
			.cap = QUERYLOG_BATCHES_MAX,
			.used = s.batches,
			.high = s.batches_most,
			.bytes = s.batch_bytes,
			.refused = s.starved,
			.oldest_ms = table_age(s.batch_since_ms, clock_mono_ms()),
			.grown = s.batches_grown,
			.shrunk = s.batches_shrunk,
			.has = TABLE_AGES | TABLE_REFUSES | TABLE_GROWS});
	table_register(tables, &(struct table_info){.name = "log_sources",
				       .owner = "query log",
				       .eviction = "refuse: the ring is not logged",
				       .lifetime = "life of the data plane",
				       .kind = TABLE_FIXED,
				       .cap = 2 * SHM_WORKERS_MAX + 1,
				       .used = s.sources,
				       .bytes = s.sources_bytes,
				       .refused = s.sources_refused,
				       .has = TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "log_neighbours",
				       .owner = "query log",
				       .eviction = "evict the address in the same slot",
				       .lifetime = "5 s, then looked up again",
				       .kind = TABLE_CACHE,
				       .cap = FRONTEND_NEIGHBOURS,
				       .used = s.macs,
				       .evicted = s.macs_evicted,
				       .refused = s.macs_refused,
				       .bytes = sizeof(struct frontend_neighbours),
				       .oldest_ms = s.macs_oldest_ms,
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}

const struct api_part api_log_part = {
	.endpoint = {{"/log", serve_log, API_GET, CONTROL_READ, ""}},
	.status = log_status,
	.stats = log_status,
	.degraded = outputs_degraded,
	.tables = log_tables,
};

// Endpoint that searches the query store, a page at a time. weirctl asks for the next page with the
// place that the last page ended at, so weir keeps no state between pages, and an export of any
// length takes the memory of one page. Files are read on a helper thread (job_runner.h).

struct log_call {
	struct http_exchange *exchange;
	char folder[PATH_MAX];
	struct query_filter filter;
	char unknown_client[API_WHY_MAX];
	struct query_outcome outcome;
	struct json_out *out;
	struct json_node *rows;
};

static void row_out(void *arg, const struct query_found *f)
{
	struct log_call *c = arg;
	struct json_out *o = c->out;
	char type[DNS_TYPE_TEXT_MAX];
	struct json_node *n = json_out_object(o, c->rows, NULL);
	json_out_signed(o, n, "time_us", f->raw.time_us);
	json_out_signed(o, n, "weight", f->raw.weight);
	json_out_text(o, n, "box", f->kind.box);
	json_out_text(o, n, "client", f->client.address);
	json_out_signed(o, n, "client_port", f->raw.port);
	json_out_text(o, n, "client_name", f->client.name);
	json_out_text(o, n, "client_group", f->client.group);
	json_out_text(o, n, "qname", f->name);
	json_out_text(o, n, "qtype", dns_type_text((uint16_t)f->kind.qtype, type));
	json_out_signed(o, n, "qclass", f->kind.qclass);
	json_out_text(o, n, "transport", f->kind.transport);
	json_out_text(o, n, "verdict", f->kind.verdict);
	json_out_text(o, n, "tier", f->kind.tier);
	json_out_bool(o, n, "answered", f->kind.answered);
	json_out_bool(o, n, "blocked", f->kind.blocked);
	json_out_signed(o, n, "rcode", f->kind.rcode);
	json_out_text(o, n, "rcode_text",
		f->kind.answered ? dns_rcode_text((uint16_t)f->kind.rcode) : "");
	json_out_signed(o, n, "ede", f->kind.ede == UINT16_MAX ? -1 : f->kind.ede);
	json_out_text(o, n, "validation", f->kind.validation);
	json_out_text(o, n, "list", f->kind.list);
	json_out_text(o, n, "upstream", f->kind.upstream);
	json_out_signed(o, n, "dataplane_us", f->raw.dataplane_us);
	json_out_signed(o, n, "total_us", f->raw.total_us);
	json_out_signed(o, n, "query_len", f->raw.query_len);
	json_out_signed(o, n, "reply_len", f->raw.reply_len);
}

static int search_work(void *arg, const _Atomic bool *stop)
{
	struct log_call *c = arg;
	return query_search(c->folder, &c->filter, stop, row_out, c, &c->outcome);
}

static void unread_out(struct log_call *c, struct json_node *list)
{
	const struct query_outcome *o = &c->outcome;
	char path[PATH_MAX];
	for (unsigned i = 0; i < o->unreadable && i < QUERY_UNREAD_MAX; i++) {
		const struct query_unread *u = &o->unread[i];
		if (query_folder_path(c->folder, u->hour, u->part, path))
			continue;
		struct json_node *n = json_out_object(c->out, list, NULL);
		json_out_text(c->out, n, "file", path);
		json_out_text(c->out, n, "why",
			u->err == -EUCLEAN ? "damaged, or not written by weir" : strerror(-u->err));
	}
}

static void searched(struct log_call *c, int err)
{
	char place[QUERY_PLACE_MAX] = "";
	struct json_node *root = json_out_root(c->out);
	if (err) {
		heap_free(json_out_finish(c->out));
		api_busy(c->exchange, err);
		heap_free(c);
		return;
	}
	if (!c->outcome.complete)
		query_place_print(&c->outcome.place, place);
	json_out_bool(c->out, root, "complete", c->outcome.complete);
	json_out_text(c->out, root, "after", place);
	json_out_text(c->out, root, "unknown_client", c->unknown_client);
	json_out_signed(c->out, root, "reached_us", c->outcome.reached_us);
	json_out_count(c->out, root, "looked_at", c->outcome.looked_at);
	json_out_count(c->out, root, "ruled_out_files", c->outcome.ruled_out);
	json_out_count(c->out, root, "unreadable_files", c->outcome.unreadable);
	unread_out(c, json_out_array(c->out, root, "unreadable"));
	http_reply(c->exchange, 200, json_out_finish(c->out));
	heap_free(c);
}

static void on_searched(void *arg, int err)
{
	struct log_call *c = arg;
	const struct http_turn turn = http_turn_begin(c->exchange);
	searched(c, err);
	http_turn_end(&turn);
}

static bool filter_take(const struct api *a, struct http_exchange *x, struct query_filter *f,
	char unknown_client[API_WHY_MAX])
{
	const char *after = http_param(x, "after");
	bool oldest_first;
	*f = (struct query_filter){.until_us = INT64_MAX, .for_ms = QUERY_SEARCH_MS};
	if (!api_param_flag(x, "oldest_first", &oldest_first)
		|| !api_param_number(x, "limit", QUERY_SEARCH_ROWS_MAX, &f->rows)
		|| !api_param_log_name(x, f->name)
		|| !api_param_past_client(a, x, f->client, unknown_client)
		|| !api_param_part(x, f->part) || !api_param_group(a, x, f->group)
		|| !api_param_rcode(x, &f->has_rcode, &f->rcode)
		|| !api_param_verdict(x, f->verdict) || !api_param_validation(x, f->validation)
		|| !api_param_time(x, "since", &f->since_us)
		|| !api_param_time(x, "until", &f->until_us))
		return false;
	f->newest_first = !oldest_first;
	if (after && !query_place_parse(after, &f->after)) {
		api_refuse(x, 400, "after: is no place");
		return false;
	}
	return true;
}

// Replies with rows of the query store.
static void serve_log_search(struct api *a, struct http_exchange *x)
{
	struct query_filter filter;
	char unknown_client[API_WHY_MAX];
	if (!filter_take(a, x, &filter, unknown_client))
		return;
	if (!a->deps.store) {
		api_refuse(x, 409, "the query store is off (query_log.store.enabled)");
		return;
	}
	struct log_call *c = heap_calloc(1, sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	c->exchange = x;
	c->filter = filter;
	memcpy(c->unknown_client, unknown_client, sizeof(c->unknown_client));
	snprintf(c->folder, sizeof(c->folder), "%s", query_store_folder(a->deps.store));
	c->out = json_out_new();
	c->rows = json_out_array(c->out, json_out_root(c->out), "rows");
	http_defer(x, API_FLUSH_MS);
	int err = job_runner_start(a->searches, http_job_user(x), search_work, on_searched, c);
	if (err)
		searched(c, err);
}

const struct api_part api_log_search_part = {
	.endpoint = {{"/log/search", serve_log_search, API_GET, CONTROL_READ,
		"limit! name part client group verdict validation rcode since until oldest_first "
		"after"}}};

// Endpoint that streams new rows of the query log, a line of JSON each, until the client hangs up.
// {"missed": N} counts rows that found the buffer full. weir hangs up on a stuck client
// (api_lines.h).

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

// False: the reply is sent.
static bool tail_filter_take(const struct api *a, struct http_exchange *x, struct tail_filter *f)
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

// Whether there is a place for one more reader. False: the request is refused.
static bool reader_admit(struct api *a, struct http_exchange *x)
{
	const struct api_tail *w;
	struct api_places places = {0};
	LIST_FOREACH (w, &a->tails, link)
		api_places_count(&places, &w->out, x);
	return api_places_admit(&places, x, TAIL_READERS_MAX, "readers", &a->tails_refused);
}

// Streams new rows of the query log.
static void serve_log_tail(struct api *a, struct http_exchange *x)
{
	struct tail_filter filter;
	if (!tail_filter_take(a, x, &filter))
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
		http_reply(x, err == -EUSERS ? 503 : 500, NULL);
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

// The ClickHouse sink in the status and the statistics.

// A server that takes no rows is not up, even if it answers other queries.
static const char *clickhouse_state_text(const struct clickhouse_sender_status *s)
{
	if (s->is_failing)
		return "failing";
	if (s->refused_in_a_row > 0)
		return "refusing";
	return s->is_up ? "up" : "starting";
}

static const char *why_text(const struct clickhouse_sender_status *s)
{
	return !s->is_failing && s->refused_in_a_row > 0 ? s->refused_why : s->why;
}

static void clickhouse_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	const struct api *a = l->api;
	struct clickhouse_status s;
	if (!a->deps.clickhouse)
		return;
	clickhouse_status(a->deps.clickhouse, &s);
	if (s.sender.is_failing || s.sender.refused_in_a_row > 0)
		api_reason_add(reasons, API_REASON_clickhouse, "", "ClickHouse takes no rows: %s",
			why_text(&s.sender));
	if (*s.sender.tidy_why)
		api_reason_add(reasons, API_REASON_clickhouse_tidy, "",
			"ClickHouse drops no old rows: %s", s.sender.tidy_why);
	if (s.sender.limits.twins)
		api_reason_add(reasons, API_REASON_clickhouse_twin, "",
			"another box writes to ClickHouse under this box's name (query_log.box)");
}

static void sender_out(
	struct json_out *o, struct json_node *n, const struct clickhouse_sender_status *s)
{
	char version[24] = "";
	if (s->version)
		snprintf(version, sizeof(version), "%u.%u", s->version / 100, s->version % 100);
	json_out_text(o, n, "state", clickhouse_state_text(s));
	json_out_text(o, n, "why", why_text(s));
	json_out_text(o, n, "url", s->url);
	json_out_text(o, n, "server_version", version);
	counts_json(o, n, "", clickhouse_sender_rows(), s);
	json_out_text(o, n, "tidy_why", s->tidy_why);
	struct json_node *limits = json_out_object(o, n, "table_limits");
	json_out_bool(o, limits, "known", s->limits.are_known);
	json_out_count(o, limits, "boxes", s->limits.boxes);
	json_out_count(o, limits, "same_name", s->limits.twins);
	json_out_count(o, limits, "hours", s->limits.hours);
	json_out_text(o, limits, "hours_of_box", s->limits.box);
	JSON_COUNTS(o, limits, &s->limits, max_bytes, rollup_days);
}

static void clickhouse_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct api *a = l->api;
	struct clickhouse_status s;
	if (!a->deps.clickhouse)
		return;
	clickhouse_status(a->deps.clickhouse, &s);
	struct json_node *n = json_out_object(o, root, "clickhouse");
	sender_out(o, n, &s.sender);
	counts_json(o, n, "", clickhouse_outbox_rows(), &s.outbox);
	json_out_signed(o, n, "spool_error", s.outbox.spool_err);
	counts_json(o, n, "", clickhouse_rows(), &s);
	json_out_count(o, n, "lost_rows", s.lost_rows + s.outbox.lost_rows);
	json_out_count(o, n, "lost_weight", s.lost_weight + s.outbox.lost_weight);
	JSON_COUNTS_AS(o, n, "held_", &s.all, rows, weight);
	JSON_COUNTS_AS(o, n, "all_", &s.all, lost_rows, lost_weight);
}

static void tables_add(struct api *a, struct table_registry *tables)
{
	struct clickhouse_status s;
	if (!a->deps.clickhouse)
		return;
	clickhouse_status(a->deps.clickhouse, &s);
	clickhouse_tables(&s, tables);
}

const struct api_part api_clickhouse_part = {.status = clickhouse_out,
	.stats = clickhouse_out,
	.degraded = clickhouse_degraded,
	.tables = tables_add};
