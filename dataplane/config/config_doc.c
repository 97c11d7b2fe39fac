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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config.h>
#include <weir/text.h>

void config_doc_error(const struct config_doc *doc, const char *fmt, ...)
{
	struct config_errors *e = doc->errors;
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
		config_doc_error(doc, "%s: %s", doc->path,
			rc == -EISDIR ? "neither a file nor a pipe" : strerror(-rc));
		config_doc_free(doc);
	}
	return rc;
}

void config_doc_free(struct config_doc *doc)
{
	FREE_AND_NULL(doc->absolute);
	FREE_AND_NULL(doc->text);
	doc->len = 0;
}

int config_doc_check(const struct config_doc *doc, config_doc_has_key *has_key)
{
	struct config_walk_unknown unknown[CONFIG_ERRORS_MAX];
	struct config_walk w = {.doc = doc, .has_key = has_key, .unknown = unknown};
	int rc = config_walk_run(&w);
	for (unsigned i = 0; rc == 0 && i < w.unknown_count; i++)
		(void)config_refuse_near(doc, unknown[i].path, unknown[i].nearest, "unknown key");
	return rc;
}

int config_doc_has_list(const struct config_doc *doc, const char *key, bool *out)
{
	struct config_walk w = {.doc = doc, .wanted = key};
	int rc = config_walk_run(&w);
	if (rc == 0)
		*out = w.is_list;
	return rc;
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
	struct config_walk w = {.doc = doc, .wanted = key, .line = 1, .column = 1};
	// Without memory the position found so far is the best there is.
	(void)!config_walk_run(&w);
	char reason[CONFIG_WHY_MAX / 2], title[CONFIG_PATH_MAX], shown[CONFIG_PATH_MAX];
	vsnprintf(reason, sizeof(reason), fmt, args);
	key_title(&w, key, title);
	config_doc_error(doc, "config: %s: %s (%s:%u:%u)%s%s%s",
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
