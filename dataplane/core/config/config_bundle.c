// SPDX-License-Identifier: BSD-3-Clause
// The texts of a configuration in memory.

#include "config_include.h"
#include "config_schema.h"
#include "config_sections.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

static void text_free(struct config_text *t)
{
	FREE_AND_NULL(t->path);
	FREE_AND_NULL(t->shown);
	FREE_AND_NULL(t->bytes);
	t->len = 0;
}

void config_bundle_free(struct config_bundle *b)
{
	text_free(&b->main);
	text_free(&b->shared);
	text_free(&b->managed);
	while (b->included_count)
		text_free(&b->included[--b->included_count]);
	while (b->folder_count)
		FREE_AND_NULL(b->folders[--b->folder_count]);
	FREE_AND_NULL(b->included);
	FREE_AND_NULL(b->folders);
}

static int text_set(struct config_text *to, const char *path, const void *bytes, size_t len)
{
	to->path = heap_strdup(path);
	to->bytes = heap_malloc(len + 1);
	if (!to->path || !to->bytes)
		return -ENOMEM;
	memcpy(to->bytes, bytes, len);
	to->bytes[len] = '\0';
	to->len = len;
	return 0;
}

static int text_copy(const struct config_text *from, struct config_text *to)
{
	return from->bytes ? text_set(to, from->path, from->bytes, from->len) : 0;
}

// Allocates the arrays of texts and folders. On failure config_bundle_free frees them.
static int room_make(struct config_bundle *b, unsigned included, unsigned folders)
{
	b->included = heap_calloc(included + 1, sizeof(*b->included));
	b->folders = heap_calloc(folders + 1, sizeof(*b->folders));
	return b->included && b->folders ? 0 : -ENOMEM;
}

static int folder_add(struct config_bundle *b, const char *folder)
{
	b->folders[b->folder_count] = heap_strdup(folder);
	return b->folders[b->folder_count++] ? 0 : -ENOMEM;
}

int config_bundle_copy(const struct config_bundle *b, struct config_bundle *out)
{
	*out = (struct config_bundle){0};
	int rc = room_make(out, b->included_count, b->folder_count);
	if (rc == 0)
		rc = text_copy(&b->main, &out->main);
	if (rc == 0)
		rc = text_copy(&b->shared, &out->shared);
	if (rc == 0)
		rc = text_copy(&b->managed, &out->managed);
	for (unsigned i = 0; rc == 0 && i < b->included_count; i++)
		rc = text_copy(&b->included[i], &out->included[out->included_count++]);
	for (unsigned i = 0; rc == 0 && i < b->folder_count; i++)
		rc = folder_add(out, b->folders[i]);
	if (rc < 0)
		config_bundle_free(out);
	return rc;
}

int config_text_replace(struct config_text *t, const char *path, const char *text)
{
	struct config_text made = {0};
	const size_t len = text ? strlen(text) : 0;
	if (len && text_set(&made, path, text, len) < 0) {
		text_free(&made);
		return -ENOMEM;
	}
	text_free(t);
	*t = made;
	return 0;
}

int config_bundle_manage(struct config_bundle *b, const char *path, const char *text)
{
	return config_text_replace(&b->managed, path, text);
}

static void text_digest(struct contenthash_state *s, const struct config_text *t)
{
	if (!t->bytes)
		return;
	contenthash_update(s, t->path, strlen(t->path) + 1);
	contenthash_update(s, &t->len, sizeof(t->len));
	contenthash_update(s, t->bytes, t->len);
}

static uint64_t digest(const struct config_bundle *b, bool is_whole)
{
	struct contenthash_state s;
	contenthash_begin(&s);
	text_digest(&s, &b->main);
	for (unsigned i = 0; i < b->included_count; i++)
		text_digest(&s, &b->included[i]);
	if (is_whole) {
		text_digest(&s, &b->shared);
		text_digest(&s, &b->managed);
	}
	return contenthash_finish(&s);
}

uint64_t config_bundle_disk_digest(const struct config_bundle *b)
{
	return digest(b, false);
}

uint64_t config_bundle_digest(const struct config_bundle *b)
{
	return digest(b, true);
}

static const char *text_shown(const struct config_text *t)
{
	return t->shown ? t->shown : t->path;
}

static const struct config_text *text_or_null(const struct config_text *t)
{
	return t->bytes ? t : NULL;
}

static int doc_begin(struct config_doc *doc, const struct config_bundle *b,
	enum config_secrets_kind secrets, struct config_errors *errors)
{
	config_doc_begin(doc, b->main.path, secrets, errors);
	doc->given = b;
	doc->shared = text_or_null(&b->shared);
	doc->managed = text_or_null(&b->managed);
	const int rc = config_doc_take(doc, &b->main);
	doc->path = text_shown(&b->main);
	return rc;
}

int config_bundle_load(const struct config_bundle *b, enum config_secrets_kind secrets,
	struct config **out, struct config_errors *errors)
{
	struct config_doc doc;
	int rc = doc_begin(&doc, b, secrets, errors);
	if (rc < 0)
		config_doc_error(&doc, "%s: out of memory", b->main.path);
	else
		rc = config_from_doc(&doc, out);
	config_doc_free(&doc);
	return rc;
}

// Makes the tree of texts that loaded before, without errors.
static int tree_make(
	struct config_doc *doc, const struct config_bundle *b, struct config_errors *errors)
{
	int rc = doc_begin(doc, b, CONFIG_SECRETS_NONE, errors);
	if (rc == 0)
		rc = config_schema_read(doc);
	if (rc == 0)
		rc = config_schema_check(doc);
	return rc == 0 ? config_include_read(doc) : rc;
}

int config_bundle_tree(const struct config_bundle *b, config_tree_use *use, void *arg)
{
	struct config_errors errors;
	struct config_doc doc;
	int rc = tree_make(&doc, b, &errors);
	if (rc == 0)
		use(arg, doc.tree.root);
	config_doc_free(&doc);
	return rc;
}

static int text_of(const struct config_doc *doc, struct config_text *out)
{
	out->shown = heap_strdup(doc->path);
	return out->shown ? text_set(out, doc->absolute, doc->text, doc->len) : -ENOMEM;
}

static int bundle_of(const struct config_doc *doc, struct config_bundle *out)
{
	*out = (struct config_bundle){0};
	int rc = room_make(out, doc->part_count, doc->folder_count);
	if (rc == 0)
		rc = text_of(doc, &out->main);
	for (unsigned i = 0; rc == 0 && i < doc->part_count; i++) {
		const struct config_part *part = &doc->parts[i];
		rc = text_of(&part->doc, part->kind == CONFIG_PART_MANAGED ? &out->managed
					 : part->kind == CONFIG_PART_SHARED
						 ? &out->shared
						 : &out->included[out->included_count++]);
	}
	for (unsigned i = 0; rc == 0 && i < doc->folder_count; i++)
		rc = folder_add(out, doc->folders[i]);
	if (rc < 0)
		config_bundle_free(out);
	return rc;
}

int config_bundle_read(const char *path, const struct config_bundle *kept,
	enum config_secrets_kind secrets, struct config_bundle *out, struct config **config,
	struct config_errors *errors)
{
	struct config_doc doc;
	config_doc_begin(&doc, path, secrets, errors);
	doc.shared = kept ? text_or_null(&kept->shared) : NULL;
	doc.managed = kept ? text_or_null(&kept->managed) : NULL;
	int rc = config_doc_read(&doc);
	if (rc == 0)
		rc = config_from_doc(&doc, config);
	if (rc == 0 && bundle_of(&doc, out) < 0) {
		config_free(*config);
		*config = NULL;
		config_doc_error(&doc, "%s: out of memory", path);
		rc = -ENOMEM;
	}
	config_doc_free(&doc);
	return rc;
}

static bool is_known(const struct config_errors *known, const char *text)
{
	for (unsigned i = 0; known && i < known->count && i < CONFIG_ERRORS_MAX; i++)
		if (strcmp(known->text[i], text) == 0)
			return true;
	return false;
}

// Adds an error about a key of a loaded configuration, with its place in the bundle's texts.
static void place_refuse(const struct config_bundle *b, struct config_errors *errors,
	const char *key, const char *reason)
{
	struct config_errors unused;
	struct config_doc doc;
	(void)!tree_make(&doc, b, &unused); // no memory: the place is the file
	doc.errors = errors;
	(void)config_refuse(&doc, key, "%s", reason);
	config_doc_free(&doc);
}

void config_proof_refuse(const struct config_proof *p, const char *key, const char *fmt, ...)
{
	char reason[CONFIG_WHY_MAX / 2], text[CONFIG_WHY_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "config: %s: %s", key, reason);
	if (is_known(p->known, text))
		return;
	if (p->texts)
		place_refuse(p->texts, p->errors, key, reason);
	else
		config_errors_add(p->errors, "%s", text);
}
