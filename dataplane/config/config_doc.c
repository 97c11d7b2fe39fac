// SPDX-License-Identifier: BSD-3-Clause

#include "config_doc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config.h>
#include <weir/text.h>
#include <yaml.h>

enum { DOC_DEPTH_MAX = 8, DOC_KEYS_MAX = 32, DOC_KEY_MAX = 64, DOC_NAME_MAX = 80 };

struct doc_unknown { // key
	char path[CONFIG_PATH_MAX];
	const char *nearest;
};

// One open mapping or sequence.
struct doc_level {
	bool is_mapping;
	bool has_key;       // a mapping's key was read, its value comes next
	unsigned items;     // of a sequence, so far
	size_t path_len;    // of the walk's path, without the current key or item
	unsigned key_count; // of a mapping, so far
	char (*keys)[DOC_KEY_MAX];
};

struct doc_walk {
	const struct config_doc *doc;
	yaml_parser_t parser;
	struct doc_level level[DOC_DEPTH_MAX];
	unsigned depth;
	unsigned documents;
	char path[CONFIG_PATH_MAX];
	config_doc_has_key *has_key; // when checking
	struct doc_unknown *unknown; // keys, of the caller
	unsigned unknown_count;
	const char *wanted;                     // path to find, or NULL when checking
	char name[DOC_DEPTH_MAX][DOC_NAME_MAX]; // of the items on the way to it, "" without one
	bool found, is_list;                    // the wanted one begins a sequence
	unsigned line, column;                  // of the best match; 1-based
	size_t found_len;
};

static void error_add(struct config_errors *e, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void error_add(struct config_errors *e, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (e->count < CONFIG_ERRORS_MAX)
		vsnprintf(e->text[e->count], CONFIG_WHY_MAX, fmt, args);
	va_end(args);
	e->count++;
}

// Reads a pipe (`weirctl config check <(...)`) to its end; a silence of PIPE_WAIT_MS is an error.
static int pipe_read(struct config_doc *doc, int fd)
{
	enum { CHUNK = 64 * 1024, PIPE_WAIT_MS = 5000 };
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	for (;;) {
		uint8_t *grown = realloc(doc->text, doc->len + CHUNK + 1);
		if (!grown)
			return -ENOMEM;
		doc->text = grown;
		ssize_t n = read(fd, doc->text + doc->len, CHUNK);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0 && poll(&ready, 1, PIPE_WAIT_MS) <= 0)
			return -ETIME;
		doc->len += n > 0 ? (size_t)n : 0;
		if (doc->len > CONFIG_FILE_MAX)
			return -EFBIG;
	}
}

static int text_read(struct config_doc *doc, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode))
		return pipe_read(doc, fd);
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	if (st.st_size > CONFIG_FILE_MAX)
		return -EFBIG;
	doc->text = malloc((size_t)st.st_size + 1);
	if (!doc->text)
		return -ENOMEM;
	while (doc->len < (size_t)st.st_size) {
		ssize_t n = read(fd, doc->text + doc->len, (size_t)st.st_size - doc->len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		doc->len += (size_t)n;
	}
	return 0;
}

static int absolute_make(struct config_doc *doc)
{
	char folder[PATH_MAX] = "";
	if (doc->path[0] != '/' && !getcwd(folder, sizeof(folder)))
		return -errno;
	if (asprintf(&doc->absolute, "%s%s%s", folder, *folder ? "/" : "", doc->path) >= 0)
		return 0;
	doc->absolute = NULL;
	return -ENOMEM;
}

int config_doc_read(struct config_doc *doc)
{
	doc->absolute = NULL;
	doc->text = NULL;
	doc->len = 0;
	// A FIFO must not make us wait for its writer.
	int fd = open(doc->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc = fd < 0 ? -errno : text_read(doc, fd);
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		rc = absolute_make(doc);
	if (rc < 0) {
		error_add(doc->errors, "%s: %s", doc->path,
			rc == -EISDIR ? "neither a file nor a pipe" : strerror(-rc));
		config_doc_free(doc);
	}
	return rc;
}

void config_doc_free(struct config_doc *doc)
{
	free(doc->absolute);
	free(doc->text);
	doc->absolute = NULL;
	doc->text = NULL;
	doc->len = 0;
}

// A searched document has passed the check: it is never refused.
static int walk_refuse(struct doc_walk *w, const yaml_mark_t *mark, const char *reason)
{
	assert(!w->wanted);
	char escaped[2 * CONFIG_PATH_MAX / 2];
	error_add(w->doc->errors, "config: %s%s%s (%s:%zu:%zu)",
		text_escape(w->path, escaped, sizeof(escaped)), w->path[0] ? ": " : "", reason,
		w->doc->path, mark->line + 1, mark->column + 1);
	return -EINVAL;
}

static void path_cut(struct doc_walk *w, size_t len)
{
	w->path[len] = '\0';
}

// A node begins: a scalar, or a mapping or sequence with all that is in it. Sequence items get
// their "[n]" here; the values of mappings have their key in the path already.
static void node_begin(struct doc_walk *w)
{
	struct doc_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	if (top && !top->is_mapping)
		snprintf(w->path + top->path_len, sizeof(w->path) - top->path_len, "[%u]",
			top->items++);
}

// Is the path that was reached the wanted one or a parent of it? The longest one wins.
static void node_match(struct doc_walk *w, const yaml_mark_t *mark)
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

static int level_open(struct doc_walk *w, const yaml_event_t *e, bool is_mapping)
{
	node_begin(w);
	if (w->depth == 0 || !w->level[w->depth - 1].is_mapping)
		node_match(w, &e->start_mark);
	if (w->depth == DOC_DEPTH_MAX)
		return walk_refuse(w, &e->start_mark, "nested too deeply");
	w->is_list |= !is_mapping && w->wanted && strcmp(w->path, w->wanted) == 0;
	struct doc_level *l = &w->level[w->depth];
	*l = (struct doc_level){.is_mapping = is_mapping, .path_len = strlen(w->path)};
	if (is_mapping) {
		l->keys = calloc(DOC_KEYS_MAX, sizeof(*l->keys));
		if (!l->keys)
			return -ENOMEM;
	}
	w->depth++;
	return 0;
}

static void node_end(struct doc_walk *w)
{
	struct doc_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	path_cut(w, top ? top->path_len : 0);
	if (top)
		top->has_key = false;
}

static void level_close(struct doc_walk *w)
{
	free(w->level[--w->depth].keys);
	node_end(w);
}

// Is the key's path that of an unknown one, or below it?
static bool is_below_unknown(const struct doc_walk *w)
{
	for (unsigned i = 0; i < w->unknown_count; i++) {
		size_t len = strlen(w->unknown[i].path);
		if (strncmp(w->path, w->unknown[i].path, len) == 0
			&& (w->path[len] == '.' || w->path[len] == '['))
			return true;
	}
	return false;
}

static void key_check(struct doc_walk *w, const struct doc_level *l, const char *key)
{
	char parent[CONFIG_PATH_MAX];
	if (!w->has_key || w->unknown_count == CONFIG_ERRORS_MAX || is_below_unknown(w))
		return;
	struct doc_unknown *u = &w->unknown[w->unknown_count];
	snprintf(parent, sizeof(parent), "%.*s", (int)l->path_len, w->path);
	if (w->has_key(parent, key, &u->nearest))
		return;
	snprintf(u->path, sizeof(u->path), "%s", w->path);
	w->unknown_count++;
}

// The name of an item on the path to the searched key: "groups[1].name" for "groups[1].lists[0]".
static void name_take(struct doc_walk *w, const char *value)
{
	static const char name[] = ".name";
	size_t len = strlen(w->path), item = len - strlen(name);
	if (!w->wanted || len <= strlen(name) || strcmp(w->path + item, name) != 0
		|| w->path[item - 1] != ']' || strncmp(w->path, w->wanted, item) != 0)
		return;
	unsigned depth = 0;
	for (size_t i = 0; i < item - 1; i++)
		depth += w->path[i] == ']';
	if (depth < DOC_DEPTH_MAX)
		snprintf(w->name[depth], DOC_NAME_MAX, "%s", value);
}

static int key_read(struct doc_walk *w, struct doc_level *l, const yaml_event_t *e)
{
	const char *key = (const char *)e->data.scalar.value;
	snprintf(w->path + l->path_len, sizeof(w->path) - l->path_len, "%s%s",
		l->path_len ? "." : "", key);
	if (strlen(key) != e->data.scalar.length || strlen(key) >= DOC_KEY_MAX)
		return walk_refuse(w, &e->start_mark, "not a key");
	for (unsigned i = 0; i < l->key_count; i++) {
		if (strcmp(l->keys[i], key) == 0)
			return walk_refuse(w, &e->start_mark, "given twice");
	}
	if (l->key_count == DOC_KEYS_MAX)
		return walk_refuse(w, &e->start_mark, "too many keys");
	snprintf(l->keys[l->key_count++], DOC_KEY_MAX, "%s", key);
	l->has_key = true;
	key_check(w, l, key);
	node_match(w, &e->start_mark);
	return 0;
}

static int scalar_read(struct doc_walk *w, const yaml_event_t *e)
{
	struct doc_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
	if (top && top->is_mapping && !top->has_key)
		return key_read(w, top, e);
	node_begin(w);
	if (!top || !top->is_mapping)
		node_match(w, &e->start_mark);
	if (strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
		return walk_refuse(w, &e->start_mark, "contains a NUL");
	name_take(w, (const char *)e->data.scalar.value);
	node_end(w);
	return 0;
}

static int collection_read(struct doc_walk *w, const yaml_event_t *e)
{
	struct doc_level *top = w->depth ? &w->level[w->depth - 1] : NULL;
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

static int event_read(struct doc_walk *w, const yaml_event_t *e)
{
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

static int walk_syntax_error(struct doc_walk *w)
{
	if (w->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	const char *problem = w->parser.problem ? w->parser.problem : "not YAML";
	// A reader error (bad UTF-8) has an offset and no mark.
	if (w->parser.error == YAML_READER_ERROR) {
		yaml_mark_t mark = {0};
		for (size_t i = 0; i < w->parser.problem_offset && i < w->doc->len; i++) {
			mark.column++;
			if (w->doc->text[i] == '\n') {
				mark.line++;
				mark.column = 0;
			}
		}
		return walk_refuse(w, &mark, problem);
	}
	return walk_refuse(w, &w->parser.problem_mark, problem);
}

static int doc_walk(struct doc_walk *w)
{
	if (!yaml_parser_initialize(&w->parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&w->parser, w->doc->text, w->doc->len);
	int rc = 0;
	bool end = false;
	while (rc == 0 && !end) {
		yaml_event_t e;
		if (!yaml_parser_parse(&w->parser, &e)) {
			rc = walk_syntax_error(w);
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		rc = event_read(w, &e);
		yaml_event_delete(&e);
	}
	while (w->depth)
		free(w->level[--w->depth].keys);
	yaml_parser_delete(&w->parser);
	return rc;
}

int config_doc_check(const struct config_doc *doc, config_doc_has_key *has_key)
{
	struct doc_unknown unknown[CONFIG_ERRORS_MAX];
	struct doc_walk w = {.doc = doc, .has_key = has_key, .unknown = unknown};
	int rc = doc_walk(&w);
	for (unsigned i = 0; rc == 0 && i < w.unknown_count; i++)
		(void)config_refuse_near(doc, unknown[i].path, unknown[i].nearest, "unknown key");
	return rc;
}

int config_doc_has_list(const struct config_doc *doc, const char *key, bool *out)
{
	struct doc_walk w = {.doc = doc, .wanted = key};
	int rc = doc_walk(&w);
	if (rc == 0)
		*out = w.is_list;
	return rc;
}

// "blocking.lists[1].path" with the item's name: blocking.lists "ads": path
static void key_title(const struct doc_walk *w, const char *key, char out[CONFIG_PATH_MAX])
{
	size_t n = 0;
	unsigned depth = 0;
	for (const char *p = key; *p && n + 1 < CONFIG_PATH_MAX; p++) {
		const char *end = *p == '[' ? strchr(p, ']') : NULL;
		unsigned at = end ? depth++ : DOC_DEPTH_MAX;
		if (at >= DOC_DEPTH_MAX || !w->name[at][0]) {
			out[n++] = *p;
			continue;
		}
		int len = snprintf(
			out + n, CONFIG_PATH_MAX - n, " \"%s\"%s", w->name[at], end[1] ? ": " : "");
		n += (size_t)len < CONFIG_PATH_MAX - n ? (size_t)len : CONFIG_PATH_MAX - n - 1;
		p = end + (end[1] == '.');
	}
	out[n] = '\0';
}

static int refuse(const struct config_doc *doc, const char *key, const char *nearest,
	const char *fmt, va_list args) __attribute__((format(printf, 4, 0)));
static int refuse(const struct config_doc *doc, const char *key, const char *nearest,
	const char *fmt, va_list args)
{
	if (doc->errors->count >= CONFIG_ERRORS_MAX) { // a walk for each would take its time
		doc->errors->count++;
		return -EINVAL;
	}
	struct doc_walk w = {.doc = doc, .wanted = key, .line = 1, .column = 1};
	// Without memory the position found so far is the best there is.
	(void)!doc_walk(&w);
	char reason[CONFIG_WHY_MAX / 2], title[CONFIG_PATH_MAX], shown[CONFIG_PATH_MAX];
	vsnprintf(reason, sizeof(reason), fmt, args);
	key_title(&w, key, title);
	error_add(doc->errors, "config: %s: %s (%s:%u:%u)%s%s%s",
		text_escape(title, shown, sizeof(shown)), reason, doc->path, w.line, w.column,
		nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
	return -EINVAL;
}

int config_refuse(const struct config_doc *doc, const char *key, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int rc = refuse(doc, key, NULL, fmt, args);
	va_end(args);
	return rc;
}

int config_refuse_near(
	const struct config_doc *doc, const char *key, const char *nearest, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int rc = refuse(doc, key, nearest, fmt, args);
	va_end(args);
	return rc;
}
