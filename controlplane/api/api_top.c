// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of the most active clients and the most popular names.

#include "api/metrics/metrics.h"
#include "api_clients.h"
#include "api_param.h"
#include "querylog/sinks/top.h"

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { TOP_LIMIT = 10 };

static void kind_out(struct json_out *o, struct json_node *root, const struct api *a,
	const struct top_report *r, enum top_kind kind)
{
	struct json_node *n = json_out_object(o, root, top_kind_names[kind]);
	json_out_count(o, n, "queries", r->queries[kind]);
	struct json_node *list = json_out_array(o, n, "items");
	for (unsigned i = 0; i < r->count[kind]; i++) {
		const struct top_item *from = &r->item[kind][i];
		struct json_node *item = json_out_object(o, list, NULL);
		const char *feed = kind == TOP_RULES ? strchr(from->text, '\n') : NULL;
		json_out_text(o, item, "text", feed ? feed + 1 : from->text);
		if (feed) {
			char title[RULE_TITLE_MAX];
			snprintf(
				title, sizeof(title), "%.*s", (int)(feed - from->text), from->text);
			json_out_text(o, item, "list", title);
		}
		if (kind == TOP_CLIENTS)
			api_client_out(o, item, a, NULL, from->text);
		json_out_count(o, item, "queries", from->count);
		json_out_count(o, item, "error", from->error);
	}
}

static void serve_top(struct api *a, struct http_exchange *x)
{
	unsigned limit = TOP_LIMIT;
	if (http_param(x, "limit") && !api_param_number(x, "limit", TOP_ITEMS_MAX, &limit))
		return;
	if (!a->deps.top) {
		api_refuse(x, 409, "there is no query log");
		return;
	}
	struct top_report *r = heap_malloc(sizeof(*r));
	if (!r) {
		http_reply(x, 500, NULL);
		return;
	}
	top_read(a->deps.top, limit, r);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "for_ms", clock_mono_ms() - r->since_ms);
	json_out_count(o, root, "slow_us", TOP_SLOW_US);
	struct json_node *totals = json_out_object(o, root, "totals");
	JSON_COUNTS(o, totals, &r->totals, queries, hits, blocked, upstream, nxdomain, slow);
	for (unsigned k = 0; k < TOP_KINDS; k++)
		kind_out(o, root, a, r, k);
	http_reply(x, 200, json_out_finish(o));
	heap_free(r);
}

static void top_tables(struct api *a, struct table_registry *tables)
{
	struct top_size size;
	if (!a->deps.top)
		return;
	top_size(a->deps.top, &size);
	table_register(tables, &(struct table_info){.name = "top_sketches",
				       .owner = "query log",
				       .eviction = "evict the least counted",
				       .lifetime = "30 min",
				       .kind = TABLE_CACHE,
				       .cap = size.cap,
				       .used = size.used,
				       .evicted = size.evicted,
				       .oldest_ms = table_age(size.since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS,
				       .bytes = size.bytes});
}

// At most RULE_HIT_LISTS lists, whatever the configuration had.
static void top_metrics(struct metrics_text *t, const struct api *a)
{
	char title[RULE_TITLE_MAX];
	uint64_t queries;
	struct top_size size;
	if (!a->deps.top)
		return;
	metrics_family(t, METRICS_COUNTER, "weir_list_blocked_queries_total",
		"Queries that a list blocked, of the query log.");
	for (unsigned i = 0; top_list_at(a->deps.top, i, title, &queries); i++)
		metrics_count(t, METRICS_LABELS({"list", title}), queries);
	top_size(a->deps.top, &size);
	metrics_one(t, METRICS_COUNTER, "weir_list_blocked_queries_left_out_total",
		"Blocked queries without a list above: too many lists since the start.",
		size.lists_left_out);
}

const struct api_part api_top_part = {
	.endpoint = {{"/top", serve_top, API_GET, CONTROL_READ, "limit"}},
	.metrics = top_metrics,
	.tables = top_tables,
};
