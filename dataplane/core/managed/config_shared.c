// SPDX-License-Identifier: BSD-3-Clause
#include "core/config/config_shared_own.h"
#include "managed_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/shared.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>

#define SHARED_HEAD "# The shared sections of a weir's configuration.\n"

static void own_take(void *own, const struct config_node *root)
{
	*(uint32_t *)own = config_shared_own(root);
}

int managed_own_find(const struct config_bundle *b, uint32_t *own)
{
	struct config_bundle files = *b;
	files.shared = files.managed = (struct config_text){0};
	return config_bundle_tree(&files, own_take, own);
}

static const struct config_field *field_of(unsigned section)
{
	return config_field_find(config_schema, config_shared_sections[section]);
}

static void sections_print(void *out, const struct config_node *root)
{
	fputs(SHARED_HEAD, out);
	for (unsigned i = 0; i < CONFIG_SHARED_COUNT; i++)
		managed_field_print(field_of(i), root, 0, true, out);
}

int config_shared_text(const struct config_bundle *b, char **out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	int rc = config_bundle_tree(b, sections_print, f);
	if (fclose(f) != 0)
		rc = -ENOMEM;
	if (rc == 0 && len > CONFIG_SHARED_MAX)
		rc = -EFBIG;
	if (rc < 0)
		heap_free(text);
	else
		*out = text;
	return rc;
}

char *managed_shared_text(const struct config_managed *shared)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return NULL;
	sections_print(f, shared->tree.root);
	if (fclose(f) == 0)
		return text;
	heap_free(text);
	return NULL;
}

int config_shared_check(const char *text, size_t len, char why[CONFIG_WHY_MAX])
{
	struct config_managed *m = NULL;
	char *copy = len <= CONFIG_SHARED_MAX ? heap_strndup(text, len) : NULL;
	int rc = len > CONFIG_SHARED_MAX ? -EFBIG
		 : !copy                 ? -ENOMEM
		 : strlen(copy) < len    ? -EINVAL
					 : 0;
	snprintf(why, CONFIG_WHY_MAX, "shared.yaml: %s",
		rc == -EINVAL ? "has a zero byte" : strerror(-rc));
	if (rc == 0)
		rc = managed_parse("shared.yaml", copy, CONFIG_SHARED_MAX, &m, why);
	for (unsigned i = 0; rc == 0 && i < m->tree.root->count; i++) {
		const char *key = m->tree.root->child[i]->key;
		if (config_shared_find(key) >= 0)
			continue;
		snprintf(why, CONFIG_WHY_MAX, "shared.yaml: %s is no shared section", key);
		rc = -EINVAL;
	}
	config_managed_free(m);
	heap_free(copy);
	return rc;
}

// The shared section that a path of `unset` is in; -1: it is in no shared section.
static int section_of(const char *path)
{
	char key[CONFIG_KEY_MAX];
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(path, ".["), path);
	return config_shared_find(key);
}

// Takes all that it has of these sections out of the managed part. False: it has nothing of them.
static bool sections_take(struct config_managed *m, uint32_t sections)
{
	struct config_node *root = m->tree.root, *unset = config_node_list(root, "unset");
	bool is_changed = config_shared_drop(root, sections);
	is_changed |= config_shared_drop(config_node_mapping(root, "overrides"), sections) != 0;
	for (unsigned i = config_list_count(unset); i-- > 0;) {
		const int section = section_of(unset->child[i]->text);
		if (section < 0 || !(sections & 1u << section))
			continue;
		config_node_remove(unset, i);
		is_changed = true;
	}
	return is_changed;
}

// Makes the text of the managed part without shared sections, with the comments that it begins
// with. NULL: nothing is taken out.
static int managed_without(const struct config_bundle *b, char **out, char why[CONFIG_WHY_MAX])
{
	struct config_managed *m = NULL;
	uint32_t own = 0;
	*out = NULL;
	if (!b->managed.bytes)
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "the texts in force do not load");
	int rc = managed_own_find(b, &own);
	if (rc == 0)
		rc = config_managed_parse(b->managed.bytes, &m, why);
	if (rc < 0 || !sections_take(m, ~own)) {
		config_managed_free(m);
		return rc;
	}
	const char *end = b->managed.bytes;
	while (*end == '#')
		end += strcspn(end, "\n") + (strchr(end, '\n') != NULL);
	char *head = heap_strndup(b->managed.bytes, (size_t)(end - b->managed.bytes));
	*out = head ? config_managed_text(m, head) : NULL;
	heap_free(head);
	config_managed_free(m);
	return *out ? 0 : -ENOMEM;
}

bool config_shared_is_clear(const struct config_bundle *b)
{
	char *managed = NULL, why[CONFIG_WHY_MAX];
	const bool is_clear = managed_without(b, &managed, why) < 0 || !managed;
	heap_free(managed);
	return is_clear;
}

int config_bundle_share(
	struct config_bundle *b, const char *path, const char *text, char why[CONFIG_WHY_MAX])
{
	struct config_text shared = {0};
	char *managed = NULL;
	int rc = text && *text ? config_shared_check(text, strlen(text), why) : 0;
	if (rc == 0 && text && *text)
		rc = managed_without(b, &managed, why);
	if (rc == 0)
		rc = config_text_replace(&shared, path, text);
	if (rc == 0 && managed)
		rc = config_bundle_manage(b, b->managed.path, managed);
	heap_free(managed);
	if (rc == -ENOMEM)
		snprintf(why, CONFIG_WHY_MAX, "%s", strerror(ENOMEM));
	(void)!config_text_replace(rc < 0 ? &shared : &b->shared, NULL, NULL);
	if (rc == 0)
		b->shared = shared;
	return rc;
}

// Prints what the managed part has of a section: items, overrides and unset paths. NULL: no memory.
static char *section_text(const struct config_managed *m, unsigned section)
{
	const struct config_node *root = m->tree.root, *unset = config_node_list(root, "unset");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	managed_field_print(field_of(section), root, 0, true, out);
	managed_field_print(
		field_of(section), config_node_mapping(root, "overrides"), 1, true, out);
	for (unsigned i = 0; i < config_list_count(unset); i++)
		if (section_of(unset->child[i]->text) == (int)section)
			fprintf(out, "%s\n", unset->child[i]->text);
	if (fclose(out) == 0)
		return text;
	heap_free(text);
	return NULL;
}

static int sections_compare(
	const struct config_managed *a, const struct config_managed *b, uint32_t *differ)
{
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < CONFIG_SHARED_COUNT; i++) {
		char *x = section_text(a, i), *y = section_text(b, i);
		if (!x || !y)
			rc = -ENOMEM;
		else if (strcmp(x, y) != 0)
			*differ |= 1u << i;
		heap_free(x);
		heap_free(y);
	}
	return rc;
}

static const char *bytes_of(const struct config_text *t)
{
	return t->bytes ? t->bytes : "";
}

int config_shared_differ(
	const struct config_bundle *a, const struct config_bundle *b, uint32_t *sections)
{
	struct config_managed *x = NULL, *y = NULL;
	char why[CONFIG_WHY_MAX];
	*sections = strcmp(bytes_of(&a->shared), bytes_of(&b->shared)) != 0
			    ? (1u << CONFIG_SHARED_COUNT) - 1
			    : 0;
	if (strcmp(bytes_of(&a->managed), bytes_of(&b->managed)) == 0)
		return 0;
	int rc = config_managed_parse(bytes_of(&a->managed), &x, why);
	if (rc == 0)
		rc = config_managed_parse(bytes_of(&b->managed), &y, why);
	if (rc == 0)
		rc = sections_compare(x, y, sections);
	config_managed_free(x);
	config_managed_free(y);
	return rc;
}
