// SPDX-License-Identifier: BSD-3-Clause
#include "request_log.h"

#include "querylog/retention.h"
#include "querylog/row_text.h"
#include "querylog/store/query_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { READ_AT_ONCE = 65536, MEND_MAX = 64 << 20 };

// Whether `path` names the file of `fd`. If so *size is its present size, smaller than before if
// another process has truncated it.
static bool file_is_at(int fd, const char *path, uint64_t *size)
{
	struct stat named, open;
	if (lstat(path, &named) < 0 || fstat(fd, &open) < 0 || named.st_dev != open.st_dev
		|| named.st_ino != open.st_ino)
		return false;
	*size = (uint64_t)open.st_size;
	return true;
}

static int piece_read(int fd, char *buffer, size_t len, uint64_t at)
{
	ssize_t n;
	do {
		n = pread(fd, buffer, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

// Finds the place behind the last end of a line; 0: there is no end of a line.
static int lines_end(int fd, uint64_t size, char *buffer, uint64_t *out)
{
	*out = 0;
	while (size) {
		size_t len = size < READ_AT_ONCE ? (size_t)size : READ_AT_ONCE;
		size -= len;
		int rc = piece_read(fd, buffer, len, size);
		if (rc < 0)
			return rc;
		const char *end = memrchr(buffer, '\n', len);
		if (end) {
			*out = size + (uint64_t)(end - buffer) + 1;
			return 0;
		}
	}
	return 0;
}

// Finds the first NUL of the last MEND_MAX bytes; `size`: no NUL.
static int nul_find(int fd, uint64_t size, char *buffer, uint64_t *out)
{
	uint64_t at = size > MEND_MAX ? size - MEND_MAX : 0;
	while (at < size) {
		size_t len = size - at < READ_AT_ONCE ? (size_t)(size - at) : READ_AT_ONCE;
		int rc = piece_read(fd, buffer, len, at);
		if (rc < 0)
			return rc;
		const char *nul = memchr(buffer, 0, len);
		if (nul) {
			*out = at + (uint64_t)(nul - buffer);
			return 0;
		}
		at += len;
	}
	*out = size;
	return 0;
}

// Cuts the file back to the end of its last sound line. After a power cut it may end in half a line
// or in NULs. It may also have NULs further ahead, because ext4 can write a new block before it
// writes the rest of a half full block. All lines from the first NUL on are removed; a power cut
// may lose lines of that time. *size: size of the file, before and after. 0 or -errno.
static int file_mend(int fd, uint64_t *size)
{
	uint64_t end = 0, sound = 0;
	char *buffer = heap_malloc(READ_AT_ONCE);
	if (!buffer)
		return -ENOMEM;
	int rc = nul_find(fd, *size, buffer, &sound);
	if (rc == 0)
		rc = lines_end(fd, sound, buffer, &end);
	heap_free(buffer);
	if (rc == 0 && end < *size && ftruncate(fd, (off_t)end) < 0)
		rc = -errno;
	if (rc == 0)
		*size = end;
	return rc;
}

enum { BUFFER = 16 * ROW_LINE_MAX, DAY_S = 86400, NAME_BYTES = 64, DAYS_MAX = 8192 };

struct request_log {
	struct request_log_settings settings;
	char folder[SINK_TARGET_MAX];
	struct sink_thread *thread;
	// Fields that the sink's thread alone uses.
	int fd; // -1: no file is open
	char path[PATH_MAX];
	int64_t day;
	uint64_t size;
	bool is_full_day; // the file has reached its bound, and that is logged
	struct retention retention;
	struct sink_retry retry;
	struct sink_status now;
	size_t used, rows; // bytes and rows in the buffer
	uint64_t weight;   // weight of the rows in the buffer
	char buffer[BUFFER];
};

static int64_t unix_s(const struct request_log *l)
{
	return l->settings.unix_s ? l->settings.unix_s() : (int64_t)time(NULL);
}

static int64_t today(const struct request_log *l)
{
	return unix_s(l) / DAY_S;
}

static bool name_of(const struct request_log *l, int64_t day, char out[NAME_BYTES])
{
	const time_t t = (time_t)day * DAY_S;
	struct tm tm;
	return gmtime_r(&t, &tm)
	       && strftime(out, NAME_BYTES,
			  l->settings.json ? "requests-%Y-%m-%d.jsonl" : "requests-%Y-%m-%d.log",
			  &tm)
			  > 0;
}

static void file_leave(struct request_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void fail(struct request_log *l, int err, const char *what)
{
	file_leave(l);
	sink_thread_retry_after(&l->retry, clock_mono_ms());
	l->now.failures++;
	l->now.failing = true;
	l->now.retry_at_ms = l->retry.at_ms;
	snprintf(l->now.why, sizeof(l->now.why), "%s: %s", what, strerror(-err));
	log_warning("request log: %s; next try in %llu ms", l->now.why,
		(unsigned long long)l->retry.wait_ms);
}

// The day of a file of the request log, text or JSON; -1: another file.
static int64_t day_of(const char *name)
{
	struct tm tm = {0};
	char end[8], again[NAME_BYTES];
	if (sscanf(name, "requests-%4d-%2d-%2d.%7s", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, end) != 4
		|| (strcmp(end, "log") != 0 && strcmp(end, "jsonl") != 0))
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	int64_t day = (int64_t)timegm(&tm) / DAY_S;
	snprintf(again, sizeof(again), "requests-%04d-%02d-%02d.%s", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, end);
	return strcmp(again, name) == 0 ? day : -1;
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

// The days of the request log's files, ascending; at most DAYS_MAX.
static unsigned days_read(DIR *d, int64_t start_s[DAYS_MAX])
{
	unsigned n = 0;
	for (const struct dirent *e; n < DAYS_MAX && (e = readdir(d));) {
		int64_t day = day_of(e->d_name);
		if (day >= 0)
			start_s[n++] = day * DAY_S;
	}
	qsort(start_s, n, sizeof(*start_s), by_time);
	return n;
}

// Deletes files that are too old (retention.h), never those of the newest day of the present. A
// file that cannot be removed is tried again the next day.
static void tidy(struct request_log *l)
{
	DIR *d = opendir(l->folder);
	int64_t *start_s = heap_calloc(DAYS_MAX, sizeof(*start_s)), clock_s = unix_s(l);
	unsigned n = d && start_s ? days_read(d, start_s) : 0;
	int64_t now_s = retention_now(&l->retention, clock_s, clock_mono_ms(), start_s, n, DAY_S);
	unsigned present = retention_present(clock_s, start_s, n);
	int64_t newest = present ? start_s[present - 1] / DAY_S : 0;
	heap_free(start_s);
	if (n && clock_s - now_s > DAY_S)
		log_warning("request log: the clock is %lld days ahead of the newest file; weir "
			    "deletes no file for two days",
			(long long)((clock_s - now_s) / DAY_S));
	if (n)
		rewinddir(d);
	for (const struct dirent *e; n && (e = readdir(d));) {
		int64_t day = day_of(e->d_name);
		if (day >= 0 && day != newest && day + l->settings.days <= now_s / DAY_S)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

// Makes sure that the file is a regular one and ends in a whole line. Returns its size or -errno.
static int64_t file_check(struct request_log *l, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	uint64_t size = (uint64_t)st.st_size;
	int rc = file_mend(fd, &size);
	if (rc < 0)
		return rc;
	uint64_t cut = (uint64_t)st.st_size - size;
	l->now.cut_bytes += cut;
	if (cut)
		log_warning(
			"request log: %s: removed %llu bytes, from its first incomplete line on",
			l->path, (unsigned long long)cut);
	return (int64_t)size;
}

static int file_open(struct request_log *l, int64_t day)
{
	char name[NAME_BYTES];
	int rc = query_folder_make(l->folder);
	if (rc < 0)
		return rc;
	if (!name_of(l, day, name))
		return -EOVERFLOW;
	snprintf(l->path, sizeof(l->path), "%s/%s", l->folder, name);
	int fd = open(
		l->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	int64_t size = file_check(l, fd);
	if (size < 0) {
		close(fd);
		return (int)size;
	}
	l->fd = fd;
	l->size = (uint64_t)size;
	l->is_full_day = false;
	l->day = day;
	l->retry = (struct sink_retry){0};
	l->now.failing = false;
	l->now.why[0] = '\0';
	tidy(l);
	return 0;
}

// Makes sure that today's file is open under its name. Opens a new file if the old one was moved or
// removed.
static bool file_ready(struct request_log *l)
{
	int64_t day = today(l);
	if (l->fd >= 0 && day == l->day && file_is_at(l->fd, l->path, &l->size))
		return true;
	if (clock_mono_ms() < l->retry.at_ms)
		return false;
	file_leave(l);
	int rc = file_open(l, day);
	if (rc < 0)
		fail(l, rc, l->folder);
	return rc == 0;
}

// Writes the whole buffer, or restores the file.
static int write_whole(struct request_log *l)
{
	size_t at = 0;
	while (at < l->used) {
		ssize_t n = write(l->fd, l->buffer + at, l->used - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? -errno : -EIO;
			if (ftruncate(l->fd, (off_t)l->size) < 0)
				log_warning("request log: the last line may be incomplete");
			return err;
		}
		at += (size_t)n;
	}
	return 0;
}

static void file_is_full(struct request_log *l)
{
	snprintf(l->now.why, sizeof(l->now.why), "today's file is full, at %llu bytes",
		(unsigned long long)l->size);
	if (!l->is_full_day)
		log_warning("request log: %s", l->now.why);
	l->is_full_day = true;
}

static void flush(struct request_log *l)
{
	int rc = -ENOSPC;
	if (l->rows == 0)
		return;
	bool is_ready = file_ready(l);
	if (is_ready && l->size + l->used > l->settings.max_bytes)
		file_is_full(l);
	else if (is_ready && (rc = write_whole(l)) < 0)
		fail(l, rc, l->folder);
	if (rc == 0) {
		if (l->is_full_day)
			l->now.why[0] = '\0';
		l->is_full_day = false;
		l->size += l->used;
		l->now.written += l->rows;
		l->now.bytes += l->used;
	} else {
		l->now.lost += l->rows;
		l->now.lost_weight += l->weight;
	}
	l->used = l->rows = l->weight = 0;
}

static void on_take(void *arg, const struct querylog_batch *b)
{
	struct request_log *l = arg;
	for (unsigned i = 0; i < b->count; i++) {
		if (sizeof(l->buffer) - l->used < ROW_LINE_MAX)
			flush(l);
		char *to = l->buffer + l->used;
		size_t len = l->settings.json ? row_text_json(&b->row[i], b->box, to, ROW_LINE_MAX)
					      : row_text_line(&b->row[i], to, ROW_LINE_MAX);
		l->used += len;
		l->rows += len > 0;
		l->weight += len > 0 ? b->row[i].weight : 0;
		l->now.lost += len == 0;
		l->now.lost_weight += len == 0 ? b->row[i].weight : 0;
	}
	flush(l);
}

// The beat also tries again after a failure, and begins the new day's file although no query comes.
static void on_beat(void *arg, uint64_t)
{
	struct request_log *l = arg;
	(void)file_ready(l);
	l->now.files = l->fd >= 0;
	sink_thread_show(l->thread, &l->now);
}

static void on_end(void *arg)
{
	file_leave(arg);
}

int request_log_open(struct request_log **out, const struct request_log_settings *s)
{
	struct request_log *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->settings = *s;
	l->fd = -1;
	int n = snprintf(l->folder, sizeof(l->folder), "%s", s->folder);
	l->settings.folder = l->folder;
	memcpy(l->now.target, l->folder, sizeof(l->now.target));
	const struct sink_work work = {.name = "requests",
		.table = "log_requests_queue",
		.bytes = sizeof(*l),
		.take = on_take,
		.beat = on_beat,
		.end = on_end,
		.arg = l};
	int rc = n < 0 || (size_t)n >= sizeof(l->folder) ? -ENAMETOOLONG
							 : sink_thread_start(&l->thread, &work);
	if (rc < 0) {
		heap_free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void request_log_close(struct request_log *l)
{
	if (!l)
		return;
	sink_thread_stop(l->thread);
	heap_free(l);
}

struct sink_thread *request_log_thread(struct request_log *l)
{
	return l->thread;
}
