// SPDX-License-Identifier: BSD-3-Clause

#include "import_blocky_groups.h"

#include "import_add.h"
#include "import_rules.h"
#include "import_server.h"

#include <errno.h>
#include <fnmatch.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

enum { LIST_GROUPS_MAX = 64 };

// A group of lists, and the entries that stand in the file itself.
struct list_group {
	const char *name;
	struct import_items lists, allow, deny;
};

struct blocky {
	struct import_model *m;
	const struct yaml_tree *t;
	struct list_group group[LIST_GROUPS_MAX];
	unsigned count;
};

static int text_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void text_leave(void *)
{
}

// Those that `to` lacks; n log n, as a file may have 100,000 entries in line.
static void items_copy(
	struct import_model *m, struct import_items *to, const struct import_items *from)
{
	void *have = NULL;
	for (unsigned i = 0; i < to->count; i++)
		(void)tsearch(to->item[i].text, &have, text_compare);
	for (unsigned i = 0; i < from->count; i++) {
		const struct import_item *one = &from->item[i];
		char **found = tsearch(one->text, &have, text_compare);
		if (!found || *found == one->text)
			import_items_add(m, to, one->text, one->note);
	}
	tdestroy(have, text_leave);
}

static struct list_group *list_group_get(struct blocky *b, const char *name)
{
	for (unsigned i = 0; i < b->count; i++)
		if (strcmp(b->group[i].name, name) == 0)
			return &b->group[i];
	if (b->count == LIST_GROUPS_MAX) {
		import_miss(b->m, name, "the group of lists is left out: there are more than %d",
			LIST_GROUPS_MAX);
		return NULL;
	}
	b->group[b->count].name = name;
	return &b->group[b->count++];
}

static void source_take(struct blocky *b, struct list_group *g, const char *text, bool allow)
{
	if (strchr(text, '\n')) {
		import_rules_text(b->m, &g->allow, &g->deny, text, allow);
		return;
	}
	const char *name = import_add_list(b->m, NULL, text, allow, g->name);
	if (name && !import_items_have(&g->lists, name))
		import_items_add(b->m, &g->lists, name, NULL);
}

static const struct yaml_place *client_groups(const struct blocky *b)
{
	return import_yaml_get(b->t, import_yaml_root(b->t), "blocking.clientGroupsBlock");
}

// Is a group of lists one of those of a client? `n`: the client's list.
static bool is_used(const struct blocky *b, const struct yaml_place *n, const char *name)
{
	for (size_t i = 0; i < import_yaml_count(n); i++)
		if (strcmp(import_yaml_text(import_yaml_at(b->t, n, i)), name) == 0)
			return true;
	return false;
}

// Does every client have it, those that have no entry included?
static bool is_everywhere(const struct blocky *b, const char *name)
{
	const struct yaml_place *all = client_groups(b);
	bool has_default = false;
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		if (!is_used(b, import_yaml_at(b->t, all, i), name))
			return false;
		has_default |= strcmp(import_yaml_key(b->t, all, i), "default") == 0;
	}
	return has_default;
}

static bool is_somewhere(const struct blocky *b, const char *name)
{
	const struct yaml_place *all = client_groups(b);
	for (size_t i = 0; i < import_yaml_count(all); i++)
		if (is_used(b, import_yaml_at(b->t, all, i), name))
			return true;
	return false;
}

static void lists_take(struct blocky *b, const char *path, bool allow)
{
	const struct yaml_place *all = import_yaml_get(b->t, import_yaml_root(b->t), path);
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const char *name = import_yaml_key(b->t, all, i);
		const struct yaml_place *sources = import_yaml_at(b->t, all, i);
		struct list_group *g = is_somewhere(b, name) ? list_group_get(b, name) : NULL;
		if (!is_somewhere(b, name))
			import_miss(
				b->m, name, "no client has this group of lists, so it is left out");
		for (size_t k = 0; g && k < import_yaml_count(sources); k++)
			source_take(
				b, g, import_yaml_text(import_yaml_at(b->t, sources, k)), allow);
	}
}

static void group_fill(struct blocky *b, struct import_group *g, const struct yaml_place *lists)
{
	g->own_lists = true;
	for (unsigned i = 0; i < b->count; i++) {
		const struct list_group *of = &b->group[i];
		if (!is_used(b, lists, of->name))
			continue;
		items_copy(b->m, &g->lists, &of->lists);
		if (is_everywhere(b, of->name))
			continue;
		items_copy(b->m, &g->allow, &of->allow);
		items_copy(b->m, &g->deny, &of->deny);
	}
}

// The key of a client: an address, a prefix, or a name with wildcards, which stands for the
// addresses of clientLookup.clients.
static void clients_take(struct blocky *b, struct import_group *g, const char *key)
{
	const struct yaml_place *known =
		import_yaml_get(b->t, import_yaml_root(b->t), "clientLookup.clients");
	bool found = false;
	if (import_add_group_client(b->m, g, key, NULL))
		return;
	for (size_t i = 0; i < import_yaml_count(known); i++) {
		const struct yaml_place *addresses = import_yaml_at(b->t, known, i);
		const char *name = import_yaml_key(b->t, known, i);
		if (fnmatch(key, name, FNM_CASEFOLD) != 0)
			continue;
		for (size_t k = 0; k < import_yaml_count(addresses); k++)
			found |= import_add_group_client(b->m, g,
				import_yaml_text(import_yaml_at(b->t, addresses, k)), name);
	}
	if (!found)
		import_miss(b->m, key,
			"the client is left out: weir knows clients by address, and "
			"clientLookup.clients has none for that name");
}

static void block_groups_make(struct blocky *b)
{
	const struct yaml_place *all = client_groups(b), *everyone = NULL;
	bool differs = false;
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const char *key = import_yaml_key(b->t, all, i);
		if (strcmp(key, "default") == 0) {
			everyone = import_yaml_at(b->t, all, i);
			continue;
		}
		struct import_group *g =
			import_add_group(b->m, key, "from blocky: clientGroupsBlock");
		if (g)
			group_fill(b, g, import_yaml_at(b->t, all, i));
		if (g)
			clients_take(b, g, key);
	}
	for (unsigned i = 0; i < b->count; i++)
		differs |= is_somewhere(b, b->group[i].name) && !is_everywhere(b, b->group[i].name);
	if (!differs)
		return;
	struct import_group *g =
		import_add_group(b->m, "default", "from blocky: every other client");
	if (!g)
		return;
	group_fill(b, g, everyone);
	(void)import_add_group_client(b->m, g, "0.0.0.0/0", NULL);
	(void)import_add_group_client(b->m, g, "::/0", NULL);
}

static struct import_group *group_named(struct import_model *m, const char *name)
{
	for (unsigned i = 0; i < m->group_count; i++)
		if (strcmp(m->group[i].name, name) == 0)
			return &m->group[i];
	return NULL;
}

static void servers_take(
	struct blocky *b, struct import_items *to, const struct yaml_place *servers)
{
	for (size_t i = 0; i < import_yaml_count(servers); i++)
		import_server_add(
			b->m, to, import_yaml_text(import_yaml_at(b->t, servers, i)), NULL);
}

static void upstream_groups_make(struct blocky *b)
{
	const struct yaml_place *all =
		import_yaml_get(b->t, import_yaml_root(b->t), "upstreams.groups");
	all = all ? all : import_yaml_get(b->t, import_yaml_root(b->t), "upstream");
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const char *key = import_yaml_key(b->t, all, i);
		if (strcmp(key, "default") == 0) {
			servers_take(b, &b->m->upstreams, import_yaml_at(b->t, all, i));
			continue;
		}
		struct import_group *g = group_named(b->m, key);
		if (!g) {
			g = import_add_group(b->m, key, "from blocky: upstreams.groups");
			const struct import_group *rest = group_named(b->m, "default");
			if (g && rest) {
				g->own_lists = true;
				items_copy(b->m, &g->lists, &rest->lists);
				items_copy(b->m, &g->allow, &rest->allow);
				items_copy(b->m, &g->deny, &rest->deny);
			}
			if (g)
				clients_take(b, g, key);
		}
		if (g)
			servers_take(b, &g->upstreams, import_yaml_at(b->t, all, i));
	}
}

static void clients_name(struct blocky *b)
{
	const struct yaml_place *known =
		import_yaml_get(b->t, import_yaml_root(b->t), "clientLookup.clients");
	for (size_t i = 0; i < import_yaml_count(known); i++) {
		const struct yaml_place *addresses = import_yaml_at(b->t, known, i);
		struct import_client *c = import_add_client(b->m, import_yaml_key(b->t, known, i));
		for (size_t k = 0; c && k < import_yaml_count(addresses); k++)
			if (!import_add_client_member(
				    b->m, c, import_yaml_text(import_yaml_at(b->t, addresses, k))))
				import_miss(b->m, c->name, "an address of the client is none");
	}
}

static void entries_give(struct blocky *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		const struct list_group *g = &b->group[i];
		bool has_block = g->deny.count > 0;
		for (unsigned k = 0; k < g->lists.count; k++)
			for (unsigned n = 0; n < b->m->list_count; n++)
				has_block |=
					!b->m->list[n].allow
					&& strcmp(b->m->list[n].name, g->lists.item[k].text) == 0;
		if (!has_block && g->lists.count + g->allow.count)
			import_miss(b->m, g->name,
				"with names to allow alone, blocky blocks all others for its "
				"clients; "
				"weir blocks nothing for that reason");
		if (!is_everywhere(b, g->name))
			continue;
		items_copy(b->m, &b->m->allow, &g->allow);
		items_copy(b->m, &b->m->deny, &g->deny);
	}
}

int import_blocky_groups(struct import_model *m, const struct yaml_tree *t)
{
	struct blocky *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->m = m;
	b->t = t;
	lists_take(b, "blocking.denylists", false);
	lists_take(b, "blocking.blackLists", false);
	lists_take(b, "blocking.allowlists", true);
	lists_take(b, "blocking.whiteLists", true);
	entries_give(b);
	block_groups_make(b);
	upstream_groups_make(b);
	clients_name(b);
	for (unsigned i = 0; i < b->count; i++) {
		import_items_free(&b->group[i].lists);
		import_items_free(&b->group[i].allow);
		import_items_free(&b->group[i].deny);
	}
	free(b);
	return 0;
}
