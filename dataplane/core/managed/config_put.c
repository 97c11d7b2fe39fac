// SPDX-License-Identifier: BSD-3-Clause
// The groups with their own values, read as a whole and put as a whole. A client that a verb has
// added to a group (`group_members`) is one of the clients of the group.

#include "managed_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

// The groups of some texts, with their clients.
struct groups {
	struct config_tree tree;
	struct config_node *list;
	int rc;
};

static const struct config_field *group_fields(void)
{
	return config_field_find(config_schema, "groups")->keys;
}

static struct config_node *group_find(const struct config_node *list, const char *name)
{
	for (unsigned i = 0; i < config_list_count(list); i++) {
		const char *has = config_node_text(list->child[i], "name");
		if (has && strcmp(has, name) == 0)
			return list->child[i];
	}
	return NULL;
}

static int member_fold(struct groups *g, const struct config_node *member)
{
	const char *group = config_node_text(member, "group");
	const char *client = config_node_text(member, "client");
	struct config_node *to = group && client ? group_find(g->list, group) : NULL;
	if (!to)
		return 0;
	struct config_tree *t = &g->tree;
	struct config_node *clients = config_node_make(t, to, CONFIG_NODE_LIST, "clients");
	struct config_node *one = config_node_new(t, CONFIG_NODE_TEXT, NULL);
	if (!clients || !one || config_node_text_set(t, one, client) < 0)
		return -ENOMEM;
	return config_node_move(t, clients, one);
}

static void groups_take(void *arg, const struct config_node *root)
{
	struct groups *g = arg;
	const struct config_node *list = config_node_list(root, "groups");
	g->list = list ? config_node_copy(&g->tree, list)
		       : config_node_new(&g->tree, CONFIG_NODE_LIST, NULL);
	g->rc = g->list ? 0 : -ENOMEM;
	for (unsigned i = 0; g->rc == 0 && i < config_node_count(root, "group_members"); i++)
		g->rc = member_fold(g, config_node_item(root, "group_members", i));
}

// Reads the groups of the files; `has_managed`: as they count, by the managed part too. The caller
// frees the tree, also after an error.
static int groups_read(const struct config_bundle *b, bool has_managed, struct groups *out)
{
	struct config_bundle texts = *b;
	if (!has_managed)
		texts.managed = (struct config_text){0};
	*out = (struct groups){0};
	const int rc = config_bundle_tree(&texts, groups_take, out);
	return rc < 0 ? rc : out->rc;
}

static void mapping_walk(const struct config_field *f, const struct config_node *mapping,
	const struct config_own_use *use, void *arg);

static void value_walk(const struct config_field *f, const struct config_node *n,
	const struct config_own_use *use, void *arg)
{
	if (n->kind == CONFIG_NODE_TEXT) {
		use->text(arg, f->key, n->text);
		return;
	}
	use->open(arg, f->key, n->kind == CONFIG_NODE_LIST);
	if (n->kind == CONFIG_NODE_MAPPING)
		mapping_walk(f->keys, n, use, arg);
	for (unsigned i = 0; n->kind == CONFIG_NODE_LIST && i < n->count; i++) {
		if (!f->keys) {
			use->text(arg, NULL, n->child[i]->text);
			continue;
		}
		use->open(arg, NULL, false);
		mapping_walk(f->keys, n->child[i], use, arg);
		use->close(arg);
	}
	use->close(arg);
}

static void mapping_walk(const struct config_field *f, const struct config_node *mapping,
	const struct config_own_use *use, void *arg)
{
	for (; f->key; f++) {
		const struct config_node *n = managed_value(f, mapping);
		if (n)
			value_walk(f, n, use, arg);
	}
}

int config_groups_own(const struct config_bundle *b, const struct config_own_use *use, void *arg)
{
	struct groups g;
	const int rc = groups_read(b, true, &g);
	for (unsigned i = 0; rc == 0 && i < g.list->count; i++) {
		const struct config_node *group = g.list->child[i];
		if (use->group(arg, config_node_text(group, "name")))
			mapping_walk(group_fields() + 1, group, use, arg);
	}
	config_tree_free(&g.tree);
	return rc;
}

static bool mapping_same(
	const struct config_field *f, const struct config_node *a, const struct config_node *b);

// Either may be NULL.
static bool value_same(
	const struct config_field *f, const struct config_node *a, const struct config_node *b)
{
	if (!a || !b)
		return a == b;
	if (f->kind == CONFIG_NODE_TEXT)
		return strcmp(a->text, b->text) == 0;
	if (f->kind == CONFIG_NODE_MAPPING)
		return mapping_same(f->keys, a, b);
	bool is_same = a->count == b->count;
	for (unsigned i = 0; is_same && i < a->count; i++)
		is_same = f->keys ? mapping_same(f->keys, a->child[i], b->child[i])
				  : strcmp(a->child[i]->text, b->child[i]->text) == 0;
	return is_same;
}

static bool mapping_same(
	const struct config_field *f, const struct config_node *a, const struct config_node *b)
{
	bool is_same = true;
	for (; is_same && f->key; f++)
		is_same = value_same(f, managed_value(f, a), managed_value(f, b));
	return is_same;
}

// The groups of the overrides; NULL: there are none.
static struct config_node *overrides_of(const struct config_managed *m)
{
	return config_node_list(config_node_mapping(m->tree.root, "overrides"), "groups");
}

// Takes back what verbs have set of the group, but for the item of the overrides.
static void rest_clear(struct config_managed *m, const char *name, const char *path)
{
	struct config_node *members = config_node_list(m->tree.root, "group_members");
	for (unsigned i = config_list_count(members); i-- > 0;) {
		const char *group = config_node_text(members->child[i], "group");
		if (group && strcmp(group, name) == 0)
			config_node_remove(members, i);
	}
	(void)managed_unset_clear(m, path);
}

// Makes the item the one of its name in the overrides, at the place of that. `filed`: a file has
// the group, and needs no item that says nothing.
static int override_place(
	struct config_managed *m, const char *name, struct config_node *item, bool filed)
{
	struct config_tree *t = &m->tree;
	struct config_node *list = overrides_of(m), *had = group_find(list, name);
	const bool is_needed = !filed || !managed_has_name_alone(item);
	if (had && !is_needed)
		config_child_remove(list, had);
	else if (had)
		*had = *item;
	if (had || !is_needed)
		return 0;
	struct config_node *o = config_node_make(t, t->root, CONFIG_NODE_MAPPING, "overrides");
	list = o ? config_node_make(t, o, CONFIG_NODE_LIST, "groups") : NULL;
	return list ? config_node_move(t, list, item) : -ENOMEM;
}

// Makes the group what `wanted` says. `filed`: what the files say of it; NULL: they have no such
// group.
static int group_set(struct config_managed *m, const struct config_node *wanted,
	const struct config_node *filed, char why[CONFIG_WHY_MAX])
{
	struct config_tree *t = &m->tree;
	const char *name = config_node_text(wanted, "name");
	char path[CONFIG_WAY_MAX];
	const int len = snprintf(path, sizeof(path), "groups[%.300s]", name);
	struct config_node *item = config_node_new(t, CONFIG_NODE_MAPPING, NULL);
	int rc = item ? config_node_text_add(t, item, "name", name) : -ENOMEM;
	rest_clear(m, name, path);
	for (const struct config_field *f = group_fields() + 1; rc == 0 && f->key; f++) {
		const struct config_node *has = filed ? managed_value(f, filed) : NULL,
					 *want = managed_value(f, wanted);
		if (value_same(f, has, want))
			continue;
		snprintf(path + len, sizeof(path) - (size_t)len, ".%s", f->key);
		// An override is merged with items and keys of the files.
		if (has && (!want || f->keys))
			rc = config_managed_unset(m, path, why);
		struct config_node *copy = want ? config_node_copy(t, want) : NULL;
		if (want && rc == 0)
			rc = copy ? config_node_move(t, item, copy) : -ENOMEM;
	}
	return rc == 0 ? override_place(m, name, item, filed) : rc;
}

// Removes groups that are not wanted and that no file has.
static void groups_drop(struct config_managed *m, const struct config_node *wanted,
	const struct groups *filed, const struct groups *own, struct config_put_counts *out)
{
	for (unsigned i = 0; i < own->list->count; i++) {
		const char *name = config_node_text(own->list->child[i], "name");
		struct config_node *list = overrides_of(m), *item = group_find(list, name);
		char path[CONFIG_WAY_MAX];
		if (group_find(wanted, name))
			continue;
		if (!item || group_find(filed->list, name)) {
			out->in_file++;
			continue;
		}
		snprintf(path, sizeof(path), "groups[%.300s]", name);
		rest_clear(m, name, path);
		config_child_remove(list, item);
		out->removed++;
	}
}

static int groups_set(struct config_managed *m, const struct config_node *wanted,
	const struct groups *filed, const struct groups *own, struct config_put_counts *out,
	char why[CONFIG_WHY_MAX])
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < config_list_count(wanted); i++) {
		const struct config_node *one = wanted->child[i];
		const char *name = config_node_text(one, "name");
		const struct config_node *has = group_find(own->list, name);
		snprintf(why, CONFIG_WHY_MAX, "groups \"%.64s\": is there twice", name);
		if (group_find(wanted, name) != one)
			return -EINVAL;
		snprintf(why, CONFIG_WHY_MAX, "groups \"%.64s\": own: is missing", name);
		if (!has && one->count == 1)
			return -EINVAL;
		if (has && (one->count == 1 || mapping_same(group_fields(), has, one))) {
			out->unchanged++;
			continue;
		}
		out->changed += has != NULL;
		out->added += !has;
		rc = group_set(m, one, group_find(filed->list, name), why);
	}
	return rc;
}

int config_managed_groups_put(struct config_managed *m, const struct config_bundle *b,
	const char *text, struct config_put_counts *out, char why[CONFIG_WHY_MAX])
{
	struct groups own = {0}, filed = {0};
	struct config_managed *change;
	*out = (struct config_put_counts){0};
	int rc = managed_parse("managed.yaml", text, CONFIG_MANAGED_MAX, &change, why);
	if (rc < 0)
		return rc;
	const struct config_node *wanted = config_node_list(change->tree.root, "groups");
	const char *bad = config_override_bad(change->tree.root, config_schema);
	if (bad) {
		snprintf(why, CONFIG_WHY_MAX, "groups: an item of `%s` has no name", bad);
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = groups_read(b, true, &own);
	if (rc == 0)
		rc = groups_read(b, false, &filed);
	if (rc == 0) {
		groups_drop(m, wanted, &filed, &own, out);
		rc = groups_set(m, wanted, &filed, &own, out, why);
	}
	config_tree_free(&own.tree);
	config_tree_free(&filed.tree);
	config_managed_free(change);
	return rc;
}
