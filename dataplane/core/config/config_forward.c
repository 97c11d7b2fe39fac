// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

static int trust_apply(const struct config_doc *doc, const char *item,
	const struct config_node *node, struct config_forward_zone *z)
{
	bool trust_ad = false;
	int rc = config_bool_of(doc, item, node, "trust_ad", &trust_ad);
	for (unsigned i = 0; i < z->server_count; i++)
		z->servers[i].trust_ad = trust_ad;
	return rc;
}

// Sets `exempt`: is the zone exempt? -EINVAL: it is, but has servers, or settings that need
// servers.
static int exempt_apply(const struct config_doc *doc, const char *item,
	const struct config_node *node, bool *exempt)
{
	char key[CONFIG_PATH_MAX];
	bool has_more = config_node_text(node, "policy") || config_node_text(node, "race")
			|| config_node_text(node, "trust_ad")
			|| config_node_text(node, "client_subnet_ipv4")
			|| config_node_text(node, "client_subnet_ipv6");
	*exempt = false;
	int rc = config_bool_of(doc, item, node, "exempt", exempt);
	if (rc == 0 && *exempt && (config_node_count(node, "servers") || has_more))
		return config_refuse(doc, config_sub_key(key, item, "exempt"),
			"the zone has servers, or says how to ask them");
	return rc;
}

static int servers_apply(const struct config_doc *doc, const char *item,
	const struct config_node *node, const struct config *c, struct config_forward_zone *z)
{
	char list[CONFIG_PATH_MAX];
	bool exempt;
	int rc = exempt_apply(doc, item, node, &exempt);
	if (rc < 0 || exempt)
		return rc;
	snprintf(list, sizeof(list), "%.200s.servers", item);
	if (config_node_count(node, "servers") == 0)
		return config_refuse(doc, list, "at least one server is needed");
	z->servers = heap_calloc(config_node_count(node, "servers"), sizeof(*z->servers));
	if (!z->servers)
		return -ENOMEM;
	for (unsigned i = 0; i < config_node_count(node, "servers"); i++) {
		rc = config_worse(rc, config_server_apply(doc, config_node_item(node, "servers", i),
					      list, c, z->servers, &z->server_count));
	}
	// upstreams.strict exempts zones with servers of their own, but not the root.
	return rc == 0 && z->name.labels == 0
		       ? config_servers_strict(doc, list, c, z->servers, z->server_count)
		       : rc;
}

static int name_apply(const struct config_doc *doc, const char *list,
	const struct config_node *node, unsigned i, struct config_forward_zone *zones)
{
	char key[CONFIG_PATH_MAX];
	struct config_forward_zone *z = &zones[i];
	config_item_key(key, list, i, "name");
	if (!config_node_text(node, "name") || !*config_node_text(node, "name"))
		return config_refuse(doc, key, "has no value");
	int err = dns_name_from_text(
		config_node_text(node, "name"), strlen(config_node_text(node, "name")), &z->name);
	if (err < 0)
		return config_refuse(doc, key, "%s", dns_name_text_why(err));
	for (unsigned k = 0; k < i; k++)
		if (dns_name_equal(&zones[k].name, &z->name))
			return config_refuse(doc, key, "given twice");
	return 0;
}

static int zone_apply(const struct config_doc *doc, const char *list,
	const struct config_node *node, unsigned i, const struct config *c,
	struct config_forward_zone *zones)
{
	char item[CONFIG_PATH_MAX];
	struct config_forward_zone *z = &zones[i];
	config_item_key(item, list, i, NULL);
	int rc = name_apply(doc, list, node, i, zones);
	if (rc < 0)
		z->name =
			(struct dns_name){.labels = 1}; // none that another zone has, nor all names
	rc = config_worse(rc, servers_apply(doc, item, node, c, z));
	rc = config_worse(rc, config_pick_apply(doc, item, "", node, &c->upstreams, &z->pick));
	return config_worse(rc, trust_apply(doc, item, node, z));
}

static int list_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *c, struct config_forward_zone **out,
	unsigned *count)
{
	const unsigned item_count = config_list_count(items);
	if (item_count == 0)
		return 0;
	*out = heap_calloc(item_count, sizeof **out);
	if (!*out)
		return -ENOMEM;
	int rc = 0;
	for (unsigned i = 0; i < item_count; i++) {
		*count = i + 1;
		rc = config_worse(rc, zone_apply(doc, list, items->child[i], i, c, *out));
	}
	return rc;
}

static bool same_servers(const struct config_forward_zone *a, const struct config_forward_zone *b)
{
	bool same = a->server_count == b->server_count && a->pick.has_policy == b->pick.has_policy
		    && a->pick.policy == b->pick.policy && a->pick.race == b->pick.race
		    && a->pick.subnet.ipv4 == b->pick.subnet.ipv4
		    && a->pick.subnet.ipv6 == b->pick.subnet.ipv6;
	for (unsigned i = 0; same && i < a->server_count; i++) {
		const struct socket_address *x = &a->servers[i].address,
					    *y = &b->servers[i].address;
		same = x->port == y->port && x->ip.version == y->ip.version
		       && memcmp(x->ip.bytes, y->ip.bytes, sizeof(x->ip.bytes)) == 0
		       && a->servers[i].tls.is_on == b->servers[i].tls.is_on
		       && a->servers[i].trust_ad == b->servers[i].trust_ad
		       && strcmp(a->servers[i].host, b->servers[i].host) == 0
		       && strcmp(a->servers[i].tls.name, b->servers[i].tls.name) == 0
		       && strcmp(a->servers[i].tls.path, b->servers[i].tls.path) == 0;
	}
	return same;
}

static unsigned zones_collect(
	const struct config *c, const struct config_forward_zone *all[CONFIG_FORWARD_ZONES_MAX])
{
	unsigned n = 0;
	for (unsigned g = 0; g <= c->group_count; g++) {
		const struct config_forward_zone *zones =
			g ? c->groups[g - 1].forwards : c->forwards;
		unsigned count = g ? c->groups[g - 1].forward_count : c->forward_count;
		for (unsigned i = 0; i < count; i++, n++)
			if (n < CONFIG_FORWARD_ZONES_MAX)
				all[n] = &zones[i];
	}
	return n;
}

// Finds the first zone of each different list. `n`: number of all zones.
static unsigned sets_find(const struct config_forward_zone *const *all, unsigned n,
	const struct config_forward_zone *out[CONFIG_FORWARD_SETS_MAX])
{
	unsigned sets = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;
		while (k < i && !same_servers(all[i], all[k]))
			k++;
		if (k < i || !all[i]->server_count)
			continue;
		if (sets < CONFIG_FORWARD_SETS_MAX)
			out[sets] = all[i];
		sets++;
	}
	return sets;
}

unsigned config_forward_sets(
	const struct config *c, const struct config_forward_zone *out[CONFIG_FORWARD_SETS_MAX])
{
	const struct config_forward_zone *all[CONFIG_FORWARD_ZONES_MAX];
	return sets_find(all, zones_collect(c, all), out);
}

static int totals_check(const struct config_doc *doc, const struct config *c)
{
	const struct config_forward_zone *all[CONFIG_FORWARD_ZONES_MAX];
	const struct config_forward_zone *sets[CONFIG_FORWARD_SETS_MAX];
	const unsigned n = zones_collect(c, all);
	if (n > CONFIG_FORWARD_ZONES_MAX)
		return config_refuse(doc, "forward_zones",
			"more than %d zones, those of groups included", CONFIG_FORWARD_ZONES_MAX);
	if (sets_find(all, n, sets) > CONFIG_FORWARD_SETS_MAX)
		return config_refuse(doc, "forward_zones",
			"more than %d different lists of servers, those of groups included",
			CONFIG_FORWARD_SETS_MAX);
	return 0;
}

static int forwards_apply(const struct config_doc *doc, struct config *out)
{
	int rc = list_apply(doc, "forward_zones", config_node_list(doc->tree.root, "forward_zones"),
		out, &out->forwards, &out->forward_count);
	for (unsigned i = 0; i < out->group_count; i++) {
		char list[CONFIG_PATH_MAX];
		struct config_group *g = &out->groups[i];
		config_item_key(list, "groups", i, "forward_zones");
		rc = config_worse(
			rc, list_apply(doc, list,
				    config_node_list(config_node_item(doc->tree.root, "groups", i),
					    "forward_zones"),
				    out, &g->forwards, &g->forward_count));
	}
	return rc < 0 ? rc : totals_check(doc, out);
}

static void zones_free(struct config_forward_zone *zones, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < zones[i].server_count; k++)
			FREE_AND_NULL(zones[i].servers[k].name);
		FREE_AND_NULL(zones[i].servers);
	}
	heap_free(zones);
}

static void forwards_free(struct config *c)
{
	zones_free(c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++)
		zones_free(c->groups[i].forwards, c->groups[i].forward_count);
}

// The lists `forward_zones` of everyone and of groups. Frees those of groups as well.
const struct config_step config_forwards_step = {.apply = forwards_apply, .free = forwards_free};
