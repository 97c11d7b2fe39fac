// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

// A prefix or MAC of a group, and where it stands, for the message about a second one like it.
struct member {
	struct ip_address prefix; // version 0: a MAC in the first bytes
	unsigned group, item;
	bool is_added; // by `group_members`, whose item it is
};

struct members {
	const struct config_client **clients; // by name
	unsigned client_count;
	struct member *one;
	unsigned count, room;
	struct member from; // where those that are added stand
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

static int by_text(const void *text, const void *entry)
{
	const struct config_client *const *c = entry;
	return strcmp(text, (*c)->name);
}

// All that a name stands for.
static int named_add(
	const struct config_doc *doc, struct members *m, const char *key, const char *text)
{
	const struct config_client **found =
		bsearch(text, m->clients, m->client_count, sizeof(*m->clients), by_text);
	if (!found)
		return config_refuse(doc, key,
			"is not an IP address, with or without /prefix length, nor a MAC, nor the "
			"name of one of `clients`");
	const struct config_client *c = *found;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < c->address_count; i++)
		rc = member_add(m, &c->addresses[i], NULL);
	for (unsigned i = 0; rc == 0 && i < c->mac_count; i++)
		rc = member_add(m, NULL, &c->macs[i]);
	return rc;
}

static int entry_add(
	const struct config_doc *doc, struct members *m, const char *key, const char *text)
{
	struct ip_address a;
	struct config_mac mac;
	if (ip_address_parse(text, &a) == 0) {
		int rc = config_prefix_check(doc, key, &a);
		return rc < 0 ? rc : member_add(m, &a, NULL);
	}
	if (config_mac_parse(text, &mac) == 0) {
		int rc = config_mac_check(doc, key, &mac);
		return rc < 0 ? rc : member_add(m, NULL, &mac);
	}
	return named_add(doc, m, key, text);
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
	memcpy(&mac, again->prefix.bytes, sizeof(mac));
	if (again->is_added)
		config_place_text(doc, member_key(first, key), place, sizeof(place));
	return config_refuse(doc, member_key(again, key), "%s is in group \"%s\" already%s%s",
		again->prefix.version ? ip_address_text(&again->prefix, true, text)
				      : config_mac_text(&mac, text),
		c->groups[first->group].name, *place ? ": " : "", place);
}

// One prefix within another is fine, the longer one counts; two equal ones are not.
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
	unsigned macs = 0;
	for (unsigned i = 0; i < m->count; i++)
		macs += m->one[i].prefix.version == 0;
	if (m->count - macs > CONFIG_PREFIXES_MAX)
		return config_refuse(doc, "groups",
			"%u prefixes of clients in all groups, at most %d are possible",
			m->count - macs, CONFIG_PREFIXES_MAX);
	if (macs > CONFIG_MACS_MAX)
		return config_refuse(doc, "groups",
			"%u MACs of clients in all groups, at most %d are possible", macs,
			CONFIG_MACS_MAX);
	return 0;
}

// In the order of the file.
static int members_store(const struct members *m, struct config *c)
{
	for (unsigned i = 0; i < m->count; i++) {
		struct config_group *g = &c->groups[m->one[i].group];
		if (m->one[i].prefix.version)
			g->client_count++;
		else
			g->mac_count++;
	}
	for (unsigned i = 0; i < c->group_count; i++) {
		struct config_group *g = &c->groups[i];
		g->clients = heap_calloc(g->client_count + 1, sizeof(*g->clients));
		g->macs = heap_calloc(g->mac_count + 1, sizeof(*g->macs));
		g->client_count = g->mac_count = 0;
		if (!g->clients || !g->macs)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < m->count; i++) {
		struct config_group *g = &c->groups[m->one[i].group];
		if (m->one[i].prefix.version)
			g->clients[g->client_count++] = m->one[i].prefix;
		else
			memcpy(&g->macs[g->mac_count++], m->one[i].prefix.bytes, sizeof(*g->macs));
	}
	return 0;
}

static int group_fill(const struct config_doc *doc, unsigned group, struct members *m)
{
	const struct config_node *g = config_node_item(doc->tree.root, "groups", group);
	char list[CONFIG_PATH_MAX], key[CONFIG_PATH_MAX];
	bool has_added = false;
	int rc = 0;
	for (unsigned i = 0; i < config_node_count(doc->tree.root, "group_members"); i++)
		has_added |= config_node_text(
				     config_node_item(doc->tree.root, "group_members", i), "group")
			     && strcmp(config_node_text(
					       config_node_item(doc->tree.root, "group_members", i),
					       "group"),
					config_node_text(g, "name"))
					== 0;
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
			rc, entry_add(doc, m, key, config_node_item_text(g, "clients", k)));
	}
	return rc;
}

static int added_fill(
	const struct config_doc *doc, unsigned i, const struct config *c, struct members *m)
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
	return entry_add(doc, m, key, config_node_text(added, "client"));
}

static int members_fill(const struct config_doc *doc, struct config *out, struct members *m)
{
	int rc = 0;
	for (unsigned i = 0; i < out->group_count; i++)
		rc = config_worse(rc, group_fill(doc, i, m));
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

int config_members_apply(const struct config_doc *doc, struct config *out)
{
	struct members m = {
		.clients = config_clients_sorted(out), .client_count = out->client_count};
	int rc = m.clients ? members_fill(doc, out, &m) : -ENOMEM;
	heap_free(m.clients);
	heap_free(m.one);
	return rc;
}
