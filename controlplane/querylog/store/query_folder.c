// SPDX-License-Identifier: BSD-3-Clause

#include "query_folder.h"

#include "query_schema.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

int query_folder_make(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

int query_folder_try(const char *path)
{
	static const uint8_t zeros[4096];
	char name[PATH_MAX];
	int rc = 0, len = snprintf(name, sizeof(name), "%s/try.tmp", path);
	if (len < 0 || (size_t)len >= sizeof(name))
		return -ENAMETOOLONG;
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	for (unsigned done = 0; rc == 0 && done < QUERY_TRY_BYTES; done += sizeof(zeros)) {
		ssize_t n = write(fd, zeros, sizeof(zeros));
		rc = n == (ssize_t)sizeof(zeros) ? 0 : n < 0 ? -errno : -ENOSPC;
	}
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	(void)unlink(name);
	return rc;
}

bool query_folder_in_time(const struct query_folder_file *f, int64_t since_us, int64_t until_us)
{
	const int64_t start_us = f->hour * QUERY_HOUR_US;
	return start_us + QUERY_HOUR_US + QUERY_SLACK_US > since_us
	       && start_us - QUERY_HOUR_US < until_us;
}

int query_folder_path(const char *folder, int64_t hour, unsigned part, char out[PATH_MAX])
{
	time_t t = (time_t)hour * 3600;
	struct tm tm;
	char stamp[32];
	if (hour < 0 || hour > QUERY_HOUR_MAX || !gmtime_r(&t, &tm)
		|| !strftime(stamp, sizeof(stamp), "%Y%m%dT%H", &tm))
		return -EOVERFLOW;
	int len = snprintf(out, PATH_MAX, "%s/queries-%s-%03u.sqlite", folder, stamp, part);
	return len < 0 || len >= PATH_MAX - 8 ? -ENAMETOOLONG : 0;
}

// Parses a name, which must equal the one that query_folder_path makes of its fields.
static bool name_parse(const char *name, struct query_folder_file *out)
{
	struct tm tm = {0};
	unsigned part;
	char again[PATH_MAX];
	if (sscanf(name, "queries-%4d%2d%2dT%2d-%3u.sqlite", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		    &tm.tm_hour, &part)
		!= 5)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	out->hour = (int64_t)timegm(&tm) / 3600;
	out->part = part;
	return query_folder_path("", out->hour, part, again) == 0 && strcmp(again + 1, name) == 0;
}

static void file_look(const char *path, struct query_folder_file *out)
{
	char wal[PATH_MAX + 8];
	struct stat st;
	out->bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	snprintf(wal, sizeof(wal), "%s-wal", path);
	out->has_wal = stat(wal, &st) == 0;
	out->bytes += out->has_wal ? (uint64_t)st.st_size : 0;
}

uint64_t query_folder_bytes(const char *path)
{
	struct query_folder_file f;
	file_look(path, &f);
	return f.bytes;
}

static int by_age(const void *a, const void *b)
{
	const struct query_folder_file *x = a, *y = b;
	if (x->hour != y->hour)
		return x->hour < y->hour ? -1 : 1;
	return x->part < y->part ? -1 : x->part > y->part;
}

static int file_add(struct query_folder *f, unsigned *cap, const struct query_folder_file *file)
{
	if (f->count == *cap) {
		unsigned more = *cap ? *cap * 2 : 64;
		struct query_folder_file *grown = heap_realloc(f->file, more * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		f->file = grown;
		*cap = more;
	}
	f->file[f->count++] = *file;
	f->bytes += file->bytes;
	return 0;
}

int query_folder_scan(struct query_folder *out, const char *path)
{
	struct query_folder f = {0};
	unsigned cap = 0;
	DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	int rc = 0;
	for (struct dirent *e; rc == 0 && f.count < QUERY_FILES_MAX && (e = readdir(dir));) {
		struct query_folder_file file;
		char full[PATH_MAX];
		if (!name_parse(e->d_name, &file))
			continue;
		rc = query_folder_path(path, file.hour, file.part, full);
		if (rc)
			break;
		file_look(full, &file);
		rc = file_add(&f, &cap, &file);
	}
	closedir(dir);
	if (rc) {
		query_folder_free(&f);
		return rc;
	}
	if (f.count)
		qsort(f.file, f.count, sizeof(f.file[0]), by_age);
	*out = f;
	return 0;
}

void query_folder_free(struct query_folder *f)
{
	FREE_AND_NULL(f->file);
	*f = (struct query_folder){0};
}

// Deletes a file, its WAL first: a WAL that is left alone would apply to a later file of that name.
static int file_remove(const char *folder, const struct query_folder_file *f)
{
	static const char *const beside[] = {"-wal", "-shm", "-journal"};
	char path[PATH_MAX], other[PATH_MAX + 16];
	int rc = query_folder_path(folder, f->hour, f->part, path);
	if (rc)
		return rc;
	for (unsigned i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(other, sizeof(other), "%s%s", path, beside[i]);
		if (unlink(other) && errno != ENOENT)
			return -errno;
	}
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

// Which files are deleted, and in which order.
struct order {
	int64_t oldest;          // files of earlier hours are too old
	unsigned count, present; // number of all files; of the first ones, which are of the present
				 // (retention.h)
	bool future_first;
};

// -ENOMEM.
static int order_make(
	struct query_keep *k, int64_t clock_s, const struct query_folder *f, struct order *out)
{
	int64_t *start_s = heap_calloc(f->count + 1, sizeof(*start_s));
	uint64_t mono_ms = clock_mono_ms();
	if (!start_s)
		return -ENOMEM;
	for (unsigned i = 0; i < f->count; i++)
		start_s[i] = f->file[i].hour * 3600;
	int64_t now_s = retention_now(&k->retention, clock_s, mono_ms, start_s, f->count, 3600);
	unsigned present = retention_present(clock_s, start_s, f->count);
	heap_free(start_s);
	int64_t ahead_s = clock_s - now_s > RETENTION_PROOF_S ? clock_s - now_s : 0;
	if (ahead_s && !k->clock_ahead_s)
		log_warning("query store: the clock is %lld hours ahead of the newest rows; weir "
			    "deletes no file by age for a day",
			(long long)(ahead_s / 3600));
	k->clock_ahead_s = ahead_s;
	*out = (struct order){.oldest = now_s / 3600 - k->hours,
		.count = f->count,
		.present = present ? present : f->count,
		.future_first = retention_is_steady(&k->retention, mono_ms)};
	return 0;
}

// Index of the i-th file to delete, of all but the newest file of the present, which always stays.
static unsigned order_at(const struct order *o, unsigned i)
{
	unsigned future = o->count - o->present;
	if (o->future_first)
		return i < future ? o->present + i : i - future;
	return i + 1 < o->present ? i : i + 1;
}

static void files_count(const struct query_folder *f, struct query_tidied *out)
{
	for (unsigned i = f->count; i-- > 0;) {
		if (f->file[i].hour < 0) // removed
			continue;
		out->files++;
		out->oldest_unix_s = f->file[i].hour * 3600;
	}
}

static bool is_same(const struct query_folder_file *f, const struct query_folder_file *open)
{
	return open && f->hour == open->hour && f->part == open->part;
}

// Chooses among the files that are left.
static void wal_choose(struct query_keep *k, const struct query_folder *f,
	const struct query_folder_file *open, struct query_folder_file *out)
{
	unsigned count = 0, at;
	for (unsigned i = 0; i < f->count; i++)
		if (f->file[i].has_wal && f->file[i].hour >= 0 && !is_same(&f->file[i], open))
			f->file[count++] = f->file[i];
	at = k->tidied++ % (count ? count : 1);
	*out = count ? f->file[at] : (struct query_folder_file){.hour = -1};
}

// Names a file that cannot be deleted, the last of `count` such files.
static void stuck_log(struct query_keep *k, const char *folder, const struct query_folder_file *f,
	int err, unsigned count)
{
	enum { AGAIN_MS = 3600 * 1000 };
	char path[PATH_MAX];
	const uint64_t now_ms = clock_mono_ms();
	if (now_ms < k->tell_ms || query_folder_path(folder, f->hour, f->part, path))
		return;
	k->tell_ms = now_ms + AGAIN_MS;
	log_warning("query store: cannot delete %s: %s; files that stay: %u", path, strerror(-err),
		count);
}

int query_folder_tidy(const char *path, struct query_keep *k, int64_t clock_s,
	const struct query_folder_file *open, uint64_t room, struct query_tidied *out)
{
	struct query_folder f;
	struct order order;
	const struct query_folder_file *stuck = NULL;
	int stuck_err = 0;
	unsigned stuck_count = 0;
	uint64_t stuck_bytes = 0;
	*out = (struct query_tidied){0};
	int rc = query_folder_scan(&f, path);
	if (rc == 0 && (rc = order_make(k, clock_s, &f, &order)) < 0)
		query_folder_free(&f);
	if (rc)
		return rc;
	out->is_read = true;
	out->bytes = f.bytes;
	for (unsigned i = 0; i + 1 < f.count; i++) {
		struct query_folder_file *one = &f.file[order_at(&order, i)];
		// Where files that stay fill the bound, the others would all go for nothing.
		bool is_much = out->bytes + room > k->max_bytes && stuck_bytes < k->max_bytes;
		if (is_same(one, open) || (one->hour >= order.oldest && !is_much))
			continue;
		int err = file_remove(path, one);
		if (err) {
			stuck = one;
			stuck_err = err;
			stuck_count++;
			stuck_bytes += one->bytes;
			continue;
		}
		out->bytes -= one->bytes;
		one->hour = -1;
		out->dropped++;
	}
	if (stuck)
		stuck_log(k, path, stuck, stuck_err, stuck_count);
	files_count(&f, out);
	wal_choose(k, &f, open, &out->with_wal); // which reorders the list
	query_folder_free(&f);
	return out->bytes > k->max_bytes ? stuck_err : 0;
}
