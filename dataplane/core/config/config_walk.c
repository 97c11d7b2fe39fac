// SPDX-License-Identifier: BSD-3-Clause

#include "config_walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>
#include <weir/text.h>
#include <yaml.h>

// A searched document has passed the check: it is never refused.
static int walk_refuse(struct config_walk *w, const yaml_mark_t *mark, const char *reason)
{
	assert(!w->wanted);
	char escaped[2 * CONFIG_PATH_MAX / 2];
	config_doc_error(w->doc, "config: %s%s%s (%s:%zu:%zu)",
		text_escape(w->path, escaped, sizeof(escaped)), w->path[0] ? ": " : "", reason,
		w->doc->path, mark->line + 1, mark->column + 1);
	return -EINVAL;
}

static void path_cut(struct config_walk *w, size_t len)
{
	w->path[len] = '\0';
}

// A node begins: a scalar, or a mapping or sequence with all that is in it. Sequence items get
// their "[n]" here; the values of mappings have their key in the path already.
static void node_begin(struct config_walk *w)
{
	struct config_walk_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	if (top && !top->is_mapping)
		snprintf(w->path + top->path_len, sizeof(w->path) - top->path_len, "[%u]",
			top->items++);
}

// Is the path that was reached the wanted one or a parent of it? The longest one wins.
static void node_match(struct config_walk *w, const yaml_mark_t *mark)
{
	size_t len = strlen(w->path);
	if (!w->wanted || strncmp(w->path, w->wanted, len) != 0)
		return;
	char next = w->wanted[len];
	if (len > 0 && next != '\0' && next != '.' && next != '[')
		return;
	if (w->found && len <= w->found_len)
		return;
	w->found = true;
	w->found_len = len;
	w->line = (unsigned)mark->line + 1;
	w->column = (unsigned)mark->column + 1;
}

static int level_open(struct config_walk *w, const yaml_event_t *e, bool is_mapping)
{
	node_begin(w);
	if (w->depth == 0 || !w->level[w->depth - 1].is_mapping)
		node_match(w, &e->start_mark);
	if (w->depth == CONFIG_WALK_DEPTH_MAX)
		return walk_refuse(w, &e->start_mark, "nested too deeply");
	w->is_list |= !is_mapping && w->wanted && strcmp(w->path, w->wanted) == 0;
	struct config_walk_level *l = &w->level[w->depth];
	*l = (struct config_walk_level){.is_mapping = is_mapping, .path_len = strlen(w->path)};
	if (is_mapping) {
		l->keys = heap_calloc(CONFIG_WALK_KEYS_MAX, sizeof(*l->keys));
		if (!l->keys)
			return -ENOMEM;
	}
	w->depth++;
	return 0;
}

static void node_end(struct config_walk *w)
{
	struct config_walk_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	path_cut(w, top ? top->path_len : 0);
	if (top)
		top->has_key = false;
}

static void level_close(struct config_walk *w)
{
	const struct config_walk_level *l = &w->level[w->depth - 1];
	path_cut(w, l->path_len);
	if (!l->is_mapping && w->wanted && strcmp(w->path, w->wanted) == 0)
		w->items = l->items;
	FREE_AND_NULL(w->level[--w->depth].keys);
	node_end(w);
}

// The name of an item on the path to the searched key: "groups[1].name" for "groups[1].lists[0]".
static void name_take(struct config_walk *w, const char *value)
{
	static const char name[] = ".name";
	size_t len = strlen(w->path), item = len - strlen(name);
	if (!w->wanted || len <= strlen(name) || strcmp(w->path + item, name) != 0
		|| w->path[item - 1] != ']' || strncmp(w->path, w->wanted, item) != 0)
		return;
	unsigned depth = 0;
	for (size_t i = 0; i < item - 1; i++)
		depth += w->path[i] == ']';
	if (depth < CONFIG_WALK_DEPTH_MAX)
		snprintf(w->name[depth], CONFIG_WALK_NAME_MAX, "%s", value);
}

static void version_take(struct config_walk *w, const char *value)
{
	if (w->wanted || strcmp(w->path, "version") != 0)
		return;
	w->has_version = true;
	snprintf(w->version, sizeof(w->version), "%s", value);
}

static void top_take(struct config_walk *w, const char *key)
{
	for (unsigned i = 0; w->depth == 1 && i < w->top_count; i++)
		if (strcmp(w->tops[i], key) == 0)
			w->tops_found |= UINT32_C(1) << i;
}

static int key_read(struct config_walk *w, struct config_walk_level *l, const yaml_event_t *e)
{
	const char *key = (const char *)e->data.scalar.value;
	snprintf(w->path + l->path_len, sizeof(w->path) - l->path_len, "%s%s",
		l->path_len ? "." : "", key);
	if (strlen(key) != e->data.scalar.length || strlen(key) >= CONFIG_WALK_KEY_MAX)
		return walk_refuse(w, &e->start_mark, "not a key");
	for (unsigned i = 0; i < l->key_count; i++) {
		if (strcmp(l->keys[i], key) == 0)
			return walk_refuse(w, &e->start_mark, "given twice");
	}
	if (l->key_count == CONFIG_WALK_KEYS_MAX)
		return walk_refuse(w, &e->start_mark, "too many keys");
	snprintf(l->keys[l->key_count++], CONFIG_WALK_KEY_MAX, "%s", key);
	l->has_key = true;
	config_walk_key_check(w, l, key);
	top_take(w, key);
	node_match(w, &e->start_mark);
	return 0;
}

static int scalar_read(struct config_walk *w, const yaml_event_t *e)
{
	struct config_walk_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	if (top && top->is_mapping && !top->has_key)
		return key_read(w, top, e);
	node_begin(w);
	if (!top || !top->is_mapping)
		node_match(w, &e->start_mark);
	if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
		return walk_refuse(w, &e->start_mark, "contains a NUL");
	name_take(w, (const char *)e->data.scalar.value);
	version_take(w, (const char *)e->data.scalar.value);
	node_end(w);
	return 0;
}

static int collection_read(struct config_walk *w, const yaml_event_t *e)
{
	struct config_walk_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	if (top && top->is_mapping && !top->has_key)
		return walk_refuse(w, &e->start_mark, "a key must be plain text");
	return level_open(w, e, e->type == YAML_MAPPING_START_EVENT);
}

static bool event_is_decorated(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor || e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor || e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor || e->data.mapping_start.tag;
	default:
		return false;
	}
}

static int event_read(void *walk, const yaml_event_t *e)
{
	struct config_walk *w = walk;
	if (event_is_decorated(e))
		return walk_refuse(
			w, &e->start_mark, "anchors, aliases and tags are not supported");
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (w->documents++)
			return walk_refuse(w, &e->start_mark, "a second document");
		return 0;
	case YAML_SCALAR_EVENT:
		return scalar_read(w, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return collection_read(w, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		level_close(w);
		return 0;
	default:
		return 0;
	}
}

static int walk_syntax_error(struct config_walk *w, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";
	// A reader error (bad UTF-8) has an offset and no mark.
	if (parser->error == YAML_READER_ERROR) {
		yaml_mark_t mark = {0};
		for (size_t i = 0; i < parser->problem_offset && i < w->doc->len; i++) {
			mark.column++;
			if (w->doc->text[i] == '\n') {
				mark.line++;
				mark.column = 0;
			}
		}
		return walk_refuse(w, &mark, problem);
	}
	return walk_refuse(w, &parser->problem_mark, problem);
}

// All events. A syntax error ends it with -EINVAL, and is left in `parser`.
static int events_read(yaml_parser_t *parser, const char *text, size_t len,
	int (*read)(void *arg, const yaml_event_t *e), void *arg)
{
	int rc = 0;
	bool end = false;
	yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
	while (rc == 0 && !end) {
		yaml_event_t e;
		if (!yaml_parser_parse(parser, &e))
			return parser->error == YAML_MEMORY_ERROR ? -ENOMEM : -EINVAL;
		end = e.type == YAML_STREAM_END_EVENT;
		rc = read(arg, &e);
		yaml_event_delete(&e);
	}
	return rc;
}

int config_walk_run(struct config_walk *w)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	int rc = events_read(&parser, (const char *)w->doc->text, w->doc->len, event_read, w);
	if (rc == -EINVAL && parser.error != YAML_NO_ERROR)
		rc = walk_syntax_error(w, &parser);
	while (w->depth)
		FREE_AND_NULL(w->level[--w->depth].keys);
	yaml_parser_delete(&parser);
	return rc;
}

// One open mapping or sequence of config_scalars.
struct scalars_level {
	bool is_mapping, has_key;
	unsigned marks;    // of all of it
	unsigned of_marks; // of the value of the key that was read
};

struct scalars {
	struct scalars_level level[CONFIG_SCALARS_DEPTH_MAX];
	unsigned depth;
	const struct config_scalars_to *to;
	size_t characters, bytes; // a place in the text, in both: marks count characters
	const char *text;
	size_t len;
};

static size_t byte_of(struct scalars *s, size_t character)
{
	while (s->characters < character && s->bytes < s->len) {
		s->bytes++;
		while (s->bytes < s->len && ((unsigned char)s->text[s->bytes] & 0xc0) == 0x80)
			s->bytes++;
		s->characters++;
	}
	return s->bytes;
}

// A node begins. Is it a key, and which marks has it?
static unsigned scalars_node(struct scalars *s, bool *is_key)
{
	struct scalars_level *top = s->depth ? &s->level[s->depth - 1] : NULL;
	*is_key = top && top->is_mapping && !top->has_key;
	if (!top || *is_key)
		return top ? top->marks : 0;
	const unsigned marks = top->marks | (top->is_mapping ? top->of_marks : 0);
	top->has_key = false;
	return marks;
}

static int scalars_event(void *scalars, const yaml_event_t *e)
{
	struct scalars *s = scalars;
	bool is_key;
	unsigned marks;
	if (event_is_decorated(e))
		return -EINVAL;
	if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT)
		s->depth--;
	if (e->type == YAML_SCALAR_EVENT) {
		marks = scalars_node(s, &is_key);
		const char *value = (const char *)e->data.scalar.value;
		const size_t begin = byte_of(s, e->start_mark.index);
		if (is_key) {
			s->level[s->depth - 1].has_key = true;
			s->level[s->depth - 1].of_marks = s->to->marks(value);
		}
		s->to->each(s->to->arg, &(struct config_scalar){.value = value,
						.begin = begin,
						.end = byte_of(s, e->end_mark.index),
						.marks = is_key ? 0 : marks});
	}
	if (e->type != YAML_SEQUENCE_START_EVENT && e->type != YAML_MAPPING_START_EVENT)
		return 0;
	marks = scalars_node(s, &is_key);
	if (is_key || s->depth == CONFIG_SCALARS_DEPTH_MAX)
		return -EINVAL;
	s->level[s->depth++] = (struct scalars_level){
		.is_mapping = e->type == YAML_MAPPING_START_EVENT, .marks = marks};
	return 0;
}

int config_scalars(const char *text, size_t len, const struct config_scalars_to *to)
{
	struct scalars s = {.to = to, .text = text, .len = len};
	yaml_parser_t parser;
	if (len && (unsigned char)text[0] >= 0xef) // a mark of another encoding
		return -EINVAL;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	int rc = events_read(&parser, text, len, scalars_event, &s);
	yaml_parser_delete(&parser);
	return rc;
}
