// SPDX-License-Identifier: BSD-3-Clause

#include "config_tree.h"

#include "config_doc.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>
#include <weir/text.h>
#include <yaml.h>

// A chunk of a tree's memory, in a chain with the chunks before it.
struct config_chunk {
	struct config_chunk *before;
	size_t used, size;
	_Alignas(max_align_t) unsigned char bytes[];
};

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

static void *memory_take(struct config_tree *t, size_t size, size_t alignment)
{
	struct config_chunk *c = t->chunks;
	size_t at = c ? (c->used + alignment - 1) & ~(alignment - 1) : 0;
	if (!c || at > c->size || c->size - at < size) {
		size_t room = c ? 2 * c->size : CHUNK_MIN;
		room = room > CHUNK_MAX ? CHUNK_MAX : room;
		room = room < size ? size : room;
		struct config_chunk *more = heap_calloc(1, sizeof(*more) + room);
		if (!more)
			return NULL;
		*more = (struct config_chunk){.before = c, .size = room};
		t->chunks = c = more;
		at = 0;
	}
	c->used = at + size;
	return c->bytes + at;
}

static char *text_take(struct config_tree *t, const char *text, size_t len)
{
	char *copy = memory_take(t, len + 1, 1);
	if (copy)
		memcpy(copy, text, len);
	return copy;
}

void config_tree_free(struct config_tree *t)
{
	struct config_chunk *c = t->chunks;
	*t = (struct config_tree){0};
	while (c) {
		struct config_chunk *before = c->before;
		FREE_AND_NULL(c);
		c = before;
	}
}

struct config_node *config_node_find(const struct config_node *mapping, const char *key)
{
	if (!mapping || mapping->kind != CONFIG_NODE_MAPPING)
		return NULL;
	for (unsigned i = 0; i < mapping->count; i++)
		if (strcmp(mapping->child[i]->key, key) == 0)
			return mapping->child[i];
	return NULL;
}

const char *config_node_text(const struct config_node *mapping, const char *key)
{
	const struct config_node *n = config_node_find(mapping, key);
	return n && n->kind == CONFIG_NODE_TEXT ? n->text : NULL;
}

bool config_node_is_empty(const struct config_node *n)
{
	return !n || (n->kind == CONFIG_NODE_TEXT && !*n->text);
}

struct config_node *config_node_mapping(const struct config_node *mapping, const char *key)
{
	struct config_node *n = config_node_find(mapping, key);
	return n && n->kind == CONFIG_NODE_MAPPING ? n : NULL;
}

struct config_node *config_node_list(const struct config_node *mapping, const char *key)
{
	struct config_node *n = config_node_find(mapping, key);
	return n && n->kind == CONFIG_NODE_LIST ? n : NULL;
}

unsigned config_list_count(const struct config_node *list)
{
	return list ? list->count : 0;
}

unsigned config_node_count(const struct config_node *mapping, const char *key)
{
	return config_list_count(config_node_list(mapping, key));
}

const struct config_node *config_node_item(
	const struct config_node *mapping, const char *key, unsigned i)
{
	return config_node_list(mapping, key)->child[i];
}

const char *config_node_item_text(const struct config_node *mapping, const char *key, unsigned i)
{
	return config_node_item(mapping, key, i)->text;
}

// The room for children doubles when their number is a power of two.
int config_node_move(struct config_tree *t, struct config_node *to, struct config_node *child)
{
	const unsigned n = to->count;
	if ((n & (n - 1)) == 0) {
		struct config_node **grown =
			memory_take(t, (n ? 2 * n : 1) * sizeof(struct config_node *),
				_Alignof(struct config_node *));
		if (!grown)
			return -ENOMEM;
		if (n)
			memcpy(grown, to->child, n * sizeof(struct config_node *));
		to->child = grown;
	}
	to->child[to->count++] = child;
	return 0;
}

struct config_node *config_node_new(
	struct config_tree *t, enum config_node_kind kind, const char *key)
{
	struct config_node *n = memory_take(t, sizeof(*n), _Alignof(struct config_node));
	if (n)
		*n = (struct config_node){.kind = kind, .key = key, .line = 1, .column = 1};
	return n;
}

static int text_enclose(
	struct config_tree *t, struct config_node *n, enum config_node_kind kind, const char *key)
{
	struct config_node *inner = config_node_new(t, CONFIG_NODE_TEXT, key);
	if (!inner)
		return -ENOMEM;
	*inner = *n;
	inner->key = key;
	inner->own = 0;
	n->kind = kind;
	n->child = NULL;
	n->count = 0;
	return config_node_move(t, n, inner);
}

int config_node_wrap(struct config_tree *t, struct config_node *n)
{
	return text_enclose(t, n, CONFIG_NODE_LIST, NULL);
}

int config_node_name(struct config_tree *t, struct config_node *n, const char *key)
{
	return text_enclose(t, n, CONFIG_NODE_MAPPING, key);
}

static struct config_node *child_new(struct config_tree *t, struct config_node *parent,
	enum config_node_kind kind, const char *key)
{
	struct config_node *n = config_node_new(t, kind, key);
	if (!n)
		return NULL;
	n->own = parent->count;
	return config_node_move(t, parent, n) == 0 ? n : NULL;
}

struct config_node *config_node_make(struct config_tree *t, struct config_node *mapping,
	enum config_node_kind kind, const char *key)
{
	struct config_node *n = config_node_find(mapping, key);
	if (!n)
		return child_new(t, mapping, kind, key);
	if (n->kind != kind) { // `n` has no value
		n->kind = kind;
		n->child = NULL;
		n->count = 0;
	}
	return n;
}

int config_node_text_set(struct config_tree *t, struct config_node *n, const char *text)
{
	n->text = text_take(t, text, strlen(text));
	return n->text ? 0 : -ENOMEM;
}

int config_node_text_add(
	struct config_tree *t, struct config_node *mapping, const char *key, const char *text)
{
	struct config_node *n = text ? config_node_new(t, CONFIG_NODE_TEXT, key) : NULL;
	if (!text)
		return 0;
	return n && config_node_text_set(t, n, text) == 0 ? config_node_move(t, mapping, n)
							  : -ENOMEM;
}

struct config_node *config_node_copy(struct config_tree *t, const struct config_node *n)
{
	struct config_node *copy = config_node_new(t, n->kind, NULL);
	if (!copy)
		return NULL;
	if (n->key && !(copy->key = text_take(t, n->key, strlen(n->key))))
		return NULL;
	if (n->kind == CONFIG_NODE_TEXT)
		return config_node_text_set(t, copy, n->text) == 0 ? copy : NULL;
	for (unsigned i = 0; i < n->count; i++) {
		struct config_node *child = config_node_copy(t, n->child[i]);
		if (!child || config_node_move(t, copy, child) < 0)
			return NULL;
	}
	return copy;
}

void config_node_remove(struct config_node *parent, unsigned i)
{
	parent->count--;
	memmove(&parent->child[i], &parent->child[i + 1],
		(parent->count - i) * sizeof(struct config_node *));
}

// One open mapping or list.
struct level {
	struct config_node *node;
	const char *key; // key of a mapping whose value comes next
	uint32_t line, column;
};

struct reader {
	const struct config_doc *doc;
	struct config_tree *tree;
	struct level level[CONFIG_DEPTH_MAX];
	unsigned depth, documents;
};

size_t config_path_add(char path[CONFIG_PATH_MAX], const char *key, unsigned item)
{
	const size_t len = strlen(path);
	if (key)
		snprintf(path + len, CONFIG_PATH_MAX - len, "%s%s", len ? "." : "", key);
	else
		snprintf(path + len, CONFIG_PATH_MAX - len, "[%u]", item);
	return len;
}

// The path of the node that is being read: `key` is a key of the innermost mapping; `is_item`: an
// item of the innermost list begins.
static void path_of(
	const struct reader *r, const char *key, bool is_item, char out[CONFIG_PATH_MAX])
{
	out[0] = '\0';
	for (unsigned i = 0; i < r->depth; i++) {
		const struct config_node *n = r->level[i].node;
		const bool is_list = n->kind == CONFIG_NODE_LIST;
		if (i + 1 < r->depth)
			config_path_add(
				out, is_list ? NULL : n->child[n->count - 1]->key, n->count - 1);
		else if (is_list && is_item)
			config_path_add(out, NULL, n->count);
		else if (!is_list && (key || r->level[i].key))
			config_path_add(out, key ? key : r->level[i].key, 0);
	}
}

static int place_refuse(const struct reader *r, const char *path, const yaml_mark_t *mark,
	const char *reason, const char *advice)
{
	char escaped[CONFIG_PATH_MAX];
	config_doc_error(r->doc, "config: %s%s%s (%s:%zu:%zu)%s",
		text_escape(path, escaped, sizeof(escaped)), path[0] ? ": " : "", reason,
		r->doc->path, mark->line + 1, mark->column + 1, advice);
	return -EINVAL;
}

static int refuse_with(
	const struct reader *r, const yaml_mark_t *mark, const char *reason, const char *advice)
{
	char path[CONFIG_PATH_MAX];
	path_of(r, NULL, false, path);
	return place_refuse(r, path, mark, reason, advice);
}

static int refuse(const struct reader *r, const yaml_mark_t *mark, const char *reason)
{
	return refuse_with(r, mark, reason, "");
}

static int item_refuse(const struct reader *r, const yaml_mark_t *mark, const char *reason)
{
	char path[CONFIG_PATH_MAX];
	path_of(r, NULL, true, path);
	return place_refuse(r, path, mark, reason, "");
}

static int key_refuse(
	const struct reader *r, const char *key, const yaml_mark_t *mark, const char *reason)
{
	char path[CONFIG_PATH_MAX];
	path_of(r, key, false, path);
	return place_refuse(r, path, mark, reason, "");
}

static struct level *top_of(struct reader *r)
{
	return r->depth ? &r->level[r->depth - 1] : NULL;
}

// Adds the node of a value that begins at `mark`.
static int node_read(struct reader *r, enum config_node_kind kind, const yaml_mark_t *mark,
	struct config_node **out)
{
	struct level *top = top_of(r);
	if (++r->tree->nodes > CONFIG_NODES_MAX)
		return refuse(r, mark, "the file has too many values");
	struct config_node *n = top ? child_new(r->tree, top->node, kind, top->key)
				    : config_node_new(r->tree, kind, NULL);
	if (!n)
		return -ENOMEM;
	n->file = r->doc->number;
	n->line = (uint32_t)mark->line + 1;
	n->column = (uint32_t)mark->column + 1;
	if (top && top->key) {
		n->line = top->line;
		n->column = top->column;
		top->key = NULL;
	}
	if (!top)
		r->tree->root = n;
	*out = n;
	return 0;
}

static int key_read(struct reader *r, struct level *top, const yaml_event_t *e)
{
	const char *key = (const char *)e->data.scalar.value;
	const size_t len = e->data.scalar.length;
	if (strlen(key) != len || len >= CONFIG_KEY_MAX)
		return key_refuse(r, key, &e->start_mark, "not a key");
	if (config_node_find(top->node, key))
		return key_refuse(r, key, &e->start_mark, "given twice");
	if (top->node->count == CONFIG_KEYS_MAX)
		return key_refuse(r, key, &e->start_mark, "too many keys");
	top->key = text_take(r->tree, key, len);
	top->line = (uint32_t)e->start_mark.line + 1;
	top->column = (uint32_t)e->start_mark.column + 1;
	return top->key ? 0 : -ENOMEM;
}

static int scalar_read(struct reader *r, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	struct level *top = top_of(r);
	struct config_node *n;
	if (top && top->node->kind == CONFIG_NODE_MAPPING && !top->key)
		return key_read(r, top, e);
	if (strlen(text) != e->data.scalar.length)
		return item_refuse(r, &e->start_mark, "contains a NUL");
	int rc = node_read(r, CONFIG_NODE_TEXT, &e->start_mark, &n);
	if (rc < 0)
		return rc;
	n->text = text_take(r->tree, text, e->data.scalar.length);
	return n->text ? 0 : -ENOMEM;
}

static int collection_read(struct reader *r, const yaml_event_t *e)
{
	const struct level *top = top_of(r);
	struct config_node *n;
	if (top && top->node->kind == CONFIG_NODE_MAPPING && !top->key)
		return refuse(r, &e->start_mark, "a key must be plain text");
	if (r->depth == CONFIG_DEPTH_MAX)
		return item_refuse(r, &e->start_mark, "nested too deeply");
	int rc = node_read(r,
		e->type == YAML_MAPPING_START_EVENT ? CONFIG_NODE_MAPPING : CONFIG_NODE_LIST,
		&e->start_mark, &n);
	if (rc == 0)
		r->level[r->depth++] = (struct level){.node = n};
	return rc;
}

// A place in a text, in characters and in bytes; marks of libyaml count characters.
struct text_place {
	const char *text;
	size_t len, characters, bytes;
};

// The byte where a character begins, which must not be before the character of the last call.
static size_t byte_of(struct text_place *p, size_t character)
{
	while (p->characters < character && p->bytes < p->len) {
		p->bytes++;
		while (p->bytes < p->len && ((unsigned char)p->text[p->bytes] & 0xc0) == 0x80)
			p->bytes++;
		p->characters++;
	}
	return p->bytes;
}

static const char star[] = "; write a value that begins with * between quotes: \"*.example\"";

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

static int event_read(void *reader, const yaml_event_t *e)
{
	struct reader *r = reader;
	if (event_is_decorated(e))
		return refuse_with(r, &e->start_mark, "anchors, aliases and tags are not supported",
			e->type == YAML_ALIAS_EVENT ? star : "");
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return r->documents++ ? refuse(r, &e->start_mark, "a second document") : 0;
	case YAML_SCALAR_EVENT:
		return scalar_read(r, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return collection_read(r, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

// Advice for a text that libyaml refuses. `c`: the byte at the place of the error.
static const char *advice_of(const yaml_parser_t *parser, unsigned char c)
{
	if (parser->context && strstr(parser->context, "alias"))
		return star;
	if (c == '\t')
		return "; indent with spaces: YAML takes no tab there";
	if (c == '@')
		return "; write a value that begins with @ between quotes";
	if (c == '`')
		return "; write a value that begins with ` between quotes";
	return "";
}

static int syntax_refuse(const struct reader *r, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";
	// A reader error (bad UTF-8) has an offset and no mark.
	if (parser->error == YAML_READER_ERROR) {
		yaml_mark_t mark = {0};
		for (size_t i = 0; i < parser->problem_offset && i < r->doc->len; i++) {
			mark.column++;
			if (r->doc->text[i] == '\n') {
				mark.line++;
				mark.column = 0;
			}
		}
		return refuse(r, &mark, problem);
	}
	struct text_place place = {.text = (const char *)r->doc->text, .len = r->doc->len};
	const size_t at = byte_of(&place, parser->problem_mark.index);
	return refuse_with(r, &parser->problem_mark, problem,
		advice_of(parser, at < r->doc->len ? r->doc->text[at] : '\0'));
}

// Calls the function with all events. -EINVAL: a syntax error, which `parser` has.
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

int config_tree_read(const struct config_doc *doc, struct config_tree *out)
{
	struct reader r = {.doc = doc, .tree = out};
	yaml_parser_t parser;
	*out = (struct config_tree){0};
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	int rc = events_read(&parser, (const char *)doc->text, doc->len, event_read, &r);
	if (rc == -EINVAL && parser.error != YAML_NO_ERROR)
		rc = syntax_refuse(&r, &parser);
	yaml_parser_delete(&parser);
	return rc;
}

// One open mapping or sequence of config_scalars.
struct scalars_level {
	bool is_mapping, has_key;
	unsigned marks;    // marks of the whole mapping or sequence
	unsigned of_marks; // marks of the last key, for its value
};

struct scalars {
	struct scalars_level level[CONFIG_SCALARS_DEPTH_MAX];
	unsigned depth;
	const struct config_scalars_to *to;
	struct text_place place;
};

// Returns the marks of a node that begins. Sets `is_key`: is it a key?
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
		const size_t begin = byte_of(&s->place, e->start_mark.index);
		if (is_key) {
			s->level[s->depth - 1].has_key = true;
			s->level[s->depth - 1].of_marks = s->to->marks(value);
		}
		s->to->each(s->to->arg, &(struct config_scalar){.value = value,
						.begin = begin,
						.end = byte_of(&s->place, e->end_mark.index),
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
	struct scalars s = {.to = to, .place = {.text = text, .len = len}};
	yaml_parser_t parser;
	if (len && (unsigned char)text[0] >= 0xef) // a mark of another encoding
		return -EINVAL;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	int rc = events_read(&parser, text, len, scalars_event, &s);
	yaml_parser_delete(&parser);
	return rc;
}
