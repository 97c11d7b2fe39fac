// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the rule lists and of the configuration.

#include "api_internal.h"
#include "lists/rule_compile.h"

#include <errno.h>
#include <string.h>

static const char *outcome_text(enum rules_outcome outcome)
{
	switch (outcome) {
	case RULES_PUBLISHED:
		return "published";
	case RULES_UNCHANGED:
		return "unchanged";
	case RULES_FAILED:
		return "failed";
	case RULES_HELD:
		return "held";
	default:
		return "never";
	}
}

// Of a list that is fetched; times are 0 where there is none yet.
static void fetch_out(struct json_out *o, struct json_node *n, const struct rules_list_status *l)
{
	json_out_text(o, n, "url", l->url);
	JSON_COUNTS(
		o, n, l, last_try_unix_s, last_good_unix_s, next_try_unix_s, http_status, failures);
	json_out_text(o, n, "fetch_error", l->fetch_error);
}

static void list_out(struct json_out *o, struct json_node *lists, const struct rules_list_status *l)
{
	struct json_node *n = json_out_object(o, lists, NULL);
	json_out_text(o, n, "name", l->name);
	json_out_text(o, n, "path", l->path);
	json_out_bool(o, n, "allow", l->allow);
	JSON_COUNTS(o, n, l, lines, names, duplicates, comments, rejected, bytes);
	struct json_node *reasons = json_out_array(o, n, "rejected_by");
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++) {
		if (!l->rejected_by[i])
			continue;
		struct json_node *reason = json_out_object(o, reasons, NULL);
		json_out_text(o, reason, "reason", list_reject_name[i]);
		json_out_count(o, reason, "count", l->rejected_by[i]);
	}
	json_out_text(o, n, "error", l->error ? rule_source_error_text(l->error) : "");
	json_out_bool(o, n, "failing", rules_list_failing(l));
	json_out_count(o, n, "kept_unix_s", l->kept_unix_s);
	if (*l->url)
		fetch_out(o, n, l);
}

void api_failing_out(struct json_out *o, struct json_node *n, const struct rules_status *r)
{
	char text[RULES_LIST_TEXT_MAX];
	struct json_node *list = json_out_array(o, n, "failing");
	for (unsigned i = 0; i < r->list_count; i++)
		if (rules_list_failing(&r->lists[i]))
			json_out_text(
				o, list, NULL, rules_list_text(&r->lists[i], text, sizeof text));
}

// `a`: NULL leaves the groups out.
static char *rules_text(const struct api *a, const struct rules_status *r)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "outcome", outcome_text(r->outcome));
	// Only a reply that reports a failure has an "error".
	json_out_text(o, root, r->outcome == RULES_FAILED ? "error" : "note", r->error);
	json_out_bool(o, root, "building", r->building);
	json_out_bool(o, root, "from_disk", r->from_disk);
	json_out_bool(o, root, "held", r->held);
	json_out_bool(o, root, "has_previous", r->has_previous);
	json_out_count(o, root, "pause_until_unix_s", r->pause_until_unix_s);
	json_out_bool(o, root, "pause_lifts_block_all", r->pause_lifts_block_all);
	JSON_COUNTS(o, root, r, builds, unchanged, failed, coalesced, names, image_bytes,
		bloom_bytes, table_bytes, sets, peak_bytes, build_ms, rested_ms);
	json_out_count(o, root, "copies_bytes", r->kept_bytes);
	json_out_count(o, root, "loaded_unix_s", r->loaded_unix_s);
	api_failing_out(o, root, r);
	struct json_node *lists = json_out_array(o, root, "lists");
	for (unsigned i = 0; i < r->list_count; i++)
		list_out(o, lists, &r->lists[i]);
	if (a)
		api_pauses_out(o, root, a);
	return json_out_finish(o);
}

void api_blocklist(struct api *a, struct http_exchange *x)
{
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	http_reply(x, 200, rules_text(a, &r));
}

void api_rules_reply(void *arg, const struct rules_status *r)
{
	http_reply(arg, r->outcome == RULES_FAILED ? 500 : 200, rules_text(NULL, r));
}

void api_blocklist_reload(struct api *a, struct http_exchange *x)
{
	if (api_lists_off(a)) {
		api_refuse(x, 409, "the toggle list_reload is off");
		return;
	}
	bool force;
	if (!api_flag(x, "force", &force))
		return;
	http_defer(x, API_BUILD_MS);
	const struct config *config = a->deps.config_current(a->deps.reload_arg);
	int ret = rules_reload(a->deps.rules, config, force, api_rules_reply, x);
	if (ret < 0)
		api_busy(x, ret);
}

static void on_config(void *arg, int err, const char *why, const char *needs_restart)
{
	if (err < 0) {
		http_reply(arg, 400, json_out_error("%s", why));
		return;
	}
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", true);
	json_out_text(o, json_out_root(o), "needs_restart", needs_restart);
	http_reply(arg, 200, json_out_finish(o));
}

void api_config_reload(struct api *a, struct http_exchange *x)
{
	http_defer(x, API_BUILD_MS);
	int ret = a->deps.config_reload(a->deps.reload_arg, on_config, x);
	if (ret == -EBUSY)
		api_refuse(x, 503, "a reload is running");
	else if (ret < 0)
		api_busy(x, ret);
}
