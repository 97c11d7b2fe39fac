// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_filter.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

static int name_apply(
	const struct config_doc *doc, const char *text, unsigned group, struct config *c)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "groups", group, "name");
	int rc = config_text_take(doc, key, text, CONFIG_GROUP_NAME_MAX, &c->groups[group].name);
	// Titles of lists in the rule image are made of it (group_masks.h).
	if (rc == 0 && strchr(text, ':'))
		return config_refuse(doc, key, "must be without colons");
	if (rc == 0 && strcmp(text, CONFIG_EVERYONE) == 0)
		return config_refuse(doc, key, "is reserved for clients without a group");
	for (unsigned i = 0; rc == 0 && i < group; i++) {
		if (c->groups[i].name && strcmp(c->groups[i].name, text) == 0)
			return config_refuse(doc, key, "the name \"%s\" is given twice", text);
	}
	return rc;
}

static int lists_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *b, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	g->has_lists = config_node_count(node, "lists") > 0;
	return config_list_names_apply(doc, config_sub_key(list, owner, "lists"),
		config_node_list(node, "lists"), b, &g->lists, &g->list_count);
}

static int entries_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	int rc = config_entries_apply(doc, config_sub_key(list, owner, "allow"),
		config_node_list(node, "allow"), &g->allow);
	return config_worse(rc, config_entries_apply(doc, config_sub_key(list, owner, "deny"),
					config_node_list(node, "deny"), &g->deny));
}

// What would never come to anything.
static int useless_check(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_group *g)
{
	const struct {
		bool given;
		const char *key;
	} wants_blocking[] = {
		{config_node_count(node, "deny") > 0, "deny"},
		{config_node_count(node, "services") > 0, "services"},
		{config_node_count(node, "schedules") > 0, "schedules"},
		{config_node_mapping(node, "family_time") != NULL, "family_time"},
	};
	char key[CONFIG_PATH_MAX];
	for (size_t i = 0; !g->blocking && i < ARRAY_LEN(wants_blocking); i++)
		if (wants_blocking[i].given)
			return config_refuse(doc, config_sub_key(key, owner, wants_blocking[i].key),
				"does nothing in a group with `blocking: false`");
	return 0;
}

// Servers of everyone are picked as everyone's are.
static int pick_apply(const struct config_doc *doc, const struct config_node *node, unsigned group,
	const struct config *c, struct config_pick *out)
{
	static const char *const keys[] = {"upstream_policy", "upstream_race",
		"upstream_client_subnet_ipv4", "upstream_client_subnet_ipv6"};
	const char *given = NULL;
	for (unsigned i = ARRAY_LEN(keys); i-- > 0;)
		if (config_node_text(node, keys[i]))
			given = keys[i];
	char owner[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	config_item_key(owner, "groups", group, NULL);
	if (given && config_node_count(node, "upstreams") == 0)
		return config_refuse(doc, config_sub_key(key, owner, given),
			"does nothing in a group without `upstreams`");
	return config_pick_apply(doc, owner, "upstream_", node, &c->upstreams, out);
}

static int upstreams_apply(const struct config_doc *doc, const struct config_node *node,
	unsigned group, const struct config *c, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	int rc = pick_apply(doc, node, group, c, &g->pick);
	if (rc < 0 || config_node_count(node, "upstreams") == 0)
		return rc;
	g->upstreams = heap_calloc(config_node_count(node, "upstreams"), sizeof(*g->upstreams));
	if (!g->upstreams)
		return -ENOMEM;
	config_item_key(list, "groups", group, "upstreams");
	for (unsigned i = 0; rc == 0 && i < config_node_count(node, "upstreams"); i++)
		rc = config_server_apply(doc, config_node_item(node, "upstreams", i), list, c,
			g->upstreams, &g->upstream_count);
	return rc < 0 ? rc : config_servers_strict(doc, list, c, g->upstreams, g->upstream_count);
}

static int flags_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, struct config_group *g)
{
	g->blocking = g->inherits = true;
	g->has_filter_aaaa = config_node_text(node, "filter_aaaa") != NULL;
	int rc = config_bool_of(doc, owner, node, "disable_cache", &g->disable_cache);
	rc = config_worse(rc, config_bool_of(doc, owner, node, "blocking", &g->blocking));
	rc = config_worse(rc, config_bool_of(doc, owner, node, "inherit", &g->inherits));
	return config_worse(
		rc, config_bool_of(doc, owner, node, "filter_aaaa", &g->ipv6.filter_aaaa));
}

static int group_apply(
	const struct config_doc *doc, const struct config_node *node, unsigned i, struct config *c)
{
	struct config_group *g = &c->groups[i];
	char owner[CONFIG_PATH_MAX];
	c->group_count = i + 1;
	config_item_key(owner, "groups", i, NULL);
	g->has_services = config_node_count(node, "services") > 0;
	g->has_safe_search = config_node_mapping(node, "safe_search") != NULL;
	g->has_schedules = config_node_count(node, "schedules") > 0
			   || config_node_mapping(node, "family_time");
	// Every check runs, also after one that failed: all errors of a group are reported at once.
	int rc = name_apply(doc, config_node_text(node, "name"), i, c);
	rc = config_worse(rc, flags_apply(doc, owner, node, g));
	rc = config_worse(rc, config_group_ipv6_apply(doc, node, i, c));
	rc = config_worse(rc, lists_apply(doc, owner, node, &c->blocking, g));
	rc = config_worse(rc, entries_apply(doc, owner, node, g));
	rc = config_worse(rc, config_block_apply(doc, owner, config_node_mapping(node, "block"),
				      &c->blocking, &g->block));
	rc = config_worse(rc, config_filter_apply(doc, owner, node, &c->blocking, &g->filter));
	if (rc == 0)
		rc = useless_check(doc, owner, node, g);
	rc = config_worse(rc, upstreams_apply(doc, node, i, c, g));
	return config_worse(rc, config_group_records_apply(doc, node, i, c));
}

int config_group_find(const struct config_doc *doc, const char *key, const char *name,
	const struct config *c, unsigned *out)
{
	char shown[CONFIG_GROUP_NAME_MAX + 1];
	struct text_near near;
	text_near_begin(&near, name);
	for (unsigned i = 0; i < c->group_count; i++) {
		text_near_try(&near, c->groups[i].name);
		if (strcmp(c->groups[i].name, name) != 0)
			continue;
		*out = i + 1;
		return 0;
	}
	return config_refuse_near(doc, key, near.best, "no group is called \"%s\"",
		text_escape(name, shown, sizeof(shown)));
}

int config_groups_apply(const struct config_doc *doc, struct config *out)
{
	if (config_node_count(doc->tree.root, "groups") == 0)
		return config_members_apply(doc, out);
	out->groups =
		heap_calloc(config_node_count(doc->tree.root, "groups"), sizeof(*out->groups));
	if (!out->groups)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(doc->tree.root, "groups") && rc != -ENOMEM; i++)
		rc = config_worse(rc,
			group_apply(doc, config_node_item(doc->tree.root, "groups", i), i, out));
	if (rc < 0)
		return rc;
	rc = config_members_apply(doc, out);
	rc = config_worse(rc, config_group_vlans_apply(doc, out));
	return config_worse(rc, config_group_names_apply(doc, out));
}

void config_groups_free(struct config *c)
{
	for (unsigned i = 0; i < c->group_count; i++) {
		struct config_group *g = &c->groups[i];
		for (unsigned k = 0; k < g->upstream_count; k++)
			FREE_AND_NULL(g->upstreams[k].name);
		FREE_AND_NULL(g->upstreams);
		config_entries_free(&g->allow);
		config_entries_free(&g->deny);
		config_filter_free(&g->filter);
		FREE_AND_NULL(g->lists);
		FREE_AND_NULL(g->clients);
		FREE_AND_NULL(g->macs);
		FREE_AND_NULL(g->vlans);
		for (unsigned k = 0; k < g->client_name_count; k++)
			FREE_AND_NULL(g->client_names[k]);
		FREE_AND_NULL(g->client_names);
		FREE_AND_NULL(g->name);
	}
	FREE_AND_NULL(c->groups);
}
