// SPDX-License-Identifier: BSD-3-Clause
#include "config_include.h"

#include "config_entries.h"
#include "config_override.h"
#include "config_schema.h"
#include "config_shared_own.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/text.h>

// An item of the list `include`.
struct include {
	struct config_doc *doc;
	char key[32];                     // "include[3]"
	char folder[PATH_MAX];            // ends in a slash; "": the working directory
	const char *name;                 // the rest of the path: a name or a pattern
	char *found[CONFIG_INCLUDED_MAX]; // names that match
	unsigned found_count;
};

enum { SHOWN_MAX = 2 * CONFIG_PATH_MAX }; // length of a path in messages

static const char wildcards[] = "*?[";

// Refuses keys that only the main file may have.
static int part_keys_check(const struct config_doc *part)
{
	static const char *const keys[] = {"version", "include", "runtime"};
	int rc = 0;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (config_node_find(part->tree.root, keys[i]))
			rc = config_refuse(part, keys[i],
				"is not possible in an included file: move it to the file that "
				"includes this one");
	return rc;
}

static int part_load(struct config_doc *part, enum config_part_kind kind)
{
	int rc = config_schema_read(part);
	if (rc == 0)
		rc = kind == CONFIG_PART_SHARED ? config_shared_refuse(part)
						: part_keys_check(part);
	if (rc == 0 && kind == CONFIG_PART_FILE)
		rc = config_override_refuse(part);
	return rc == 0 ? config_schema_check(part) : rc;
}

// Refuses a file that was read before, and files that are too large together.
static int part_check(const struct include *in, const struct config_doc *part)
{
	size_t len = part->len;
	for (unsigned i = 0; i <= in->doc->part_count; i++) {
		const struct config_doc *file = config_doc_file(in->doc, i);
		if (part->inode && file->device == part->device && file->inode == part->inode)
			return config_refuse(in->doc, in->key, "%s is read already, as %s",
				part->path, file->path);
		len += file->len;
	}
	if (len > CONFIG_FILE_MAX)
		return config_refuse(in->doc, in->key, "with %s all files have more than %d bytes",
			part->path, CONFIG_FILE_MAX);
	return 0;
}

// Opens and reads the file. After that the path of `part` is only for messages.
static int part_open(const struct include *in, struct config_part *part, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 1], shown[SHOWN_MAX];
	snprintf(path, sizeof(path), "%s%s", in->folder, name);
	part->path = heap_strdup(text_escape(path, shown, sizeof(shown)));
	if (!part->path)
		return -ENOMEM;
	part->doc.path = path;
	int rc = config_doc_open(&part->doc);
	part->doc.path = part->path;
	if (rc == 0 || rc == -ENOMEM)
		return rc;
	return config_refuse(in->doc, in->key, "%s: %s", part->path, config_doc_reason(rc));
}

// Copies a text in memory into `part`.
static int part_given(struct config_part *part, const struct config_text *text)
{
	char shown[SHOWN_MAX];
	int rc = config_doc_take(&part->doc, text);
	if (rc == 0)
		part->path = heap_strdup(
			text->shown ? text->shown : text_escape(text->path, shown, sizeof(shown)));
	part->doc.path = part->path;
	return rc == 0 && !part->path ? -ENOMEM : rc;
}

// Makes the next part of a file, or of `text`. A refused file does not become a part.
static int part_take(struct include *in, const char *name, const struct config_text *text)
{
	struct config_doc *doc = in->doc;
	struct config_part *part = &doc->parts[doc->part_count];
	part->kind = !text                  ? CONFIG_PART_FILE
		     : text == doc->managed ? CONFIG_PART_MANAGED
		     : text == doc->shared  ? CONFIG_PART_SHARED
					    : CONFIG_PART_FILE;
	part->doc = (struct config_doc){.errors = doc->errors,
		.number = (uint16_t)(doc->part_count + 1),
		.leaves_secrets = doc->leaves_secrets,
		.is_included = true};
	int rc = text ? part_given(part, text) : part_open(in, part, name);
	if (rc == 0)
		rc = part_check(in, &part->doc);
	if (rc == 0)
		rc = part_load(&part->doc, part->kind);
	if (rc < 0) {
		config_doc_free(&part->doc);
		FREE_AND_NULL(part->path);
		return rc;
	}
	if (part->kind == CONFIG_PART_SHARED) {
		(void)config_shared_drop(part->doc.tree.root, doc->own);
		doc->ignored = config_shared_drop(doc->tree.root, ~doc->own);
	}
	if (part->kind == CONFIG_PART_MANAGED)
		rc = config_override_apply(doc, &part->doc);
	if (rc == 0)
		rc = config_schema_merge(doc, &part->doc);
	doc->part_count++; // even if the merge is refused: errors name places in this part
	return rc;
}

static int part_add(struct include *in, const char *name)
{
	if (in->doc->part_count == CONFIG_INCLUDED_MAX)
		return config_refuse(in->doc, in->key, "more than %d files", CONFIG_INCLUDED_MAX);
	return part_take(in, name, NULL);
}

// Keeps the folder of a pattern: a new file in it may match.
static int folder_keep(const struct include *in)
{
	struct config_doc *doc = in->doc;
	const int base = in->folder[0] == '/' ? 0 : config_doc_folder_len(doc->absolute);
	const char *below = in->folder + (base ? config_doc_folder_len(doc->path) : 0);
	char *folder;
	if (asprintf(&folder, "%.*s%s", base, doc->absolute, below) < 0)
		return -ENOMEM;
	doc->folders[doc->folder_count++] = folder;
	return 0;
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int folder_refuse(const struct include *in, int err)
{
	char shown[SHOWN_MAX];
	if (err == ENOMEM)
		return -ENOMEM;
	return config_refuse(in->doc, in->key, "%s: %s",
		text_escape(in->folder, shown, sizeof(shown)), strerror(err));
}

static int names_read(struct include *in, DIR *folder)
{
	const struct dirent *e;
	errno = 0;
	while ((e = readdir(folder)) != NULL) {
		if (e->d_name[0] != '.' && fnmatch(in->name, e->d_name, FNM_NOESCAPE) == 0) {
			if (in->found_count == CONFIG_INCLUDED_MAX)
				return config_refuse(in->doc, in->key, "more than %d files match",
					CONFIG_INCLUDED_MAX);
			char *name = heap_strdup(e->d_name);
			if (!name)
				return -ENOMEM;
			in->found[in->found_count++] = name;
		}
		errno = 0;
	}
	if (errno)
		return folder_refuse(in, errno);
	qsort(in->found, in->found_count, sizeof(in->found[0]), names_compare);
	return 0;
}

static int names_find(struct include *in)
{
	DIR *folder = opendir(in->folder[0] ? in->folder : ".");
	if (!folder)
		return folder_refuse(in, errno);
	int rc = names_read(in, folder);
	closedir(folder);
	return rc == 0 ? folder_keep(in) : rc;
}

// Splits the item into a folder and a name.
static int entry_take(struct include *in, const char *text)
{
	const struct config_doc *doc = in->doc;
	const int base = text[0] == '/' ? 0 : config_doc_folder_len(doc->path);
	const int below = config_doc_folder_len(text);
	const size_t len = strlen(text);
	in->doc->includes_absolute |= text[0] == '/';
	if (len == 0 || len > CONFIG_INCLUDE_PATH_MAX)
		return config_refuse(
			doc, in->key, "must be 1 to %d bytes long", CONFIG_INCLUDE_PATH_MAX);
	if (strcspn(text, wildcards) < (size_t)below)
		return config_refuse(doc, in->key, "a pattern is possible in the file's name only");
	in->name = text + below;
	if (!*in->name)
		return config_refuse(doc, in->key, "is a folder: name files in it, such as *.yaml");
	if ((size_t)base + (size_t)below >= sizeof(in->folder))
		return config_refuse(doc, in->key, "%s", strerror(ENAMETOOLONG));
	snprintf(in->folder, sizeof(in->folder), "%.*s%.*s", base, doc->path, below, text);
	return 0;
}

static int entry_read(struct include *in, const char *text)
{
	int rc = entry_take(in, text);
	if (rc < 0)
		return rc;
	if (!strpbrk(in->name, wildcards))
		return part_add(in, in->name);
	rc = names_find(in);
	const bool is_whole = rc == 0;
	for (unsigned i = 0; i < in->found_count; i++) {
		if (is_whole && rc != -ENOMEM)
			rc = config_worse(rc, part_add(in, in->found[i]));
		FREE_AND_NULL(in->found[i]);
	}
	return rc;
}

// Reads the included texts of a bundle, and the folders that their patterns search.
static int given_read(struct include *in, const struct config_bundle *b)
{
	struct config_doc *doc = in->doc;
	int rc = 0;
	for (unsigned i = 0; i < b->included_count && rc != -ENOMEM; i++)
		rc = config_worse(rc, part_take(in, NULL, &b->included[i]));
	for (unsigned i = 0; i < b->folder_count && rc != -ENOMEM; i++) {
		char *folder = heap_strdup(b->folders[i]);
		if (!folder)
			return -ENOMEM;
		doc->folders[doc->folder_count++] = folder;
	}
	return rc;
}

static int entries_read(struct include *in)
{
	const struct config_node *list = config_node_find(in->doc->tree.root, "include");
	int rc = 0;
	for (unsigned i = 0; !config_node_is_empty(list) && i < list->count && rc != -ENOMEM; i++) {
		*in = (struct include){.doc = in->doc};
		snprintf(in->key, sizeof(in->key), "include[%u]", i);
		rc = config_worse(rc, entry_read(in, list->child[i]->text));
	}
	return rc;
}

int config_include_read(struct config_doc *doc)
{
	const bool has_list = !config_node_is_empty(config_node_find(doc->tree.root, "include"));
	int rc = config_override_refuse(doc);
	doc->own = config_shared_own(doc->tree.root);
	if (rc < 0 || (!has_list && !doc->shared && !doc->managed && !doc->given))
		return rc;
	doc->parts = heap_calloc(CONFIG_PARTS_MAX, sizeof(*doc->parts));
	if (!doc->parts)
		return -ENOMEM;
	struct include in = {.doc = doc, .key = "include"};
	rc = doc->given ? given_read(&in, doc->given) : entries_read(&in);
	doc->own = config_shared_own(doc->tree.root);
	if (doc->shared && rc != -ENOMEM)
		rc = config_worse(rc, part_take(&in, NULL, doc->shared));
	if (doc->managed && rc != -ENOMEM)
		rc = config_worse(rc, part_take(&in, NULL, doc->managed));
	return rc;
}

int config_include_keep(const struct config_doc *doc, struct config *out)
{
	struct config_include *in = &out->include;
	uint64_t hash[2] = {0, contenthash(doc->text, doc->len)};
	in->files = heap_calloc(doc->part_count + 1, sizeof(*in->files));
	in->folders = heap_calloc(doc->folder_count + 1, sizeof(*in->folders));
	if (!in->files || !in->folders)
		return -ENOMEM;
	for (unsigned i = 0; i < doc->part_count; i++) {
		const struct config_doc *part = &doc->parts[i].doc;
		hash[0] = contenthash(part->text, part->len);
		hash[1] = contenthash(hash, sizeof(hash));
		if (doc->parts[i].kind != CONFIG_PART_FILE)
			continue;
		in->files[i] = heap_strdup(part->absolute);
		if (!in->files[i])
			return -ENOMEM;
		in->file_count++;
	}
	for (unsigned i = 0; i < doc->folder_count; i++) {
		in->folders[i] = heap_strdup(doc->folders[i]);
		if (!in->folders[i])
			return -ENOMEM;
		in->folder_count++;
	}
	in->has_absolute = doc->includes_absolute;
	out->text_hash = hash[1];
	return 0;
}

void config_include_free(struct config *c)
{
	struct config_include *in = &c->include;
	while (in->file_count)
		FREE_AND_NULL(in->files[--in->file_count]);
	while (in->folder_count)
		FREE_AND_NULL(in->folders[--in->folder_count]);
	FREE_AND_NULL(in->files);
	FREE_AND_NULL(in->folders);
}
