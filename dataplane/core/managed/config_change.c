// SPDX-License-Identifier: BSD-3-Clause
// What one configuration changes in another: the keys that differ, by their values, and for lists
// by hashes of what the texts say.

#include "core/config/config_raw.h"
#include "core/config/config_sections.h"

#include <cyaml/cyaml.h>

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

static const char *pointer_at(const char *at)
{
	return *(char *const *)(const void *)at;
}

static void field_hash(struct contenthash_state *s, const cyaml_schema_field_t *f, const char *at);

// One value: a text, or a mapping. NULL: an entry of a list without one.
static void value_hash(
	struct contenthash_state *s, const cyaml_schema_value_t *value, const char *data)
{
	if (value->type != CYAML_MAPPING || !data) {
		contenthash_update(s, data ? data : "", data ? strlen(data) + 1 : 0);
		return;
	}
	for (const cyaml_schema_field_t *f = value->mapping.fields; f->key; f++)
		field_hash(s, f, data);
}

static void list_hash(struct contenthash_state *s, const cyaml_schema_value_t *entry,
	const char *list, unsigned count)
{
	contenthash_update(s, &count, sizeof(count));
	for (unsigned i = 0; i < count; i++)
		value_hash(s, entry,
			entry->flags & CYAML_FLAG_POINTER ? pointer_at(list + i * sizeof(char *))
							  : list + i * entry->data_size);
}

static void field_hash(struct contenthash_state *s, const cyaml_schema_field_t *f, const char *at)
{
	const char *data = pointer_at(at + f->data_offset);
	contenthash_update(s, data ? "+" : "-", 1);
	if (data && f->value.type == CYAML_SEQUENCE)
		list_hash(s, f->value.sequence.entry, data,
			*(const unsigned *)(const void *)(at + f->count_offset));
	else if (data)
		value_hash(s, &f->value, data);
}

static uint64_t leaf_hash(const cyaml_schema_field_t *f, const char *at)
{
	struct contenthash_state s;
	if (!at || !pointer_at(at + f->data_offset))
		return 0;
	contenthash_begin(&s);
	field_hash(&s, f, at);
	return contenthash_finish(&s);
}

// `at`: NULL where the texts have no such section.
static void walk(struct leaves *l, const cyaml_schema_field_t *f, const char *at)
{
	const size_t len = strlen(l->path);
	for (; f->key; f++) {
		snprintf(l->path + len, sizeof(l->path) - len, "%s%s", len ? "." : "", f->key);
		if (f->value.type == CYAML_MAPPING) {
			walk(l, f->value.mapping.fields,
				at ? pointer_at(at + f->data_offset) : NULL);
			continue;
		}
		assert(l->count < LEAVES_MAX);
		const uint64_t hash = leaf_hash(f, at);
		if (!l->differ)
			l->hash[l->count] = hash;
		else if (l->hash[l->count] != hash)
			config_live_leaf(l->differ, l->path);
		l->count++;
	}
	l->path[len] = '\0';
}

static void leaves_walk(void *leaves, const struct config_raw *raw)
{
	walk(leaves, config_raw_document.mapping.fields, (const char *)raw);
}

// Adds the keys of the texts that differ, those with lists too. Without memory none.
static void leaves_compare(
	const struct config_bundle *a, const struct config_bundle *b, struct config_names *live)
{
	uint64_t hash[LEAVES_MAX];
	struct leaves before = {.hash = hash}, after = {.hash = hash, .differ = live};
	if (config_bundle_raw(a, leaves_walk, &before) == 0)
		(void)!config_bundle_raw(b, leaves_walk, &after);
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
