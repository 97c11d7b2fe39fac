// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the rule lists, and of an operator's means against wrong blocking: return to the
// previous image, pause blocking for everyone or for a group, and end the pause.

#include "api_rules.h"

#include "api_param.h"
#include "policy/group_client.h"
#include "rule_image/rule_build.h"
#include "rule_image/rule_compile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS_SHOWN_MAX = 32 }; // terms shown of one list

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

// Adds the state of a list that weir fetches; times are 0 before the first fetch.
static void fetch_out(struct json_out *o, struct json_node *n, const struct rules_list_status *l)
{
	json_out_text(o, n, "url", l->url);
	JSON_COUNTS(
		o, n, l, last_try_unix_s, last_good_unix_s, next_try_unix_s, http_status, failures);
	json_out_text(o, n, "fetch_error", l->fetch_error);
	struct json_node *fetches = json_out_object(o, n, "fetches");
	JSON_COUNTS(o, fetches, &l->fetches, unchanged, differences, whole, failed);
}

// Queries that the list has blocked since the start, by the list's title in rows of the query log.
static uint64_t queries_blocked(const struct api *a, const char *name)
{
	char title[RULE_TITLE_MAX];
	rule_title_make(title, name);
	return a && a->deps.top ? top_list_hits(a->deps.top, title) : 0;
}

struct unknown_out {
	struct json_out *o;
	struct json_node *list;
	unsigned count;
	char seen[CLIENTS_SHOWN_MAX][RULE_CLIENT_MAX];
};

static void unknown_add(void *arg, const char *term, bool address)
{
	struct unknown_out *u = arg;
	for (unsigned i = 0; i < u->count; i++)
		if (strcmp(u->seen[i], term) == 0)
			return;
	if (u->count == CLIENTS_SHOWN_MAX)
		return;
	snprintf(u->seen[u->count++], sizeof(u->seen[0]), "%s", term);
	struct json_node *n = json_out_object(u->o, u->list, NULL);
	json_out_text(u->o, n, "client", term);
	json_out_text(u->o, n, "why",
		address ? "no group has exactly these clients" : "no group has this name");
}

// Adds the terms of $client and $ctag of the list's rules in force that match no group: each term
// once, and at most CLIENTS_SHOWN_MAX terms.
static void unknown_clients_out(struct json_out *o, struct json_node *n, const struct api *a,
	const struct rules_list_status *l)
{
	struct unknown_out u = {.o = o, .list = json_out_array(o, n, "unknown_clients")};
	char title[RULE_TITLE_MAX];
	unsigned count = 0;
	if (!a)
		return;
	const struct rule_list_info *info = rules_lists(a->deps.rules, &count);
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	rule_title_make(title, l->name);
	for (unsigned i = 0; i < count; i++)
		if (*info[i].kind.client && strcmp(info[i].title, title) == 0)
			group_clients_each_unknown(c, info[i].kind.client, unknown_add, &u);
}

static void list_out(struct json_out *o, struct json_node *lists, const struct api *a,
	const struct rules_list_status *l)
{
	struct json_node *n = json_out_object(o, lists, NULL);
	json_out_text(o, n, "name", l->name);
	json_out_text(o, n, "path", l->path);
	json_out_text(o, n, "kind", rules_list_kind_name(rules_list_kind(l)));
	json_out_count(o, n, "queries_blocked", queries_blocked(a, l->name));
	counts_json(o, n, "", rules_list_rows(), l);
	struct json_node *reasons = json_out_array(o, n, "rejected_by");
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++) {
		if (!l->rejected_by[i])
			continue;
		struct json_node *reason = json_out_object(o, reasons, NULL);
		json_out_text(o, reason, "reason", list_reject_name[i]);
		json_out_count(o, reason, "count", l->rejected_by[i]);
	}
	unknown_clients_out(o, n, a, l);
	json_out_text(o, n, "error", l->error ? rule_source_error_text(l->error, l->most) : "");
	json_out_bool(o, n, "failing", rules_list_failing(l));
	if (*l->url)
		fetch_out(o, n, l);
}

void api_rules_failing_out(struct json_out *o, struct json_node *n, const struct rules_status *r)
{
	char text[RULES_LIST_TEXT_MAX];
	struct json_node *list = json_out_array(o, n, "failing");
	for (unsigned i = 0; i < r->list_count; i++)
		if (rules_list_failing(&r->lists[i]))
			json_out_text(
				o, list, NULL, rules_list_text(&r->lists[i], text, sizeof(text)));
}

void api_rules_kinds_out(struct json_out *o, struct json_node *n, const struct rules_status *r)
{
	struct json_node *list = json_out_array(o, n, "kinds");
	for (unsigned k = 0; k < RULES_LIST_KINDS; k++) {
		uint64_t lists = 0;
		for (unsigned i = 0; i < r->list_count; i++)
			lists += rules_list_kind(&r->lists[i]) == k;
		struct json_node *kind = json_out_object(o, list, NULL);
		json_out_text(o, kind, "kind", rules_list_kind_name((enum rules_list_kind)k));
		json_out_count(o, kind, "lists", lists);
	}
}

void api_rules_pauses_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	const struct api_deps *d = &a->deps;
	struct json_node *list = json_out_array(o, root, "paused_groups");
	const struct config *c = d->config_current(d->reload_arg);
	for (unsigned i = 0; d->group_now && i <= c->group_count; i++) {
		struct group_now now;
		d->group_now(d->reload_arg, i, &now);
		if (!now.pause_left_s)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "group", config_group_name(i ? &c->groups[i - 1] : NULL));
		json_out_count(o, n, "pause_left_s", now.pause_left_s);
	}
}

void api_rules_blocked_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	const struct api_deps *d = &a->deps;
	struct json_node *list = json_out_array(o, root, "blocked_groups");
	const struct config *c = d->config_current(d->reload_arg);
	const bool may = rules_pause_left_s(d->rules) && !rules_pause_lifts_block_all(d->rules);
	for (unsigned i = 0; may && d->group_now && i <= c->group_count; i++) {
		struct group_now now;
		d->group_now(d->reload_arg, i, &now);
		if (now.mask.block_all)
			json_out_text(
				o, list, NULL, config_group_name(i ? &c->groups[i - 1] : NULL));
	}
}

// The status of the lists. `a` NULL: leaves out what needs the configuration or the query log.
static char *rules_text(const struct api *a, const struct rules_status *r)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "outcome", outcome_text(r->outcome));
	// Only a reply that reports a failure has an "error".
	json_out_text(o, root, r->outcome == RULES_FAILED ? "error" : "note", r->error);
	counts_json(o, root, "", rules_rows(), r);
	if (a)
		json_out_count(o, root, "pause_left_s", rules_pause_left_s(a->deps.rules));
	json_out_count(o, root, "copies_bytes", r->kept_bytes);
	struct json_node *notify = json_out_object(o, root, "notify");
	JSON_COUNTS(o, notify, &r->notify, taken, soon, not_zone, not_server, not_signed);
	api_rules_failing_out(o, root, r);
	api_rules_kinds_out(o, root, r);
	struct json_node *lists = json_out_array(o, root, "lists");
	for (unsigned i = 0; i < r->list_count; i++)
		list_out(o, lists, a, &r->lists[i]);
	if (a)
		api_rules_pauses_out(o, root, a);
	return json_out_finish(o);
}

// Replies with the state of the rules and of each list.
static void serve_blocklist(struct api *a, struct http_exchange *x)
{
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	http_reply(x, 200, rules_text(a, &r));
}

// Replies to `arg`, an exchange, with the status of the lists; a failure is a 500.
static void rules_reply(void *arg, const struct rules_status *r)
{
	http_reply(arg, r->outcome == RULES_FAILED ? 500 : 200, rules_text(NULL, r));
}

// Fetches the lists and builds the rules again.
static void serve_blocklist_reload(struct api *a, struct http_exchange *x)
{
	if (a->deps.toggles && !a->deps.toggles->value[TOGGLE_LIST_RELOAD]) {
		api_refuse(x, 409, "the toggle list_reload is off");
		return;
	}
	bool force;
	if (!api_param_flag(x, "force", &force))
		return;
	http_defer(x, API_BUILD_MS);
	int ret = rules_reload(a->deps.rules, force, rules_reply, x);
	if (ret < 0)
		api_busy(x, ret);
}

// Is the image to go back to the one that the client saw, as far as the request names its time? A
// rollback swaps the two, so that the same request again would undo it. Else replies.
static bool previous_check(struct api *a, struct http_exchange *x)
{
	unsigned seen = 0;
	struct rules_status s;
	if (!http_param(x, "if_previous"))
		return true;
	if (!api_param_number(x, "if_previous", UINT32_MAX, &seen))
		return false;
	rules_status(a->deps.rules, &s);
	if (s.previous_unix_s == seen)
		return true;
	api_refuse(x, 409,
		"if_previous: the image before this one is another now, by a rollback or by new "
		"names: look again");
	return false;
}

// Goes back to the rules before these, and holds them.
static void serve_blocklist_rollback(struct api *a, struct http_exchange *x)
{
	char user[API_USER_MAX];
	if (!previous_check(a, x))
		return;
	api_user_text(x, user); // a rollback may reply at once
	http_defer(x, API_BUILD_MS);
	int ret = rules_rollback(a->deps.rules, rules_reply, x);
	if (ret == -ENOENT)
		api_refuse(x, 409, "there is no image before this one");
	else if (ret == -EBUSY)
		api_refuse(x, 503, "an image is being built: try again");
	else if (ret < 0)
		api_busy(x, ret);
	else
		events_add(a->deps.events, EVENT_rules_rolled_back, EVENT_FIELDS({"who", user}),
			"the rule image before this one is taken back, and held");
}

// Fills in a reply about a pause. `group`: "" is everyone.
static struct json_node *pause_fill(
	struct json_out *o, const char *group, uint64_t left_s, const char *note)
{
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "pause_left_s", left_s);
	json_out_text(o, root, "note", note);
	json_out_text(o, root, "group", group);
	return root;
}

static void pause_out(struct http_exchange *x, const char *group, uint64_t left_s, const char *note)
{
	struct json_out *o = json_out_new();
	pause_fill(o, group, left_s, note);
	http_reply(x, 200, json_out_finish(o));
}

// Adds the event that a user pauses blocking, or ends the pause with 0 minutes, for the request's
// group or for everyone.
static void pause_tell(const struct api *a, const struct http_exchange *x, unsigned minutes)
{
	char user[API_USER_MAX], time[16];
	const char *name = http_param(x, "group");
	api_user_text(x, user);
	snprintf(time, sizeof(time), "%u", minutes);
	if (minutes)
		events_add(a->deps.events, EVENT_blocking_paused,
			EVENT_FIELDS({"group", name ? name : ""}, {"minutes", time}, {"who", user}),
			"blocking is paused for %s for %u minutes", name ? name : "everyone",
			minutes);
	else
		events_add(a->deps.events, EVENT_blocking_resumed,
			EVENT_FIELDS({"group", name ? name : ""}, {"who", user}),
			"blocking goes on for %s", name ? name : "everyone");
}

// Adds the event of a pause for the request's group, or for everyone, and replies.
static void pause_done(
	const struct api *a, struct http_exchange *x, unsigned minutes, const char *note)
{
	const char *name = http_param(x, "group");
	pause_tell(a, x, minutes);
	pause_out(x, name ? name : "", 60 * (uint64_t)minutes, note);
}

// Pauses blocking for the group that the request names, or ends the pause with 0 minutes. False:
// the request names no group, and the reply is not sent.
static bool group_pause(struct api *a, struct http_exchange *x, unsigned minutes)
{
	const char *name = http_param(x, "group");
	if (!name)
		return false;
	const struct api_deps *d = &a->deps;
	int ret = d->group_pause ? d->group_pause(d->reload_arg, name, minutes) : -ENOENT;
	if (ret == -ENOENT)
		api_param_refuse_group(a, x, name);
	else if (ret == -EALREADY)
		api_unchanged(x, "the group is not paused");
	else
		pause_done(a, x, minutes, ret < 0 ? "the data plane does not know yet" : "");
	return true;
}

// Pauses blocking for everyone or for a group.
static void serve_blocklist_pause(struct api *a, struct http_exchange *x)
{
	unsigned minutes;
	bool lifts_block_all;
	char note[API_WHY_MAX] = "";
	static_assert((int)RULES_PAUSE_MINUTES_MAX == (int)GROUP_PAUSE_MINUTES_MAX);
	if (!api_param_number(x, "minutes", RULES_PAUSE_MINUTES_MAX, &minutes)
		|| !api_param_flag(x, "block_all", &lifts_block_all))
		return;
	if (group_pause(a, x, minutes))
		return;
	int ret = rules_pause(a->deps.rules, minutes, lifts_block_all);
	pause_tell(a, x, minutes);
	if (ret < 0)
		snprintf(note, sizeof(note), "a restart will not know of it: %s", strerror(-ret));
	struct json_out *o = json_out_new();
	struct json_node *root = pause_fill(o, "", rules_pause_left_s(a->deps.rules), note);
	api_rules_blocked_out(o, root, a);
	http_reply(x, 200, json_out_finish(o));
}

// Ends a pause of blocking.
static void serve_blocklist_resume(struct api *a, struct http_exchange *x)
{
	if (group_pause(a, x, 0))
		return;
	if (rules_resume(a->deps.rules) == -EALREADY)
		api_unchanged(x, "blocking is not paused");
	else
		pause_done(a, x, 0, "");
}

// Adds the pauses, and which groups a schedule with block_all keeps blocked.
static void pauses_degraded(
	struct api_reasons *out, const struct api_deps *d, const struct config *c)
{
	const uint32_t left_s = rules_pause_left_s(d->rules);
	const bool lifts_block_all = rules_pause_lifts_block_all(d->rules);
	char blocked[API_REASON_TEXT_MAX / 2] = "";
	size_t len = 0;
	for (unsigned i = 0; d->group_now && i <= c->group_count; i++) {
		struct group_now now;
		d->group_now(d->reload_arg, i, &now);
		const char *name = config_group_name(i ? &c->groups[i - 1] : NULL);
		if (now.pause_left_s)
			api_reason_add(out, API_REASON_blocking_paused, name,
				"blocking is paused for %s, for %u s more", name,
				(unsigned)now.pause_left_s);
		if (now.mask.block_all && !lifts_block_all && len < sizeof(blocked))
			len += (size_t)snprintf(blocked + len, sizeof(blocked) - len, "%s%s",
				len ? ", " : "; a schedule still blocks everything for ", name);
	}
	if (left_s)
		api_reason_add(out, API_REASON_blocking_paused, "",
			"blocking is paused for everyone, for %u s more%s", left_s, blocked);
}

// Adds reasons of severity info, which explain why a name is not blocked.
static void rules_degraded(struct api_reasons *out, const struct api_look *l)
{
	const struct api_deps *d = &l->api->deps;
	const struct config *c = d->config_current(d->reload_arg);
	struct rules_status r;
	rules_status(d->rules, &r);
	if (r.held)
		api_reason_add(out, API_REASON_rules_held, "",
			"the rule image of a rollback is held: no list is fetched");
	if (!c->blocking.enabled)
		api_reason_add(out, API_REASON_blocking_off, "",
			"blocking.enabled is false: no list blocks anything");
	pauses_degraded(out, d, c);
}

const struct api_part api_rules_part = {
	.endpoint = {{"/blocklist", serve_blocklist, API_GET, CONTROL_READ, ""},
		{"/blocklist/reload", serve_blocklist_reload, API_POST, CONTROL_OPERATE, "force"},
		{"/blocklist/rollback", serve_blocklist_rollback, API_POST, CONTROL_OPERATE,
			"if_previous"},
		{"/blocklist/pause", serve_blocklist_pause, API_POST, CONTROL_OPERATE,
			"minutes! group block_all"},
		{"/blocklist/resume", serve_blocklist_resume, API_POST, CONTROL_OPERATE, "group"}},
	.degraded = rules_degraded,
};
