// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of refresh-ahead: its settings, its present state, and the last 24 h by the minute.

#include "api_param.h"

#include <weir/heap_site.h>

struct refresh_call {
	struct http_exchange *exchange;
	unsigned minutes;
};

static void now_out(struct json_out *o, struct json_node *root, const struct refresh_report *r)
{
	const struct refresh_policy *p = &r->policy;

	json_out_bool(o, root, "enabled", p->enabled);
	json_out_count(o, root, "hot_per_minute", refresh_rate(p, p->hot_min));
	json_out_count(o, root, "warm_per_minute", refresh_rate(p, p->warm_min));
	json_out_count(o, root, "hot_ttl_percent", p->hot_percent);
	json_out_count(o, root, "warm_ttl_percent", p->warm_percent);
	json_out_bool(o, root, "past_auth_ttl", p->past_auth);
	json_out_count(o, root, "inflight", r->inflight);
	json_out_count(o, root, "inflight_cap", r->inflight_limit);
	json_out_count(o, root, "planned", r->planned);
	json_out_count(o, root, "planned_cap", r->plan_limit);
	json_out_count(o, root, "held_back_now", r->held_back);
	json_out_count(o, root, "sweep_took_ms", r->round_ms);
}

static void on_report(void *arg, const struct refresh_report *r)
{
	struct refresh_call *call = arg;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct refresh_counts sum;

	now_out(o, root, r);
	refresh_stats_sum(&r->stats, r->now_ms, REFRESH_MINUTES, &sum);
	counts_json(o, json_out_object(o, root, "day"), "", refresh_rows(), &sum);
	struct json_node *list = json_out_array(o, root, "minutes");
	for (unsigned ago = 0; ago < call->minutes; ago++) {
		const struct refresh_counts *c = refresh_stats_at(&r->stats, r->now_ms, ago);
		if (!c)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "ago", ago);
		counts_json(o, n, "", refresh_rows(), c);
	}
	http_reply(call->exchange, 200, json_out_finish(o));
	heap_free(call);
}

static void serve_refresh(struct api *a, struct http_exchange *x)
{
	unsigned minutes = 60;

	if (http_param(x, "minutes") && !api_param_number(x, "minutes", REFRESH_MINUTES, &minutes))
		return;
	struct refresh_call *call = heap_malloc(sizeof(*call));
	if (!call) {
		http_reply(x, 500, NULL);
		return;
	}
	*call = (struct refresh_call){x, minutes};
	http_defer(x, API_SHORT_MS);
	int rc = resolvers_refresh_report(a->deps.resolvers, a->deps.service, on_report, call);
	if (rc < 0) {
		heap_free(call);
		api_busy(x, rc);
	}
}

const struct api_part api_refresh_part = {
	.endpoint = {{"/refresh", serve_refresh, API_GET, CONTROL_READ, "minutes"}}};
