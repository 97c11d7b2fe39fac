// SPDX-License-Identifier: BSD-3-Clause
// Changes of the configuration as a whole: apply, reload, rollback. Their versions are read by
// api_versions.c.

#include "api/metrics/metrics.h"
#include "api_param.h"
#include "api_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

static const struct versions_status *versions_of(const struct api *a)
{
	return a->deps.versions ? a->deps.versions(a->deps.reload_arg) : NULL;
}

struct config_call {
	struct api *api;
	struct http_exchange *exchange;
	bool is_trial;
};

// All lines of `why`, and in "error" the first one and how many more there are.
static char *errors_text(const char *why)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o), *list;
	const size_t first = strcspn(why, "\n");
	char *copy = heap_strdup(why), *rest = NULL;
	unsigned count = 0;
	list = json_out_array(o, root, "errors");
	for (char *line = copy ? strtok_r(copy, "\n", &rest) : NULL; line;
		line = strtok_r(NULL, "\n", &rest)) {
		json_out_text(o, list, NULL, line);
		count++;
	}
	heap_free(copy);
	char text[2 * CONFIG_WHY_MAX + 64], more[64] = "";
	if (count > 1)
		snprintf(more, sizeof(more), "; %u more (weirctl config check)", count - 1);
	snprintf(text, sizeof(text), "%.*s%s", (int)first, why, more);
	json_out_text(o, root, "error", text);
	return json_out_finish(o);
}

// Above 0: it is in force, and `why` is a warning about the part that is not.
static void on_config(void *arg, int rc, const char *why, const char *needs_restart)
{
	struct config_call *c = arg;
	if (rc < 0) {
		http_reply(c->exchange,
			rc == -ETIMEDOUT ? 503
			: rc == -ENOENT  ? 404
					 : 400,
			errors_text(why));
		heap_free(c);
		return;
	}
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	json_out_text(o, json_out_root(o), "needs_restart", needs_restart);
	if (rc > 0)
		json_out_text(o, json_out_root(o), "warning", why);
	const struct versions_status *s = http_is_live(c->exchange) ? versions_of(c->api) : NULL;
	if (s) {
		api_change_out(o, json_out_root(o), &s->change);
		json_out_count(o, json_out_root(o), "version", s->in_force.number);
		json_out_count(
			o, json_out_root(o), "watch_left_s", c->is_trial ? 0 : s->watch_left_s);
	}
	http_reply(c->exchange, 200, json_out_finish(o));
	heap_free(c);
}

static void apply(struct api *a, struct http_exchange *x, struct apply_request *r)
{
	r->who = http_who(x);
	struct config_call *c = heap_malloc(sizeof(*c));
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	*c = (struct config_call){.api = a, .exchange = x, .is_trial = r->is_trial};
	http_defer(x, API_BUILD_MS);
	int ret = a->deps.config_apply(a->deps.reload_arg, r, on_config, c);
	if (ret == 0)
		return;
	heap_free(c);
	if (ret == -EBUSY)
		api_refuse(x, 503, "another change of the configuration runs: try again");
	else
		api_busy(x, ret);
}

static void serve_reload(struct api *a, struct http_exchange *x)
{
	struct apply_request r = {.what = "config reload", .from_disk = true};
	if (api_param_flag(x, "keep", &r.is_kept))
		apply(a, x, &r);
}

static void serve_apply(struct api *a, struct http_exchange *x)
{
	struct apply_request r = {.what = "config apply", .from_disk = true};
	if (api_param_why(x, &r.why) && api_param_flag(x, "dry_run", &r.is_trial)
		&& api_param_flag(x, "keep", &r.is_kept))
		apply(a, x, &r);
}

static void serve_rollback(struct api *a, struct http_exchange *x)
{
	struct apply_request r = {.what = "config rollback"};
	char what[48];
	if (!api_param_why(x, &r.why) || !api_param_number(x, "version", INT32_MAX, &r.rollback_to)
		|| !api_param_flag(x, "keep", &r.is_kept))
		return;
	snprintf(what, sizeof(what), "config rollback %u", r.rollback_to);
	r.what = what;
	apply(a, x, &r);
}

static void version_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct versions_status *s = versions_of(l->api);
	if (!s)
		return;
	struct json_node *n = json_out_object(o, root, "config_version");
	json_out_count(o, n, "version", s->in_force.number);
	json_out_signed(o, n, "since_unix_s", s->since_unix_s);
	json_out_text(o, n, "who", s->in_force.who);
	json_out_text(o, n, "what", s->in_force.what);
	json_out_bool(o, n, "differs", s->differs);
	json_out_text(o, n, "disk_error", s->disk_why);
	json_out_text(o, n, "store_error", s->store_why);
	json_out_text(o, n, "skipped", s->skipped);
	json_out_count(o, n, "watch_left_s", s->watch_left_s);
	json_out_count(o, n, "taken_back", s->last_taken_back);
	json_out_text(o, n, "taken_back_why", s->taken_back_why);
	json_out_text(o, n, "fallen_why",
		s->in_force.result == CONFIG_VERSION_fallen ? s->in_force.reason : "");
}

static void version_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	const struct versions_status *s = versions_of(l->api);
	if (s && s->store_why[0])
		api_reason_add(reasons, API_REASON_config_versions, "",
			"versions of the configuration cannot be stored: %s", s->store_why);
	else if (s && s->skipped[0])
		api_reason_add(reasons, API_REASON_config_versions, "",
			"version %u of the configuration is in force, as a newer one was not used: "
			"%s",
			s->in_force.number, s->skipped);
	if (s && s->in_force.result == CONFIG_VERSION_fallen)
		api_reason_add(reasons, API_REASON_config_health, "",
			"health fell with version %u of the configuration, which stays in force: "
			"%s",
			s->in_force.number, s->in_force.reason);
}

static void version_metrics(struct metrics_text *t, const struct api *a)
{
	const struct versions_status *s = versions_of(a);
	if (!s)
		return;
	metrics_one(t, METRICS_GAUGE, "weir_config_version",
		"Number of the version of the configuration in force; 0: none.",
		s->in_force.number);
	metrics_one(t, METRICS_GAUGE, "weir_config_differs",
		"Whether the file on disk is another text than the version in force.", s->differs);
	metrics_one(t, METRICS_COUNTER, "weir_config_applied_total",
		"Versions of the configuration that came into force.", s->applied);
	metrics_one(t, METRICS_COUNTER, "weir_config_refused_total",
		"Changes of the configuration that were refused.", s->refused);
	metrics_one(t, METRICS_COUNTER, "weir_config_taken_back_total",
		"Versions of the configuration that were taken back, as health fell.",
		s->taken_back);
	metrics_one(t, METRICS_COUNTER, "weir_config_not_stored_total",
		"Writes of versions of the configuration that failed.", s->not_stored);
}

static void version_tables(struct api *a, struct table_registry *tables)
{
	const struct versions_status *s = versions_of(a);
	if (!s)
		return;
	table_register(tables, &(struct table_info){.name = "config_jobs",
				       .owner = "versions of the configuration",
				       .eviction = "refuse: the version is not stored",
				       .lifetime = "until the disk has it",
				       .kind = TABLE_WORK,
				       .cap = VERSION_JOBS_MAX,
				       .used = s->jobs,
				       .high = s->jobs_most,
				       .refused = s->jobs_refused,
				       .has = TABLE_REFUSES});
}

const struct api_part api_config_part = {
	.endpoint = {{"/config/reload", serve_reload, API_POST, CONTROL_ADMIN, "keep"},
		{"/config/apply", serve_apply, API_POST, CONTROL_ADMIN, "why dry_run keep"},
		{"/config/rollback", serve_rollback, API_POST, CONTROL_ADMIN, "version why keep"}},
	.status = version_status,
	.degraded = version_degraded,
	.metrics = version_metrics,
	.tables = version_tables,
};
