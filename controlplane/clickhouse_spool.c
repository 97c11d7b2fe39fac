// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char unfinished[] = "unfinished.chunk";

static void path_of(
	const struct clickhouse_spool *s, const struct clickhouse_spooled *f, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX,
		"%s/%016" PRIx64 "-%016" PRIx64 "-%08" PRIx32 "-%08" PRIx32 "-%016" PRIx64
		"-%u.chunk",
		s->folder, f->chunk.run, f->chunk.number, f->hour, f->rows, f->weight,
		(unsigned)f->coding);
}

// The name must be the very one that path_of makes of what was read.
static bool name_parse(
	const struct clickhouse_spool *s, const char *name, struct clickhouse_spooled *out)
{
	char path[PATH_MAX];
	struct clickhouse_spooled f = {0};
	unsigned coding;
	if (sscanf(name, "%16" SCNx64 "-%16" SCNx64 "-%8" SCNx32 "-%8" SCNx32 "-%16" SCNx64 "-%1u",
		    &f.chunk.run, &f.chunk.number, &f.hour, &f.rows, &f.weight, &coding)
			!= 6
		|| coding >= CLICKHOUSE_CODINGS)
		return false;
	f.coding = coding;
	path_of(s, &f, path);
	if (strcmp(path + strlen(s->folder) + 1, name) != 0)
		return false;
	*out = f;
	return true;
}

static int by_age(const void *a, const void *b)
{
	const struct clickhouse_spooled *x = a, *y = b;
	if (x->chunk.run != y->chunk.run)
		return x->chunk.run < y->chunk.run ? -1 : 1;
	return x->chunk.number < y->chunk.number ? -1 : x->chunk.number > y->chunk.number;
}

static int scan(struct clickhouse_spool *s)
{
	char path[PATH_MAX];
	struct stat st;
	DIR *dir = opendir(s->folder);
	if (!dir)
		return -errno;
	for (struct dirent *e; (e = readdir(dir)) && s->count < CLICKHOUSE_SPOOL_FILES_MAX;) {
		struct clickhouse_spooled f;
		if (!name_parse(s, e->d_name, &f))
			continue;
		path_of(s, &f, path);
		if (stat(path, &st) < 0)
			continue;
		f.bytes = (uint64_t)st.st_size;
		s->bytes += f.bytes;
		s->file[s->count++] = f;
	}
	closedir(dir);
	qsort(s->file, s->count, sizeof *s->file, by_age);
	return 0;
}

const struct clickhouse_spooled *clickhouse_spool_first(const struct clickhouse_spool *s)
{
	return s->count ? &s->file[s->first] : NULL;
}

void clickhouse_spool_remove(struct clickhouse_spool *s)
{
	char path[PATH_MAX];
	if (!s->count)
		return;
	path_of(s, &s->file[s->first], path);
	(void)unlink(path);
	s->bytes -= s->file[s->first].bytes;
	s->first = (s->first + 1) % CLICKHOUSE_SPOOL_FILES_MAX;
	s->count--;
	s->is_first_held = false;
}

// The oldest that is not held. False: there is none.
static bool drop(struct clickhouse_spool *s)
{
	bool held = s->is_first_held;
	struct clickhouse_spooled first = s->file[s->first];
	unsigned second = (s->first + 1) % CLICKHOUSE_SPOOL_FILES_MAX;
	if (s->count <= held)
		return false;
	if (held) {
		s->file[s->first] = s->file[second];
		s->file[second] = first;
	}
	s->dropped_files++;
	s->dropped_rows += s->file[s->first].rows;
	s->dropped_weight += s->file[s->first].weight;
	clickhouse_spool_remove(s);
	s->is_first_held = held;
	return true;
}

int clickhouse_spool_open(struct clickhouse_spool *s, const char *folder, uint64_t max_bytes)
{
	char path[PATH_MAX];
	*s = (struct clickhouse_spool){.max_bytes = max_bytes};
	if (strlen(folder) >= sizeof s->folder)
		return -ENAMETOOLONG;
	strcpy(s->folder, folder);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	s->file = calloc(CLICKHOUSE_SPOOL_FILES_MAX, sizeof *s->file);
	if (!s->file)
		return -ENOMEM;
	snprintf(path, sizeof path, "%s/%s", folder, unfinished);
	(void)unlink(path);
	int ret = scan(s);
	if (ret)
		clickhouse_spool_close(s);
	while (ret == 0 && s->bytes > max_bytes && drop(s))
		;
	return ret;
}

void clickhouse_spool_close(struct clickhouse_spool *s)
{
	free(s->file);
	s->file = NULL;
	s->count = 0;
}

static int write_whole(int fd, const char *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int folder_sync(const struct clickhouse_spool *s)
{
	int fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int ret = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int file_write(
	const struct clickhouse_spool *s, const struct clickhouse_spooled *f, const void *body)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	snprintf(temporary, sizeof temporary, "%s/%s", s->folder, unfinished);
	path_of(s, f, path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int ret = write_whole(fd, body, f->bytes);
	close(fd);
	if (ret == 0 && rename(temporary, path) < 0)
		ret = -errno;
	if (ret) {
		(void)unlink(temporary);
		return ret;
	}
	ret = folder_sync(s);
	if (ret)
		(void)unlink(path);
	return ret;
}

bool clickhouse_spool_has_room(const struct clickhouse_spool *s, uint64_t bytes)
{
	return s->bytes + bytes <= s->max_bytes && s->count < CLICKHOUSE_SPOOL_FILES_MAX;
}

static int room_make(struct clickhouse_spool *s, uint64_t bytes)
{
	if (bytes > s->max_bytes)
		return -EFBIG;
	while (s->count
		&& (s->bytes + bytes > s->max_bytes || s->count == CLICKHOUSE_SPOOL_FILES_MAX))
		if (!drop(s))
			return -EFBIG;
	return 0;
}

int clickhouse_spool_put(
	struct clickhouse_spool *s, const struct clickhouse_spooled *what, const void *body)
{
	int ret = room_make(s, what->bytes);
	if (ret == 0)
		ret = file_write(s, what, body);
	if (ret)
		return ret;
	s->file[(s->first + s->count++) % CLICKHOUSE_SPOOL_FILES_MAX] = *what;
	s->bytes += what->bytes;
	return 0;
}

int clickhouse_spool_put_first(
	struct clickhouse_spool *s, const struct clickhouse_spooled *what, const void *body)
{
	if (s->bytes + what->bytes > s->max_bytes || s->count == CLICKHOUSE_SPOOL_FILES_MAX)
		return -ENOSPC;
	int ret = file_write(s, what, body);
	if (ret)
		return ret;
	s->first = (s->first + CLICKHOUSE_SPOOL_FILES_MAX - 1) % CLICKHOUSE_SPOOL_FILES_MAX;
	s->count++;
	s->file[s->first] = *what;
	s->bytes += what->bytes;
	s->is_first_held = true;
	return 0;
}

int clickhouse_spool_read(const struct clickhouse_spool *s, void **body)
{
	char path[PATH_MAX];
	const struct clickhouse_spooled *f = clickhouse_spool_first(s);
	if (!f)
		return -ENOENT;
	path_of(s, f, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	char *out = malloc(f->bytes + 1);
	size_t len = 0;
	int ret = out ? 0 : -ENOMEM;
	while (ret == 0 && len < f->bytes) {
		ssize_t n = read(fd, out + len, f->bytes - len);
		if (n == 0)
			ret = -EIO;
		else if (n > 0)
			len += (size_t)n;
		else if (errno != EINTR)
			ret = -errno;
	}
	close(fd);
	if (ret) {
		free(out);
		return ret;
	}
	*body = out;
	return 0;
}
