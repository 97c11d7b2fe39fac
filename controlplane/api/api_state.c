// SPDX-License-Identifier: BSD-3-Clause
// State that an operator has set or must act on, for the status and the metrics: pauses, a held
// rollback, the last reload, settings that wait for a restart.

#include "api/metrics/metrics.h"
#include "api_rules.h"

#include <stdio.h>

static const struct api_reload *last_reload(const struct api *a)
{
	static const struct api_reload none;
	const struct api_deps *d = &a->deps;
	return d->last_reload ? d->last_reload(d->reload_arg) : &none;
}

static void blocking_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	struct json_node *n = json_out_object(o, root, "blocking");
	json_out_bool(
		o, n, "enabled", a->deps.config_current(a->deps.reload_arg)->blocking.enabled);
	json_out_count(o, n, "pause_left_s", rules_pause_left_s(a->deps.rules));
	json_out_bool(o, n, "pause_lifts_block_all", r.pause_lifts_block_all);
	json_out_bool(o, n, "held", r.held);
	api_rules_pauses_out(o, n, a);
	api_rules_blocked_out(o, n, a);
}

static void reload_out(struct json_out *o, struct json_node *root, const struct api_reload *r)
{
	struct json_node *n = json_out_object(o, root, "reload");
	json_out_signed(o, n, "tried_unix_s", r->tried_unix_s);
	json_out_signed(o, n, "loaded_unix_s", r->loaded_unix_s);
	json_out_bool(o, n, "ok", r->err == 0);
	json_out_text(o, n, "why", r->err ? r->why : "");
	json_out_count(o, n, "restart_pending", r->restart_count);
	json_out_text(o, n, "needs_restart", r->restart);
}

static void state_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	reload_out(o, root, last_reload(l->api));
	blocking_out(o, root, l->api);
}

static void state_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	const struct api_reload *r = last_reload(l->api);
	if (r->err)
		api_reason_add(reasons, API_REASON_reload, "",
			"the last reload of the configuration failed: %s", r->why);
}

static unsigned groups_paused(const struct api *a)
{
	const struct api_deps *d = &a->deps;
	const struct config *c = d->config_current(d->reload_arg);
	unsigned count = 0;
	for (unsigned i = 0; d->group_now && i <= c->group_count; i++) {
		struct group_now now;
		d->group_now(d->reload_arg, i, &now);
		count += now.pause_left_s > 0;
	}
	return count;
}

static void state_metrics(struct metrics_text *t, const struct api *a)
{
	const struct api_reload *r = last_reload(a);
	metrics_one(t, METRICS_GAUGE, "weir_config_last_reload_successful",
		"Whether the last reload of the configuration succeeded; 1 if there was none.",
		r->err == 0);
	metrics_one(t, METRICS_GAUGE, "weir_config_last_reload_timestamp_seconds",
		"When the configuration was last reloaded; 0: not since the start.",
		(uint64_t)r->tried_unix_s);
	metrics_one(t, METRICS_GAUGE, "weir_config_loaded_timestamp_seconds",
		"When the configuration in force was read.", (uint64_t)r->loaded_unix_s);
	metrics_one(t, METRICS_GAUGE, "weir_config_restart_pending",
		"Settings of the file that wait for a restart.", r->restart_count);
	metrics_one(t, METRICS_GAUGE, "weir_blocking_enabled", "Whether blocking is on.",
		a->deps.config_current(a->deps.reload_arg)->blocking.enabled);
	metrics_one(t, METRICS_GAUGE, "weir_blocking_pause_seconds",
		"How long blocking is still paused for everyone; 0: it is not.",
		rules_pause_left_s(a->deps.rules));
	metrics_one(t, METRICS_GAUGE, "weir_blocking_groups_paused",
		"Groups whose blocking an operator has paused.", groups_paused(a));
}

const struct api_part api_state_part = {
	.status = state_out, .degraded = state_degraded, .metrics = state_metrics};
