// SPDX-License-Identifier: BSD-3-Clause
#include "audit.h"

#include "audit_text.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

// Begins an entry with its time, this box, and who sent it from where.
static struct json_out *entry_begin(const struct audit *a, const char *who, const char *from)
{
	char text[AUDIT_WHO_MAX + 1], box[AUDIT_BOX_MAX + 1];
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_signed(o, root, "unix_s", (int64_t)time(NULL));
	json_out_text(o, root, "box", audit_text(a->box, box, sizeof(box)));
	json_out_text(o, root, "who", audit_text(who, text, sizeof(text)));
	json_out_text(o, root, "from", audit_text(from, text, sizeof(text)));
	return o;
}

static void entry_end(struct audit *a, struct json_out *o, enum access_log log)
{
	char *line = json_out_finish(o);
	access_thread_line(a->thread, log, line ? line : "", line ? strlen(line) : ACCESS_LINE_MAX);
	heap_free(line);
}

static void entry_write(
	struct audit *a, const struct audit_entry *e, enum access_log log, unsigned left_out)
{
	enum { NUMBERS_AND_KEYS = 256 }; // the other texts are weir's own
	char path[AUDIT_PATH_MAX + 1], query[AUDIT_QUERY_MAX + 1];
	static_assert(2 * (AUDIT_WHO_MAX + 1) + AUDIT_BOX_MAX + 1 + sizeof(path) + sizeof(query)
			      + NUMBERS_AND_KEYS
		      <= ACCESS_LINE_MAX);
	struct json_out *o = entry_begin(a, e->who, e->from);
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "method", e->method);
	json_out_text(o, root, "path", audit_path(e->path, path, sizeof(path)));
	if (e->query && e->query->count) {
		(void)audit_query(e->query, e->params, query, sizeof(query)); // audit_begin
		json_out_text(o, root, "query", query);
	}
	json_out_count(o, root, "status", e->status);
	if (e->why)
		json_out_text(o, root, "refused", e->why);
	if (left_out)
		json_out_count(o, root, "left_out", left_out);
	entry_end(a, o, log);
}

// `n` is not 0: with it as `key`.
static void note_write(struct audit *a, enum access_log log, const char *who, const char *from,
	const char *what, const char *why, const char *key, unsigned n)
{
	char text[AUDIT_PATH_MAX + 1], reason[AUDIT_WHY_MAX + 1];
	struct json_out *o = entry_begin(a, who, from);
	json_out_text(o, json_out_root(o), "what", audit_text(what, text, sizeof(text)));
	if (*why)
		json_out_text(o, json_out_root(o), "why", audit_text(why, reason, sizeof(reason)));
	if (n)
		json_out_count(o, json_out_root(o), key, n);
	entry_end(a, o, log);
}

void audit_note(struct audit *a, const char *who, const char *from, const char *what,
	const char *why, unsigned version)
{
	note_write(a, ACCESS_CHANGES, who, from, what, why, "version", version);
}

void audit_change(struct audit *a, const struct audit_entry *e)
{
	a->changes++;
	entry_write(a, e, ACCESS_CHANGES, 0);
}

// The user's place in the table; another one's, who changed nothing for longest, if it has none.
static struct audit_user *user_find(struct audit *a, const char *who)
{
	const uint64_t key = keyhash_here(who, strlen(who)) | 1;
	struct audit_user *oldest = &a->user[0];
	for (unsigned i = 0; i < AUDIT_USERS_MAX; i++) {
		struct audit_user *u = &a->user[i];
		if (u->key == key)
			return u;
		if (u->ms < oldest->ms)
			oldest = u;
	}
	*oldest = (struct audit_user){.key = key};
	return oldest;
}

static void grow_back(struct audit_user *u, unsigned each_s, uint64_t now_ms)
{
	const uint64_t back = (now_ms - u->ms) * each_s / 1000;
	if (back) {
		u->used = u->used > back ? u->used - (unsigned)back : 0;
		u->ms = now_ms;
	}
}

// Takes `bytes` from the user's allowance and from that of all, which grow back. False: one of them
// has not as many.
static bool bytes_take(
	struct audit *a, const char *who, enum audit_bound bound, unsigned bytes, uint64_t now_ms)
{
	const unsigned most = AUDIT_ALL_BURST - (bound == AUDIT_OF_ADMIN ? 0 : AUDIT_KEPT);
	struct audit_user *u = user_find(a, who);
	grow_back(u, AUDIT_BYTES_EACH_S, now_ms);
	grow_back(&a->all, AUDIT_ALL_EACH_S, now_ms);
	if (u->used + bytes > AUDIT_BYTES_BURST || a->all.used + bytes > most)
		return false;
	u->used += bytes;
	a->all.used += bytes;
	return true;
}

int audit_begin(
	struct audit *a, const struct audit_entry *e, enum audit_bound bound, uint64_t now_ms)
{
	enum { BESIDE = 768 }; // what else an entry has, and the note of a version
	char query[AUDIT_QUERY_MAX + 1];
	int rc = 0;
	if (!audit_query(e->query, e->params, query, sizeof(query)))
		return -EMSGSIZE;
	if (access_thread_room(a->thread) < AUDIT_LINES_EACH * (a->begun + 1) + AUDIT_LINES_OWN)
		rc = -EAGAIN;
	else if (bound != AUDIT_UNBOUNDED
		 && !bytes_take(a, e->who, bound, (unsigned)strlen(query) + BESIDE, now_ms))
		rc = -EDQUOT;
	a->begun += rc == 0;
	a->held_back += rc < 0;
	return rc;
}

void audit_end(struct audit *a)
{
	a->begun--;
}

void audit_left_out(struct audit *a)
{
	a->left_out++;
	a->refused_left_out++;
}

// False: it is left out.
static bool entry_may(struct audit *a, uint64_t now_ms)
{
	const bool may =
		allowance_take(&a->entries, AUDIT_REFUSED_EACH_S, AUDIT_REFUSED_BURST, now_ms);
	if (!may)
		audit_left_out(a);
	return may;
}

void audit_refused(struct audit *a, const struct audit_entry *e, uint64_t now_ms)
{
	a->refused++;
	if (!entry_may(a, now_ms))
		return;
	entry_write(a, e, ACCESS_REFUSED, a->left_out);
	a->left_out = 0;
}

void audit_locked(struct audit *a, const char *from, const char *what, uint64_t now_ms)
{
	if (!entry_may(a, now_ms))
		return;
	note_write(a, ACCESS_REFUSED, "weir", from, what, "", "left_out", a->left_out);
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

// One of a log's entries after the other, from the first of the last `limit` on.
struct reader {
	const char *at, *end;
	const char *line; // NULL: there are no more
	size_t len;
	long long unix_s;
};

static void reader_next(struct reader *r)
{
	static const char key[] = "{\"unix_s\":";
	r->line = NULL;
	while (!r->line && r->at < r->end) {
		const char *line = r->at, *end = memchr(line, '\n', (size_t)(r->end - line));
		r->len = (size_t)((end ? end : r->end) - line);
		r->at = line + r->len + 1;
		if (is_entry(line, r->len))
			r->line = line;
	}
	const bool has_time =
		r->line && r->len > sizeof(key) && memcmp(r->line, key, sizeof(key) - 1) == 0;
	r->unix_s = has_time ? strtoll(r->line + sizeof(key) - 1, NULL, 10) : 0;
}

static struct reader reader_of(const struct text *t, unsigned limit)
{
	size_t from = t->len;
	for (unsigned n = 0; from > 0; from--)
		if (t->bytes[from - 1] == '\n' && n++ == limit)
			break;
	struct reader r = {.at = t->bytes + from, .end = t->bytes + t->len};
	reader_next(&r);
	return r;
}

// Both logs in the order of time.
static char *array_make(const struct text *changes, const struct text *refused, unsigned limit)
{
	struct reader r[] = {reader_of(changes, limit), reader_of(refused, limit)};
	char *out = heap_malloc(changes->len + refused->len + 3);
	size_t len = 0;
	if (!out)
		return NULL;
	out[len++] = '[';
	while (r[0].line || r[1].line) {
		struct reader *next =
			!r[0].line || (r[1].line && r[1].unix_s < r[0].unix_s) ? &r[1] : &r[0];
		if (len > 1)
			out[len++] = ',';
		memcpy(out + len, next->line, next->len);
		len += next->len;
		reader_next(next);
	}
	out[len++] = ']';
	out[len] = '\0';
	return out;
}

// The end of a log, and of the file before it. The caller frees it, after an error too.
static int log_read(const char *path, enum access_log log, struct text *out)
{
	char now[ACCESS_LOG_PATH_MAX], before[ACCESS_LOG_PATH_MAX + 2];
	snprintf(now, sizeof(now), "%s%s", path, access_log_suffix[log]);
	snprintf(before, sizeof(before), "%s.1", now);
	out->bytes = heap_malloc(2 * AUDIT_READ_MAX + 1); // one more, as strtoll needs an end
	if (!out->bytes)
		return -ENOMEM;
	int rc = end_read(before, out);
	if (rc == 0)
		rc = end_read(now, out);
	out->bytes[out->len] = '\0';
	return rc;
}

int audit_read(const char *path, unsigned limit, char **out)
{
	struct text t[ACCESS_LOGS] = {0};
	int rc = 0;
	*out = NULL;
	for (unsigned i = 0; rc == 0 && i < ACCESS_LOGS; i++)
		rc = log_read(path, (enum access_log)i, &t[i]);
	if (rc == 0 && !(*out = array_make(&t[ACCESS_CHANGES], &t[ACCESS_REFUSED], limit)))
		rc = -ENOMEM;
	for (unsigned i = 0; i < ACCESS_LOGS; i++)
		FREE_AND_NULL(t[i].bytes);
	return rc;
}
