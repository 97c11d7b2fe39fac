// SPDX-License-Identifier: BSD-3-Clause
// Items that verbs edit, from the shared part into the managed part.

#include "managed_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/shared.h>
#include <weir/config/versions.h>
#include <weir/dns_name.h>
#include <weir/heap_site.h>
#include <weir/rdata_parse.h>

struct move {
	struct config_managed *shared, *managed; // models of the parts
	// The managed part again, whose nodes `now` has: the shared part as it counts under it.
	struct config_managed *overrides, *now;
	uint32_t own; // sections that the files keep
	size_t left;  // bytes by which the managed part may grow
	struct config_moved *out;
};

// A part of the text besides the items: keys of sections, lines.
enum { MARGIN = 256 };

static int overrides_apply(struct config_managed *to, struct config_managed *overrides)
{
	struct config_errors *errors = heap_calloc(1, sizeof(*errors));
	struct config_doc doc = {.path = "shared.yaml", .tree = to->tree, .errors = errors},
			  part = {.path = "managed.yaml",
				  .tree = overrides->tree,
				  .errors = errors};
	const int rc = errors ? config_override_apply(&doc, &part) : -ENOMEM;
	to->tree = doc.tree;
	overrides->tree = part.tree;
	heap_free(errors);
	return rc;
}

static int models_make(struct move *v, const char *shared, char why[CONFIG_WHY_MAX])
{
	char *managed = config_managed_text(v->managed, "");
	const size_t len = managed ? strlen(managed) + MARGIN : 0;
	int rc = managed ? managed_parse("shared.yaml", shared, CONFIG_SHARED_MAX, &v->shared, why)
			 : -ENOMEM;
	if (rc == 0)
		rc = managed_parse("shared.yaml", shared, CONFIG_SHARED_MAX, &v->now, why);
	if (rc == 0)
		rc = managed_parse("managed.yaml", managed, CONFIG_MANAGED_MAX, &v->overrides, why);
	if (rc == 0)
		rc = overrides_apply(v->now, v->overrides);
	v->left = len < CONFIG_MANAGED_MAX ? CONFIG_MANAGED_MAX - len : 0;
	heap_free(managed);
	return rc;
}

static const struct config_node *items_of(
	const struct config_managed *m, const struct managed_items *l)
{
	const struct config_node *root = m->tree.root;
	return config_node_list(l->section ? config_node_mapping(root, l->section) : root, l->key);
}

// The bytes that a list has as text. 0: no memory.
static size_t text_len(const struct config_managed *m, const struct managed_items *l)
{
	const struct config_node *mapping = m->tree.root;
	const struct config_field *f = config_schema;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return 0;
	if (l->section) {
		f = config_field_find(f, l->section)->keys;
		mapping = config_node_mapping(mapping, l->section);
	}
	managed_field_print(config_field_find(f, l->key), mapping, l->section != NULL, true, out);
	len = fclose(out) == 0 ? len : 0;
	heap_free(text);
	return len;
}

// Canonical texts, by which verbs find an item. A text that is canonical stays as it is.

static int text_put(
	struct config_tree *t, struct config_node *item, const char *key, const char *text)
{
	struct config_node *n = config_node_find(item, key);
	return n && strcmp(n->text, text) != 0 ? config_node_text_set(t, n, text) : 0;
}

static int name_put(struct config_tree *t, struct config_node *item)
{
	const char *text = config_node_text(item, "name");
	char name[DNS_NAME_TEXT_MAX], out[DNS_NAME_TEXT_MAX + 2];
	struct dns_name parsed;
	const bool any = text && strncmp(text, "*.", 2) == 0;
	if (!text || *text == '/'
		|| dns_name_from_text(text + 2 * any, strlen(text + 2 * any), &parsed) != 0)
		return 0;
	snprintf(out, sizeof(out), "%s%s", any ? "*." : "", dns_name_to_text(&parsed, name));
	return text_put(t, item, "name", out);
}

static int type_put(struct config_tree *t, struct config_node *item)
{
	const char *text = config_node_text(item, "type");
	uint16_t type;
	return text && rdata_parse_type(text, &type)
		       ? text_put(t, item, "type", rdata_parse_type_text(type))
		       : 0;
}

static int client_put(struct config_tree *t, struct config_node *item)
{
	const char *text = config_node_text(item, "client");
	char out[CONFIG_ITEM_GROUP_MAX];
	return text ? text_put(t, item, "client", config_client_text(text, out)) : 0;
}

static int item_spell(struct config_tree *t, const char *list, struct config_node *item)
{
	if (strcmp(list, "entries") == 0)
		return name_put(t, item);
	if (strcmp(list, "records") == 0)
		return name_put(t, item) < 0 ? -ENOMEM : type_put(t, item);
	return strcmp(list, "group_members") == 0 ? client_put(t, item) : 0;
}

// Puts copies of the items before those of the managed part: the order of a list stays.
static int items_put(struct move *v, const struct managed_items *l, const struct config_node *items)
{
	struct config_tree *t = &v->managed->tree;
	struct config_node *at = t->root, *list;
	if (l->section)
		at = config_node_make(t, at, CONFIG_NODE_MAPPING, l->section);
	list = at ? config_node_make(t, at, CONFIG_NODE_LIST, l->key) : NULL;
	if (!list)
		return -ENOMEM;
	const struct config_node before = *list;
	int rc = 0;
	list->count = 0;
	for (unsigned i = 0; rc == 0 && i < items->count; i++) {
		struct config_node *item = config_node_copy(t, items->child[i]);
		rc = item ? item_spell(t, l->key, item) : -ENOMEM;
		rc = rc == 0 ? config_node_move(t, list, item) : rc;
	}
	for (unsigned i = 0; rc == 0 && i < before.count; i++)
		rc = config_node_move(t, list, before.child[i]);
	return rc;
}

static void stays_note(struct move *v, const char *path)
{
	char *to = v->out->stays;
	const size_t len = strlen(to);
	snprintf(to + len, sizeof(v->out->stays) - len, "%s%s", len ? ", " : "", path);
}

static int list_move(struct move *v, const struct managed_items *l)
{
	const int section = config_shared_find(l->section ? l->section : l->key);
	const struct config_node *items = items_of(v->now, l);
	char path[CONFIG_WAY_MAX], why[CONFIG_WHY_MAX];
	if (config_list_count(items) == 0 || v->own & 1u << section)
		return 0;
	const size_t len = text_len(v->now, l);
	snprintf(path, sizeof(path), "%s%s%s", l->section ? l->section : "", l->section ? "." : "",
		l->key);
	if (len == 0)
		return -ENOMEM;
	if (len > v->left) {
		stays_note(v, path);
		return 0;
	}
	v->left -= len;
	v->out->items += items->count;
	struct config_node *root = v->shared->tree.root,
			   *of = l->section ? config_node_mapping(root, l->section) : root;
	const struct config_node *old = config_node_find(of, l->key);
	if (old)
		config_child_remove(of, old);
	(void)!config_managed_override_clear(v->managed, path, why); // it is among the items
	return items_put(v, l, items);
}

static int lists_move(struct move *v)
{
	const struct managed_items *l;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && (l = managed_items_at(i)) != NULL; i++)
		rc = list_move(v, l);
	return rc;
}

int config_shared_move(const struct config_bundle *b, struct config_managed *m, char **shared,
	struct config_moved *out, char why[CONFIG_WHY_MAX])
{
	struct move v = {.managed = m, .out = out};
	*out = (struct config_moved){0};
	*shared = NULL;
	if (!b->shared.bytes)
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "the texts in force do not load");
	int rc = managed_own_find(b, &v.own);
	rc = rc < 0 ? rc : models_make(&v, b->shared.bytes, why);
	rc = rc < 0 ? rc : lists_move(&v);
	if (rc == 0 && out->items) {
		*shared = managed_shared_text(v.shared);
		rc = *shared ? 0 : -ENOMEM;
	}
	config_managed_free(v.now);
	config_managed_free(v.overrides);
	config_managed_free(v.shared);
	return rc;
}
