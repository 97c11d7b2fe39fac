// SPDX-License-Identifier: BSD-3-Clause

#include "stats_out.h"

static void counts_put(struct json_node *n, const char *key, const char *const *names,
	const uint64_t *values, unsigned count)
{
	struct json_node *object = json_put_object(n, key);
	for (unsigned i = 0; i < count; i++)
		json_put_count(object, names[i], values[i]);
}

// Missing packet buffers by their last owner; empty: none.
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
	json_put_real(n, "queries", stats_queries(r->verdict));
	double ratio = stats_hit_ratio(r->verdict);
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
