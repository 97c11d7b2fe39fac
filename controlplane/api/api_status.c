// SPDX-License-Identifier: BSD-3-Clause
// Endpoints that say how the control plane is: status and stats.

#include "api_listener.h"
#include "api_rules.h"
#include "api_tables.h"
#include "api_upstreams.h"
#include "base/clock_grace.h"

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
		json_out_bool(o, n, "no_address", u->is_nowhere);
		counts_json(o, n, "", upstream_rows(), u);
		json_out_bool(o, n, "case_off", !u->mixed_case);
		json_out_bool(o, n, "edns_off", !u->edns);
	}
}

static void resolver_out(
	struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "resolver");
	counts_json(o, n, "", resolver_rows(), s);
	counts_json(o, n, "upstream_tcp_", upstream_stream_rows(), &s->streams);
	counts_json(o, n, "upstream_https_", upstream_https_rows(), &s->https);
	counts_json(o, n, "upstream_", upstream_socket_rows(), &s->sockets);
	counts_json(o, n, "upstream_port_", upstream_port_rows(), &s->port);
	counts_json(o, n, "loop_lag_", lag_rows(), &s->lag);
	counts_json(o, json_out_object(o, n, "answer_policy"), "", answer_policy_rows(),
		&s->answer_policy);
	counts_json(o, json_out_object(o, n, "wall_clock"), "", step_rows(), &s->step);
	counts_json(o, json_out_object(o, n, "validation"), "", validation_rows(), &s->validation);
	counts_json(o, json_out_object(o, n, "recursion"), "", recursion_rows(), &s->recursion);
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
	counts_json(o, n, "loop_lag_", lag_rows(), &lag);
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

static void clock_out(struct json_out *o, struct json_node *root)
{
	struct json_node *n = json_out_object(o, root, "clock");
	json_out_bool(o, n, "behind", clock_is_behind());
	json_out_count(o, n, "grace_left_ms", clock_grace_left_ms());
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
	counts_json(o, root, "loop_lag_", lag_rows(), &s->lag);
	json_out_count(o, root, "l0_entries", s->l0.entries);
	counts_json(o, json_out_object(o, root, "wall_clock"), "", step_rows(), &s->step);
	clock_out(o, root);
	JSON_COUNTS(o, root, s, upstream_sets, upstream_sets_down);
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->status)
			(*p)->status(o, root, l);
	upstreams_out(o, root, s);
	api_hosts_out(o, root);
	http_reply(l->exchange, 200, json_out_finish(o));
}

// Replies with the state of the control plane.
static void serve_status(struct api *a, struct http_exchange *x)
{
	api_look(a, x, status_reply);
}

// Replies with the counters of the control plane.
static void serve_stats(struct api *a, struct http_exchange *x)
{
	api_look(a, x, stats_reply);
}

const struct api_part api_status_part = {
	.endpoint = {{"/status", serve_status, API_GET, CONTROL_READ, ""},
		{"/stats", serve_stats, API_GET, CONTROL_READ, ""}},
};
