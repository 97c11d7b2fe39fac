// SPDX-License-Identifier: BSD-3-Clause
#include "file_seen.h"

#include <string.h>
#include <sys/stat.h>
#include <weir/keyhash.h>

static struct file_seen seen_now(const char *path, mode_t kind)
{
	struct stat st;
	if (stat(path, &st) || (st.st_mode & S_IFMT) != kind)
		return (struct file_seen){0};
	return (struct file_seen){.path_hash = contenthash(path, strlen(path)),
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.changed = st.st_ctim,
		.modified = st.st_mtim};
}

struct file_seen file_seen_now(const char *path)
{
	return seen_now(path, S_IFREG);
}

struct file_seen file_seen_folder(const char *path)
{
	return seen_now(path, S_IFDIR);
}

static bool time_same(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool file_seen_same(const struct file_seen *a, const struct file_seen *b)
{
	return a->path_hash && a->path_hash == b->path_hash && a->device == b->device
	       && a->inode == b->inode && a->size == b->size && time_same(&a->changed, &b->changed)
	       && time_same(&a->modified, &b->modified);
}

struct file_seen file_seen_settled(
	const struct file_seen *before, const char *path, time_t read_unix_s)
{
	struct file_seen after = file_seen_now(path);
	bool settled = before->changed.tv_sec < read_unix_s - FILE_SEEN_SETTLED_S;
	return settled && file_seen_same(before, &after) ? after : (struct file_seen){0};
}
