// SPDX-License-Identifier: BSD-3-Clause
// Endpoints that say how the control plane is: health, status, stats.

#include "api_internal.h"

#include <stdlib.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log_recent.h>

static const char *where_text(enum shm_where where)
{
	return where == SHM_IN_HUGE ? "hugetlbfs" : "tmpfs";
}

static void upstreams_out(
	struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *list = json_out_array(o, root, "upstreams");
	for (unsigned i = 0; i < s->upstream_count && i < CONFIG_UPSTREAMS_MAX; i++) {
		const struct upstream_status *u = &s->upstream[i];
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", u->name);
		json_out_text(o, n, "address", u->address);
		json_out_bool(o, n, "up", u->up);
		JSON_COUNTS(o, n, u, sent, answered, timeouts, bad_replies, tcp_retries, tcp_opened,
			tcp_open, tcp_limit, send_errors, failures, srtt_us, down_for_ms,
			case_changed);
		json_out_bool(o, n, "case_off", !u->mixed_case);
		json_out_bool(o, n, "edns_off", !u->edns);
	}
}

// Quantiles are of the last minute, whoever looked meanwhile; the counts only grow.
static void lag_out(struct json_out *o, struct json_node *n, const struct loop_lag_minute *lag)
{
	json_out_count(o, n, "loop_lag_p50_us", lag->p50_us);
	json_out_count(o, n, "loop_lag_p99_us", lag->p99_us);
	json_out_count(o, n, "loop_lag_max_us", lag->max_us);
	json_out_count(o, n, "loop_lag_samples", lag->samples);
	json_out_count(o, n, "loop_lag_over_1ms", lag->late);
}

static void answer_policy_out(
	struct json_out *o, struct json_node *resolver, const struct answer_policy_count *c)
{
	struct json_node *n = json_out_object(o, resolver, "answer_policy");
	JSON_COUNTS(o, n, c, answers, listed, not_kept, answered_blocked, questions_blocked,
		rechecked, rechecked_changed, rechecked_deleted, walks, walk_ms);
}

static void step_out(struct json_out *o, struct json_node *under, const struct step_count *c)
{
	struct json_node *n = json_out_object(o, under, "wall_clock");
	JSON_COUNTS(o, n, c, steps, stepped_ms, aged, dropped);
}

static void resolver_out(
	struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "resolver");
	JSON_COUNTS(o, n, s, misses, coalesced, refreshes, bad_misses, answered, answered_stale,
		servfail, failed_recently, failures, late, no_waiter, answer_ring_full,
		answers_truncated, refused_inflight, refused_waiters, refused_zone, refused_client,
		cut_short, upstream_sent, upstream_replies);
	json_out_count(o, n, "upstream_tcp_open", s->streams.open);
	json_out_count(o, n, "upstream_tcp_queries", s->streams.queries);
	json_out_count(o, n, "upstream_tcp_opened", s->streams.opened);
	json_out_count(o, n, "upstream_tcp_reused", s->streams.reused);
	json_out_count(o, n, "upstream_tcp_again", s->upstream_tcp_again);
	json_out_count(o, n, "upstream_tcp_late", s->streams.late);
	json_out_count(o, n, "upstream_tcp_bad", s->streams.bad);
	json_out_count(o, n, "upstream_tcp_stalled", s->streams.stalled);
	json_out_count(o, n, "upstream_tcp_broken", s->streams.broken);
	json_out_count(o, n, "upstream_tcp_waiting", s->streams.waiting);
	json_out_count(o, n, "upstream_tcp_waited", s->streams.waited);
	json_out_count(o, n, "upstream_tcp_closed_peer", s->streams.closed_peer);
	json_out_count(o, n, "upstream_tcp_closed_idle", s->streams.closed_idle);
	json_out_count(o, n, "upstream_tcp_evicted", s->streams.evicted);
	json_out_count(o, n, "upstream_tcp_full", s->streams.full);
	json_out_count(o, n, "upstream_sockets_idle", s->sockets.idle);
	json_out_count(o, n, "upstream_sockets_open", s->sockets.open);
	json_out_count(o, n, "upstream_sockets_opened", s->sockets.opened);
	json_out_count(o, n, "upstream_sockets_made", s->sockets.made);
	json_out_count(o, n, "upstream_sockets_full", s->sockets.full);
	json_out_count(o, n, "upstream_strays", s->sockets.strays);
	JSON_COUNTS(o, n, s, mismatched, stored, not_stored, rewritten, refused_rewrites, forwarded,
		inflight, inflight_max, inflight_cap, waiters, waiter_cap, ring_anomalies,
		foreign_messages);
	lag_out(o, n, &s->lag);
	json_out_count(o, n, "loop_busy_us", s->loop_busy_us);
	answer_policy_out(o, n, &s->answer_policy);
	step_out(o, n, &s->step);
}

// What makes no sense for a table is not there.
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
		JSON_COUNTS(o, n, t, cap, used, bytes, shared, high);
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

static void http_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct http_counts c;
	http_server_counts(a->http, &c);
	struct json_node *n = json_out_object(o, root, "control");
	JSON_COUNTS(o, n, &c, requests, refused_full, refused_peer, bad_requests, timeouts);
	json_out_count(o, n, "connections", c.conns.live);
	json_out_count(o, n, "connections_refused", c.conns.refused);
	json_out_count(o, n, "connections_cut", c.conns.cut);
	json_out_count(o, n, "calls_refused", loop_calls_refused(a->deps.service));
	struct loop_lag_minute lag;
	loop_lag_minute(a->deps.service, &lag);
	lag_out(o, n, &lag);
}

// The rest of `t`, which has its name and owner.
static void http_table(
	const struct http_server *server, struct table_info t, struct table_registry *tables)
{
	struct http_counts c;
	if (!server)
		return;
	http_server_counts(server, &c);
	t.eviction = "refuse with 503";
	t.lifetime = "the request, 120 s at most";
	t.cap = c.waiting_max;
	t.used = c.waiting;
	t.high = c.waiting_most;
	t.refused = c.refused_full;
	t.oldest_ms = table_age(c.since_ms, clock_mono_ms());
	t.has = TABLE_AGES | TABLE_REFUSES;
	t.bytes = c.waiting * c.bytes;
	table_register(tables, &t);
}

// The rest of `t`, likewise, and how long they may take.
static void connections_table(
	const struct http_server *server, struct table_info t, struct table_registry *tables)
{
	struct http_counts c;
	if (!server)
		return;
	http_server_counts(server, &c);
	t.eviction = "refuse with 503; close a slow one";
	t.cap = c.conns.max;
	t.used = c.conns.live;
	t.high = c.conns.most;
	t.bytes = c.conns.bytes;
	t.evicted = c.conns.cut;
	t.refused = c.conns.refused;
	t.oldest_ms = table_age(c.conns.since_ms, clock_mono_ms());
	t.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES;
	table_register(tables, &t);
}

// `metrics.listen`, where it is asked for.
static void listen_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	const struct api_listener *l = &a->listener;
	struct http_counts c = {0};
	if (!api_listen_is_on(a))
		return;
	struct json_node *n = json_out_object(o, root, "metrics_listen");
	json_out_text(o, n, "address", a->deps.metrics->listen);
	json_out_bool(o, n, "listening", l->server != NULL);
	json_out_text(o, n, "error", l->error ? strerror(-l->error) : "");
	json_out_count(o, n, "failures", l->failures);
	if (l->server)
		http_server_counts(l->server, &c);
	json_out_count(o, n, "connections", c.conns.live);
	json_out_count(o, n, "connections_refused", c.conns.refused);
	json_out_count(o, n, "connections_cut", c.conns.cut);
}

// The rest of `t`, which has its name.
static void runner_table(
	const struct why_runner *r, struct table_info t, struct table_registry *tables)
{
	struct why_runner_counts c;
	why_runner_counts(r, &c);
	t.owner = "control API";
	t.eviction = "refuse with 503, as does a wait that is too long";
	t.lifetime = "8 s of waiting, then its work";
	t.cap = WHY_RUNNING_MAX + WHY_WAITING_MAX;
	t.bytes = c.bytes;
	t.used = c.used;
	t.high = c.high;
	t.evicted = c.late;
	t.refused = c.refused;
	t.oldest_ms = table_age(c.since_ms, clock_mono_ms());
	t.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES;
	table_register(tables, &t);
}

static void errors_tables(struct table_registry *tables)
{
	struct log_recent_counts c;
	log_recent_counts(&c);
	table_register(tables, &(struct table_info){.name = "log_recent",
				       .owner = "any thread that logs",
				       .eviction = "evict the kind that was seen longest ago",
				       .lifetime = "life of the process",
				       .cap = LOG_RECENT_MAX,
				       .used = c.used,
				       .high = c.used,
				       .evicted = c.replaced,
				       .has = TABLE_EVICTS,
				       .bytes = c.bytes});
}

void api_all_tables(struct api *a, struct table_registry *tables)
{
	struct query_store_status store;
	struct clickhouse_status clickhouse;
	if (a->deps.store) {
		query_store_status(a->deps.store, &store);
		query_store_tables(&store, tables);
	}
	if (a->deps.clickhouse) {
		clickhouse_status(a->deps.clickhouse, &clickhouse);
		clickhouse_tables(&clickhouse, tables);
	}
	api_log_tables(a, tables);
	api_top_tables(a, tables);
	api_tail_tables(a, tables);
	api_watch_tables(a, tables);
	api_meter_tables(a, tables);
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
	errors_tables(tables);
	if (a->watch)
		mem_watch_see(a->watch, tables);
}

static void on_stats(void *arg, const struct resolver_status *s)
{
	struct api_status_call *call = arg;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "monotonic_ms", clock_mono_ms());
	resolver_out(o, root, s);
	api_tiers_out(o, root, s);
	api_frontend_out(o, root, &call->frontends.engine);
	api_fallback_out(o, root, &call->frontends.udp);
	upstreams_out(o, root, s);
	struct table_registry tables = s->tables;
	if (http_is_live(call->exchange)) {
		api_store_out(o, root, NULL, call->api);
		api_clickhouse_out(o, root, call->api);
		api_log_out(o, root, call->api);
		api_all_tables(call->api, &tables);
		api_dataplane_tables(call->api, s, &tables);
		http_out(o, root, call->api);
	}
	api_tables_out(o, root, &tables);
	http_reply(call->exchange, 200, json_out_finish(o));
	free(call);
}

static void generations_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct publish_status p;
	publish_status(a->deps.publisher, &p);
	struct json_node *n = json_out_object(o, root, "generations");
	json_out_count(o, n, "l0", p.l0_generation);
	json_out_count(o, n, "names", p.names_generation);
	json_out_count(o, n, "config", p.config_generation);
	json_out_count(o, n, "policy", p.policy_generation);
	JSON_COUNTS(o, n, &p, l0_bytes, names_bytes);
	json_out_text(o, n, "l0_where", where_text(p.l0_where));
	json_out_text(o, n, "names_where", where_text(p.names_where));
	JSON_COUNTS(
		o, n, &p, retired_waiting, refused_busy, workers_hung, names_lag_ms, policy_lag_ms);
}

static void rules_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	struct json_node *n = json_out_object(o, root, "rules");
	json_out_count(o, n, "names", r.names);
	json_out_count(o, n, "lists", r.list_count);
	json_out_count(o, n, "copies_bytes", r.kept_bytes);
	json_out_bool(o, n, "building", r.building);
	json_out_bool(o, n, "from_disk", r.from_disk);
	json_out_text(o, n, "error", r.error);
	api_failing_out(o, n, &r);
}

static void on_status(void *arg, const struct resolver_status *s)
{
	struct api_status_call *call = arg;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "version", WEIR_VERSION);
	json_out_count(o, root, "pid", (uint64_t)getpid());
	if (http_is_live(call->exchange)) {
		const struct api *a = call->api;
		json_out_count(o, root, "uptime_ms", clock_mono_ms() - a->start_ms);
		json_out_text(o, root, "config", a->deps.config_path);
		listen_out(o, root, a);
		generations_out(o, root, a);
		rules_out(o, root, a);
		api_state_out(o, root, a);
	}
	json_out_bool(o, root, "link_up", s->link_up != 0);
	JSON_COUNTS(o, root, s, worker_rings, inflight, waiters);
	lag_out(o, root, &s->lag);
	json_out_count(o, root, "l0_entries", s->l0.entries);
	step_out(o, root, &s->step);
	JSON_COUNTS(o, root, s, upstream_sets, upstream_sets_down);
	if (http_is_live(call->exchange)) {
		api_groups_out(o, root, call->api);
		api_store_out(o, root, NULL, call->api);
		api_clickhouse_out(o, root, call->api);
		api_log_out(o, root, call->api);
	}
	api_redis_out(o, root, s);
	api_fallback_out(o, root, &call->frontends.udp);
	upstreams_out(o, root, s);
	http_reply(call->exchange, 200, json_out_finish(o));
	free(call);
}

static void on_frontends(void *arg, const struct frontends_status *s)
{
	struct api_status_call *call = arg;
	int ret = -ECANCELED;

	call->frontends = *s;
	if (http_is_live(call->exchange))
		ret = resolver_status(
			call->api->deps.resolver, call->api->deps.service, call->done, call);
	if (ret < 0) {
		api_busy(call->exchange, ret);
		free(call);
	}
}

void api_status_ask(struct api *a, struct http_exchange *x,
	void (*done)(void *arg, const struct resolver_status *s))
{
	api_status_ask_strict(a, x, false, done);
}

void api_status_ask_strict(struct api *a, struct http_exchange *x, bool strict,
	void (*done)(void *arg, const struct resolver_status *s))
{
	struct api_status_call *call = calloc(1, sizeof *call);
	if (!call) {
		http_reply(x, 500, NULL);
		return;
	}
	*call = (struct api_status_call){.api = a, .exchange = x, .done = done, .strict = strict};
	http_defer(x, API_SHORT_MS);
	int ret = frontends_report(a->deps.frontends, a->deps.service, on_frontends, call);
	if (ret < 0) {
		free(call);
		api_busy(x, ret);
	}
}

void api_status(struct api *a, struct http_exchange *x)
{
	api_status_ask(a, x, on_status);
}

void api_stats(struct api *a, struct http_exchange *x)
{
	api_status_ask(a, x, on_stats);
}
