// SPDX-License-Identifier: BSD-3-Clause
// Changes of the configuration as a whole: apply, reload, rollback, toggles; and its versions.

#include "api/metrics/metrics.h"
#include "api_param.h"
#include "api_server.h"
#include "memory/toggles.h"
#include "versions/version_diff.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/text.h>

// Versions of the configuration on disk: their list, texts and differences, which a helper thread
// reads. No client gets secrets (config_mask).

struct versions_call {
	struct http_exchange *exchange;
	void (*make)(struct versions_call *c);
	char folder[CONFIG_VERSION_FOLDER_MAX];
	char *path;                // the configuration file's path
	struct config_bundle kept; // the shared and the managed part in force
	struct versions_status now;
	unsigned from, to; // 0: the file on disk
	unsigned status;
	char *body; // JSON
};

static void refuse(struct versions_call *c, unsigned status, const char *why)
{
	c->status = status;
	c->body = json_out_error("%s", why);
}

static void version_out(struct json_out *o, struct json_node *list, const struct config_version *v,
	unsigned in_force)
{
	struct json_node *n = json_out_object(o, list, NULL);
	char digest[20];
	snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)v->digest);
	json_out_count(o, n, "number", v->number);
	json_out_count(o, n, "before", v->before);
	json_out_signed(o, n, "unix_s", v->unix_s);
	json_out_text(o, n, "who", v->who);
	json_out_text(o, n, "what", v->what);
	json_out_text(o, n, "why", v->why);
	json_out_text(o, n, "result", config_version_results[v->result]);
	json_out_text(o, n, "reason", v->reason);
	json_out_text(o, n, "needs_restart", v->needs_restart);
	json_out_text(o, n, "digest", digest);
	json_out_bool(o, n, "in_force", v->number == in_force);
}

// Lists versions, the newest first, or version `from` alone. "damaged" has errors of versions that
// cannot be read.
static void history_make(struct versions_call *c)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct json_node *list = json_out_array(o, root, "versions");
	struct json_node *damaged = json_out_array(o, root, "damaged");
	int count = config_versions_list(c->folder, numbers);
	for (int i = count - 1; i >= 0; i--) {
		struct config_version v;
		char why[CONFIG_WHY_MAX];
		if (c->from && numbers[i] != c->from)
			continue;
		int rc = config_version_read(c->folder, numbers[i], &v, NULL, why);
		if (rc == 0)
			version_out(o, list, &v, c->now.in_force.number);
		else if (rc != -ENOENT) // pruned meanwhile
			json_out_text(o, damaged, NULL, why);
	}
	json_out_count(o, root, "version", c->now.in_force.number);
	json_out_bool(o, root, "differs", c->now.differs);
	json_out_text(o, root, "disk_error", c->now.disk_why);
	json_out_count(o, root, "watch_left_s", c->now.watch_left_s);
	c->body = json_out_finish(o);
}

// -errno: `c` has the error reply.
static int bundle_get(struct versions_call *c, unsigned number, struct config_bundle *out)
{
	struct config_version v;
	struct config_errors errors;
	struct config *config = NULL;
	char why[CONFIG_WHY_MAX];
	int rc;
	if (number) {
		rc = config_version_read(c->folder, number, &v, out, why);
		if (rc == -ENOENT)
			snprintf(why, sizeof(why),
				"no version %u; weirctl config history lists versions", number);
	} else {
		// The shared and the managed part belong to the file: an apply reads all.
		rc = config_bundle_read(
			c->path, &c->kept, CONFIG_SECRETS_NONE, out, &config, &errors);
		if (rc < 0)
			config_errors_tell(&errors, why);
		config_free(config);
	}
	if (rc < 0)
		refuse(c, rc == -ENOENT ? 404 : 400, why);
	return rc;
}

static void file_out(struct json_out *o, struct json_node *list, const struct config_text *t)
{
	if (!t->bytes)
		return;
	struct json_node *n = json_out_object(o, list, NULL);
	char *text = config_mask(t->bytes, t->len);
	json_out_text(o, n, "path", t->path);
	json_out_text(o, n, "text", text ? text : "");
	heap_free(text);
}

static void show_make(struct versions_call *c)
{
	struct config_bundle b;
	if (bundle_get(c, c->from, &b) < 0)
		return;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "number", c->from);
	struct json_node *list = json_out_array(o, root, "files");
	file_out(o, list, &b.main);
	for (unsigned i = 0; i < b.included_count; i++)
		file_out(o, list, &b.included[i]);
	file_out(o, list, &b.shared);
	file_out(o, list, &b.managed);
	config_bundle_free(&b);
	c->body = json_out_finish(o);
}

static void name_of(unsigned number, char out[32])
{
	if (number)
		snprintf(out, 32, "version %u", number);
	else
		snprintf(out, 32, "on disk");
}

void api_change_out(struct json_out *o, struct json_node *n, const struct config_change *c)
{
	json_out_text(o, n, "live", c->live);
	json_out_text(o, n, "restart_controlplane", c->controlplane);
	json_out_text(o, n, "restart_dataplane", c->dataplane);
}

// Adds the keys that change if `b` replaces `a`, where this weir accepts both.
static void change_out(
	struct json_out *o, const struct config_bundle *a, const struct config_bundle *b)
{
	struct config_errors errors;
	struct config_change change;
	struct config *from = NULL, *to = NULL;
	if (config_bundle_load(a, CONFIG_SECRETS_NONE, &from, &errors) == 0
		&& config_bundle_load(b, CONFIG_SECRETS_NONE, &to, &errors) == 0) {
		config_change_find(from, from, to, a, b, &change);
		api_change_out(o, json_out_root(o), &change);
	}
	config_free(from);
	config_free(to);
}

static void diff_make(struct versions_call *c)
{
	struct config_bundle a, b;
	char from[32], to[32];
	if (bundle_get(c, c->from, &a) < 0)
		return;
	if (bundle_get(c, c->to, &b) < 0) {
		config_bundle_free(&a);
		return;
	}
	if (!c->to
		&& (config_bundle_manage(&b, a.managed.path, a.managed.bytes) < 0
			|| config_text_replace(&b.shared, a.shared.path, a.shared.bytes) < 0))
		refuse(c, 500, strerror(ENOMEM));
	name_of(c->from, from);
	name_of(c->to, to);
	char *text = c->body ? NULL : version_diff(&a, &b, from, to);
	struct json_out *o = text ? json_out_new() : NULL;
	if (o) {
		json_out_count(o, json_out_root(o), "from", c->from);
		json_out_count(o, json_out_root(o), "to", c->to);
		json_out_text(o, json_out_root(o), "diff", text);
		change_out(o, &a, &b);
		json_out_bool(o, json_out_root(o), "same",
			config_bundle_digest(&a) == config_bundle_digest(&b));
		c->body = json_out_finish(o);
	}
	heap_free(text);
	config_bundle_free(&a);
	config_bundle_free(&b);
}

static int call_work(void *arg, const _Atomic bool *)
{
	struct versions_call *c = arg;
	c->make(c);
	return 0;
}

static void call_done(void *arg, int err)
{
	struct versions_call *c = arg;
	if (err < 0 && !c->body)
		refuse(c, 503, "too busy: try again");
	http_reply(c->exchange, c->status, c->body);
	FREE_AND_NULL(c->path);
	config_bundle_free(&c->kept);
	heap_free(c);
}

// Copies the parts in force, because a helper thread must not read the originals.
static int kept_copy(const struct api *a, struct config_bundle *out)
{
	const struct config_bundle *b =
		a->deps.config_bundle ? a->deps.config_bundle(a->deps.reload_arg) : NULL;
	if (!b)
		return 0;
	return config_bundle_copy(
		&(struct config_bundle){.shared = b->shared, .managed = b->managed}, out);
}

static void call(struct api *a, struct http_exchange *x, void (*make)(struct versions_call *c),
	unsigned from, unsigned to)
{
	const struct versions_status *s =
		a->deps.versions ? a->deps.versions(a->deps.reload_arg) : NULL;
	struct versions_call *c = s ? heap_calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		http_reply(x, 500, NULL);
		return;
	}
	*c = (struct versions_call){.exchange = x,
		.make = make,
		.now = *s,
		.from = from,
		.to = to,
		.status = 200,
		.path = heap_strdup(a->deps.config_path)};
	snprintf(c->folder, sizeof(c->folder), "%s", s->folder);
	http_defer(x, API_FLUSH_MS);
	int rc = kept_copy(a, &c->kept);
	if (rc == 0)
		rc = c->path ? job_runner_start(a->whys, http_job_user(x), call_work, call_done, c)
			     : -ENOMEM;
	if (rc < 0)
		call_done(c, rc);
}

unsigned api_version_in_force(const struct api *a)
{
	return a->deps.versions ? a->deps.versions(a->deps.reload_arg)->in_force.number : 0;
}

// Reads a version number; without the parameter it is `otherwise`. False: the reply is sent.
static bool number_take(
	struct http_exchange *x, const char *name, unsigned otherwise, unsigned *out)
{
	*out = otherwise;
	const char *text = http_param(x, name);
	if (!text || !*text)
		return true;
	if (strcmp(text, "0") != 0)
		return api_param_number(x, name, INT32_MAX, out);
	*out = 0;
	return true;
}

// Replies with the versions of the configuration.
static void serve_history(struct api *a, struct http_exchange *x)
{
	unsigned number;
	if (number_take(x, "version", 0, &number))
		call(a, x, history_make, number, 0);
}

// Replies with the files of a version of the configuration.
static void serve_show(struct api *a, struct http_exchange *x)
{
	unsigned number;
	if (number_take(x, "version", api_version_in_force(a), &number))
		call(a, x, show_make, number, 0);
}

// Replies with the differences between two versions of the configuration.
static void serve_diff(struct api *a, struct http_exchange *x)
{
	unsigned from, to;
	if (number_take(x, "from", api_version_in_force(a), &from) && number_take(x, "to", 0, &to))
		call(a, x, diff_make, from, to);
}

const struct api_part api_versions_part = {
	.endpoint = {{"/config/history", serve_history, API_GET, CONTROL_READ, "version"},
		{"/config/show", serve_show, API_GET, CONTROL_ADMIN, "version"},
		{"/config/diff", serve_diff, API_GET, CONTROL_ADMIN, "from to"}},
};

static const struct versions_status *versions_of(const struct api *a)
{
	return a->deps.versions ? a->deps.versions(a->deps.reload_arg) : NULL;
}

struct config_call {
	struct api *api;
	struct http_exchange *exchange;
	bool is_trial;
};

// A document with all lines of `why`; "error" is the first line and the number of the others.
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

unsigned api_change_status(int err)
{
	return err == -ETIMEDOUT || err == -EOVERFLOW ? 503
	       : err == -ENOSPC || err == -EDQUOT     ? 507
	       : err == -ENOENT                       ? 404
	       : err == -EPERM                        ? 409
						      : 400;
}

bool api_version_is(const struct api *a, struct http_exchange *x, const char *param, unsigned seen)
{
	const struct versions_status *s = versions_of(a);
	if (!seen || !s || s->in_force.number == seen)
		return true;
	char now[32] = "one without a number";
	if (s->in_force.number)
		snprintf(now, sizeof(now), "version %u", s->in_force.number);
	api_refuse(x, 409,
		"%s: the configuration has changed since version %u: %s is in force, by %s (%s): "
		"look again",
		param, seen, now, s->in_force.who, s->in_force.what);
	return false;
}

// `rc` above 0: the configuration is in force, and `why` warns of the part that is not.
static void on_config(void *arg, int rc, const char *why, const char *needs_restart)
{
	struct config_call *c = arg;
	if (rc < 0) {
		http_reply(c->exchange, api_change_status(rc), errors_text(why));
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
	unsigned seen = 0;
	if ((http_param(x, "if_version") && !api_param_number(x, "if_version", INT32_MAX, &seen))
		|| !api_version_is(a, x, "if_version", seen))
		return;
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

// Reads the files of the configuration again.
static void serve_reload(struct api *a, struct http_exchange *x)
{
	struct apply_request r = {.what = "config reload", .from_disk = true};
	if (api_param_flag(x, "keep", &r.is_kept))
		apply(a, x, &r);
}

// Reads the files of the configuration and puts them in force as a version.
static void serve_apply(struct api *a, struct http_exchange *x)
{
	struct apply_request r = {.what = "config apply", .from_disk = true};
	if (api_param_why(x, &r.why) && api_param_flag(x, "dry_run", &r.is_trial)
		&& api_param_flag(x, "keep", &r.is_kept))
		apply(a, x, &r);
}

// Puts an earlier version of the configuration in force.
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
	.endpoint = {{"/config/reload", serve_reload, API_POST, CONTROL_ADMIN, "keep if_version"},
		{"/config/apply", serve_apply, API_POST, CONTROL_ADMIN,
			"why dry_run keep if_version"},
		{"/config/rollback", serve_rollback, API_POST, CONTROL_ADMIN,
			"version! why keep if_version"}},
	.status = version_status,
	.degraded = version_degraded,
	.metrics = version_metrics,
	.tables = version_tables,
};

// Endpoints of the toggles.

// Replies with the toggles and their values.
static void serve_toggles(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "toggles");
	for (unsigned i = 0; a->deps.toggles && i < TOGGLE_COUNT; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", toggle_name(i));
		json_out_text(o, n, "help", toggle_help(i));
		json_out_count(o, n, "value", a->deps.toggles->value[i]);
		json_out_count(o, n, "usual", toggle_usual(i));
	}
	http_reply(x, 200, json_out_finish(o));
}

static void on_set(void *arg, int err, const char *why, const char *)
{
	struct http_exchange *x = arg;
	if (err < 0) {
		api_refuse(x, 500, "%s", why);
		return;
	}
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	http_reply(x, 200, json_out_finish(o));
}

// Whether only an admin may set the toggle: one that stops the API, or the record of queries.
static bool takes_admin(enum toggle t)
{
	return t == TOGGLE_API || t == TOGGLE_QUERY_LOG;
}

static bool is_admin(const struct api *a, const struct http_exchange *x)
{
	return http_source(x)->ss_family == AF_UNIX || (a->user && a->user->role == CONTROL_ADMIN);
}

static void refuse_unknown(struct http_exchange *x, const char *name)
{
	struct text_near near;
	text_near_begin(&near, name);
	for (unsigned i = 0; i < TOGGLE_COUNT; i++)
		text_near_try(&near, toggle_name(i));
	api_param_refuse_word(x, 404, "toggle", name, near.best);
}

// Sets a toggle.
static void serve_set(struct api *a, struct http_exchange *x)
{
	const char *name = http_param(x, "toggle"), *value = http_param(x, "value");
	enum toggle toggle = toggle_find(name);
	if (!a->deps.toggles || toggle == TOGGLE_COUNT) {
		refuse_unknown(x, name);
		return;
	}
	if (takes_admin(toggle) && !is_admin(a, x)) {
		access_count_refused(a->access, ACCESS_role);
		api_deny(a, x, ACCESS_role);
		return;
	}
	struct toggles toggles = *a->deps.toggles;
	if (toggle_set(&toggles, toggle, value) < 0) {
		char number[32] = "on, off";
		if (toggle_most(toggle) > 1)
			snprintf(number, sizeof(number), "a number from 0 to %u",
				toggle_most(toggle));
		api_refuse(x, 400, "%s: takes %s, or default", toggle_name(toggle), number);
		return;
	}
	http_defer(x, API_BUILD_MS);
	int rc = a->deps.toggles_set(a->deps.reload_arg, &toggles, on_set, x);
	if (rc < 0)
		api_busy(x, rc == -EBUSY ? -EAGAIN : rc);
	else
		log_info("control: set toggle %s to %u, usually %u", toggle_name(toggle),
			toggles.value[toggle], toggle_usual(toggle));
}

const struct api_part api_toggles_part = {
	.endpoint = {{"/toggles", serve_toggles, API_ALWAYS, CONTROL_READ, ""},
		{"/set", serve_set, API_POST | API_ALWAYS, CONTROL_OPERATE, "toggle! value!"}},
};
