// SPDX-License-Identifier: BSD-3-Clause

#include "config_keys.h"
#include "config_raw.h"
#include "config_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>

static const char section_name[] = "runtime:";

// The longest prefix of `text` that is one line, with its end.
static size_t line_len(const uint8_t *text, size_t len)
{
	const uint8_t *end = memchr(text, '\n', len);
	return end ? (size_t)(end - text) + 1 : len;
}

// The section's lines, with that of its name: up to the next line that begins at its margin.
static size_t section_find(const struct config_doc *doc, size_t *begin)
{
	size_t at = 0, name_len = strlen(section_name);
	while (at < doc->len
		&& (doc->len - at < name_len
			|| memcmp(doc->text + at, section_name, name_len) != 0))
		at += line_len(doc->text + at, doc->len - at);
	*begin = at;
	if (at == doc->len)
		return 0;
	do
		at += line_len(doc->text + at, doc->len - at);
	while (at < doc->len && memchr(" \t#\r\n", doc->text[at], 5));
	return at - *begin;
}

// The places of a document that has nothing but this section.
static bool places_load(uint8_t *text, size_t len, struct config_places *out)
{
	struct config_errors errors = {0};
	const struct config_doc doc = {.path = "", .text = text, .len = len, .errors = &errors};
	struct config_raw *raw;
	if (config_raw_check(&doc) < 0 || config_raw_load(&doc, &raw) < 0)
		return false;
	const struct config_raw_runtime *r = raw->runtime;
	if (r->directory && r->directory[0] == '/')
		snprintf(out->directory, sizeof(out->directory), "%s", r->directory);
	if (r->state_directory && r->state_directory[0] == '/')
		snprintf(out->state_directory, sizeof(out->state_directory), "%s",
			r->state_directory);
	if (r->hugepages && r->hugepages[0])
		snprintf(out->hugepages, sizeof(out->hugepages), "%s", r->hugepages);
	config_raw_free(raw);
	return true;
}

// Each line below the section's name as if it stood there alone.
static void lines_load(const uint8_t *section, size_t len, struct config_places *out)
{
	size_t at = line_len(section, len);
	while (at < len) {
		size_t n = line_len(section + at, len - at);
		char *text = NULL;
		int text_len = asprintf(
			&text, "%s\n%.*s", section_name, (int)n, (const char *)section + at);
		if (text_len < 0)
			return;
		(void)places_load((uint8_t *)text, (size_t)text_len, out);
		heap_free(text);
		at += n;
	}
}

static void default_take(const char *path, char out[CONFIG_PLACE_MAX])
{
	for (unsigned i = 0; i < config_key_count; i++)
		if (strcmp(config_keys[i].path, path) == 0)
			snprintf(out, CONFIG_PLACE_MAX, "%s", config_keys[i].fallback);
}

int config_places_find(const char *path, struct config_places *out, char why[CONFIG_WHY_MAX])
{
	struct config_errors errors = {0};
	struct config_doc doc = {.path = path, .errors = &errors};
	default_take("runtime.directory", out->directory);
	default_take("runtime.hugepages", out->hugepages);
	default_take("runtime.state_directory", out->state_directory);
	int rc = config_doc_read(&doc);
	if (rc < 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s", errors.text[0]);
		return rc;
	}
	size_t begin, len = section_find(&doc, &begin);
	if (len && !places_load(doc.text + begin, len, out))
		lines_load(doc.text + begin, len, out);
	config_doc_free(&doc);
	return 0;
}

// Is the key's path that of an unknown one, or below it?
static bool is_below_unknown(const struct config_walk *w)
{
	for (unsigned i = 0; i < w->unknown_count; i++) {
		size_t len = strlen(w->unknown[i].path);
		if (strncmp(w->path, w->unknown[i].path, len) == 0
			&& (w->path[len] == '.' || w->path[len] == '['))
			return true;
	}
	return false;
}

void config_walk_key_check(
	struct config_walk *w, const struct config_walk_level *l, const char *key)
{
	char parent[CONFIG_PATH_MAX];
	if (!w->has_key || w->unknown_count == CONFIG_ERRORS_MAX || is_below_unknown(w))
		return;
	struct config_walk_unknown *u = &w->unknown[w->unknown_count];
	snprintf(parent, sizeof(parent), "%.*s", (int)l->path_len, w->path);
	if (w->has_key(parent, key, &u->nearest))
		return;
	snprintf(u->path, sizeof(u->path), "%s", w->path);
	w->unknown_count++;
}

static struct config_walk walked(const struct config_doc *file, const char *key)
{
	struct config_walk w = {.doc = file, .wanted = key, .line = 1, .column = 1};
	// Without memory the position found so far is the best there is.
	(void)!config_walk_run(&w);
	return w;
}

// The file that has the item at `bracket`, of the first list on the way to the key. `own` gets the
// number that the item has in that file.
static const struct config_doc *item_find(
	const struct config_doc *doc, char own[CONFIG_PATH_MAX], char *bracket)
{
	char *behind, rest[CONFIG_PATH_MAX];
	unsigned long item = strtoul(bracket + 1, &behind, 10);
	snprintf(rest, sizeof(rest), "%s", behind);
	const struct config_doc *found = doc;
	unsigned long number = item;
	*bracket = '\0';
	for (unsigned i = 0; i <= doc->part_count; i++) {
		const struct config_doc *file = config_doc_file(doc, i);
		const unsigned items = walked(file, own).items;
		if (number < items) {
			found = file;
			item = number;
			break;
		}
		number -= items;
	}
	snprintf(bracket, (size_t)(own + CONFIG_PATH_MAX - bracket), "[%lu%s", item, rest);
	return found;
}

const struct config_doc *config_place_find(const struct config_doc *doc, const char *key,
	char own[CONFIG_PATH_MAX], struct config_walk *w)
{
	snprintf(own, CONFIG_PATH_MAX, "%s", key);
	char *bracket = doc->part_count ? strchr(own, '[') : NULL;
	const struct config_doc *found = bracket ? item_find(doc, own, bracket) : doc;
	*w = walked(found, own);
	for (unsigned i = 1; !bracket && i <= doc->part_count; i++) {
		const struct config_walk other = walked(config_doc_file(doc, i), own);
		if (other.found_len <= w->found_len)
			continue;
		*w = other;
		found = other.doc;
	}
	return found;
}

void config_place_text(const struct config_doc *doc, const char *key, char *out, size_t cap)
{
	char own[CONFIG_PATH_MAX];
	struct config_walk w;
	const struct config_doc *file = config_place_find(doc, key, own, &w);
	snprintf(out, cap, "%s:%u:%u", file->path, w.line, w.column);
}
