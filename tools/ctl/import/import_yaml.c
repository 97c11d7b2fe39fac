// SPDX-License-Identifier: BSD-3-Clause

#include "import_yaml.h"

#include "import_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

struct yaml_tree {
	yaml_document_t document;
};

static const yaml_node_t *node_of(const struct yaml_place *n)
{
	return (const yaml_node_t *)(const void *)n;
}

static const struct yaml_place *place_of(const yaml_node_t *n)
{
	return (const struct yaml_place *)(const void *)n;
}

// libyaml reads its document and changes nothing of it.
static const yaml_node_t *node_get(const struct yaml_tree *t, int index)
{
	return yaml_document_get_node((yaml_document_t *)(uintptr_t)&t->document, index);
}

// Counts before the tree is made: levels and nodes.
static int scan(const char *text, size_t len, char why[IMPORT_WHY_MAX])
{
	yaml_parser_t parser;
	unsigned nodes = 0, depth = 0, documents = 0;
	int rc = yaml_parser_initialize(&parser) ? 0 : -ENOMEM;
	if (rc < 0)
		return rc;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	for (bool more = true; more && rc == 0;) {
		yaml_event_t e;
		if (!yaml_parser_parse(&parser, &e)) {
			snprintf(why, IMPORT_WHY_MAX, "line %zu: %.200s",
				parser.problem_mark.line + 1,
				parser.problem ? parser.problem : "no YAML");
			rc = -EINVAL;
			break;
		}
		const bool begins =
			e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT;
		nodes += begins || e.type == YAML_SCALAR_EVENT || e.type == YAML_ALIAS_EVENT;
		depth += begins;
		depth -= e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT;
		documents += e.type == YAML_DOCUMENT_START_EVENT;
		more = e.type != YAML_STREAM_END_EVENT && documents < 2;
		yaml_event_delete(&e);
		if (nodes > IMPORT_YAML_NODES_MAX || depth > 64) {
			snprintf(why, IMPORT_WHY_MAX, "more than %d values, or nested too deeply",
				IMPORT_YAML_NODES_MAX);
			rc = -E2BIG;
		}
	}
	yaml_parser_delete(&parser);
	return rc;
}

static int tree_parse(
	struct yaml_tree **out, const char *text, size_t len, char why[IMPORT_WHY_MAX])
{
	yaml_parser_t parser;
	int rc = len > IMPORT_YAML_MAX ? -EFBIG : scan(text, len, why);
	if (rc == -EFBIG)
		snprintf(why, IMPORT_WHY_MAX, "larger than %d MiB", IMPORT_YAML_MAX >> 20);
	if (rc < 0)
		return rc;
	struct yaml_tree *t = malloc(sizeof(*t));
	if (!t || !yaml_parser_initialize(&parser)) {
		free(t);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &t->document)) {
		snprintf(why, IMPORT_WHY_MAX, "line %zu: %.200s", parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "no YAML");
		free(t);
		t = NULL;
		rc = -EINVAL;
	}
	yaml_parser_delete(&parser);
	*out = t;
	return rc;
}

int import_yaml_read(struct yaml_tree **out, const char *path, char why[IMPORT_WHY_MAX])
{
	char *text, problem[IMPORT_WHY_MAX] = "out of memory";
	size_t len;
	int rc = import_file_read(path, &text, &len, why);
	if (rc < 0)
		return rc;
	rc = tree_parse(out, text, len, problem);
	if (rc < 0)
		snprintf(why, IMPORT_WHY_MAX, "%.150s: %.230s", path, problem);
	free(text);
	return rc;
}

void import_yaml_free(struct yaml_tree *t)
{
	if (!t)
		return;
	yaml_document_delete(&t->document);
	free(t);
}

const struct yaml_place *import_yaml_root(const struct yaml_tree *t)
{
	return place_of(yaml_document_get_root_node((yaml_document_t *)(uintptr_t)&t->document));
}

bool import_yaml_is_map(const struct yaml_place *n)
{
	return n && node_of(n)->type == YAML_MAPPING_NODE;
}

bool import_yaml_is_list(const struct yaml_place *n)
{
	return n && node_of(n)->type == YAML_SEQUENCE_NODE;
}

size_t import_yaml_count(const struct yaml_place *n)
{
	if (import_yaml_is_map(n))
		return (size_t)(node_of(n)->data.mapping.pairs.top
				- node_of(n)->data.mapping.pairs.start);
	if (import_yaml_is_list(n))
		return (size_t)(node_of(n)->data.sequence.items.top
				- node_of(n)->data.sequence.items.start);
	return 0;
}

const struct yaml_place *import_yaml_at(
	const struct yaml_tree *t, const struct yaml_place *n, size_t i)
{
	if (i >= import_yaml_count(n))
		return NULL;
	return place_of(
		node_get(t, import_yaml_is_map(n) ? node_of(n)->data.mapping.pairs.start[i].value
						  : node_of(n)->data.sequence.items.start[i]));
}

const char *import_yaml_key(const struct yaml_tree *t, const struct yaml_place *n, size_t i)
{
	if (!import_yaml_is_map(n) || i >= import_yaml_count(n))
		return "";
	return import_yaml_text(place_of(node_get(t, node_of(n)->data.mapping.pairs.start[i].key)));
}

const char *import_yaml_text(const struct yaml_place *n)
{
	const yaml_node_t *node = node_of(n);
	if (!node || node->type != YAML_SCALAR_NODE)
		return "";
	const char *text = (const char *)node->data.scalar.value;
	const bool is_null = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE
			     && (strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
	return is_null ? "" : text;
}

// One key of a mapping; of those that it merges (<<: *anchor), one level of them.
static const struct yaml_place *child_get(const struct yaml_tree *t, const struct yaml_place *n,
	const char *key, size_t len, bool follow)
{
	const struct yaml_place *merged = NULL;
	for (size_t i = 0; import_yaml_is_map(n) && i < import_yaml_count(n); i++) {
		const char *name = import_yaml_key(t, n, i);
		if (strlen(name) == len && strncmp(name, key, len) == 0)
			return import_yaml_at(t, n, i);
		if (follow && strcmp(name, "<<") == 0)
			merged = import_yaml_at(t, n, i);
	}
	return merged ? child_get(t, merged, key, len, false) : NULL;
}

const struct yaml_place *import_yaml_get(
	const struct yaml_tree *t, const struct yaml_place *n, const char *path)
{
	while (n && *path) {
		const size_t len = strcspn(path, ".");
		n = child_get(t, n, path, len, true);
		path += len + (path[len] == '.');
	}
	return n;
}

const char *import_yaml_word(
	const struct yaml_tree *t, const struct yaml_place *n, const char *path)
{
	return import_yaml_text(import_yaml_get(t, n, path));
}

bool import_yaml_flag(const struct yaml_tree *t, const struct yaml_place *n, const char *path)
{
	const char *text = import_yaml_word(t, n, path);
	return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0
	       || strcasecmp(text, "on") == 0;
}
