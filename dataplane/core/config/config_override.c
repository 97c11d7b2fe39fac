// SPDX-License-Identifier: BSD-3-Clause

#include "config_override.h"

#include "config_entries.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// Keys of whole texts alone; keys whose items verbs add and remove one by one; secrets, for an
// override is shown to admins and kept in the audit log; and sync.own, by which overrides count.
static bool is_fixed(const struct config_field *keys, const char *key)
{
	static const char *const of_file[] = {"version", "include", "runtime", "entries",
		"group_members", "overrides", "unset", "cookies"};
	static const char *const of_section[] = {"webhooks", "own"};
	const bool is_top = keys == config_schema;
	const char *const *fixed = is_top ? of_file : of_section;
	const unsigned count = is_top ? ARRAY_LEN(of_file) : ARRAY_LEN(of_section);
	for (unsigned i = 0; i < count; i++)
		if (strcmp(key, fixed[i]) == 0)
			return true;
	return false;
}

const char *config_override_bad(const struct config_node *from, const struct config_field *keys)
{
	for (unsigned i = 0; i < from->count; i++) {
		const struct config_node *child = from->child[i];
		const struct config_field *f = config_field_find(keys, child->key);
		const char *bad = is_fixed(keys, child->key) ? child->key : NULL;
		if (bad)
			return bad;
		if (!f || !f->keys || child->kind == CONFIG_NODE_TEXT)
			continue;
		if (child->kind == CONFIG_NODE_MAPPING)
			bad = config_override_bad(child, f->keys);
		for (unsigned k = 0; !bad && child->kind == CONFIG_NODE_LIST && k < child->count;
			k++)
			bad = f->is_named && !config_node_text(child->child[k], f->keys[0].key)
				      ? f->key
				      : config_override_bad(child->child[k], f->keys);
		if (bad)
			return bad;
	}
	return NULL;
}

// Each key that may be in a file instead.
static bool is_secret(const struct config_field *keys, const char *key)
{
	char file[CONFIG_KEY_MAX + sizeof("_file")];
	snprintf(file, sizeof(file), "%s_file", key);
	return config_field_find(keys, file);
}

bool config_override_secret(const struct config_node *mapping, const struct config_field *keys,
	char path[CONFIG_PATH_MAX])
{
	for (unsigned i = 0; mapping->kind == CONFIG_NODE_MAPPING && i < mapping->count; i++) {
		const struct config_node *child = mapping->child[i];
		const struct config_field *f = config_field_find(keys, child->key);
		const size_t len = config_path_add(path, child->key, 0);
		if (is_secret(keys, child->key)
			|| (f && f->kind == CONFIG_NODE_MAPPING
				&& config_override_secret(child, f->keys, path)))
			return true;
		path[len] = '\0';
	}
	return false;
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

// The bracket that ends an item: the last one, or where keys may follow, one before a dot.
static const char *item_end(const char *item, bool has_keys)
{
	const char *close = has_keys ? strchr(item, ']') : strrchr(item, ']');
	while (has_keys && close && close[1] && close[1] != '.') // an IPv6 address in a URL
		close = strchr(close + 1, ']');
	return close;
}

const char *config_path_next(
	const char *path, const struct config_field *keys, struct config_path_step *out)
{
	*out = (struct config_path_step){0};
	const char *end = part_take(path, path + strcspn(path, ".[]"), out->key, sizeof(out->key));
	out->field = end && keys ? config_field_find(keys, out->key) : NULL;
	if (end && *end == '[') {
		const char *item = end + 1;
		const char *close = item_end(item, !out->field || out->field->keys);
		end = close ? part_take(item, close, out->item, sizeof(out->item)) : NULL;
		end = end ? end + 1 : NULL;
	}
	if (!end || !*end)
		return end;
	return *end == '.' && end[1] ? end + 1 : NULL;
}

// The mask of a text for readers (config_mask) would cut such a path.
static bool has_query(const char *item)
{
	const char *url = strstr(item, "://");
	return url && strpbrk(url, "?#");
}

static const char *step_refuse(
	const struct config_field *keys, const struct config_path_step *step, const char *next)
{
	const struct config_field *f = step->field;
	if (!next)
		return "is no path: write one such as groups[kids].services";
	if (!f)
		return "there is no such key";
	if (is_fixed(keys, step->key))
		return "is no key that can be set so";
	if (*step->item && (f->kind != CONFIG_NODE_LIST || (f->keys && !f->is_named)))
		return "has no items with names";
	if (has_query(step->item))
		return "a URL with a query cannot be named";
	if (*next && f->kind == CONFIG_NODE_LIST && (!*step->item || !f->keys))
		return f->keys ? "name the item: groups[kids].services" : "has no keys below it";
	return NULL;
}

bool config_path_check(const char *path, char why[CONFIG_WHY_MAX])
{
	const struct config_field *keys = config_schema;
	const bool is_long = strlen(path) >= CONFIG_WAY_MAX;
	for (const char *at = path; *at;) {
		struct config_path_step step;
		const char *next = config_path_next(at, keys, &step);
		const char *reason = step_refuse(keys, &step, is_long ? NULL : next);
		if (reason) {
			snprintf(why, CONFIG_WHY_MAX, "%.200s: %s", path, reason);
			return false;
		}
		keys = step.field->kind == CONFIG_NODE_TEXT ? NULL : step.field->keys;
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

// The length of a domain name without the dot of the root.
static size_t zone_len(const char *name)
{
	const size_t len = strlen(name);
	return len && name[len - 1] == '.' ? len - 1 : len;
}

// Zones are named in any case of letters (RFC 4343).
static bool is_same_name(const struct config_field *f, const char *a, const char *b)
{
	if (!f->is_zone)
		return strcmp(a, b) == 0;
	const size_t len = zone_len(a);
	return len == zone_len(b) && strncasecmp(a, b, len) == 0;
}

// Is that the item of the name? A list without a name has that of its file.
static bool is_named(const struct config_field *f, const struct config_node *item, const char *name)
{
	char found[CONFIG_TITLE_MAX + 1];
	const char *has = item_name(f, item);
	if (!has && f->is_named)
		has = config_list_name(
			config_node_text(item, "path"), config_node_text(item, "url"), found);
	return has && is_same_name(f, has, name);
}

static struct config_node *item_find(
	const struct config_field *f, const struct config_node *list, const char *name)
{
	for (unsigned i = 0; name && list->kind == CONFIG_NODE_LIST && i < list->count; i++) {
		if (is_named(f, list->child[i], name))
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
		path = config_path_next(path, keys, &step);
		if (!path || !step.field)
			return NULL;
		*parent = at;
		at = config_node_find(at, step.key);
		if (at && *step.item) {
			*parent = at;
			at = item_find(step.field, at, step.item);
		}
		keys = step.field->keys;
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

int config_override_refuse(const struct config_doc *doc)
{
	static const char *const keys[] = {"overrides", "unset"};
	int rc = 0;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (config_node_find(doc->tree.root, keys[i]))
			rc = config_refuse(doc, keys[i],
				"is for weirctl config set: change the keys themselves here");
	return rc;
}

static int unset_apply(
	struct config_doc *doc, const struct config_doc *part, const struct config_node *paths)
{
	char why[CONFIG_WHY_MAX];
	for (unsigned i = 0; i < paths->count; i++) {
		const struct config_node *path = paths->child[i], *n;
		struct config_node *parent = NULL;
		if (!config_path_check(path->text, why))
			return config_refuse_node(part, path, "unset", "", "%s", why);
		while ((n = config_path_find(doc->tree.root, path->text, &parent)) != NULL)
			config_child_remove(parent, n);
	}
	return 0;
}

int config_override_apply(struct config_doc *doc, struct config_doc *part)
{
	struct config_node *root = part->tree.root;
	if (config_node_is_empty(root))
		return 0;
	struct config_node *unset = key_take(root, "unset"),
			   *overrides = key_take(root, "overrides");
	const char *bad = overrides ? config_override_bad(overrides, config_schema) : NULL;
	int rc = 0;
	if (bad)
		rc = config_refuse_node(
			part, overrides, "overrides", "", "%s cannot be set so", bad);
	if (rc == 0 && unset)
		rc = unset_apply(doc, part, unset);
	if (rc == 0 && overrides)
		rc = config_override_merge(&doc->tree, doc->tree.root, overrides, config_schema);
	if (rc == -E2BIG)
		rc = config_refuse_node(part, overrides, "overrides", "",
			"a list has more items than possible, with those of the files");
	return rc;
}
