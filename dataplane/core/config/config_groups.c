// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_filter.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/text.h>

static int flag_apply(const struct config_doc *doc, unsigned group, const char *of,
	const char *text, bool fallback, bool *out)
{
	char key[CONFIG_PATH_MAX];
	*out = text ? strcmp(text, "true") == 0 : fallback;
	if (text && !*out && strcmp(text, "false") != 0)
		return config_refuse(
			doc, config_item_key(key, "groups", group, of), "must be true or false");
	return 0;
}

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
	const struct config_raw_group *raw, const struct config_blocking *b, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	g->has_lists = raw->lists_count > 0;
	return config_list_names_apply(doc, config_sub_key(list, owner, "lists"), raw->lists,
		raw->lists_count, b, &g->lists, &g->list_count);
}

static int entries_apply(const struct config_doc *doc, const char *owner,
	const struct config_raw_group *raw, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	int rc = config_entries_apply(
		doc, config_sub_key(list, owner, "allow"), raw->allow, raw->allow_count, &g->allow);
	return config_worse(rc, config_entries_apply(doc, config_sub_key(list, owner, "deny"),
					raw->deny, raw->deny_count, &g->deny));
}

// What would never come to anything.
static int useless_check(const struct config_doc *doc, const char *owner,
	const struct config_raw_group *raw, const struct config_group *g)
{
	const struct {
		bool given;
		const char *key;
	} wants_blocking[] = {
		{raw->deny_count > 0, "deny"},
		{raw->filter.services_count > 0, "services"},
		{raw->filter.schedules_count > 0, "schedules"},
		{raw->filter.family_time != NULL, "family_time"},
	};
	char key[CONFIG_PATH_MAX];
	for (size_t i = 0; !g->blocking && i < ARRAY_LEN(wants_blocking); i++)
		if (wants_blocking[i].given)
			return config_refuse(doc, config_sub_key(key, owner, wants_blocking[i].key),
				"does nothing in a group with `blocking: false`");
	return 0;
}

// Servers of everyone are picked as everyone's are.
static int pick_apply(const struct config_doc *doc, const struct config_raw_group *raw,
	unsigned group, const struct config *c, struct config_pick *out)
{
	const struct config_raw_pick pick = {raw->upstream_policy, raw->upstream_race,
		raw->upstream_client_subnet_ipv4, raw->upstream_client_subnet_ipv6};
	const char *given = pick.policy        ? "upstream_policy"
			    : pick.race        ? "upstream_race"
			    : pick.subnet_ipv4 ? "upstream_client_subnet_ipv4"
			    : pick.subnet_ipv6 ? "upstream_client_subnet_ipv6"
					       : NULL;
	char owner[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	config_item_key(owner, "groups", group, NULL);
	if (given && raw->upstreams_count == 0)
		return config_refuse(doc, config_sub_key(key, owner, given),
			"does nothing in a group without `upstreams`");
	return config_pick_apply(doc, owner, "upstream_", &pick, &c->upstreams, out);
}

static int upstreams_apply(const struct config_doc *doc, const struct config_raw_group *raw,
	unsigned group, const struct config *c, struct config_group *g)
{
	char list[CONFIG_PATH_MAX];
	int rc = pick_apply(doc, raw, group, c, &g->pick);
	if (rc < 0 || raw->upstreams_count == 0)
		return rc;
	g->upstreams = heap_calloc(raw->upstreams_count, sizeof(*g->upstreams));
	if (!g->upstreams)
		return -ENOMEM;
	config_item_key(list, "groups", group, "upstreams");
	for (unsigned i = 0; rc == 0 && i < raw->upstreams_count; i++)
		rc = config_server_apply(
			doc, &raw->upstreams[i], list, c, g->upstreams, &g->upstream_count);
	return rc < 0 ? rc : config_servers_strict(doc, list, c, g->upstreams, g->upstream_count);
}

static int flags_apply(const struct config_doc *doc, const struct config_raw_group *raw, unsigned i,
	struct config_group *g)
{
	int rc = flag_apply(doc, i, "disable_cache", raw->disable_cache, false, &g->disable_cache);
	rc = config_worse(rc, flag_apply(doc, i, "blocking", raw->blocking, true, &g->blocking));
	rc = config_worse(rc, flag_apply(doc, i, "inherit", raw->inherit, true, &g->inherits));
	g->has_filter_aaaa = raw->filter_aaaa != NULL;
	return config_worse(rc,
		flag_apply(doc, i, "filter_aaaa", raw->filter_aaaa, false, &g->ipv6.filter_aaaa));
}

static int group_apply(const struct config_doc *doc, const struct config_raw_group *raw, unsigned i,
	struct config *c)
{
	struct config_group *g = &c->groups[i];
	char owner[CONFIG_PATH_MAX];
	c->group_count = i + 1;
	config_item_key(owner, "groups", i, NULL);
	g->has_services = raw->filter.services_count > 0;
	g->has_safe_search = raw->filter.safe_search != NULL;
	g->has_schedules = raw->filter.schedules_count > 0 || raw->filter.family_time;
	// Every check runs, also after one that failed: all errors of a group are reported at once.
	int rc = name_apply(doc, raw->name, i, c);
	rc = config_worse(rc, flags_apply(doc, raw, i, g));
	rc = config_worse(rc, config_group_ipv6_apply(doc, raw, i, c));
	rc = config_worse(rc, lists_apply(doc, owner, raw, &c->blocking, g));
	rc = config_worse(rc, entries_apply(doc, owner, raw, g));
	rc = config_worse(rc, config_block_apply(doc, owner, raw->block, &c->blocking, &g->block));
	rc = config_worse(
		rc, config_filter_apply(doc, owner, &raw->filter, &c->blocking, &g->filter));
	if (rc == 0)
		rc = useless_check(doc, owner, raw, g);
	rc = config_worse(rc, upstreams_apply(doc, raw, i, c, g));
	return config_worse(rc, config_group_records_apply(doc, raw, i, c));
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

int config_groups_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out)
{
	if (raw->groups_count == 0)
		return config_members_apply(doc, raw, out);
	out->groups = heap_calloc(raw->groups_count, sizeof(*out->groups));
	if (!out->groups)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < raw->groups_count && rc != -ENOMEM; i++)
		rc = config_worse(rc, group_apply(doc, &raw->groups[i], i, out));
	if (rc < 0)
		return rc;
	rc = config_members_apply(doc, raw, out);
	rc = config_worse(rc, config_group_vlans_apply(doc, raw, out));
	return config_worse(rc, config_group_names_apply(doc, raw, out));
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
