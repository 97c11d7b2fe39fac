// SPDX-License-Identifier: BSD-3-Clause

// The list `groups`: its clients by address, MAC, VLAN and name, and what applies to them.

#include "config_entries.h"
#include "config_filter.h"
#include "config_keys.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>
#include <weir/heap_site.h>
#include <weir/text.h>

// `taken`: for each VLAN the number of the group that has it, or 0.
static int vlans_apply(const struct config_doc *doc, const struct config_node *node, unsigned i,
	uint8_t taken[CONFIG_VLANS], struct config *c)
{
	struct config_group *g = &c->groups[i];
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	if (config_node_count(node, "vlans") == 0)
		return 0;
	g->vlans = heap_calloc(config_node_count(node, "vlans"), sizeof(*g->vlans));
	if (!g->vlans)
		return -ENOMEM;
	int rc = 0;
	config_item_key(list, "groups", i, "vlans");
	for (unsigned k = 0; k < config_node_count(node, "vlans"); k++) {
		uint16_t id;
		config_item_key(key, list, k, NULL);
		if (config_vlan_parse(config_node_item_text(node, "vlans", k), &id) < 0
			|| id == 0) {
			rc = config_refuse(doc, key, "must be a VLAN number, 1 to 4094");
			continue;
		}
		if (taken[id])
			rc = config_refuse(doc, key, "VLAN %u is in group \"%s\" already", id,
				c->groups[taken[id] - 1].name);
		taken[id] = (uint8_t)(i + 1);
		g->vlans[g->vlan_count++] = id;
	}
	return rc;
}

static int all_vlans_apply(const struct config_doc *doc, struct config *out)
{
	uint8_t taken[CONFIG_VLANS] = {0};
	int rc = 0;
	for (unsigned i = 0; i < out->group_count; i++)
		rc = config_worse(
			rc, vlans_apply(doc, config_node_item(doc->tree.root, "groups", i), i,
				    taken, out));
	return rc;
}

// Names by which clients of a group call this box over TLS and HTTPS.

// One label of a host name, in lower case.
static bool label_take(const char *text, char out[CONFIG_CLIENT_NAME_MAX + 1])
{
	const size_t len = strlen(text);
	if (len == 0 || len > CONFIG_CLIENT_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++)
		out[i] = (char)ascii_lower((uint8_t)text[i]);
	return strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static const struct config_group *owner_of(const struct config *c, const char *label)
{
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].client_name_count; k++)
			if (strcmp(c->groups[i].client_names[k], label) == 0)
				return &c->groups[i];
	return NULL;
}

static int name_add(const struct config_doc *doc, const char *key, const char *text,
	const struct config *c, struct config_group *g)
{
	char label[CONFIG_CLIENT_NAME_MAX + 1];
	if (!text || !label_take(text, label))
		return config_refuse(doc, key,
			"must be one label of a name: 1 to %d letters, digits, \"-\", \"_\"",
			CONFIG_CLIENT_NAME_MAX);
	const struct config_group *owner = owner_of(c, label);
	if (owner)
		return config_refuse(
			doc, key, "\"%s\" is in group \"%s\" already", label, owner->name);
	char *name = heap_strdup(label);
	if (!name)
		return -ENOMEM;
	g->client_names[g->client_name_count++] = name;
	return 0;
}

static int labels_apply(
	const struct config_doc *doc, const struct config_node *node, unsigned i, struct config *c)
{
	struct config_group *g = &c->groups[i];
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	int rc = 0;
	if (config_node_count(node, "client_names") == 0)
		return 0;
	g->client_names =
		heap_calloc(config_node_count(node, "client_names"), sizeof(*g->client_names));
	if (!g->client_names)
		return -ENOMEM;
	config_item_key(list, "groups", i, "client_names");
	for (unsigned k = 0; k < config_node_count(node, "client_names"); k++)
		rc = config_worse(
			rc, name_add(doc, config_item_key(key, list, k, NULL),
				    config_node_item_text(node, "client_names", k), c, g));
	return rc;
}

static int all_labels_apply(const struct config_doc *doc, struct config *out)
{
	unsigned count = 0;
	int rc = 0;
	for (unsigned i = 0; i < out->group_count; i++)
		count += config_node_count(
			config_node_item(doc->tree.root, "groups", i), "client_names");
	if (count > CONFIG_CLIENT_NAMES_MAX)
		return config_refuse(doc, "groups",
			"%u client_names in all groups, at most %d are possible", count,
			CONFIG_CLIENT_NAMES_MAX);
	for (unsigned i = 0; i < out->group_count; i++)
		rc = config_worse(rc,
			labels_apply(doc, config_node_item(doc->tree.root, "groups", i), i, out));
	return rc;
}

// Clients of groups by their host names, "host:laptop".

static bool is_host(const char *text)
{
	return strncmp(text, CONFIG_HOST_MARK, strlen(CONFIG_HOST_MARK)) == 0;
}

// A host name in lower case, without the mark and a final dot.
static bool host_take(const char *text, char out[CONFIG_CLIENT_NAME_MAX + 1])
{
	const char *name = text + strlen(CONFIG_HOST_MARK);
	size_t len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > CONFIG_CLIENT_NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = (char)ascii_lower((uint8_t)name[i]);
	out[len] = '\0';
	return strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static int host_add(const struct config_doc *doc, const char *key, const char *text, unsigned group,
	struct config *c)
{
	struct config_group *g = &c->groups[group];
	char host[CONFIG_CLIENT_NAME_MAX + 1];
	if (!host_take(text, host))
		return config_refuse(doc, key,
			"must be \"" CONFIG_HOST_MARK
			"\" and a host name: 1 to %d letters, digits, \"-\", \"_\", \".\"",
			CONFIG_CLIENT_NAME_MAX);
	unsigned all = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].host_count; k++, all++)
			if (strcmp(c->groups[i].hosts[k], host) == 0)
				return config_refuse(doc, key, "\"%s\" is in group \"%s\" already",
					host, c->groups[i].name);
	if (all == CONFIG_GROUP_HOSTS_MAX)
		return config_refuse(
			doc, key, "more than %d host names in all groups", CONFIG_GROUP_HOSTS_MAX);
	char **grown = heap_reallocarray(g->hosts, g->host_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	g->hosts = grown;
	g->hosts[g->host_count] = heap_strdup(host);
	if (!g->hosts[g->host_count])
		return -ENOMEM;
	g->host_count++;
	return 0;
}

// A prefix or MAC of a group, and its place in the file, for the error about a duplicate.
struct member {
	// Version 0: a MAC in the first bytes; MEMBER_IID: an interface identifier there.
	struct ip_address prefix;
	unsigned group, item;
	bool is_added; // `item` is an item of `group_members`, not of `groups[].clients`
};

enum { MEMBER_IID = 64 };

struct members {
	const struct config_client **clients; // sorted by name
	unsigned client_count;
	struct member *one;
	unsigned count, room;
	struct member from; // group and place of the entry that member_add adds
};

static int member_add(
	struct members *m, const struct ip_address *prefix, const struct config_mac *mac)
{
	if (m->count == m->room) {
		unsigned room = m->room ? 2 * m->room : 64;
		struct member *grown = heap_reallocarray(m->one, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->one = grown;
		m->room = room;
	}
	struct member *one = &m->one[m->count++];
	*one = m->from;
	if (prefix)
		one->prefix = *prefix;
	else if (mac)
		memcpy(one->prefix.bytes, mac, sizeof(*mac));
	return 0;
}

static int iid_add(const struct config_doc *doc, struct members *m, const char *key,
	const struct config_iid *iid)
{
	static const uint8_t zero[8];
	struct ip_address a = {.version = MEMBER_IID};
	if (memcmp(iid->bytes, zero, sizeof(zero)) == 0)
		return config_refuse(doc, key, "no client has an interface identifier of zeros");
	memcpy(a.bytes, iid->bytes, sizeof(iid->bytes));
	return member_add(m, &a, NULL);
}

static int by_text(const void *text, const void *entry)
{
	const struct config_client *const *c = entry;
	return strcasecmp(text, (*c)->name);
}

// Adds all addresses and MACs of a named client.
static int named_add(struct members *m, const struct config_client *c)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < c->address_count; i++)
		rc = member_add(m, &c->addresses[i], NULL);
	for (unsigned i = 0; rc == 0 && i < c->mac_count; i++)
		rc = member_add(m, NULL, &c->macs[i]);
	return rc;
}

static int entry_add(const struct config_doc *doc, struct members *m, const char *key,
	const char *text, struct config *c)
{
	struct ip_address a;
	struct config_mac mac;
	struct config_iid iid;
	// A name of `clients` may look like a host name or an interface identifier.
	const struct config_client **named =
		bsearch(text, m->clients, m->client_count, sizeof(*m->clients), by_text);
	if (named)
		return named_add(m, *named);
	if (is_host(text))
		return host_add(doc, key, text, m->from.group, c);
	if (config_iid_parse(text, &iid) == 0)
		return iid_add(doc, m, key, &iid);
	if (ip_address_parse(text, &a) == 0) {
		int rc = config_prefix_check(doc, key, &a);
		return rc < 0 ? rc : member_add(m, &a, NULL);
	}
	if (config_mac_parse(text, &mac) == 0) {
		int rc = config_mac_check(doc, key, &mac);
		return rc < 0 ? rc : member_add(m, NULL, &mac);
	}
	return config_refuse(doc, key,
		"is not an IP address, with or without /prefix length, nor a MAC, nor an "
		"interface identifier (::1234:56ff:fe78:9abc/::ffff:ffff:ffff:ffff), nor the "
		"name of one of `clients`, nor \"" CONFIG_HOST_MARK "\" and a host name");
}

static int by_member(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));
	if (order == 0)
		order = x->is_added - y->is_added;
	if (order == 0)
		order = (x->group > y->group) - (x->group < y->group);
	return order ? order : (x->item > y->item) - (x->item < y->item);
}

static const char *member_key(const struct member *m, char key[CONFIG_PATH_MAX])
{
	char list[CONFIG_PATH_MAX];
	if (m->is_added)
		return config_item_key(key, "group_members", m->item, "client");
	return config_item_key(
		key, config_item_key(list, "groups", m->group, "clients"), m->item, NULL);
}

static int again_refuse(const struct config_doc *doc, const struct config *c,
	const struct member *first, const struct member *again)
{
	char key[CONFIG_PATH_MAX], text[SOCKET_ADDRESS_TEXT_MAX], place[CONFIG_WHY_MAX / 2] = "";
	struct config_mac mac;
	struct config_iid iid;
	memcpy(&mac, again->prefix.bytes, sizeof(mac));
	memcpy(&iid, again->prefix.bytes, sizeof(iid));
	if (again->is_added)
		config_place_text(doc, member_key(first, key), place, sizeof(place));
	return config_refuse(doc, member_key(again, key), "%s is in group \"%s\" already%s%s",
		again->prefix.version == MEMBER_IID ? config_iid_text(&iid, text)
		: again->prefix.version             ? ip_address_text(&again->prefix, true, text)
						    : config_mac_text(&mac, text),
		c->groups[first->group].name, *place ? ": " : "", place);
}

// Refuses equal prefixes or MACs. A prefix within another is fine: the longer one decides.
static int members_check(
	const struct config_doc *doc, const struct config *c, const struct members *m)
{
	int rc = 0;
	for (unsigned i = 1; i < m->count; i++) {
		const struct member *first = &m->one[i - 1], *again = &m->one[i];
		if (memcmp(&first->prefix, &again->prefix, sizeof(first->prefix)) == 0)
			rc = again_refuse(doc, c, first, again);
	}
	return rc;
}

static int caps_check(const struct config_doc *doc, const struct members *m)
{
	unsigned macs = 0, iids = 0;
	for (unsigned i = 0; i < m->count; i++) {
		macs += m->one[i].prefix.version == 0;
		iids += m->one[i].prefix.version == MEMBER_IID;
	}
	if (m->count - macs - iids > CONFIG_PREFIXES_MAX)
		return config_refuse(doc, "groups",
			"%u prefixes of clients in all groups, at most %d are possible",
			m->count - macs - iids, CONFIG_PREFIXES_MAX);
	if (iids > CONFIG_IIDS_MAX)
		return config_refuse(doc, "groups",
			"%u interface identifiers of clients in all groups, at most %d are "
			"possible",
			iids, CONFIG_IIDS_MAX);
	if (macs > CONFIG_MACS_MAX)
		return config_refuse(doc, "groups",
			"%u MACs of clients in all groups, at most %d are possible", macs,
			CONFIG_MACS_MAX);
	return 0;
}

// Fills in the clients and MACs of groups, in the order of the file.
static int members_store(const struct members *m, struct config *c)
{
	for (unsigned i = 0; i < m->count; i++) {
		struct config_group *g = &c->groups[m->one[i].group];
		if (m->one[i].prefix.version == MEMBER_IID)
			g->iid_count++;
		else if (m->one[i].prefix.version)
			g->client_count++;
		else
			g->mac_count++;
	}
	for (unsigned i = 0; i < c->group_count; i++) {
		struct config_group *g = &c->groups[i];
		g->clients = heap_calloc(g->client_count + 1, sizeof(*g->clients));
		g->macs = heap_calloc(g->mac_count + 1, sizeof(*g->macs));
		g->iids = heap_calloc(g->iid_count + 1, sizeof(*g->iids));
		g->client_count = g->mac_count = g->iid_count = 0;
		if (!g->clients || !g->macs || !g->iids)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < m->count; i++) {
		struct config_group *g = &c->groups[m->one[i].group];
		if (m->one[i].prefix.version == MEMBER_IID)
			memcpy(&g->iids[g->iid_count++], m->one[i].prefix.bytes, sizeof(*g->iids));
		else if (m->one[i].prefix.version)
			g->clients[g->client_count++] = m->one[i].prefix;
		else
			memcpy(&g->macs[g->mac_count++], m->one[i].prefix.bytes, sizeof(*g->macs));
	}
	return 0;
}

static int group_fill(
	const struct config_doc *doc, unsigned group, struct config *c, struct members *m)
{
	const struct config_node *g = config_node_item(doc->tree.root, "groups", group);
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	const struct config_node *added = config_node_list(doc->tree.root, "group_members");
	bool has_added = false;
	int rc = 0;
	for (unsigned i = 0; !has_added && i < config_list_count(added); i++) {
		const char *of = config_node_text(added->child[i], "group");
		has_added = of && strcmp(of, config_node_text(g, "name")) == 0;
	}
	config_item_key(list, "groups", group, "clients");
	if (!has_added
		&& config_node_count(g, "clients") + config_node_count(g, "vlans")
				   + config_node_count(g, "client_names")
			   == 0)
		return config_refuse(doc, list,
			"at least one address, MAC, client, VLAN or client name is needed");
	for (unsigned k = 0; k < config_node_count(g, "clients"); k++) {
		m->from = (struct member){.group = group, .item = k};
		config_item_key(key, list, k, NULL);
		rc = config_worse(
			rc, entry_add(doc, m, key, config_node_item_text(g, "clients", k), c));
	}
	return rc;
}

static int added_fill(const struct config_doc *doc, unsigned i, struct config *c, struct members *m)
{
	const struct config_node *added = config_node_item(doc->tree.root, "group_members", i);
	char key[CONFIG_PATH_MAX];
	unsigned group;
	config_item_key(key, "group_members", i, "group");
	if (!config_node_text(added, "group"))
		return config_refuse(doc, key, "has no value");
	int rc = config_group_find(doc, key, config_node_text(added, "group"), c, &group);
	if (rc < 0)
		return rc;
	config_item_key(key, "group_members", i, "client");
	if (!config_node_text(added, "client"))
		return config_refuse(doc, key, "has no value");
	m->from = (struct member){.group = group - 1, .item = i, .is_added = true};
	return entry_add(doc, m, key, config_node_text(added, "client"), c);
}

static int members_fill(const struct config_doc *doc, struct config *out, struct members *m)
{
	int rc = 0;
	for (unsigned i = 0; i < out->group_count; i++)
		rc = config_worse(rc, group_fill(doc, i, out, m));
	for (unsigned i = 0; i < config_node_count(doc->tree.root, "group_members"); i++)
		rc = config_worse(rc, added_fill(doc, i, out, m));
	if (rc == 0)
		rc = caps_check(doc, m);
	if (rc == 0)
		rc = members_store(m, out);
	if (rc < 0)
		return rc;
	if (m->count > 0) // groups may have VLANs alone
		qsort(m->one, m->count, sizeof(*m->one), by_member);
	return members_check(doc, out, m);
}

// Fills in clients and MACs of every group of `out`, which has the groups' names: from `groups` and
// from `group_members`. Must come after config_clients_step.
static int members_apply(const struct config_doc *doc, struct config *out)
{
	struct members m = {
		.clients = config_clients_sorted(out), .client_count = out->client_count};
	int rc = m.clients ? members_fill(doc, out, &m) : -ENOMEM;
	heap_free(m.clients);
	heap_free(m.one);
	return rc;
}

static int name_apply(
	const struct config_doc *doc, const char *text, unsigned group, struct config *c)
{
	char key[CONFIG_PATH_MAX];
	config_item_key(key, "groups", group, "name");
	int rc = config_text_take(doc, key, text, CONFIG_GROUP_NAME_MAX, &c->groups[group].name);
	// Titles of lists in the rule image have a colon after the name (group_masks.h).
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

// Refuses settings without effect.
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

// Everyone's servers have the policy of `upstreams`, for every group.
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
	rc = config_worse(rc, config_filter_apply(doc, owner, node, c, &g->filter));
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

static int groups_apply(const struct config_doc *doc, struct config *out)
{
	if (config_node_count(doc->tree.root, "groups") == 0)
		return members_apply(doc, out);
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
	rc = members_apply(doc, out);
	rc = config_worse(rc, all_vlans_apply(doc, out));
	return config_worse(rc, all_labels_apply(doc, out));
}

static void groups_free(struct config *c)
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
		FREE_AND_NULL(g->iids);
		FREE_AND_NULL(g->vlans);
		for (unsigned k = 0; k < g->client_name_count; k++)
			FREE_AND_NULL(g->client_names[k]);
		FREE_AND_NULL(g->client_names);
		for (unsigned k = 0; k < g->host_count; k++)
			FREE_AND_NULL(g->hosts[k]);
		FREE_AND_NULL(g->hosts);
		FREE_AND_NULL(g->name);
	}
	FREE_AND_NULL(c->groups);
}

// The list `groups`: their clients, and settings for these.
const struct config_step config_groups_step = {.apply = groups_apply, .free = groups_free};
