// SPDX-License-Identifier: BSD-3-Clause
#include "config_files.h"

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

// The state of a folder, which changes if a file in it comes, goes or gets another name.
static struct file_seen file_seen_folder(const char *path)
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

// The paths of the configuration's files; NULL, "" or no absolute path: there is no such file.
static void paths_of(const struct config *c, const char *path[CONFIG_FILES])
{
	path[0] = c->path;
	config_key_files(c, path + 1);
	// A load reads the anchors only to validate, and their default need not exist.
	for (unsigned i = 1; i < CONFIG_FILES_ALONE; i++) {
		if (path[i] == c->dnssec.anchors && !c->dnssec.validate)
			path[i] = NULL;
	}
	for (unsigned i = 0; i < CONFIG_TSIG_KEYS_MAX; i++)
		path[CONFIG_FILES_ALONE + i] = i < c->blocking.tsig_key_count
						       ? c->blocking.tsig_keys[i].secret_file
						       : NULL;
	const struct config_time_zones *zones = &c->time_zones;
	for (unsigned i = 0; i < CONFIG_TIME_ZONES_MAX; i++)
		path[CONFIG_FILES_ZONES + i] = i < zones->count ? zones->one[i].path : NULL;
	const struct config_include *in = &c->include;
	for (unsigned i = 0; i < CONFIG_INCLUDED_MAX; i++)
		path[CONFIG_FILES_INCLUDED + i] = i < in->file_count ? in->files[i] : NULL;
	for (unsigned i = 0; i < CONFIG_INCLUDE_MAX; i++)
		path[CONFIG_FILES_FOLDERS + i] = i < in->folder_count ? in->folders[i] : NULL;
}

// Whether the text is a file's path. Credentials and variables of a process never change.
static bool is_file(const char *path)
{
	return path && path[0] == '/';
}

// The present state of the file or folder with number `i`.
static struct file_seen look(const char *path, unsigned i)
{
	return i < CONFIG_FILES_FOLDERS ? file_seen_now(path) : file_seen_folder(path);
}

void config_files_note(struct config_files *f, const struct config *c, time_t began_unix_s)
{
	const char *path[CONFIG_FILES];

	*f = (struct config_files){0};
	paths_of(c, path);
	for (unsigned i = 0; i < CONFIG_FILES; i++) {
		if (!is_file(path[i]))
			continue;
		struct file_seen seen = look(path[i], i);
		if (seen.changed.tv_sec < began_unix_s - FILE_SEEN_SETTLED_S)
			f->seen[i] = seen;
	}
}

bool config_files_same(const struct config_files *f, const struct config *c)
{
	const char *path[CONFIG_FILES];
	bool same = c->path != NULL;

	paths_of(c, path);
	for (unsigned i = 0; same && i < CONFIG_FILES; i++) {
		if (!is_file(path[i]))
			continue;
		struct file_seen now = look(path[i], i);
		same = file_seen_same(&f->seen[i], &now);
	}
	return same;
}
