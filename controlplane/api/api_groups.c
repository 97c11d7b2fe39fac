// SPDX-License-Identifier: BSD-3-Clause
// What `status` says of the groups of clients. How many of their clients have asked is in the
// statistics of the data plane, by the group's number.

#include "api_internal.h"

#include <inttypes.h>
#include <stdio.h>

void api_group_lists_out(struct json_out *o, struct json_node *n, const struct config *c,
	const struct config_group *g)
{
	bool all = !g || (g->blocking && !g->has_lists && g->inherits);
	unsigned count = all ? c->blocking.list_count : g->has_lists ? g->list_count : 0;
	json_out_bool(o, n, "all_lists", all);
	struct json_node *lists = json_out_array(o, n, "lists");
	for (unsigned i = 0; (!g || g->blocking) && i < count; i++)
		json_out_text(o, lists, NULL, c->blocking.lists[all ? i : g->lists[i]].name);
}

static void group_out(struct json_out *o, struct json_node *n, const struct config *c, unsigned i,
	const struct policy_group *policy)
{
	const struct config_group *g = &c->groups[i];
	char text[SOCKET_ADDRESS_TEXT_MAX];
	json_out_count(o, n, "group", i + 1);
	json_out_text(o, n, "name", g->name);
	json_out_count(o, n, "prefixes", g->client_count);
	json_out_bool(o, n, "blocking", g->blocking);
	api_group_lists_out(o, n, c, g);
	json_out_bool(o, n, "cache", !g->disable_cache);
	struct json_node *upstreams = json_out_array(o, n, "upstreams");
	for (unsigned k = 0; k < g->upstream_count; k++)
		json_out_text(
			o, upstreams, NULL, socket_address_text(&g->upstreams[k].address, text));
	json_out_count(o, n, "view", policy->view);
	snprintf(text, sizeof text, "%016" PRIx64, policy->view_hash);
	json_out_text(o, n, "view_hash", policy->view ? text : "");
}

void api_groups_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	const struct api_deps *d = &a->deps;
	const struct config *c = d->config_current(d->reload_arg);
	struct json_node *list = json_out_array(o, root, "groups");
	if (!d->groups_current)
		return;
	const struct policy_group *policy = d->groups_current(d->reload_arg);
	for (unsigned i = 0; i < c->group_count; i++)
		group_out(o, json_out_object(o, list, NULL), c, i, &policy[i + 1]);
}
