// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of metrics, as text for Prometheus. Frontends and resolvers copy their status on their
// loops (api_look); the text is made here, from these copies.

#include "api/metrics/metrics.h"
#include "api_listener.h"
#include "api_tables.h"
#include "base/clock_grace.h"
#include "memory/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/clock.h>
#include <weir/log.h>

static uint64_t resident_bytes(pid_t pid)
{
	uint64_t rss, anonymous;
	process_memory_of(pid, &rss, &anonymous);
	return rss;
}

static void build_out(struct metrics_text *t, const struct api_look *l)
{
	char abi[16];
	snprintf(abi, sizeof(abi), "%d", SHM_ABI_VERSION);
	metrics_family(t, METRICS_GAUGE, "weir_build_info",
		"1, with the version and the commit of a process, the ABI of both, and the "
		"compiler.");
	metrics_count(t,
		METRICS_LABELS({"process", "controlplane"}, {"version", build_this()->version},
			{"commit", build_this()->commit}, {"abi", abi}, {"compiler", __VERSION__}),
		1);
	const struct stats_copy *s = api_look_stats(l);
	if (s)
		metrics_count(t,
			METRICS_LABELS({"process", "dataplane"}, {"version", s->version},
				{"commit", s->commit}, {"abi", abi}),
			1);
	metrics_family(t, METRICS_GAUGE, "weir_controlplane_uptime_seconds",
		"Time since the start of the control plane.");
	metrics_real(t, NULL, (double)(clock_mono_ms() - l->api->start_ms) / 1e3);
}

static double seconds_of(const struct timeval *tv)
{
	return (double)tv->tv_sec + (double)tv->tv_usec / 1e6;
}

static void process_out(struct metrics_text *t, const struct stats_copy *s)
{
	struct rusage u;
	metrics_family(
		t, METRICS_GAUGE, "weir_process_resident_bytes", "Resident memory of a process.");
	metrics_count(t, METRICS_LABELS({"process", "controlplane"}), resident_bytes(getpid()));
	if (s)
		metrics_count(
			t, METRICS_LABELS({"process", "dataplane"}), resident_bytes((pid_t)s->pid));
	metrics_family(t, METRICS_COUNTER, "weir_process_cpu_seconds_total",
		"CPU time of the control plane.");
	if (getrusage(RUSAGE_SELF, &u) == 0)
		metrics_real(t, METRICS_LABELS({"process", "controlplane"}),
			seconds_of(&u.ru_utime) + seconds_of(&u.ru_stime));
}

static void dataplane_out(struct metrics_text *t, const struct api_look *l)
{
	static const char *const up = "weir_up";
	const struct api *a = l->api;
	const struct stats_copy *s = api_look_stats(l);
	metrics_family(
		t, METRICS_GAUGE, up, "Whether a process runs and its heartbeat is current.");
	metrics_count(t, METRICS_LABELS({"process", "controlplane"}), 1);
	metrics_count(t, METRICS_LABELS({"process", "dataplane"}),
		s && dataplane_state(publisher_paths(a->deps.publisher), s) == PROCESS_UP);
	process_out(t, s);
	metrics_mappings(t, mem_watch_kinds(a->watch), s && s->kinds.looks ? &s->kinds : NULL);
	if (s) {
		metrics_dataplane(t, s);
		metrics_kinds(t, s);
		metrics_workers(t, s);
		metrics_ports(t, s);
		metrics_groups(t, s, a->deps.config_current(a->deps.reload_arg));
	}
}

static void clock_out(struct metrics_text *t)
{
	metrics_one(t, METRICS_GAUGE, "weir_clock_behind",
		"Whether the clock is before a moment that has passed.", clock_is_behind());
	metrics_family(t, METRICS_GAUGE, "weir_clock_grace_left_seconds",
		"How long dates of signatures and certificates are not checked yet; 0: they are.");
	metrics_real(t, NULL, (double)clock_grace_left_ms() * 1e-3);
}

static void publish_out(struct metrics_text *t, const struct api *a)
{
	struct publish_status p;
	publish_status(a->deps.publisher, &p);
	metrics_family(t, METRICS_GAUGE, "weir_generation",
		"Newest generation that the control plane has published.");
	metrics_count(t, METRICS_LABELS({"of", "l0"}), p.l0_generation);
	metrics_count(t, METRICS_LABELS({"of", "rule_image"}), p.rule_image_generation);
	metrics_count(t, METRICS_LABELS({"of", "config"}), p.config_generation);
	metrics_count(t, METRICS_LABELS({"of", "policy"}), p.policy_generation);
	metrics_count(t, METRICS_LABELS({"of", "hops"}), p.hops_generation);
	metrics_one(t, METRICS_GAUGE, "weir_retired_regions",
		"Old generations that some worker still uses.", p.retired_waiting);
	metrics_one(t, METRICS_GAUGE, "weir_retired_bytes",
		"Bytes of old generations that some worker still uses.", p.retired_bytes);
	metrics_one(t, METRICS_GAUGE, "weir_workers_hung", "Workers without a heartbeat for 1 s.",
		p.workers_hung);
	metrics_one(t, METRICS_GAUGE, "weir_workers_evicted",
		"Workers that weir goes on without until they return.", p.workers_evicted);
	metrics_one(t, METRICS_COUNTER, "weir_worker_evictions_total",
		"Workers evicted because their heartbeat stopped while others beat.", p.evictions);
	metrics_one(t, METRICS_GAUGE, "weir_resolvers", "Resolver threads.", p.resolvers);
	metrics_one(t, METRICS_GAUGE, "weir_resolvers_hung",
		"Resolver threads without a heartbeat for 1 s.", p.resolvers_hung);
	metrics_one(t, METRICS_GAUGE, "weir_frontends", "Frontend threads.", p.frontends);
	metrics_one(t, METRICS_GAUGE, "weir_frontends_hung",
		"Frontend threads without a heartbeat for 1 s.", p.frontends_hung);
	metrics_family(t, METRICS_GAUGE, "weir_rules_lag_seconds",
		"How long workers have not activated the newest rule image; 0: they have.");
	metrics_real(t, NULL, (double)p.rules_lag_ms * 1e-3);
	metrics_family(t, METRICS_GAUGE, "weir_policy_lag_seconds",
		"How long workers have not activated the newest policy image; 0: they have.");
	metrics_real(t, NULL, (double)p.policy_lag_ms * 1e-3);
	metrics_one(t, METRICS_COUNTER, "weir_policy_failures_total",
		"Attempts to publish a policy image that failed.", p.policy_failures);
}

static void http_out(struct metrics_text *t, const struct api *a)
{
	struct http_counts c;
	http_server_counts(a->http, &c);
	metrics_one(t, METRICS_COUNTER, "weir_control_requests_total",
		"Requests on the control API.", c.requests);
	metrics_family(t, METRICS_COUNTER, "weir_control_refused_total",
		"Requests on the control API refused or not answered in time, by reason.");
	metrics_count(t, METRICS_LABELS({"why", "full"}), c.refused_full);
	metrics_count(t, METRICS_LABELS({"why", "peer"}), c.refused_peer);
	metrics_count(t, METRICS_LABELS({"why", "rate"}), c.refused_rate);
	metrics_count(t, METRICS_LABELS({"why", "malformed"}), c.bad_requests);
	metrics_count(t, METRICS_LABELS({"why", "timeout"}), c.timeouts);
	if (api_listen_is_on(a)) {
		metrics_family(t, METRICS_GAUGE, "weir_metrics_listening",
			"Whether weir listens on metrics.listen.");
		metrics_count(t, NULL, a->listener.server != NULL);
		metrics_family(t, METRICS_COUNTER, "weir_metrics_listen_failures_total",
			"Failed attempts to listen on metrics.listen.");
		metrics_count(t, NULL, a->listener.failures);
		metrics_family(t, METRICS_COUNTER, "weir_metrics_listen_hosts_refused_total",
			"Refused requests on metrics.listen by names that are not the box's.");
		metrics_count(t, NULL, a->hosts_refused);
	}
	metrics_one(t, METRICS_COUNTER, "weir_messages_suppressed_total",
		"Log messages of the control plane dropped by the log's rate limit.",
		log_suppressed());
	metrics_one(t, METRICS_COUNTER, "weir_messages_lost_total",
		"Log messages lost because the stderr of the control plane was not read.",
		log_out_lost());
}

static void service_out(struct metrics_text *t, const struct api_look *l)
{
	const struct api *a = l->api;
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	metrics_rules(t, &r);
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->metrics)
			(*p)->metrics(t, a);
	if (a->deps.log) {
		struct querylog_status q;
		querylog_status(a->deps.log, &q);
		metrics_log(t, &q);
	}
	if (a->deps.store) {
		struct query_store_status q;
		query_store_status(a->deps.store, &q);
		metrics_store(t, &q);
	}
	if (a->deps.clickhouse) {
		struct clickhouse_status c;
		clickhouse_status(a->deps.clickhouse, &c);
		metrics_clickhouse(t, &c);
	}
	struct table_registry tables;
	api_tables_look(l, &tables);
	metrics_tables(t, &tables);
	metrics_accounts(t, mem_watch_last(a->watch));
	if (a->deps.meter) {
		metrics_growth(t, memory_meter_look(a->deps.meter));
		metrics_alarms(t, memory_meter_alarms(a->deps.meter));
		metrics_lives(t, a->deps.meter);
	}
	struct loop_lag_minute lag;
	loop_lag_minute(a->deps.service, &lag);
	metrics_lag(t, &l->resolver->lag, &l->frontends.lag, &lag);
	http_out(t, a);
	publish_out(t, a);
	clock_out(t);
}

// Writes metrics of the previous scrape, because this scrape has not ended.
static void self_out(struct metrics_text *t, const struct api *a)
{
	metrics_family(t, METRICS_GAUGE, "weir_scrape_cpu_seconds",
		"Time that the service loop spent on the scrape before this one.");
	metrics_real(t, NULL, (double)a->scrape.took_us / 1e6);
	metrics_one(t, METRICS_GAUGE, "weir_scrape_bytes", "Bytes of the scrape before this one.",
		a->scrape.bytes);
	metrics_one(t, METRICS_GAUGE, "weir_scrape_samples",
		"Samples of the scrape before this one.", a->scrape.samples);
	metrics_one(t, METRICS_COUNTER, "weir_scrape_left_out_total",
		"Samples left out of all scrapes because there was no room.", a->scrape.left_out);
}

static void metrics_reply(const struct api_look *l)
{
	struct api_scrape *scrape = &l->api->scrape;
	struct metrics_text t = {.data = NULL};
	uint64_t start_us = clock_mono_us();
	build_out(&t, l);
	dataplane_out(&t, l);
	metrics_resolver(&t, l->resolver);
	metrics_answers(&t, l->resolver);
	metrics_upstreams(&t, l->resolver);
	metrics_hosts(&t);
	metrics_cache(&t, l->resolver);
	metrics_frontends(&t, &l->frontends);
	service_out(&t, l);
	self_out(&t, l->api);
	metrics_aliases(&t);
	scrape->took_us = clock_mono_us() - start_us;
	scrape->bytes = t.len;
	scrape->samples = t.samples;
	scrape->left_out += t.left_out;
	http_reply_text(l->exchange, 200, "text/plain; version=0.0.4; charset=utf-8", t.data);
}

// Replies with all counters as text for Prometheus.
static void serve_metrics(struct api *a, struct http_exchange *x)
{
	api_look(a, x, metrics_reply);
}

const struct api_part api_metrics_part = {
	.endpoint = {{"/metrics", serve_metrics, API_NETWORK, CONTROL_READ, ""}}};
