// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_spool_file.h"

#include "base/file_write.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <weir/heap_site.h>

static const char unfinished[] = "unfinished.chunk", aside[] = ".aside";

enum { NAME_SIZE = 128 };

static void name_of(const struct clickhouse_spooled *f, bool is_aside, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE,
		"%016" PRIx64 "-%016" PRIx64 "-%08" PRIx32 "-%08" PRIx32 "-%016" PRIx64
		"-%u.chunk%s",
		f->chunk.run, f->chunk.number, f->hour, f->rows, f->weight, (unsigned)f->coding,
		is_aside ? aside : "");
}

static void path_of(
	const char *folder, const struct clickhouse_spooled *f, bool is_aside, char out[PATH_MAX])
{
	char name[NAME_SIZE];
	name_of(f, is_aside, name);
	snprintf(out, PATH_MAX, "%s/%s", folder, name);
}

bool clickhouse_spool_name_read(const char *name, struct clickhouse_spooled *out, bool *is_aside)
{
	char made[NAME_SIZE];
	struct clickhouse_spooled f = {0};
	unsigned coding;
	if (sscanf(name, "%16" SCNx64 "-%16" SCNx64 "-%8" SCNx32 "-%8" SCNx32 "-%16" SCNx64 "-%1u",
		    &f.chunk.run, &f.chunk.number, &f.hour, &f.rows, &f.weight, &coding)
			!= 6
		|| coding >= CLICKHOUSE_CODINGS)
		return false;
	f.coding = coding;
	for (unsigned i = 0; i < 2; i++) {
		name_of(&f, i, made);
		if (strcmp(made, name) == 0) {
			*out = f;
			*is_aside = i;
			return true;
		}
	}
	return false;
}

int clickhouse_spooled_order(const struct clickhouse_spooled *a, const struct clickhouse_spooled *b)
{
	if (a->chunk.run != b->chunk.run)
		return a->chunk.run < b->chunk.run ? -1 : 1;
	return clickhouse_number_order(a->chunk.number, b->chunk.number);
}

void clickhouse_spool_tidy(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", folder, unfinished);
	(void)unlink(path);
}

void clickhouse_spool_unlink(const char *folder, const struct clickhouse_spooled *f, bool is_aside)
{
	char path[PATH_MAX];
	path_of(folder, f, is_aside, path);
	(void)unlink(path);
}

int clickhouse_spool_rename_aside(const char *folder, const struct clickhouse_spooled *f)
{
	char from[PATH_MAX], to[PATH_MAX];
	path_of(folder, f, false, from);
	path_of(folder, f, true, to);
	return rename(from, to) < 0 ? -errno : 0;
}

int clickhouse_spool_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

uint32_t clickhouse_spool_file_bytes(
	const struct clickhouse_origin *origin, const struct clickhouse_spooled *what)
{
	return clickhouse_file_head_bytes(origin) + what->bytes;
}

int clickhouse_spool_write(const char *folder, const struct clickhouse_spooled *f,
	const struct clickhouse_origin *origin, const void *body)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	uint8_t head[CLICKHOUSE_FILE_HEAD_MAX];
	size_t len = clickhouse_file_head(head, f, origin, body);
	if (!len)
		return -ENAMETOOLONG;
	snprintf(temporary, sizeof(temporary), "%s/%s", folder, unfinished);
	path_of(folder, f, false, path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int rc = file_write_fd(fd, head, len);
	if (rc == 0)
		rc = file_write_fd(fd, body, f->bytes);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	close(fd);
	if (rc == 0 && rename(temporary, path) < 0)
		rc = -errno;
	if (rc) {
		(void)unlink(temporary);
		return rc;
	}
	rc = clickhouse_spool_sync(folder);
	if (rc)
		(void)unlink(path);
	return rc;
}

static int read_whole(int fd, char *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, out + got, len - got);
		if (n == 0)
			return -EBADMSG; // shorter than it was
		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int clickhouse_spool_file_read(const char *folder, struct clickhouse_spooled *f,
	struct clickhouse_origin *origin, void **body)
{
	char path[PATH_MAX];
	size_t at = 0, len = 0;
	if (f->file_bytes == 0 || f->file_bytes > CLICKHOUSE_FILE_MAX)
		return -EBADMSG;
	path_of(folder, f, false, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	char *bytes = heap_malloc(f->file_bytes);
	int rc = bytes ? read_whole(fd, bytes, f->file_bytes) : -ENOMEM;
	close(fd);
	if (rc == 0)
		rc = clickhouse_file_read(bytes, f->file_bytes, f, origin, &at, &len);
	if (rc) {
		heap_free(bytes);
		return rc;
	}
	memmove(bytes, bytes + at, len);
	f->bytes = (uint32_t)len;
	*body = bytes;
	return 0;
}
