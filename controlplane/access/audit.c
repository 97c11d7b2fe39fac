// SPDX-License-Identifier: BSD-3-Clause
#include "audit.h"

#include "audit_text.h"
#include "base/json_out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Its time, and who it is from where.
static struct json_out *entry_begin(const char *who, const char *from)
{
	char text[AUDIT_WHO_MAX + 1];
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_signed(o, root, "unix_s", (int64_t)time(NULL));
	json_out_text(o, root, "who", audit_text(who, text, sizeof(text)));
	json_out_text(o, root, "from", audit_text(from, text, sizeof(text)));
	return o;
}

static void entry_end(struct audit *a, struct json_out *o)
{
	char *line = json_out_finish(o);
	access_thread_line(a->thread, line ? line : "", line ? strlen(line) : ACCESS_LINE_MAX);
	free(line);
}

static void entry_write(struct audit *a, const struct audit_entry *e, unsigned left_out)
{
	enum { NUMBERS_AND_KEYS = 256 }; // the other texts are weir's own
	char path[AUDIT_PATH_MAX + 1], query[AUDIT_QUERY_MAX + 1];
	static_assert(2 * (AUDIT_WHO_MAX + 1) + sizeof(path) + sizeof(query) + NUMBERS_AND_KEYS
		      <= ACCESS_LINE_MAX);
	struct json_out *o = entry_begin(e->who, e->from);
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "method", e->method);
	json_out_text(o, root, "path", audit_path(e->path, path, sizeof(path)));
	if (e->query)
		json_out_text(
			o, root, "query", audit_query(e->query, e->params, query, sizeof(query)));
	json_out_count(o, root, "status", e->status);
	if (e->why)
		json_out_text(o, root, "refused", e->why);
	if (left_out)
		json_out_count(o, root, "left_out", left_out);
	entry_end(a, o);
}

// `n` is not 0: with it as `key`.
static void note_write(struct audit *a, const char *who, const char *from, const char *what,
	const char *key, unsigned n)
{
	char text[AUDIT_PATH_MAX + 1];
	struct json_out *o = entry_begin(who, from);
	json_out_text(o, json_out_root(o), "what", audit_text(what, text, sizeof(text)));
	if (n)
		json_out_count(o, json_out_root(o), key, n);
	entry_end(a, o);
}

void audit_note(
	struct audit *a, const char *who, const char *from, const char *what, unsigned version)
{
	note_write(a, who, from, what, "version", version);
}

void audit_change(struct audit *a, const struct audit_entry *e)
{
	a->changes++;
	entry_write(a, e, 0);
}

// Takes one entry from the allowance. False: it is left out.
static bool allowance_take(struct audit *a, uint64_t now_ms)
{
	const uint64_t step_ms = 1000 / AUDIT_REFUSED_EACH_S;
	const uint64_t more = (now_ms - a->refused_ms) / step_ms;
	a->refused_ms += more * step_ms;
	a->allowance = more > AUDIT_REFUSED_BURST - a->allowance ? AUDIT_REFUSED_BURST
								 : a->allowance + (unsigned)more;
	if (a->allowance == 0) {
		a->left_out++;
		a->refused_left_out++;
		return false;
	}
	a->allowance--;
	return true;
}

void audit_refused(struct audit *a, const struct audit_entry *e, uint64_t now_ms)
{
	a->refused++;
	if (!allowance_take(a, now_ms))
		return;
	entry_write(a, e, a->left_out);
	a->left_out = 0;
}

void audit_locked(struct audit *a, const char *from, const char *what, uint64_t now_ms)
{
	if (!allowance_take(a, now_ms))
		return;
	note_write(a, "weir", from, what, "left_out", a->left_out);
	a->left_out = 0;
}

struct text {
	char *bytes;
	size_t len;
};

// The end of a file; a file that is not there is empty.
static int end_read(const char *path, struct text *to)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	off_t from = 0;
	if (fstat(fd, &st) == 0 && st.st_size > AUDIT_READ_MAX)
		from = st.st_size - AUDIT_READ_MAX;
	size_t got = 0;
	ssize_t n = 0;
	do {
		n = pread(fd, to->bytes + to->len + got, AUDIT_READ_MAX - got, from + (off_t)got);
		got += n > 0 ? (size_t)n : 0;
	} while (n > 0 && got < AUDIT_READ_MAX);
	const int rc = n < 0 ? -errno : 0;
	close(fd);
	// The first line is whole only where the file begins.
	const char *begin = from ? memchr(to->bytes + to->len, '\n', got) : NULL;
	if (begin) {
		const size_t skip = (size_t)(begin + 1 - (to->bytes + to->len));
		memmove(to->bytes + to->len, begin + 1, got - skip);
		got -= skip;
	}
	to->len += got;
	return rc;
}

// A crash may have cut a line.
static bool is_entry(const char *line, size_t len)
{
	return len >= 2 && line[0] == '{' && json_text_is_object(line, len);
}

static char *array_make(const struct text *t, unsigned limit)
{
	// Back from the end to the first line that is wanted.
	size_t from = t->len;
	for (unsigned n = 0; from > 0; from--)
		if (t->bytes[from - 1] == '\n' && n++ == limit)
			break;
	char *out = malloc(t->len - from + 3);
	if (!out)
		return NULL;
	size_t len = 0;
	out[len++] = '[';
	for (size_t at = from; at < t->len;) {
		const char *line = t->bytes + at, *end = memchr(line, '\n', t->len - at);
		const size_t n = end ? (size_t)(end - line) : t->len - at;
		if (is_entry(line, n)) {
			if (len > 1)
				out[len++] = ',';
			memcpy(out + len, line, n);
			len += n;
		}
		at += n + 1;
	}
	out[len++] = ']';
	out[len] = '\0';
	return out;
}

int audit_read(const char *path, unsigned limit, char **out)
{
	char before[PATH_MAX];
	struct text t = {.bytes = malloc(2 * AUDIT_READ_MAX)};
	if (!t.bytes)
		return -ENOMEM;
	snprintf(before, sizeof(before), "%.*s.1", PATH_MAX - 3, path);
	int rc = end_read(before, &t);
	if (rc == 0)
		rc = end_read(path, &t);
	*out = rc == 0 ? array_make(&t, limit) : NULL;
	free(t.bytes);
	return rc == 0 && !*out ? -ENOMEM : rc;
}
