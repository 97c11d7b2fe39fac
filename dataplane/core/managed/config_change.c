// SPDX-License-Identifier: BSD-3-Clause
// What one configuration changes in another: the keys that differ, by their values, and for lists
// by hashes of what the texts say.

#include "core/config/config_schema.h"
#include "core/config/config_sections.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/keyhash.h>

enum { LEAVES_MAX = 384 };

// One hash for each key that has a value or a list.
struct leaves {
	uint64_t *hash;              // to fill in, or of the other texts
	struct config_names *differ; // NULL: the hashes are taken
	unsigned count;
	char path[CONFIG_PATH_MAX];
};

// The value of a field; NULL: none, or a list without items.
static const struct config_node *value_of(
	const struct config_field *f, const struct config_node *mapping)
{
	const struct config_node *n = config_node_find(mapping, f->key);
	if (!n || n->kind != f->kind || (n->kind == CONFIG_NODE_LIST && !n->count))
		return NULL;
	return n;
}

// `fields`: of a mapping, and of items that are mappings.
static void node_hash(
	struct contenthash_state *s, const struct config_node *n, const struct config_field *fields)
{
	if (n->kind == CONFIG_NODE_TEXT) {
		contenthash_update(s, n->text, strlen(n->text) + 1);
		return;
	}
	if (n->kind == CONFIG_NODE_LIST) {
		contenthash_update(s, &n->count, sizeof(n->count));
		for (unsigned i = 0; i < n->count; i++)
			node_hash(s, n->child[i], fields);
		return;
	}
	for (const struct config_field *f = fields; f->key; f++) {
		const struct config_node *child = value_of(f, n);
		contenthash_update(s, child ? "+" : "-", 1);
		if (child)
			node_hash(s, child, f->keys);
	}
}

static uint64_t leaf_hash(const struct config_field *f, const struct config_node *mapping)
{
	struct contenthash_state s;
	const struct config_node *n = value_of(f, mapping);
	if (!n)
		return 0;
	contenthash_begin(&s);
	node_hash(&s, n, f->keys);
	return contenthash_finish(&s);
}

// `mapping`: NULL where the texts have no such section.
static void walk(struct leaves *l, const struct config_field *f, const struct config_node *mapping)
{
	const size_t len = strlen(l->path);
	for (; f->key; f++) {
		snprintf(l->path + len, sizeof(l->path) - len, "%s%s", len ? "." : "", f->key);
		if (f->kind == CONFIG_NODE_MAPPING) {
			walk(l, f->keys, config_node_find(mapping, f->key));
			continue;
		}
		assert(l->count < LEAVES_MAX);
		const uint64_t hash = leaf_hash(f, mapping);
		if (!l->differ)
			l->hash[l->count] = hash;
		else if (l->hash[l->count] != hash)
			config_live_leaf(l->differ, l->path);
		l->count++;
	}
	l->path[len] = '\0';
}

static void leaves_walk(void *leaves, const struct config_node *root)
{
	walk(leaves, config_schema, root);
}

// Adds the keys of the texts that differ, those with lists too. Without memory none.
static void leaves_compare(
	const struct config_bundle *a, const struct config_bundle *b, struct config_names *live)
{
	uint64_t hash[LEAVES_MAX];
	struct leaves before = {.hash = hash}, after = {.hash = hash, .differ = live};
	if (config_bundle_tree(a, leaves_walk, &before) == 0)
		(void)!config_bundle_tree(b, leaves_walk, &after);
}

void config_change_find(const struct config *running, const struct config *in_force,
	const struct config *loaded, const struct config_bundle *before,
	const struct config_bundle *after, struct config_change *out)
{
	struct config_names live = {.out = out->live, .cap = sizeof(out->live)};
	config_live_begin(&live, running, in_force, loaded);
	if (before)
		leaves_compare(before, after, &live);
	config_names_end(&live);
	(void)config_restart_names(running, loaded, CONFIG_OF_CONTROLPLANE, out->controlplane,
		sizeof(out->controlplane));
	(void)config_restart_names(
		running, loaded, CONFIG_OF_DATAPLANE, out->dataplane, sizeof(out->dataplane));
}
