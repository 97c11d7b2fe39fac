// SPDX-License-Identifier: BSD-3-Clause

#include "config_override.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Keys that only whole texts have, or whose items verbs add and remove one by one.
static bool is_fixed(const char *key)
{
	static const char *const keys[] = {
		"version", "include", "runtime", "entries", "group_members", "overrides", "unset"};
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

const char *config_override_fixed(const struct config_node *from)
{
	for (unsigned i = 0; i < from->count; i++)
		if (is_fixed(from->child[i]->key))
			return from->child[i]->key;
	return NULL;
}

// Copies the text up to `end`. NULL: it is empty or too long.
static const char *part_take(const char *text, const char *end, char *out, size_t cap)
{
	const size_t len = (size_t)(end - text);
	if (len == 0 || len >= cap)
		return NULL;
	memcpy(out, text, len);
	out[len] = '\0';
	return end;
}

const char *config_path_next(const char *path, struct config_path_step *out)
{
	out->item[0] = '\0';
	const char *end = part_take(path, path + strcspn(path, ".[]"), out->key, sizeof(out->key));
	if (end && *end == '[') {
		const char *item = end + 1, *close = strchr(item, ']');
		while (close && close[1] && close[1] != '.') // an IPv6 address in a URL
			close = strchr(close + 1, ']');
		end = close ? part_take(item, close, out->item, sizeof(out->item)) : NULL;
		end = end ? end + 1 : NULL;
	}
	if (!end || !*end)
		return end;
	return *end == '.' && end[1] ? end + 1 : NULL;
}

bool config_path_check(const char *path, char why[CONFIG_WHY_MAX])
{
	const struct config_field *keys = config_schema;
	for (const char *at = path; *at;) {
		struct config_path_step step;
		const char *next = config_path_next(at, &step);
		const struct config_field *f =
			next && keys ? config_field_find(keys, step.key) : NULL;
		const char *reason = NULL;
		if (!next || strlen(path) >= CONFIG_WAY_MAX)
			reason = "is no path: write one such as groups[kids].services";
		else if (!f)
			reason = "there is no such key";
		else if (keys == config_schema && is_fixed(step.key))
			reason = "is no key that can be set so";
		else if (*step.item && (f->kind != CONFIG_NODE_LIST || (f->keys && !f->is_named)))
			reason = "has no items with names";
		else if (*next && f->kind == CONFIG_NODE_LIST && (!*step.item || !f->keys))
			reason = f->keys ? "name the item: groups[kids].services"
					 : "has no keys below it";
		if (reason) {
			snprintf(why, CONFIG_WHY_MAX, "%.200s: %s", path, reason);
			return false;
		}
		keys = f->kind == CONFIG_NODE_TEXT ? NULL : f->keys;
		at = next;
	}
	snprintf(why, CONFIG_WHY_MAX, "a path is missing");
	return *path;
}

// The text by which an item is named; NULL: it has none.
static const char *item_name(const struct config_field *f, const struct config_node *item)
{
	if (f->keys)
		return f->is_named ? config_node_text(item, f->keys[0].key) : NULL;
	return item->kind == CONFIG_NODE_TEXT ? item->text : NULL;
}

static struct config_node *item_find(
	const struct config_field *f, const struct config_node *list, const char *name)
{
	for (unsigned i = 0; name && list->kind == CONFIG_NODE_LIST && i < list->count; i++) {
		const char *has = item_name(f, list->child[i]);
		if (has && strcmp(has, name) == 0)
			return list->child[i];
	}
	return NULL;
}

struct config_node *config_path_find(
	struct config_node *mapping, const char *path, struct config_node **parent)
{
	const struct config_field *keys = config_schema;
	struct config_node *at = mapping;
	while (at && *path) {
		struct config_path_step step;
		path = config_path_next(path, &step);
		const struct config_field *f =
			path && keys ? config_field_find(keys, step.key) : NULL;
		*parent = at;
		at = f ? config_node_find(at, step.key) : NULL;
		if (at && *step.item) {
			*parent = at;
			at = item_find(f, at, step.item);
		}
		keys = f ? f->keys : NULL;
	}
	return at;
}

void config_child_remove(struct config_node *parent, const struct config_node *child)
{
	for (unsigned i = 0; i < parent->count; i++) {
		if (parent->child[i] == child) {
			config_node_remove(parent, i);
			return;
		}
	}
}

// Gives a key the value of another node.
static void value_replace(struct config_node *to, const struct config_node *from)
{
	const char *key = to->key;
	*to = *from;
	to->key = key;
}

static int items_merge(struct config_tree *t, struct config_node *to,
	const struct config_node *from, const struct config_field *f)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < from->count; i++) {
		struct config_node *item = from->child[i],
				   *own = item_find(f, to, item_name(f, item));
		if (own)
			rc = config_override_merge(t, own, item, f->keys);
		else
			rc = to->count < f->max ? config_node_move(t, to, item) : -E2BIG;
	}
	return rc;
}

int config_override_merge(struct config_tree *t, struct config_node *to,
	const struct config_node *from, const struct config_field *keys)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < from->count; i++) {
		struct config_node *child = from->child[i], *own = config_node_find(to, child->key);
		const struct config_field *f = config_field_find(keys, child->key);
		if (!f || !own)
			rc = config_node_move(t, to, child);
		else if (f->kind != CONFIG_NODE_TEXT && f->keys && config_node_is_empty(child))
			continue;
		else if (config_node_is_empty(own) || own->kind != child->kind)
			value_replace(own, child);
		else if (f->kind == CONFIG_NODE_MAPPING)
			rc = config_override_merge(t, own, child, f->keys);
		else if (f->is_named)
			rc = items_merge(t, own, child, f);
		else
			value_replace(own, child);
	}
	return rc;
}

// Takes a key out of the tree. NULL: it has no value.
static struct config_node *key_take(struct config_node *root, const char *key)
{
	struct config_node *n = config_node_find(root, key);
	if (n)
		config_child_remove(root, n);
	return config_node_is_empty(n) ? NULL : n;
}

static int managed_check(const struct config_doc *doc, const struct config_node *n, const char *key)
{
	if (!n || (n->file && doc->parts[n->file - 1].is_managed))
		return 0;
	return config_refuse_node(
		doc, n, key, "", "is for weirctl config set: change the keys themselves here");
}

static int unset_apply(const struct config_doc *doc, const struct config_node *paths)
{
	char why[CONFIG_WHY_MAX];
	for (unsigned i = 0; i < paths->count; i++) {
		const struct config_node *path = paths->child[i];
		struct config_node *parent = NULL;
		if (!config_path_check(path->text, why))
			return config_refuse_node(doc, path, "unset", "", "%s", why);
		const struct config_node *n = config_path_find(doc->tree.root, path->text, &parent);
		if (n)
			config_child_remove(parent, n);
	}
	return 0;
}

int config_override_apply(struct config_doc *doc)
{
	struct config_node *root = doc->tree.root;
	if (config_node_is_empty(root))
		return 0;
	struct config_node *unset = key_take(root, "unset"),
			   *overrides = key_take(root, "overrides");
	const char *fixed = overrides ? config_override_fixed(overrides) : NULL;
	int rc = managed_check(doc, unset, "unset");
	if (rc == 0)
		rc = managed_check(doc, overrides, "overrides");
	if (rc == 0 && fixed)
		rc = config_refuse_node(
			doc, overrides, "overrides", "", "%s is no key that can be set so", fixed);
	if (rc == 0 && unset)
		rc = unset_apply(doc, unset);
	if (rc == 0 && overrides)
		rc = config_override_merge(&doc->tree, root, overrides, config_schema);
	if (rc == -E2BIG)
		rc = config_refuse_node(doc, overrides, "overrides", "",
			"a list has more items than possible, with those of the files");
	return rc;
}
