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
#include <weir/heap_site.h>
#include <weir/text.h>

enum { ITEM_NAME_MAX = 79 }; // bytes of an item's name in an error

void config_doc_error(const struct config_doc *doc, const char *fmt, ...)
{
	char text[CONFIG_WHY_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	config_errors_add(doc->errors, "%s", text);
}

// Reads a pipe (`weirctl config check <(...)`) to its end; a silence of PIPE_WAIT_MS is an error.
static int pipe_read(struct config_doc *doc, int fd)
{
	enum { CHUNK = 64 * 1024, PIPE_WAIT_MS = 5000 };
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	for (;;) {
		uint8_t *grown = heap_realloc(doc->text, doc->len + CHUNK + 1);
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
	doc->device = st.st_dev;
	doc->inode = st.st_ino;
	if (S_ISFIFO(st.st_mode) && !doc->is_included)
		return pipe_read(doc, fd);
	if (!S_ISREG(st.st_mode))
		return -EISDIR;
	if (st.st_size > CONFIG_FILE_MAX)
		return -EFBIG;
	doc->text = heap_malloc((size_t)st.st_size + 1);
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

int config_path_absolute(const char *path, char **out)
{
	char folder[PATH_MAX] = "";
	if (path[0] != '/' && !getcwd(folder, sizeof(folder)))
		return -errno;
	if (asprintf(out, "%s%s%s", folder, *folder ? "/" : "", path) >= 0)
		return 0;
	*out = NULL;
	return -ENOMEM;
}

void config_doc_begin(struct config_doc *doc, const char *path, enum config_secrets_kind secrets,
	struct config_errors *errors)
{
	errors->count = 0;
	*doc = (struct config_doc){.path = path,
		.errors = errors,
		.leaves_secrets = secrets == CONFIG_SECRETS_NONE,
		.leaves_absent = secrets == CONFIG_SECRETS_FOUND};
}

int config_doc_open(struct config_doc *doc)
{
	doc->absolute = NULL;
	doc->text = NULL;
	doc->len = 0;
	// The open of a FIFO must not wait for its writer.
	int fd = open(doc->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc = fd < 0 ? -errno : text_read(doc, fd);
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		rc = config_path_absolute(doc->path, &doc->absolute);
	if (rc < 0)
		config_doc_free(doc);
	return rc;
}

int config_doc_take(struct config_doc *doc, const struct config_text *text)
{
	doc->path = text->path;
	doc->absolute = heap_strdup(text->path);
	doc->text = heap_malloc(text->len + 1);
	doc->len = text->len;
	if (!doc->absolute || !doc->text) {
		config_doc_free(doc);
		return -ENOMEM;
	}
	memcpy(doc->text, text->bytes, text->len);
	return 0;
}

const char *config_doc_reason(int err)
{
	return err == -EISDIR ? "neither a file nor a pipe" : strerror(-err);
}

int config_doc_read(struct config_doc *doc)
{
	int rc = config_doc_open(doc);
	if (rc < 0)
		config_doc_error(doc, "%s: %s", doc->path, config_doc_reason(rc));
	return rc;
}

void config_doc_free(struct config_doc *doc)
{
	for (unsigned i = 0; i < doc->part_count; i++) {
		config_doc_free(&doc->parts[i].doc);
		FREE_AND_NULL(doc->parts[i].path);
	}
	FREE_AND_NULL(doc->parts);
	doc->part_count = 0;
	while (doc->folder_count)
		FREE_AND_NULL(doc->folders[--doc->folder_count]);
	config_tree_free(&doc->tree);
	FREE_AND_NULL(doc->absolute);
	FREE_AND_NULL(doc->text);
	doc->len = 0;
}

int config_doc_folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (int)(slash + 1 - path) : 0;
}

// Where a key is: its node, or its nearest parent's; and the key with names of items in place of
// numbers, or with the numbers of its own file.
struct place {
	const struct config_node *node; // NULL: the document has none
	char title[CONFIG_PATH_MAX];
};

static void title_add(struct place *p, const char *text, size_t text_len)
{
	const size_t len = strlen(p->title);
	snprintf(p->title + len, sizeof(p->title) - len, "%.*s", (int)text_len, text);
}

// The item of list `n` that "[3]" at the beginning of `*key` names. NULL: `n` is no list, or too
// short.
static const struct config_node *item_find(
	const struct config_node *n, const char **key, struct place *p)
{
	char item[16];
	const char *end = strchr(*key, ']'), *rest = end ? end + 1 : *key + strlen(*key);
	const unsigned long i = strtoul(*key + 1, NULL, 10);
	n = n && n->kind == CONFIG_NODE_LIST && i < n->count ? n->child[i] : NULL;
	const char *name = config_node_text(n, "name");
	if (name && *name) { // "blocking.lists[1].path" becomes: blocking.lists "ads": path
		title_add(p, " \"", 2);
		title_add(p, name, strnlen(name, ITEM_NAME_MAX));
		title_add(p, "\": ", *rest ? 3 : 1);
		rest += *rest == '.';
	} else if (n) {
		snprintf(item, sizeof(item), "[%u]", n->own);
		title_add(p, item, strlen(item));
	} else {
		title_add(p, *key, (size_t)(rest - *key));
	}
	*key = rest;
	return n;
}

static void place_find(const struct config_doc *doc, const char *key, struct place *out)
{
	const struct config_node *n = doc->tree.root;
	*out = (struct place){.node = n};
	while (*key) {
		char part[CONFIG_KEY_MAX];
		if (*key == '[') {
			n = item_find(n, &key, out);
		} else {
			const size_t dot = *key == '.', len = dot + strcspn(key + dot, ".[");
			snprintf(part, sizeof(part), "%.*s", (int)(len - dot), key + dot);
			title_add(out, key, len);
			n = config_node_find(n, part);
			key += len;
		}
		out->node = n ? n : out->node;
	}
}

// The file of a node. Before its parts are read, and as a part, a document has only its own file.
static const struct config_doc *file_of(const struct config_doc *doc, const struct config_node *n)
{
	return n && n->file <= doc->part_count ? config_doc_file(doc, n->file) : doc;
}

// `tail`: text after the place, or "".
static int refuse(const struct config_doc *doc, const struct config_node *n, const char *key,
	const char *tail, const char *fmt, va_list args) __attribute__((format(printf, 5, 0)));
static int refuse(const struct config_doc *doc, const struct config_node *n, const char *key,
	const char *tail, const char *fmt, va_list args)
{
	if (doc->errors->count >= CONFIG_ERRORS_MAX) { // spares the search for its place
		doc->errors->count++;
		return -EINVAL;
	}
	struct place p;
	place_find(doc, key, &p);
	n = n ? n : p.node;
	char reason[CONFIG_WHY_MAX / 2], shown[CONFIG_PATH_MAX];
	vsnprintf(reason, sizeof(reason), fmt, args);
	config_doc_error(doc, "config: %s: %s (%s:%u:%u)%s",
		text_escape(p.title, shown, sizeof(shown)), reason, file_of(doc, n)->path,
		n ? n->line : 1, n ? n->column : 1, tail);
	return -EINVAL;
}

int config_refuse(const struct config_doc *doc, const char *key, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int rc = refuse(doc, NULL, key, "", fmt, args);
	va_end(args);
	return rc;
}

int config_refuse_near(
	const struct config_doc *doc, const char *key, const char *nearest, const char *fmt, ...)
{
	char tail[CONFIG_PATH_MAX] = "";
	va_list args;
	if (nearest)
		snprintf(tail, sizeof(tail), "; did you mean \"%s\"?", nearest);
	va_start(args, fmt);
	int rc = refuse(doc, NULL, key, tail, fmt, args);
	va_end(args);
	return rc;
}

int config_refuse_node(const struct config_doc *doc, const struct config_node *n, const char *key,
	const char *tail, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int rc = refuse(doc, n, key, tail, fmt, args);
	va_end(args);
	return rc;
}

void config_place_text(const struct config_doc *doc, const char *key, char *out, size_t cap)
{
	struct place p;
	place_find(doc, key, &p);
	snprintf(out, cap, "%s:%u:%u", file_of(doc, p.node)->path, p.node ? p.node->line : 1,
		p.node ? p.node->column : 1);
}
