// SPDX-License-Identifier: BSD-3-Clause

#include "config_doc.h"

#include "config_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config.h>
#include <weir/heap_site.h>
#include <weir/text.h>

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
	// A FIFO must not make us wait for its writer.
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
	FREE_AND_NULL(doc->absolute);
	FREE_AND_NULL(doc->text);
	doc->len = 0;
}

int config_doc_folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (int)(slash + 1 - path) : 0;
}

int config_doc_check(const struct config_doc *doc, config_doc_has_key *has_key,
	config_doc_version_check *version_check)
{
	struct config_walk_unknown unknown[CONFIG_ERRORS_MAX];
	struct config_walk w = {.doc = doc, .has_key = has_key, .unknown = unknown};
	int rc = config_walk_run(&w);
	// The keys of a newer version are unknown, so they say nothing.
	if (rc == 0 && w.has_version)
		rc = version_check(doc, w.version);
	for (unsigned i = 0; rc == 0 && i < w.unknown_count; i++)
		(void)config_refuse_near(doc, unknown[i].path, unknown[i].nearest, "unknown key");
	return rc;
}

int config_doc_has_list(const struct config_doc *doc, const char *key, bool *out)
{
	bool is_list = false;
	for (unsigned i = 0; i <= doc->part_count; i++) {
		struct config_walk w = {.doc = config_doc_file(doc, i), .wanted = key};
		int rc = config_walk_run(&w);
		if (rc < 0)
			return rc;
		is_list |= w.is_list;
	}
	*out = is_list;
	return 0;
}

// "blocking.lists[1].path" with the item's name: blocking.lists "ads": path
static void key_title(const struct config_walk *w, const char *key, char out[CONFIG_PATH_MAX])
{
	size_t n = 0;
	unsigned depth = 0;
	for (const char *p = key; *p && n + 1 < CONFIG_PATH_MAX; p++) {
		const char *end = *p == '[' ? strchr(p, ']') : NULL;
		unsigned at = end ? depth++ : CONFIG_WALK_DEPTH_MAX;
		if (at >= CONFIG_WALK_DEPTH_MAX || !w->name[at][0]) {
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
	struct config_walk w;
	char own[CONFIG_PATH_MAX];
	const struct config_doc *file = config_place_find(doc, key, own, &w);
	char reason[CONFIG_WHY_MAX / 2], title[CONFIG_PATH_MAX], shown[CONFIG_PATH_MAX];
	vsnprintf(reason, sizeof(reason), fmt, args);
	key_title(&w, own, title);
	config_doc_error(doc, "config: %s: %s (%s:%u:%u)%s%s%s",
		text_escape(title, shown, sizeof(shown)), reason, file->path, w.line, w.column,
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
