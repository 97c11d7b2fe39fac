// SPDX-License-Identifier: BSD-3-Clause

#include "config_keys.h"
#include "config_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>

static const char section_name[] = "runtime:";

// The length of the first line of `text`, with its newline.
static size_t line_len(const uint8_t *text, size_t len)
{
	const uint8_t *end = memchr(text, '\n', len);
	return end ? (size_t)(end - text) + 1 : len;
}

// Finds the lines of the section, from the line of its name up to the next line that is not
// indented.
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

static void runtime_take(const struct config_node *runtime, struct config_places *out)
{
	const char *directory = config_node_text(runtime, "directory");
	const char *state = config_node_text(runtime, "state_directory");
	const char *hugepages = config_node_text(runtime, "hugepages");
	if (directory && directory[0] == '/')
		snprintf(out->directory, sizeof(out->directory), "%s", directory);
	if (state && state[0] == '/')
		snprintf(out->state_directory, sizeof(out->state_directory), "%s", state);
	if (hugepages && hugepages[0])
		snprintf(out->hugepages, sizeof(out->hugepages), "%s", hugepages);
}

// Reads the places from a text; false: it is malformed.
static bool places_load(uint8_t *text, size_t len, struct config_places *out)
{
	struct config_errors errors = {0};
	struct config_doc doc = {.path = "", .text = text, .len = len, .errors = &errors};
	const bool is_good = config_schema_read(&doc) == 0;
	if (is_good)
		runtime_take(config_node_find(doc.tree.root, "runtime"), out);
	config_tree_free(&doc.tree);
	return is_good;
}

// Reads each line below the section's name as if it were the section's only line.
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
	snprintf(out, CONFIG_PLACE_MAX, "%s", config_key_find(path)->fallback);
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
	if (!places_load(doc.text, doc.len, out)) {
		size_t begin, len = section_find(&doc, &begin);
		if (len && !places_load(doc.text + begin, len, out))
			lines_load(doc.text + begin, len, out);
	}
	config_doc_free(&doc);
	return 0;
}
