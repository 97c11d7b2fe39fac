// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_spool.h"

#include "base/file_write.h"
#include "clickhouse_outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

// Files of the folder: their names, and how they are written and read.

static const char unfinished[] = "unfinished.chunk", aside_suffix[] = ".aside";

enum { NAME_SIZE = 128 };

static void name_of(const struct clickhouse_spooled *f, bool is_aside, char out[NAME_SIZE])
{
	snprintf(out, NAME_SIZE,
		"%016" PRIx64 "-%016" PRIx64 "-%08" PRIx32 "-%08" PRIx32 "-%016" PRIx64
		"-%u.chunk%s",
		f->chunk.run, f->chunk.number, f->hour, f->rows, f->weight, (unsigned)f->coding,
		is_aside ? aside_suffix : "");
}

static void path_of(
	const char *folder, const struct clickhouse_spooled *f, bool is_aside, char out[PATH_MAX])
{
	char name[NAME_SIZE];
	name_of(f, is_aside, name);
	snprintf(out, PATH_MAX, "%s/%s", folder, name);
}

static bool name_read(const char *name, struct clickhouse_spooled *out, bool *is_aside)
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

static void unfinished_unlink(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", folder, unfinished);
	(void)unlink(path);
}

static void file_unlink(const char *folder, const struct clickhouse_spooled *f, bool is_aside)
{
	char path[PATH_MAX];
	path_of(folder, f, is_aside, path);
	(void)unlink(path);
}

static int file_rename_aside(const char *folder, const struct clickhouse_spooled *f)
{
	char from[PATH_MAX], to[PATH_MAX];
	path_of(folder, f, false, from);
	path_of(folder, f, true, to);
	return rename(from, to) < 0 ? -errno : 0;
}

static int folder_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static uint32_t file_size(
	const struct clickhouse_origin *origin, const struct clickhouse_spooled *what)
{
	return clickhouse_file_head_bytes(origin) + what->bytes;
}

static int file_put(const char *folder, const struct clickhouse_spooled *f,
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
	rc = folder_sync(folder);
	if (rc)
		(void)unlink(path);
	return rc;
}

static int read_whole(int fd, char *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = read(fd, out + got, len - got);
		if (n == 0)
			return -EBADMSG; // the file became shorter
		if (n > 0)
			got += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int file_get(const char *folder, struct clickhouse_spooled *f,
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

// The list of the files.

static int by_age(const void *a, const void *b)
{
	return clickhouse_spooled_order(a, b);
}

static void drop_counted(struct clickhouse_spool *s, const struct clickhouse_spooled *f)
{
	s->dropped_files++;
	s->dropped_rows += f->rows;
	s->dropped_weight += f->weight;
}

// Keeps the list a heap with the oldest on top, so that the newest files stay whatever the order of
// the folder.
static void heap_sink(struct clickhouse_spooled *file, unsigned count, unsigned at)
{
	for (;;) {
		unsigned child = 2 * at + 1;
		if (child >= count)
			return;
		if (child + 1 < count && by_age(&file[child + 1], &file[child]) < 0)
			child++;
		if (by_age(&file[at], &file[child]) <= 0)
			return;
		const struct clickhouse_spooled f = file[at];
		file[at] = file[child];
		file[child] = f;
		at = child;
	}
}

static void scan_add(struct clickhouse_spool *s, const struct clickhouse_spooled *f)
{
	struct clickhouse_spooled gone = *f;
	if (s->count < CLICKHOUSE_SPOOL_FILES_MAX) {
		s->file[s->count++] = *f;
		s->bytes += f->file_bytes;
		for (unsigned i = s->count / 2; s->count == CLICKHOUSE_SPOOL_FILES_MAX && i > 0;)
			heap_sink(s->file, s->count, --i);
		return;
	}
	if (by_age(f, &s->file[0]) > 0) {
		gone = s->file[0];
		s->bytes += (uint64_t)f->file_bytes - gone.file_bytes;
		s->file[0] = *f;
		heap_sink(s->file, s->count, 0);
	}
	drop_counted(s, &gone);
	file_unlink(s->folder, &gone, false);
}

// Adds a file that was put aside, in order of age. Deletes the oldest when there are too many, and
// a file that is larger than the bound itself.
static void aside_add(struct clickhouse_spool *s, const struct clickhouse_spooled *f)
{
	const uint64_t max = s->max_bytes / 4;
	unsigned at;
	if (f->file_bytes > max) {
		file_unlink(s->folder, f, true);
		return;
	}
	while (s->aside_count
		&& (s->aside_count == CLICKHOUSE_ASIDE_MAX
			|| s->aside_bytes + f->file_bytes > max)) {
		file_unlink(s->folder, &s->aside[0], true);
		s->aside_bytes -= s->aside[0].file_bytes;
		memmove(&s->aside[0], &s->aside[1], --s->aside_count * sizeof(s->aside[0]));
	}
	for (at = s->aside_count; at > 0 && by_age(&s->aside[at - 1], f) > 0; at--)
		s->aside[at] = s->aside[at - 1];
	s->aside[at] = *f;
	s->aside_count++;
	s->aside_bytes += f->file_bytes;
}

// Deletes pieces whose whole is there too: a crash interrupted the cut, and no piece was sent.
static void pieces_drop(struct clickhouse_spool *s)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < s->count; i++) {
		const struct clickhouse_spooled *f = &s->file[i],
						*before = kept ? &s->file[kept - 1] : NULL;
		if (before && before->chunk.run == f->chunk.run
			&& clickhouse_number_has(before->chunk.number, f->chunk.number)) {
			s->bytes -= f->file_bytes;
			file_unlink(s->folder, f, false);
		} else {
			s->file[kept++] = *f;
		}
	}
	s->count = kept;
}

static int scan(struct clickhouse_spool *s)
{
	struct stat st;
	DIR *dir = opendir(s->folder);
	if (!dir)
		return -errno;
	for (struct dirent *e; (e = readdir(dir));) {
		struct clickhouse_spooled f;
		bool is_aside;
		if (!name_read(e->d_name, &f, &is_aside)
			|| fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0
			|| !S_ISREG(st.st_mode))
			continue;
		// clickhouse_file_read detects a file longer than any of weir's.
		f.file_bytes = st.st_size < UINT32_MAX ? (uint32_t)st.st_size : UINT32_MAX;
		if (is_aside)
			aside_add(s, &f);
		else
			scan_add(s, &f);
	}
	closedir(dir);
	qsort(s->file, s->count, sizeof(*s->file), by_age);
	pieces_drop(s);
	return 0;
}

const struct clickhouse_spooled *clickhouse_spool_first(const struct clickhouse_spool *s)
{
	return s->count ? &s->file[s->first] : NULL;
}

static struct clickhouse_spooled pop(struct clickhouse_spool *s)
{
	const struct clickhouse_spooled f = s->file[s->first];
	s->bytes -= f.file_bytes;
	s->first = (s->first + 1) % CLICKHOUSE_SPOOL_SLOTS;
	s->count--;
	s->is_first_held = false;
	return f;
}

static void push(struct clickhouse_spool *s, const struct clickhouse_spooled *f)
{
	s->first = (s->first + CLICKHOUSE_SPOOL_SLOTS - 1) % CLICKHOUSE_SPOOL_SLOTS;
	s->file[s->first] = *f;
	s->bytes += f->file_bytes;
	s->count++;
}

void clickhouse_spool_remove(struct clickhouse_spool *s)
{
	if (!s->count)
		return;
	const struct clickhouse_spooled f = pop(s);
	file_unlink(s->folder, &f, false);
}

void clickhouse_spool_put_aside(struct clickhouse_spool *s)
{
	if (!s->count)
		return;
	const struct clickhouse_spooled f = pop(s);
	if (file_rename_aside(s->folder, &f) == 0)
		aside_add(s, &f);
	else
		file_unlink(s->folder, &f, false);
}

// Deletes the oldest chunk that is not held. False: no such chunk.
static bool drop(struct clickhouse_spool *s)
{
	bool held = s->is_first_held;
	struct clickhouse_spooled first = s->file[s->first];
	unsigned second = (s->first + 1) % CLICKHOUSE_SPOOL_SLOTS;
	if (s->count <= held)
		return false;
	if (held) {
		s->file[s->first] = s->file[second];
		s->file[second] = first;
	}
	drop_counted(s, &s->file[s->first]);
	clickhouse_spool_remove(s);
	s->is_first_held = held;
	return true;
}

int clickhouse_spool_open(
	struct clickhouse_spool *s, const char *folder, const char *box, uint64_t max_bytes)
{
	*s = (struct clickhouse_spool){.max_bytes = max_bytes};
	if (strlen(folder) >= sizeof(s->folder) || strlen(box) >= CLICKHOUSE_BOX_MAX)
		return -ENAMETOOLONG;
	strcpy(s->folder, folder);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	s->file = heap_calloc(CLICKHOUSE_SPOOL_SLOTS, sizeof(*s->file));
	s->own = heap_calloc(1, sizeof(*s->own));
	if (!s->file || !s->own) {
		clickhouse_spool_close(s);
		return -ENOMEM;
	}
	strcpy(s->own->box, box);
	strcpy(s->own->columns, clickhouse_layout_own);
	unfinished_unlink(folder);
	int rc = scan(s);
	if (rc)
		clickhouse_spool_close(s);
	while (rc == 0 && s->bytes > max_bytes && drop(s))
		;
	return rc;
}

void clickhouse_spool_close(struct clickhouse_spool *s)
{
	FREE_AND_NULL(s->file);
	FREE_AND_NULL(s->own);
	s->count = 0;
}

bool clickhouse_spool_has_room(const struct clickhouse_spool *s, uint64_t bytes)
{
	return s->bytes + clickhouse_file_head_bytes(s->own) + bytes <= s->max_bytes
	       && s->count < CLICKHOUSE_SPOOL_FILES_MAX;
}

static int room_make(struct clickhouse_spool *s, uint64_t file_bytes)
{
	if (file_bytes > s->max_bytes)
		return -EFBIG;
	while (s->count
		&& (s->bytes + file_bytes > s->max_bytes || s->count >= CLICKHOUSE_SPOOL_FILES_MAX))
		if (!drop(s))
			return -EFBIG;
	return 0;
}

// Inserts behind all older chunks: nearly always at the end, except pieces of a cut chunk.
static void insert(struct clickhouse_spool *s, const struct clickhouse_spooled *f)
{
	unsigned at = s->count++;
	for (; at > s->is_first_held; at--) {
		const struct clickhouse_spooled *before =
			&s->file[(s->first + at - 1) % CLICKHOUSE_SPOOL_SLOTS];
		if (by_age(before, f) <= 0)
			break;
		s->file[(s->first + at) % CLICKHOUSE_SPOOL_SLOTS] = *before;
	}
	s->file[(s->first + at) % CLICKHOUSE_SPOOL_SLOTS] = *f;
	s->bytes += f->file_bytes;
}

int clickhouse_spool_put(struct clickhouse_spool *s, const struct clickhouse_spooled *what,
	const struct clickhouse_origin *origin, const void *body)
{
	const struct clickhouse_origin *of = origin ? origin : s->own;
	struct clickhouse_spooled f = *what;
	f.file_bytes = file_size(of, what);
	int rc = room_make(s, f.file_bytes);
	if (rc == 0)
		rc = file_put(s->folder, &f, of, body);
	if (rc == 0)
		insert(s, &f);
	return rc;
}

int clickhouse_spool_put_first(struct clickhouse_spool *s, const struct clickhouse_spooled *what,
	const struct clickhouse_origin *origin, const void *body)
{
	const struct clickhouse_origin *of = origin ? origin : s->own;
	struct clickhouse_spooled f = *what;
	f.file_bytes = file_size(of, what);
	if (s->bytes + f.file_bytes > s->max_bytes || s->count >= CLICKHOUSE_SPOOL_FILES_MAX)
		return -ENOSPC;
	int rc = file_put(s->folder, &f, of, body);
	if (rc)
		return rc;
	push(s, &f);
	s->is_first_held = true;
	return 0;
}

int clickhouse_spool_read(
	struct clickhouse_spool *s, void **body, struct clickhouse_origin **origin)
{
	struct clickhouse_origin *of = heap_malloc(sizeof(*of));
	if (!s->count || !of) {
		heap_free(of);
		return s->count ? -ENOMEM : -ENOENT;
	}
	int rc = file_get(s->folder, &s->file[s->first], of, body);
	if (rc) {
		heap_free(of);
		return rc;
	}
	if (!*of->box)
		strcpy(of->box, s->own->box);
	if (strcmp(of->box, s->own->box) == 0 && strcmp(of->columns, s->own->columns) == 0) {
		heap_free(of);
		of = NULL;
	}
	*origin = of;
	return 0;
}

int clickhouse_spool_cut(struct clickhouse_spool *s, const struct clickhouse_half half[2],
	const struct clickhouse_origin *origin)
{
	struct clickhouse_spooled f[2] = {half[0].what, half[1].what};
	const struct clickhouse_origin *of = origin ? origin : s->own;
	int rc = 0;
	if (!s->count || s->count + 1 >= CLICKHOUSE_SPOOL_SLOTS)
		return -ENOSPC;
	for (unsigned i = 0; i < 2 && rc == 0; i++) {
		f[i].file_bytes = file_size(of, &f[i]);
		rc = file_put(s->folder, &f[i], of, half[i].body);
	}
	if (rc) {
		file_unlink(s->folder, &f[0], false);
		file_unlink(s->folder, &f[1], false);
		return rc;
	}
	clickhouse_spool_remove(s);
	// If the whole came back after a power cut its halves would be deleted, so no half may be
	// sent before this sync. If the disk does not sync, weir cannot undo the cut: some rows may
	// be sent twice.
	(void)!folder_sync(s->folder);
	push(s, &f[1]);
	push(s, &f[0]);
	return 0;
}

void clickhouse_spool_instance(
	const char *machine_file, const char *folder, char out[CLICKHOUSE_INSTANCE_MAX])
{
	char id[64] = "", text[PATH_MAX + 80];
	out[0] = '\0';
	FILE *f = fopen(machine_file, "re");
	if (!f)
		return;
	bool has_id = fgets(id, sizeof(id), f) && id[0] != '\n';
	fclose(f);
	if (!has_id)
		return;
	int len = snprintf(text, sizeof(text), "%s%s", id, folder);
	snprintf(out, CLICKHOUSE_INSTANCE_MAX, "%016" PRIx64, contenthash(text, (size_t)len));
}
