// SPDX-License-Identifier: BSD-3-Clause
#include "api_tables.h"

#include "transfer/http_transfer.h"

#include <stdlib.h>
#include <weir/clock.h>
#include <weir/log_recent.h>
#include <weir/stats_read.h>

static_assert((int)STATS_TABLE_AGES == (int)TABLE_AGES);
static_assert((int)STATS_TABLE_EVICTS == (int)TABLE_EVICTS);
static_assert((int)STATS_TABLE_REFUSES == (int)TABLE_REFUSES);
static_assert((int)STATS_TABLE_CACHE == (int)TABLE_CACHE);
static_assert((int)STATS_TABLE_WORK == (int)TABLE_WORK);
static_assert((int)STATS_TABLE_FIXED == (int)TABLE_FIXED);

static struct table_info info_of(const struct stats_table_kind *kind)
{
	return (struct table_info){.name = kind->name,
		.owner = "dataplane",
		.eviction = kind->eviction,
		.lifetime = kind->lifetime,
		.has = kind->has,
		.kind = (enum table_kind)kind->kind,
		.of_dataplane = true};
}

// Adds the figures of one table, without those of properties that the table does not have.
static void info_add(struct table_info *t, const struct stats_table_copy *c)
{
	t->cap += c->cap;
	t->used += c->used;
	t->high += c->high;
	t->bytes += c->bytes;
	t->shared += c->shared;
	t->evicted += t->has & TABLE_EVICTS ? c->evicted : 0;
	t->refused += t->has & TABLE_REFUSES ? c->refused : 0;
	if (t->has & TABLE_AGES && t->oldest_ms < c->oldest_ms)
		t->oldest_ms = c->oldest_ms;
}

static double fill_of(uint64_t used, uint64_t cap)
{
	return cap ? (double)used / (double)cap : 0;
}

static void part_add(struct table_info *t, const struct stats_table_copy *c, unsigned worker)
{
	info_add(t, c);
	t->parts++;
	if (worker && fill_of(c->used, c->cap) <= fill_of(t->fullest_used, t->fullest_cap))
		return;
	t->fullest = worker;
	t->fullest_used = c->used;
	t->fullest_cap = c->cap;
}

void api_tables_dataplane(
	const struct stats_copy *c, uint64_t answer_ring_full, struct table_registry *tables)
{
	for (unsigned k = 0; k < STATS_WORKER_TABLES; k++) {
		struct table_info t = info_of(&stats_worker_table_kinds[k]);
		for (unsigned w = 0; w < c->workers; w++)
			part_add(&t, &c->worker[w].table[k], w);
		if (k == STATS_dp_answer_ring)
			t.refused = answer_ring_full;
		table_register(tables, &t);
	}
	for (unsigned k = 0; k < STATS_PROCESS_TABLES; k++) {
		struct table_info t = info_of(&stats_process_table_kinds[k]);
		info_add(&t, &c->table[k]);
		table_register(tables, &t);
	}
}

// Adds the data plane's tables, while its statistics can be read.
static void dataplane_look(const struct api_look *l, struct table_registry *tables)
{
	const struct stats_copy *c = api_look_stats(l);
	if (c && dataplane_state(publisher_paths(l->api->deps.publisher), c) != PROCESS_DOWN)
		api_tables_dataplane(c, l->resolver->answer_ring_full, tables);
}

// Registers the requests of a server. `t` has a name and an owner.
static void http_table(
	const struct http_server *server, struct table_info t, struct table_registry *tables)
{
	struct http_counts c;
	if (!server)
		return;
	http_server_counts(server, &c);
	t.eviction = "refuse with 503";
	t.lifetime = "the request, 120 s at most";
	t.kind = TABLE_WORK;
	t.stay_ms = 120000;
	t.cap = c.waiting_max;
	t.used = c.waiting;
	t.high = c.waiting_most;
	t.refused = c.refused_full;
	t.oldest_ms = table_age(c.since_ms, clock_mono_ms());
	t.has = TABLE_AGES | TABLE_REFUSES;
	t.bytes = c.waiting * c.bytes;
	table_register(tables, &t);
}

// Registers the connections of a server. `t` has a name, an owner and a lifetime.
static void connections_table(
	const struct http_server *server, struct table_info t, struct table_registry *tables)
{
	struct http_counts c;
	if (!server)
		return;
	http_server_counts(server, &c);
	t.eviction = "refuse with 503; close a slow one";
	t.kind = TABLE_WORK;
	t.cap = c.conns.max;
	t.used = c.conns.live;
	t.descriptors = c.conns.live;
	t.high = c.conns.most;
	t.bytes = c.conns.bytes;
	t.evicted = c.conns.cut;
	t.refused = c.conns.refused;
	t.oldest_ms = table_age(c.conns.since_ms, clock_mono_ms());
	t.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES;
	table_register(tables, &t);
}

// Registers the work of a job runner. `t` has a name.
static void runner_table(
	const struct job_runner *r, struct table_info t, struct table_registry *tables)
{
	struct job_runner_counts c;
	job_runner_counts(r, &c);
	t.owner = "control API";
	t.eviction = "refuse with 503, as does a wait that is too long";
	t.lifetime = "8 s of waiting, then its work";
	t.kind = TABLE_WORK;
	t.cap = JOB_RUNNING_MAX + JOB_WAITING_MAX;
	t.bytes = c.bytes;
	t.used = c.used;
	t.high = c.high;
	t.evicted = c.late;
	t.refused = c.refused;
	t.oldest_ms = table_age(c.since_ms, clock_mono_ms());
	t.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES;
	table_register(tables, &t);
}

// Registers the rate limits of the control socket, of control.listen and of metrics.listen.
static void rates_table(const struct api *a, struct table_registry *tables)
{
	const struct http_rate *rates[] = {&a->rate, &a->control.rate, &a->listener_rate};
	struct table_info t = (struct table_info){.name = "http_rates",
		.owner = "control API",
		.eviction = "replace the one that asked longest ago",
		.lifetime = "life of the process",
		.kind = TABLE_CACHE,
		.has = TABLE_EVICTS | TABLE_REFUSES,
		.bytes = sizeof(*a)}; // one block with the rest of the API
	for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
		t.cap += HTTP_RATE_PLACES;
		t.used += http_rate_used(rates[i]);
		t.evicted += rates[i]->evicted;
		t.refused += rates[i]->refused;
	}
	t.high = t.used;
	table_register(tables, &t);
}

// Registers libcurl's handles: one for ClickHouse, or two while its settings change, one for each
// webhook, and one for each fetch of a list or of the update notice.
static void transfers_table(struct table_registry *tables)
{
	struct http_transfer_counts c;
	http_transfer_counts(&c);
	table_register(tables, &(struct table_info){.name = "http_clients",
				       .owner = "ClickHouse, webhooks, lists, updates",
				       .eviction = "cannot be full: bounded by the configuration",
				       .lifetime = "life of its server, of one list",
				       .kind = TABLE_FIXED,
				       .cap = CONFIG_WEBHOOKS_MAX + 4,
				       .used = c.handles,
				       .bytes = c.bytes,
				       .descriptors = c.sockets});
}

static void errors_tables(struct table_registry *tables)
{
	struct log_recent_counts c;
	log_recent_counts(&c);
	table_register(tables, &(struct table_info){.name = "log_recent",
				       .owner = "any thread that logs",
				       .eviction = "evict the kind that was seen longest ago",
				       .lifetime = "life of the process",
				       .kind = TABLE_CACHE,
				       .cap = LOG_RECENT_MAX,
				       .used = c.used,
				       .high = c.used,
				       .evicted = c.replaced,
				       .has = TABLE_EVICTS,
				       .bytes = c.bytes});
}

void api_tables(struct api *a, struct table_registry *tables)
{
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->tables)
			(*p)->tables(a, tables);
	http_table(a->http, (struct table_info){.name = "http_requests", .owner = "control API"},
		tables);
	http_table(a->listener.server,
		(struct table_info){.name = "http_listen", .owner = "metrics.listen"}, tables);
	connections_table(a->http,
		(struct table_info){.name = "control_connections",
			.owner = "control socket",
			.lifetime = "30 s for a request and as long for its reply"},
		tables);
	connections_table(a->listener.server,
		(struct table_info){.name = "http_connections",
			.owner = "metrics.listen",
			.lifetime = "10 s for a request and as long for its reply"},
		tables);
	runner_table(a->whys, (struct table_info){.name = "why_explanations"}, tables);
	runner_table(a->searches, (struct table_info){.name = "why_searches"}, tables);
	rates_table(a, tables);
	transfers_table(tables);
	errors_tables(tables);
	if (a->watch)
		mem_watch_see(a->watch, tables);
}

void api_tables_look(const struct api_look *l, struct table_registry *tables)
{
	*tables = l->resolver->tables;
	tables_sum(tables, &l->frontends.tables);
	api_tables(l->api, tables);
	dataplane_look(l, tables);
}

// Adds a figure if the table has its property.
static void notion_out(struct json_out *o, struct json_node *n, const struct table_info *t,
	enum table_notion notion, const char *key, uint64_t value)
{
	if (t->has & notion)
		json_out_count(o, n, key, value);
}

void api_tables_out(struct json_out *o, struct json_node *root, const struct table_registry *r)
{
	struct json_node *list = json_out_array(o, root, "tables");
	json_out_count(o, root, "tables_dropped", r->dropped);
	for (unsigned i = 0; i < r->count; i++) {
		const struct table_info *t = &r->table[i];
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", t->name);
		json_out_text(o, n, "owner", t->owner);
		json_out_text(o, n, "eviction", t->eviction);
		json_out_text(o, n, "lifetime", t->lifetime);
		json_out_text(o, n, "kind", table_kind_texts[t->kind]);
		json_out_count(o, n, "stay_ms", t->stay_ms);
		JSON_COUNTS(o, n, t, cap, used, bytes, shared, descriptors, files, high);
		json_out_bool(o, n, "reserved", t->has & TABLE_RESERVED);
		json_out_text(o, n, "process", t->of_dataplane ? "dataplane" : "controlplane");
		if (t->parts) {
			json_out_count(o, n, "workers", t->parts);
			JSON_COUNTS(o, n, t, fullest, fullest_used, fullest_cap);
		}
		notion_out(o, n, t, TABLE_EVICTS, "evicted", t->evicted);
		notion_out(o, n, t, TABLE_REFUSES, "refused", t->refused);
		notion_out(o, n, t, TABLE_AGES, "oldest_ms", t->oldest_ms);
		notion_out(o, n, t, TABLE_GROWS, "grown", t->grown);
		notion_out(o, n, t, TABLE_GROWS, "shrunk", t->shrunk);
	}
}
