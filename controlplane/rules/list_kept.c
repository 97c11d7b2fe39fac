// SPDX-License-Identifier: BSD-3-Clause
#include "list_kept.h"

#include "list_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/keyhash.h>
#include <weir/list_file.h>

static const char ending[] = ".kept";
enum { COPY_STEP = 1 << 20 };

static uint64_t id_of(const struct rule_source *s)
{
	const struct {
		uint64_t title;
		uint32_t format, allow;
	} id = {contenthash(s->title, strlen(s->title)), s->format, s->allow};
	return contenthash(&id, sizeof(id));
}

int list_kept_path(char out[PATH_MAX], const char *state_directory, const struct rule_source *s)
{
	return list_file_path(out, PATH_MAX, state_directory, id_of(s), ending) ? 0 : -ENAMETOOLONG;
}

static int copy_bytes(int from, int to)
{
	for (uint64_t total = 0; total <= RULE_SOURCE_BYTES_MAX;) {
		ssize_t n = sendfile(to, from, NULL, COPY_STEP);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		total += n > 0 ? (uint64_t)n : 0;
	}
	return -EFBIG;
}

bool list_kept_is(const char *path, const char *kept)
{
	struct stat a, b;
	return stat(path, &a) == 0 && stat(kept, &b) == 0 && a.st_size == b.st_size
	       && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

static int check_room(int fd, uint64_t size, uint64_t spare)
{
	struct statvfs fs;
	if (fstatvfs(fd, &fs))
		return -errno;
	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	return size > room || room - size < spare ? -ENOSPC : 0;
}

static int copy_file(const char *path, const char *temporary, uint64_t content_hash, uint64_t spare)
{
	uint64_t size, hash;
	struct stat st;
	int from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (from < 0)
		return -errno;
	int err = fstat(from, &st) ? -errno : 0;
	int to = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		err = -errno;
	FAULT_POINT(copy_file_made);
	if (!err)
		err = check_room(to, (uint64_t)st.st_size, spare);
	if (!err)
		err = copy_bytes(from, to);
	FAULT_POINT(copy_written);
	// With the time of the list, which list_kept_is compares.
	if (!err && futimens(to, (const struct timespec[2]){st.st_atim, st.st_mtim}))
		err = -errno;
	FAULT_POINT(copy_dated);
	if (!err)
		err = list_store_hash(to, &size, &hash);
	if (!err && hash != content_hash)
		err = -ESTALE;
	if (!err && fsync(to))
		err = -errno;
	FAULT_POINT(copy_synced);
	if (to >= 0)
		close(to);
	close(from);
	return err;
}

int list_kept_take(const char *state_directory, const struct rule_source *s, uint64_t content_hash,
	uint64_t spare)
{
	char why[LIST_STORE_WHY_MAX], kept[PATH_MAX], temporary[PATH_MAX + 8];
	int err = list_kept_path(kept, state_directory, s);
	if (!err && list_kept_is(s->path, kept))
		return 0;
	if (!err)
		err = list_store_open(state_directory, why);
	if (err)
		return err;
	snprintf(temporary, sizeof(temporary), "%s.tmp", kept);
	(void)unlink(temporary);
	FAULT_POINT(copy_emptied);
	// A stored list is only ever replaced as a whole.
	if (s->stored) {
		err = link(s->path, temporary) ? -errno : 0;
		FAULT_POINT(copy_linked);
	} else {
		err = copy_file(s->path, temporary, content_hash, spare);
	}
	// Two names of one file are renamed to nothing at all: the temporary one would stay.
	if (!err && rename(temporary, kept))
		err = -errno;
	FAULT_POINT(copy_renamed);
	(void)unlink(temporary);
	return err;
}

static bool is_used(const char *name, const struct rule_source *source, unsigned count)
{
	char used[LIST_FILE_ID_LEN + sizeof(ending)];
	for (unsigned i = 0; i < count; i++) {
		snprintf(used, sizeof(used), "%016" PRIx64 "%s", id_of(&source[i]), ending);
		if (source[i].kept && strcmp(name, used) == 0)
			return true;
	}
	return false;
}

// Calls `each` for every file that is a copy or was to become one.
static void each_copy(const char *state_directory,
	void (*each)(void *arg, int folder, const char *name), void *arg)
{
	char folder[PATH_MAX];
	if (snprintf(folder, sizeof(folder), "%s/lists", state_directory) >= (int)sizeof(folder))
		return;
	DIR *d = opendir(folder);
	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d));)
		if (strncmp(e->d_name + strcspn(e->d_name, "."), ending, strlen(ending)) == 0)
			each(arg, dirfd(d), e->d_name);
	closedir(d);
}

struct pruning {
	const struct rule_source *source;
	unsigned count;
};

static void prune_one(void *arg, int folder, const char *name)
{
	const struct pruning *p = arg;
	if (is_used(name, p->source, p->count))
		return;
	(void)unlinkat(folder, name, 0);
	FAULT_POINT(copy_pruned);
}

void list_kept_prune(const char *state_directory, const struct rule_source *source, unsigned count)
{
	each_copy(state_directory, prune_one, &(struct pruning){source, count});
}

static void count_one(void *arg, int folder, const char *name)
{
	uint64_t *bytes = arg;
	struct stat st;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*bytes += (uint64_t)st.st_size;
}

uint64_t list_kept_bytes(const char *state_directory)
{
	uint64_t bytes = 0;
	each_copy(state_directory, count_one, &bytes);
	return bytes;
}

uint64_t list_kept_unix_s(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 ? (uint64_t)st.st_mtim.tv_sec : 0;
}
