// SPDX-License-Identifier: BSD-3-Clause

// The place of an item in a file. Reads each file alone, so that the place is as in its errors.

#include "core/config/config_entries.h"
#include "core/config/config_shared_own.h"
#include "managed_model.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>
#include <weir/config/managed.h>
#include <weir/config/versions.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>

struct search {
	const struct config_item *item;
	const struct config_node *root;
	struct config_item_place *out;
	char key[CONFIG_PATH_MAX]; // key of the found item
};

static bool found(struct search *s, const char *list, unsigned i)
{
	snprintf(s->key, sizeof(s->key), "%s[%u]", list, i);
	return true;
}

static bool same_name(const char *a, const char *b)
{
	struct dns_name x, y;
	const bool any = strncmp(a, "*.", 2) == 0;
	if (strcmp(a, b) == 0)
		return true;
	if (a[0] == '/' || b[0] == '/' || any != (strncmp(b, "*.", 2) == 0))
		return false;
	return dns_name_from_text(any ? a + 2 : a, strlen(any ? a + 2 : a), &x) == 0
	       && dns_name_from_text(any ? b + 2 : b, strlen(any ? b + 2 : b), &y) == 0
	       && dns_name_equal(&x, &y);
}

char *config_client_text(const char *text, char out[CONFIG_ITEM_GROUP_MAX])
{
	static_assert((int)SOCKET_ADDRESS_TEXT_MAX <= (int)CONFIG_ITEM_GROUP_MAX);
	struct ip_address a;
	struct config_mac mac;
	struct config_iid iid;
	if (config_iid_parse(text, &iid) == 0)
		return config_iid_text(&iid, out);
	if (ip_address_parse(text, &a) == 0)
		return ip_address_text(&a, a.prefix_len < (a.version == 4 ? 32 : 128), out);
	if (config_mac_parse(text, &mac) == 0)
		return config_mac_text(&mac, out);
	snprintf(out, CONFIG_ITEM_GROUP_MAX, "%s", text);
	const size_t mark = strlen(CONFIG_HOST_MARK), len = strlen(out);
	if (strncmp(out, CONFIG_HOST_MARK, mark) != 0)
		return out;
	for (char *p = out; *p; p++)
		*p = (char)ascii_lower((uint8_t)*p);
	if (len > mark + 1 && out[len - 1] == '.')
		out[len - 1] = '\0';
	return out;
}

static bool same_client(const char *a, const char *b)
{
	char x[CONFIG_ITEM_GROUP_MAX], y[CONFIG_ITEM_GROUP_MAX];
	return strcasecmp(config_client_text(a, x), config_client_text(b, y)) == 0;
}

static bool texts_find(struct search *s, const char *verdict, const char *list,
	const struct config_node *mapping, const char *key)
{
	if (s->item->verdict && strcmp(s->item->verdict, verdict) != 0)
		return false;
	for (unsigned i = 0; i < config_node_count(mapping, key); i++)
		if (same_name(config_node_item_text(mapping, key, i), s->item->name))
			return found(s, list, i);
	return false;
}

static bool group_entry_find(struct search *s, unsigned i)
{
	const struct config_node *g = config_node_item(s->root, "groups", i);
	char list[64];
	snprintf(list, sizeof(list), "groups[%u].allow", i);
	if (texts_find(s, "allow", list, g, "allow"))
		return true;
	snprintf(list, sizeof(list), "groups[%u].deny", i);
	return texts_find(s, "deny", list, g, "deny");
}

// Is `text` NULL, or the value of the item's key?
static bool has(const struct config_node *item, const char *key, const char *text)
{
	const char *own = config_node_text(item, key);
	return !text || (own && strcmp(own, text) == 0);
}

static bool dated_find(struct search *s)
{
	const struct config_item *item = s->item;
	for (unsigned i = 0; i < config_node_count(s->root, "entries"); i++) {
		const struct config_node *e = config_node_item(s->root, "entries", i);
		const char *name = config_node_text(e, "name"),
			   *group = config_node_text(e, "group");
		if (name && same_name(name, item->name)
			&& strcmp(group ? group : "", item->group ? item->group : "") == 0
			&& has(e, "verdict", item->verdict))
			return found(s, "entries", i);
	}
	return false;
}

static bool entry_find(struct search *s)
{
	const struct config_node *b = config_node_find(s->root, "blocking");
	bool is_there = dated_find(s);
	if (!is_there && !s->item->group)
		return texts_find(s, "allow", "blocking.allow", b, "allow")
		       || texts_find(s, "deny", "blocking.deny", b, "deny");
	for (unsigned i = 0; !is_there && i < config_node_count(s->root, "groups"); i++)
		is_there = has(config_node_item(s->root, "groups", i), "name", s->item->group)
			   && group_entry_find(s, i);
	return is_there;
}

// A list without a name has the name of its file.
static bool list_find(struct search *s)
{
	const struct config_node *b = config_node_find(s->root, "blocking");
	char of_file[CONFIG_TITLE_MAX + 1];
	for (unsigned i = 0; i < config_node_count(b, "lists"); i++) {
		const struct config_node *l = config_node_item(b, "lists", i);
		const char *name = config_node_text(l, "name");
		if (!name)
			name = config_list_name(
				config_node_text(l, "path"), config_node_text(l, "url"), of_file);
		if (name && strcmp(name, s->item->name) == 0)
			return found(s, "blocking.lists", i);
	}
	return false;
}

static bool disabled_find(struct search *s)
{
	const struct config_node *b = config_node_find(s->root, "blocking");
	for (unsigned i = 0; i < config_node_count(b, "disabled_lists"); i++)
		if (strcmp(config_node_item_text(b, "disabled_lists", i), s->item->name) == 0)
			return found(s, "blocking.disabled_lists", i);
	return false;
}

static bool record_find(struct search *s)
{
	const struct config_node *local = config_node_find(s->root, "local");
	for (unsigned i = 0; i < config_node_count(local, "records"); i++) {
		const struct config_node *r = config_node_item(local, "records", i);
		const char *name = config_node_text(r, "name"), *type = config_node_text(r, "type");
		if (name && same_name(name, s->item->name)
			&& (!s->item->type || (type && strcasecmp(type, s->item->type) == 0)))
			return found(s, "local.records", i);
	}
	return false;
}

static bool member_find(struct search *s)
{
	const struct config_node *root = s->root;
	for (unsigned i = 0; i < config_node_count(root, "groups"); i++) {
		const struct config_node *g = config_node_item(root, "groups", i);
		for (unsigned k = 0; k < config_node_count(g, "clients"); k++) {
			char list[64];
			if (!same_client(config_node_item_text(g, "clients", k), s->item->name))
				continue;
			snprintf(list, sizeof(list), "groups[%u].clients", i);
			return found(s, list, k);
		}
	}
	for (unsigned i = 0; i < config_node_count(root, "group_members"); i++) {
		const char *client =
			config_node_text(config_node_item(root, "group_members", i), "client");
		if (client && same_client(client, s->item->name))
			return found(s, "group_members", i);
	}
	return false;
}

static bool server_find(struct search *s)
{
	const struct config_node *u = config_node_find(s->root, "upstreams");
	for (unsigned i = 0; i < config_node_count(u, "servers"); i++)
		if (has(config_node_item(u, "servers", i), "address", s->item->name))
			return found(s, "upstreams.servers", i);
	return false;
}

static bool node_find(struct search *s)
{
	switch (s->item->kind) {
	case CONFIG_ITEM_ENTRY:
		return entry_find(s);
	case CONFIG_ITEM_LIST:
		return list_find(s);
	case CONFIG_ITEM_DISABLED:
		return disabled_find(s);
	case CONFIG_ITEM_RECORD:
		return record_find(s);
	case CONFIG_ITEM_MEMBER:
		return member_find(s);
	default:
		return server_find(s);
	}
}

// `drop`: shared sections of the text that do not count.
static bool text_find(const struct config_text *t, struct search *s, uint32_t drop)
{
	struct config_errors *errors = heap_calloc(1, sizeof(*errors));
	struct config_doc doc = {.path = t->path,
		.absolute = t->path,
		.text = (uint8_t *)t->bytes,
		.len = t->len,
		.errors = errors,
		.is_included = true};
	bool is_found = false;
	if (errors && config_schema_read(&doc) == 0 && config_schema_check(&doc) == 0) {
		(void)config_shared_drop(doc.tree.root, drop);
		s->root = doc.tree.root;
		is_found = node_find(s);
	}
	if (is_found)
		config_place_text(&doc, s->key, s->out->text, sizeof(s->out->text));
	config_tree_free(&doc.tree);
	heap_free(errors);
	return is_found;
}

bool config_item_find(const struct config_bundle *b, const struct config_item *item,
	struct config_item_place *out)
{
	struct search s = {.item = item, .out = out};
	uint32_t own = 0;
	*out = (struct config_item_place){0};
	if (b->shared.bytes && managed_own_find(b, &own) < 0)
		return false;
	const uint32_t drop = b->shared.bytes ? ~own : 0;
	bool is_found = b->main.bytes && text_find(&b->main, &s, drop);
	for (unsigned i = 0; !is_found && i < b->included_count; i++)
		is_found = text_find(&b->included[i], &s, drop);
	return is_found || (b->shared.bytes && text_find(&b->shared, &s, own));
}

struct path_search {
	const char *const *path;
	unsigned count;
	bool *found;
};

static void path_search(void *arg, const struct config_node *root)
{
	const struct path_search *s = arg;
	struct config_node whole = *root, *parent = NULL;
	for (unsigned i = 0; i < s->count; i++)
		s->found[i] = config_path_find(&whole, s->path[i], &parent) != NULL;
}

void config_paths_find(const struct config_bundle *b, bool has_managed, const char *const *path,
	unsigned count, bool *found)
{
	struct config_bundle texts = *b;
	struct path_search s = {.path = path, .count = count, .found = found};
	if (!has_managed)
		texts.managed = (struct config_text){0};
	memset(found, 0, count * sizeof(*found));
	(void)!config_bundle_tree(&texts, path_search, &s);
}

struct servers {
	config_server_use *use;
	void *arg;
};

static void servers_walk(void *arg, const struct config_node *root)
{
	const struct servers *s = arg;
	const struct config_node *u = config_node_find(root, "upstreams");
	for (unsigned i = 0; i < config_node_count(u, "servers"); i++) {
		const char *address =
			config_node_text(config_node_item(u, "servers", i), "address");
		s->use(s->arg, i, address ? address : "");
	}
}

int config_servers(const struct config_bundle *b, config_server_use *use, void *arg)
{
	struct servers s = {.use = use, .arg = arg};
	return config_bundle_tree(b, servers_walk, &s);
}
