// SPDX-License-Identifier: BSD-3-Clause
// Endpoints that say how the control plane is: status and stats.

#include "api_hosts.h"
#include "api_listen.h"
#include "api_rules.h"
#include "api_tables.h"

#include <string.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/clock.h>

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
		json_out_bool(o, n, "no_address", u->is_nowhere);
		json_out_bool(o, n, "suspect", u->suspect);
		json_out_bool(o, n, "failing", u->failing);
		json_out_bool(o, n, "drained", u->drained);
		JSON_COUNTS(o, n, u, sent, answered, timeouts, bad_replies, tcp_retries, tcp_opened,
			tcp_open, tcp_limit, send_errors, failures, refused, srtt_us, down_for_ms,
			case_changed, checks, checks_failed);
		json_out_bool(o, n, "case_off", !u->mixed_case);
		json_out_bool(o, n, "edns_off", !u->edns);
	}
}

// Quantiles are of the last minute for every reader; the counts only grow.
void api_lag_out(struct json_out *o, struct json_node *n, const struct loop_lag_minute *lag)
{
	JSON_COUNTS_AS(o, n, "loop_lag_", lag, p50_us, p99_us, max_us, samples);
	json_out_count(o, n, "loop_lag_over_1ms", lag->late);
}

static void answer_policy_out(
	struct json_out *o, struct json_node *resolver, const struct answer_policy_count *c)
{
	struct json_node *n = json_out_object(o, resolver, "answer_policy");
	JSON_COUNTS(o, n, c, answers, listed, not_kept, cut, answered_blocked, questions_blocked,
		rechecked, rechecked_changed, rechecked_deleted, walks, walk_ms);
}

static void step_out(struct json_out *o, struct json_node *under, const struct step_count *c)
{
	struct json_node *n = json_out_object(o, under, "wall_clock");
	JSON_COUNTS(o, n, c, steps, stepped_ms, aged, dropped);
}

static void validation_out(
	struct json_out *o, struct json_node *under, const struct validators_status *v)
{
	struct json_node *n = json_out_object(o, under, "validation");
	JSON_COUNTS(o, n, v, secure, insecure, bogus, failed, late, refused, fetches,
		fetches_refused, foreign, broken, questions, fetching, contexts, led);
}

static void recursion_out(
	struct json_out *o, struct json_node *under, const struct recursor_status *v)
{
	struct json_node *n = json_out_object(o, under, "recursion");
	JSON_COUNTS(o, n, v, queries, answers, failed, repeated, refused, malformed, broken,
		questions, ipv4_off, ipv6_off);
}

static void resolver_out(
	struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "resolver");
	JSON_COUNTS(o, n, s, misses, coalesced, refreshes, bad_misses, answered, answered_stale,
		servfail, failed_recently, failures, late, no_waiter, answer_ring_full,
		answer_evicted, answers_truncated, refused_inflight, refused_waiters, refused_zone,
		refused_suffix, refused_client, unlimited_zone, unlimited_client, cut_short,
		upstream_sent, upstream_replies);
	JSON_COUNTS_AS(o, n, "upstream_tcp_", &s->streams, open, queries, opened, reused);
	json_out_count(o, n, "upstream_tcp_again", s->upstream_tcp_again);
	JSON_COUNTS_AS(o, n, "upstream_tcp_", &s->streams, late, bad, stalled, broken, waiting,
		waited, closed_peer, closed_idle, evicted, full);
	JSON_COUNTS_AS(
		o, n, "upstream_https_", &s->https, open, queries, late, full, refused, evicted);
	JSON_COUNTS_AS(o, n, "upstream_sockets_", &s->sockets, idle, open, opened, made, full);
	json_out_count(o, n, "upstream_strays", s->sockets.strays);
	JSON_COUNTS_AS(o, n, "upstream_port_", &s->port, sent, replies, unreachable, strays,
		refused, dead, unsent, full, open);
	JSON_COUNTS(o, n, s, subnet_sent, subnet_mismatched, subnet_answers, subnet_hits);
	JSON_COUNTS(o, n, s, mismatched, stored, not_stored, rewritten, refused_rewrites, forwarded,
		followed, unfollowed, dns64, filtered_aaaa, inflight, inflight_max, inflight_cap,
		waiters, waiter_cap, ring_anomalies, foreign_messages);
	api_lag_out(o, n, &s->lag);
	json_out_count(o, n, "loop_busy_us", s->loop_busy_us);
	answer_policy_out(o, n, &s->answer_policy);
	step_out(o, n, &s->step);
	validation_out(o, n, &s->validation);
	recursion_out(o, n, &s->recursion);
}

static void http_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct http_counts c;
	http_server_counts(a->http, &c);
	struct json_node *n = json_out_object(o, root, "control");
	JSON_COUNTS(o, n, &c, requests, refused_full, refused_peer, refused_rate, bad_requests,
		timeouts);
	json_out_count(o, n, "connections", c.conns.live);
	JSON_COUNTS_AS(o, n, "connections_", &c.conns, refused, cut);
	json_out_count(o, n, "calls_refused", loop_calls_refused(a->deps.service));
	struct loop_lag_minute lag;
	loop_lag_minute(a->deps.service, &lag);
	api_lag_out(o, n, &lag);
}

// `metrics.listen`, if it is configured.
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
	JSON_COUNTS_AS(o, n, "connections_", &c.conns, refused, cut);
	json_out_count(o, n, "hosts_refused", a->hosts_refused);
}

static void stats_reply(const struct api_look *l)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct table_registry tables;
	json_out_count(o, root, "monotonic_ms", clock_mono_ms());
	resolver_out(o, root, l->resolver);
	upstreams_out(o, root, l->resolver);
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->stats)
			(*p)->stats(o, root, l);
	http_out(o, root, l->api);
	api_tables_look(l, &tables);
	api_tables_out(o, root, &tables);
	http_reply(l->exchange, 200, json_out_finish(o));
}

static void generations_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct publish_status p;
	publish_status(a->deps.publisher, &p);
	struct json_node *n = json_out_object(o, root, "generations");
	json_out_count(o, n, "l0", p.l0_generation);
	json_out_count(o, n, "rule_image", p.rule_image_generation);
	json_out_count(o, n, "config", p.config_generation);
	json_out_count(o, n, "policy", p.policy_generation);
	json_out_count(o, n, "hops", p.hops_generation);
	JSON_COUNTS(o, n, &p, l0_bytes, rule_image_bytes);
	json_out_text(o, n, "l0_where", where_text(p.l0_where));
	json_out_text(o, n, "rule_image_where", where_text(p.rule_image_where));
	JSON_COUNTS(o, n, &p, retired_waiting, refused_busy, workers_hung, workers_evicted,
		evictions, resolvers, resolvers_hung, frontends, frontends_hung, rules_lag_ms,
		policy_lag_ms, hops_lag_ms, policy_failures);
}

static void rules_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	struct json_node *n = json_out_object(o, root, "rules");
	json_out_count(o, n, "names", r.names);
	json_out_count(o, n, "lists", r.list_count);
	api_rules_kinds_out(o, n, &r);
	json_out_count(o, n, "copies_bytes", r.kept_bytes);
	json_out_bool(o, n, "building", r.building);
	json_out_bool(o, n, "from_disk", r.from_disk);
	json_out_text(o, n, "error", r.error);
	api_rules_failing_out(o, n, &r);
}

static void bounds_out(struct json_out *o, struct json_node *root, const struct bound_top *top)
{
	struct json_node *list = json_out_array(o, root, "met_bounds");
	for (unsigned i = 0; i < top->count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "who", top->met[i].who);
		json_out_text(o, n, "bound", bound_text((enum bound)top->met[i].bound));
		json_out_count(o, n, "refused", top->met[i].count);
	}
}

static void status_reply(const struct api_look *l)
{
	const struct api *a = l->api;
	const struct resolver_status *s = l->resolver;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "version", build_this()->version);
	json_out_text(o, root, "commit", build_this()->commit);
	json_out_count(o, root, "pid", (uint64_t)getpid());
	json_out_count(o, root, "uptime_ms", clock_mono_ms() - a->start_ms);
	json_out_text(o, root, "config", a->deps.config_path);
	listen_out(o, root, a);
	generations_out(o, root, a);
	rules_out(o, root, a);
	json_out_bool(o, root, "link_up", s->link_up != 0);
	JSON_COUNTS(o, root, s, worker_rings, inflight, waiters);
	bounds_out(o, root, &s->met_bounds);
	api_lag_out(o, root, &s->lag);
	json_out_count(o, root, "l0_entries", s->l0.entries);
	step_out(o, root, &s->step);
	JSON_COUNTS(o, root, s, upstream_sets, upstream_sets_down);
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->status)
			(*p)->status(o, root, l);
	upstreams_out(o, root, s);
	api_hosts_out(o, root);
	http_reply(l->exchange, 200, json_out_finish(o));
}

static void serve_status(struct api *a, struct http_exchange *x)
{
	api_look(a, x, status_reply);
}

static void serve_stats(struct api *a, struct http_exchange *x)
{
	api_look(a, x, stats_reply);
}

const struct api_part api_status_part = {
	.endpoint = {{"/status", serve_status, API_GET, CONTROL_READ, ""},
		{"/stats", serve_stats, API_GET, CONTROL_READ, ""}},
};
