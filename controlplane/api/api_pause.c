// SPDX-License-Identifier: BSD-3-Clause
// Endpoints for when blocking goes wrong: the image before, a pause of everyone's blocking or of
// one group's, and its end.

#include "api_words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void api_blocklist_rollback(struct api *a, struct http_exchange *x)
{
	http_defer(x, API_BUILD_MS);
	int ret = rules_rollback(a->deps.rules, api_rules_reply, x);
	if (ret == -ENOENT)
		api_refuse(x, 409, "there is no image before this one");
	else if (ret == -EBUSY)
		api_refuse(x, 503, "an image is being built: try again");
	else if (ret < 0)
		api_busy(x, ret);
}

// `group`: "" for everyone's.
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

// Groups in a schedule with block_all, which this pause of everyone's blocking does not lift.
static void blocked_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	const struct api_deps *d = &a->deps;
	struct json_node *list = json_out_array(o, root, "blocked_groups");
	const struct config *c = d->config_current(d->reload_arg);
	for (unsigned i = 0; d->group_now && i <= c->group_count; i++) {
		struct group_now now;
		d->group_now(d->reload_arg, i, &now);
		if (now.mask.block_all)
			json_out_text(
				o, list, NULL, config_group_name(i ? &c->groups[i - 1] : NULL));
	}
}

// Of one group, if the request names one; then it has been replied to. 0 minutes: its end.
static bool group_pause(struct api *a, struct http_exchange *x, unsigned minutes)
{
	const char *name = http_param(x, "group");
	if (!name)
		return false;
	const struct api_deps *d = &a->deps;
	int ret = d->group_pause ? d->group_pause(d->reload_arg, name, minutes) : -ENOENT;
	if (ret == -ENOENT)
		api_refuse_group(a, x, name);
	else if (ret == -EALREADY)
		api_refuse(x, 409, "the group is not paused");
	else
		pause_out(x, name, 60 * (uint64_t)minutes,
			ret < 0 ? "the data plane does not know yet" : "");
	return true;
}

void api_blocklist_pause(struct api *a, struct http_exchange *x)
{
	unsigned minutes;
	bool lifts_block_all;
	char note[API_WHY_MAX] = "";
	static_assert((int)RULES_PAUSE_MINUTES_MAX == (int)GROUP_PAUSE_MINUTES_MAX);
	if (!api_number(x, "minutes", RULES_PAUSE_MINUTES_MAX, &minutes)
		|| !api_flag(x, "block_all", &lifts_block_all))
		return;
	if (group_pause(a, x, minutes))
		return;
	int ret = rules_pause(a->deps.rules, minutes, lifts_block_all);
	if (ret < 0)
		snprintf(note, sizeof note, "a restart will not know of it: %s", strerror(-ret));
	struct json_out *o = json_out_new();
	struct json_node *root = pause_fill(o, "", rules_pause_left_s(a->deps.rules), note);
	if (!lifts_block_all)
		blocked_out(o, root, a);
	http_reply(x, 200, json_out_finish(o));
}

void api_blocklist_resume(struct api *a, struct http_exchange *x)
{
	if (group_pause(a, x, 0))
		return;
	if (rules_resume(a->deps.rules) == -EALREADY)
		api_refuse(x, 409, "blocking is not paused");
	else
		pause_out(x, "", 0, "");
}

void api_pauses_out(struct json_out *o, struct json_node *root, const struct api *a)
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
