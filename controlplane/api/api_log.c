// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of the query log: records read from the rings, rows accepted by each sink, and the state
// of the query store.

#include "api_server.h"
#include "base/frontend_neighbour.h"
#include "querylog/querylog.h"
#include "querylog/sinks/sink_thread.h"

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

// The server of the sink, where it has one and sends there itself.
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
