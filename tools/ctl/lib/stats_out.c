// SPDX-License-Identifier: BSD-3-Clause
#include "stats_out.h"

#include "say.h"
#include "table_cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void counts_read(
	const struct json_node *n, const char *const *names, uint64_t *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		values[i] = json_count(n, names[i]);
}

static unsigned at_most(size_t n, unsigned max)
{
	return n < max ? (unsigned)n : max;
}

static void worker_read(const struct json_node *n, struct stats_worker_copy *w)
{
#define X(field) w->field = (typeof(w->field))json_count(n, #field);
	STATS_WORKER_FIELDS(X)
#undef X
	if (w->bench_mode >= BENCH_MODES)
		w->bench_mode = 0;
	const struct json_node *missing = json_get(n, "mbuf_missing");
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		w->mbuf_missing[i] = (uint32_t)json_count(missing, stats_owner_name(i));
	counts_read(json_get(n, "verdicts"), verdict_names, w->verdict, VERDICT_COUNT);
	counts_read(json_get(n, "counters"), counter_names, w->counter, COUNTER_COUNT);
}

static void port_read(const struct json_node *n, struct stats_port_copy *p)
{
	snprintf(p->name, sizeof(p->name), "%s", json_text(n, "name"));
	const char *mac = json_text(n, "mac");
	for (unsigned i = 0; i < sizeof(p->mac) && strlen(mac) >= 3 * (size_t)i + 2; i++)
		p->mac[i] = (uint8_t)strtoul(mac + 3 * (size_t)i, NULL, 16);
#define X(field) p->field = (typeof(p->field))json_count(n, #field);
	STATS_PORT_FIELDS(X)
#undef X
	counts_read(json_get(n, "steering"), steer_counter_names, p->steer, STEER_COUNTERS);
}

static void stats_read_all(const struct json_node *n, struct stats_copy *s)
{
	const struct json_node *groups = json_get(n, "groups"), *workers = json_get(n, "workers"),
			       *ports = json_get(n, "ports");
	s->incarnation = strtoull(json_text(n, "incarnation"), NULL, 16);
	snprintf(s->version, sizeof(s->version), "%s", json_text(n, "version"));
	snprintf(s->commit, sizeof(s->commit), "%s", json_text(n, "commit"));
#define X(field) s->field = (typeof(s->field))json_count(n, #field);
	STATS_PROCESS_FIELDS(X)
#undef X
	counts_read(json_get(n, "verdicts"), verdict_names, s->verdict, VERDICT_COUNT);
	counts_read(json_get(n, "counters"), counter_names, s->counter, COUNTER_COUNT);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *one = json_at(groups, i);
		const uint64_t group = json_count(one, "group");
		if (group < STATS_GROUPS_MAX)
			s->group[group] = json_count(one, "queries");
	}
	s->workers = at_most(json_length(workers), SHM_WORKERS_MAX);
	for (unsigned i = 0; i < s->workers; i++)
		worker_read(json_at(workers, i), &s->worker[i]);
	s->ports = at_most(json_length(ports), STATS_PORTS_MAX);
	for (unsigned i = 0; i < s->ports; i++)
		port_read(json_at(ports, i), &s->port[i]);
}

bool stats_remote(const struct json_node *root, enum process_state *state, struct stats_copy *out,
	char why[SHM_WHY_MAX])
{
	const char *text = json_text(root, "state");
	const struct json_node *stats = json_get(root, "stats");
	*state = PROCESS_UNKNOWN;
	for (int s = PROCESS_DOWN; s <= PROCESS_HUNG; s++)
		if (strcmp(text, process_state_text((enum process_state)s)) == 0)
			*state = (enum process_state)s;
	if (stats)
		stats_read_all(stats, out);
	else
		snprintf(why, SHM_WHY_MAX, "%s", json_text(root, "why"));
	return stats != NULL;
}

static const enum verdict stats_misses[] = {VERDICT_miss, VERDICT_miss_duplicate,
	VERDICT_servfail_ring_full, VERDICT_servfail_fairness, VERDICT_drop_ring_full,
	VERDICT_servfail_no_control};
static const enum verdict stats_others[] = {VERDICT_blocked, VERDICT_blocked_answer, VERDICT_local,
	VERDICT_drop_rule, VERDICT_formerr, VERDICT_notimp, VERDICT_badvers, VERDICT_refused,
	VERDICT_servfail_no_policy, VERDICT_servfail_no_rules, VERDICT_cookie_only,
	VERDICT_badcookie, VERDICT_notify, VERDICT_drop_notify};

static double hits_of(const double verdict[VERDICT_COUNT])
{
	return verdict[VERDICT_hit] + verdict[VERDICT_hit_stale];
}

static double misses_of(const double verdict[VERDICT_COUNT])
{
	double misses = 0;
	for (size_t i = 0; i < ARRAY_LEN(stats_misses); i++)
		misses += verdict[stats_misses[i]];
	return misses;
}

// The share of questions that L0 answered, of those that it could answer; negative: there were no
// such questions.
static double hit_ratio(const double verdict[VERDICT_COUNT])
{
	double hits = hits_of(verdict), all = hits + misses_of(verdict);
	return all > 0 ? hits / all : -1;
}

// The number of all questions: verdicts about a DNS message with a question, or what passes for
// one.
static double queries_of(const double verdict[VERDICT_COUNT])
{
	double queries = hits_of(verdict) + misses_of(verdict);
	for (size_t i = 0; i < ARRAY_LEN(stats_others); i++)
		queries += verdict[stats_others[i]];
	return queries;
}

static void totals_of(const struct stats_copy *s, double out[VERDICT_COUNT])
{
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		out[i] = (double)s->verdict[i];
}

static void counts_print(const char *title, const char *const *names, const char *const *texts,
	const uint64_t *totals, const double *rates, unsigned count, bool has_rates)
{
	const char *heads[] = {title, ">total", has_rates ? ">per second" : ">", "", NULL};
	char text[FIGURE_MAX];
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < count; i++) {
		if (totals[i] == 0)
			continue;
		table_cell(t, "%s", names[i]);
		table_cell_count(t, totals[i]);
		table_cell(t, "%s", has_rates ? figure_rate(rates[i], text) : "");
		table_cell(t, "%s", texts[i]);
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void summary_print(const struct view *v, const struct stats_rates *r)
{
	double totals[VERDICT_COUNT];
	char text[FIGURE_MAX];
	totals_of(v->stats, totals);
	const double *from = r->known ? r->verdict : totals;
	double ratio = hit_ratio(from);
	printf("queries         %s", figure_count((uint64_t)queries_of(totals), text));
	if (r->known)
		printf(", %s a second", figure_rate(queries_of(r->verdict), text));
	printf("\n");
	if (ratio >= 0)
		printf("answered by L0  %.1f %%%s\n", 100 * ratio,
			r->known ? "" : " of what could be");
	if (r->known && v->stats->workers) { // a whole sleep counts when it ends
		double asleep = r->counter[COUNTER_sleep_us] / 1e4 / v->stats->workers;
		printf("workers asleep  %.1f %% of the time\n", asleep < 100 ? asleep : 100);
	}
}

static uint32_t missing_sum(const uint32_t missing[MBUF_OWNERS])
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		sum += missing[i];
	return sum;
}

static void workers_print(const struct stats_copy *s)
{
	static const char *const heads[] = {"worker", ">core", "state", ">frames in", ">frames out",
		">miss ring", ">answer ring", ">buffers free", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < s->workers; i++) {
		const struct stats_worker_copy *w = &s->worker[i];
		table_cell(t, "%u", i);
		table_cell(t, "%u", w->lcore);
		if (w->bench_mode)
			table_cell(t, "BENCH %s", bench_mode_names[w->bench_mode]);
		else
			table_cell(t, w->online ? "online" : "offline");
		table_cell_count(t, w->counter[COUNTER_rx_frames]);
		table_cell_count(t, w->counter[COUNTER_tx_frames]);
		if (w->has_rings) {
			table_cell(t, "%.1f %%", 100.0 * w->miss_used / (w->miss_size | 1));
			table_cell(t, "%.1f %%", 100.0 * w->answer_used / (w->answer_size | 1));
		} else {
			table_cell(t, "-");
			table_cell(t, "-");
		}
		uint32_t missing = missing_sum(w->mbuf_missing);
		if (missing)
			table_cell(t, "%u of %u, %u missing", w->mbuf_free, w->mbuf_size, missing);
		else
			table_cell(t, "%u of %u", w->mbuf_free, w->mbuf_size);
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

// Are there stages? The control API of another box has none.
static bool has_stages(const struct stats_copy *s)
{
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		if (took_count(&s->stage[i]) > 0)
			return true;
	return false;
}

// Prints the stages of timed batches since the start.
static void stages_print(const struct stats_copy *s)
{
	static const char *const heads[] = {"stage", ">batches timed", ">ns a batch", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < STAGE_COUNT; i++) {
		const struct took *took = &s->stage[i];
		const uint64_t batches = took_count(took);
		table_cell(t, "%s", stage_names[i]);
		table_cell_count(t, batches);
		table_cell_count(t, batches ? took->sum_ns / batches : 0);
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void ports_print(const struct stats_copy *s)
{
	static const char *const heads[] = {"port", "kind", "link", ">received", ">sent", ">missed",
		">errors in", ">errors out", ">no buffer", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < s->ports; i++) {
		const struct stats_port_copy *p = &s->port[i];
		table_cell(t, "%s", p->name);
		table_cell(t, p->is_exception ? "kernel" : "clients");
		table_cell(t, p->link_up ? "up" : "down");
		table_cell_count(t, p->ipackets);
		table_cell_count(t, p->opackets);
		table_cell_count(t, p->imissed);
		table_cell_count(t, p->ierrors);
		table_cell_count(t, p->oerrors);
		table_cell_count(t, p->rx_nombuf);
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void l1_print(const struct json_node *l1)
{
	static const char *const keys[] = {"lookups", "hits", "hits_stale", "misses", "bad",
		"skipped", "timeouts", "puts", "puts_lost", "deletes", "refreshed_elsewhere",
		"trimmed", "orphans", "cold", "evicted", "spared", "foreign"};
	if (json_count(l1, "lookups") == 0)
		return;
	printf("\n");
	cell_keys_print("L1", l1, keys, ARRAY_LEN(keys));
}

static void control_print(const struct json_node *root)
{
	const struct json_node *l0 = json_get(root, "l0"), *r = json_get(root, "resolver");
	char a[FIGURE_MAX], b[FIGURE_MAX];
	uint64_t total = json_count(l0, "units_total");
	double fill = total ? 100.0 * (double)json_count(l0, "units_used") / (double)total : 0;
	printf("\ncache (L0)      %s answers, %.1f %% of %s full\n",
		figure_count(json_count(l0, "entries"), a), fill,
		figure_bytes(json_count(l0, "bytes"), b));
	view_print_redis(json_get(root, "redis"));
	say(r, "in flight       {inflight:n} of {inflight_cap:n} questions, {waiters:n} waiting "
	       "clients\n");
	printf("loop lag        %.2f ms in 99 %% of all cases of the last minute, %.1f ms at "
	       "most\n",
		(double)json_count(r, "loop_lag_p99_us") / 1000,
		(double)json_count(r, "loop_lag_max_us") / 1000);

	static const char *const keys[] = {"misses", "coalesced", "refreshes", "answered",
		"answered_stale", "servfail", "stored", "not_stored", "upstream_sent",
		"upstream_replies", "mismatched", "refused_inflight", "refused_waiters",
		"refused_zone", "refused_suffix", "refused_client", "unlimited_zone",
		"unlimited_client", "cut_short", "failed_recently", "late", "answer_ring_full",
		"answer_evicted", "bad_misses", "ring_anomalies", "foreign_messages"};
	printf("\n");
	cell_keys_print("control plane", r, keys, ARRAY_LEN(keys));
	l1_print(json_get(root, "l1"));
	view_print_frontend(json_get(root, "frontend"));
	view_print_upstreams(json_get(root, "upstreams"));
}

void stats_print(const struct view *v, const struct stats_rates *r)
{
	view_print_states(v);
	if (v->has_stats) {
		summary_print(v, r);
		counts_print("verdict", verdict_names, verdict_texts, v->stats->verdict, r->verdict,
			VERDICT_COUNT, r->known);
		counts_print("counter", counter_names, counter_texts, v->stats->counter, r->counter,
			COUNTER_COUNT, r->known);
		workers_print(v->stats);
		if (has_stages(v->stats))
			stages_print(v->stats);
		ports_print(v->stats);
	}
	if (v->control)
		control_print(json_doc_root(v->control));
}

static void counts_put(struct json_node *n, const char *key, const char *const *names,
	const uint64_t *values, unsigned count)
{
	struct json_node *object = json_put_object(n, key);
	for (unsigned i = 0; i < count; i++)
		json_put_count(object, names[i], values[i]);
}

// Adds the missing packet buffers by their last owner; an empty object: no buffer is missing.
static void missing_put(struct json_node *n, const uint32_t missing[MBUF_OWNERS])
{
	struct json_node *object = json_put_object(n, "mbuf_missing");
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		if (missing[i])
			json_put_count(object, stats_owner_name(i), missing[i]);
}

static void worker_put(struct json_node *list, unsigned i, const struct stats_copy *s)
{
	const struct stats_worker_copy *w = &s->worker[i];
	struct json_node *n = json_put_object(list, NULL);
	json_put_count(n, "worker", i);
	json_put_count(n, "lcore", w->lcore);
	json_put_bool(n, "online", w->online != 0);
	json_put_text(n, "bench", bench_mode_names[w->bench_mode]);
	json_put_count(n, "heartbeat_age_ms",
		s->taken_ms > w->heartbeat_ms ? s->taken_ms - w->heartbeat_ms : 0);
	json_put_count(n, "mbuf_size", w->mbuf_size);
	json_put_count(n, "mbuf_free", w->mbuf_free);
	json_put_count(n, "mbuf_breaches", w->mbuf_breaches);
	missing_put(n, w->mbuf_missing);
	if (w->has_rings) {
		json_put_count(n, "miss_ring_used", w->miss_used);
		json_put_count(n, "miss_ring_size", w->miss_size);
		json_put_count(n, "answer_ring_used", w->answer_used);
		json_put_count(n, "answer_ring_size", w->answer_size);
	}
	counts_put(n, "verdicts", verdict_names, w->verdict, VERDICT_COUNT);
	counts_put(n, "counters", counter_names, w->counter, COUNTER_COUNT);
}

void stats_port_put(struct json_node *list, const struct stats_port_copy *p)
{
	struct json_node *n = json_put_object(list, NULL);
	json_put_text(n, "name", p->name);
	json_put_bool(n, "exception", p->is_exception);
	json_put_bool(n, "link_up", p->link_up);
	json_put_count(n, "ipackets", p->ipackets);
	json_put_count(n, "opackets", p->opackets);
	json_put_count(n, "imissed", p->imissed);
	json_put_count(n, "ierrors", p->ierrors);
	json_put_count(n, "oerrors", p->oerrors);
	json_put_count(n, "rx_nombuf", p->rx_nombuf);
	json_put_count(n, "link_speed_mbps", p->link_speed_mbps);
	json_put_count(n, "link_changes", p->link_changes);
	json_put_count(n, "mtu", p->mtu);
	json_put_count(n, "queues", p->queues);
	char mac[CONFIG_MAC_TEXT_MAX];
	json_put_text(n, "mac", config_mac_text((const struct config_mac *)p->mac, mac));
	json_put_bool(n, "xdp", p->is_xdp);
	if (p->is_xdp) {
		counts_put(n, "steering", steer_counter_names, p->steer, STEER_COUNTERS);
	}
	struct json_node *features = json_put_object(n, "features");
	for (unsigned i = 0; i < PORT_FEATURE_COUNT; i++)
		json_put_bool(features, port_feature_names[i], p->features >> i & 1);
}

static void dataplane_put(struct json_node *dp, const struct stats_copy *s)
{
	json_put_count(dp, "pid", s->pid);
	json_put_count(dp, "uptime_ms", s->taken_ms - s->start_ms);
	json_put_count(dp, "heartbeat_age_ms",
		s->taken_ms > s->heartbeat_ms ? s->taken_ms - s->heartbeat_ms : 0);
	json_put_bool(dp, "link_up", s->control_seen != 0);
	json_put_count(dp, "verdict_gap", s->verdict_gap);
	json_put_count(dp, "limit_empty", s->limit_empty);
	json_put_count(dp, "policy_generation", s->policy_generation);
	json_put_count(dp, "hops_generation", s->hops_generation);
	counts_put(dp, "verdicts", verdict_names, s->verdict, VERDICT_COUNT);
	counts_put(dp, "counters", counter_names, s->counter, COUNTER_COUNT);
	struct json_node *groups = json_put_array(dp, "groups");
	for (unsigned i = 0; i < STATS_GROUPS_MAX; i++) {
		if (s->group[i] == 0)
			continue;
		struct json_node *n = json_put_object(groups, NULL);
		json_put_count(n, "group", i);
		json_put_count(n, "queries", s->group[i]);
	}
	struct json_node *workers = json_put_array(dp, "workers");
	for (unsigned i = 0; i < s->workers; i++)
		worker_put(workers, i, s);
	struct json_node *ports = json_put_array(dp, "ports");
	for (unsigned i = 0; i < s->ports; i++)
		stats_port_put(ports, &s->port[i]);
}

static void rates_put(struct json_node *root, const struct stats_rates *r)
{
	struct json_node *n = json_put_object(root, "rates");
	json_put_real(n, "seconds", r->seconds);
	json_put_real(n, "queries", queries_of(r->verdict));
	double ratio = hit_ratio(r->verdict);
	if (ratio >= 0)
		json_put_real(n, "hit_ratio", ratio);
	struct json_node *verdicts = json_put_object(n, "verdicts");
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		json_put_real(verdicts, verdict_names[i], r->verdict[i]);
	struct json_node *counters = json_put_object(n, "counters");
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		json_put_real(counters, counter_names[i], r->counter[i]);
}

struct json_doc *stats_doc(const struct view *v, const struct stats_rates *r)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	struct json_node *dp = json_put_object(root, "dataplane");
	json_put_text(dp, "state", process_state_text(v->dataplane));
	if (v->has_stats)
		dataplane_put(dp, v->stats);
	else
		json_put_text(dp, "why", v->why_stats);
	view_put_controlplane(root, v);
	if (r->known)
		rates_put(root, r);
	return doc;
}
