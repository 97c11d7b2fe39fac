// SPDX-License-Identifier: BSD-3-Clause
// POST /groups/add, /groups/remove and /groups/move: the clients that the managed part adds to
// groups.

#include "verb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

struct member_asked {
	char client[CONFIG_ITEM_GROUP_MAX];
	const char *group; // NULL: not given
};

// Begins a verb for a client and a checked group. NULL: replied with an error.
static struct verb *begin(struct api *a, struct http_exchange *x, struct member_asked *out)
{
	const char *client = http_param(x, "client");
	out->group = http_param(x, "group");
	if (!*client || strlen(client) >= sizeof(out->client)) {
		api_refuse(x, 400, "client: must have 1 to %zu bytes", sizeof(out->client) - 1);
		return NULL;
	}
	if (out->group && strcmp(out->group, CONFIG_EVERYONE) == 0) {
		api_refuse(x, 400,
			"%s is no group: weirctl group remove takes a client out of its "
			"group",
			CONFIG_EVERYONE);
		return NULL;
	}
	config_client_text(client, out->client);
	struct verb *v = verb_begin(a, x);
	return v && verb_group_check(v, out->group) ? v : NULL;
}

// `verb` NULL: nothing changes.
static void finish(
	struct verb *v, const struct member_asked *asked, const char *before, const char *verb)
{
	json_out_text(v->reply, verb_root(v), "client", asked->client);
	json_out_text(v->reply, verb_root(v), "group", asked->group ? asked->group : "");
	json_out_text(v->reply, verb_root(v), "before", before);
	if (!verb)
		verb_unchanged(v);
	else
		verb_apply(v, "group %s %s%s%s", verb, asked->client, asked->group ? " " : "",
			asked->group ? asked->group : "");
}

static const char advice[] = "edit the file, then run weirctl config apply";

static bool is_of_file(struct verb *v, const struct member_asked *asked)
{
	const struct config_item item = {.kind = CONFIG_ITEM_MEMBER, .name = asked->client};
	return verb_is_of_file(v, &item, "the group of that client", advice);
}

// Adds a client to a group.
static void serve_add(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked))
		return;
	const int err = config_managed_member_add(v->managed, asked.group, asked.client);
	const char *group = config_managed_member_group(v->managed, asked.client);
	if (err == -EEXIST && strcmp(group, asked.group) == 0)
		finish(v, &asked, "", NULL);
	else if (err == -EEXIST)
		verb_refuse(v, 409, "%s is in group \"%s\" already; weirctl group move %s GROUP",
			asked.client, group, asked.client);
	else if (err < 0)
		verb_fail(v, err);
	else
		finish(v, &asked, "", "add");
}

// `group`: the client's group; NULL: the client is in no group.
static void remove_none(struct verb *v, const struct member_asked *asked, const char *group)
{
	if (group)
		verb_absent(v, "%s is in group \"%s\", not in group \"%s\"", asked->client, group,
			asked->group);
	else
		verb_absent(v,
			"no group has the client \"%s\"; weirctl config show prints the groups",
			asked->client);
}

// Removes a client from its group.
static void serve_remove(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	char before[CONFIG_GROUP_NAME_MAX + 1] = "";
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked))
		return;
	const char *group = config_managed_member_group(v->managed, asked.client);
	snprintf(before, sizeof(before), "%s", group ? group : "");
	if (config_managed_member_remove(v->managed, asked.group, asked.client) < 0)
		remove_none(v, &asked, group);
	else
		finish(v, &asked, before, "remove");
}

// Moves a client to another group. Adds the client if it is in no group.
static void serve_move(struct api *a, struct http_exchange *x)
{
	struct member_asked asked;
	char before[CONFIG_GROUP_NAME_MAX + 1] = "";
	struct verb *v = begin(a, x, &asked);
	if (!v || is_of_file(v, &asked))
		return;
	const char *group = config_managed_member_group(v->managed, asked.client);
	snprintf(before, sizeof(before), "%s", group ? group : "");
	if (strcmp(before, asked.group) == 0) {
		finish(v, &asked, before, NULL);
		return;
	}
	(void)!config_managed_member_remove(v->managed, NULL, asked.client);
	const int err = config_managed_member_add(v->managed, asked.group, asked.client);
	if (err < 0)
		verb_fail(v, err);
	else
		finish(v, &asked, before, "move");
}

const struct api_part api_members_part = {
	.endpoint = {{"/groups/add", serve_add, API_POST, CONTROL_ADMIN, "client! group! why"},
		{"/groups/remove", serve_remove, API_POST, CONTROL_ADMIN, "client! group why"},
		{"/groups/move", serve_move, API_POST, CONTROL_ADMIN, "client! group! why"}},
};
