// SPDX-License-Identifier: BSD-3-Clause
#include "list_files.h"

#include "base/state_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/keyhash.h>
#include <weir/list_file.h>

static_assert((int)LIST_STORE_WHY_MAX == (int)STATE_FILE_WHY_MAX);

enum { READ_SIZE = 1 << 16, STORED_VERSION = 1 };
static const char stored_kind[] = "weir-list-state";

int list_store_paths_of(struct list_store_paths *out, const char *state_directory, uint64_t id)
{
	bool fits = list_file_path(out->list, PATH_MAX, state_directory, id, ".list")
		    && list_file_path(out->state, PATH_MAX, state_directory, id, ".state")
		    && list_file_path(out->temporary, PATH_MAX, state_directory, id, ".tmp");
	return fits ? 0 : -ENAMETOOLONG;
}

int list_store_paths(struct list_store_paths *out, const char *state_directory, const char *url)
{
	return list_store_paths_of(out, state_directory, list_file_id(url));
}

int list_store_open(const char *state_directory, char why[LIST_STORE_WHY_MAX])
{
	char folder[PATH_MAX];
	(void)!mkdir(state_directory, 0750);
	if (snprintf(folder, sizeof(folder), "%s/lists", state_directory) >= (int)sizeof(folder)) {
		snprintf(why, LIST_STORE_WHY_MAX, "the state directory's name is too long");
		return -ENAMETOOLONG;
	}
	if (mkdir(folder, 0750) && errno != EEXIST) {
		int err = -errno;
		snprintf(why, LIST_STORE_WHY_MAX, "%.150s: %s", folder, strerror(-err));
		return err;
	}
	return 0;
}

int list_store_hash(int fd, uint64_t *size, uint64_t *content_hash)
{
	char piece[READ_SIZE];
	struct contenthash_state state;
	uint64_t total = 0;
	contenthash_begin(&state);
	for (;;) {
		ssize_t n = pread(fd, piece, sizeof(piece), (off_t)total);
		if (n == 0)
			break;
		if (n > 0) {
			contenthash_update(&state, piece, (size_t)n);
			total += (uint64_t)n;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	*size = total;
	*content_hash = contenthash_finish(&state);
	return 0;
}

static bool file_is(const char *path, bool whole, const struct list_stored *s)
{
	struct stat st;
	uint64_t size = 0, hash = 0;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == s->size;
	if (same && whole)
		same = list_store_hash(fd, &size, &hash) == 0 && hash == s->content_hash;
	close(fd);
	return same;
}

int list_store_read(const struct list_store_paths *p, bool whole, struct list_stored *out)
{
	struct state_file f;
	struct list_stored s;
	if (state_file_read(&f, p->state, stored_kind, STORED_VERSION)
		|| !state_file_get(&f, "etag", s.etag, sizeof(s.etag))
		|| !state_file_get(&f, "last_modified", s.last_modified, sizeof(s.last_modified)))
		return -ENOENT;
	s.good_unix_s = state_file_get_number(&f, "good_unix_s");
	s.size = state_file_get_number(&f, "size");
	s.content_hash = state_file_get_number(&f, "content_hash");
	if (!file_is(p->list, whole, &s))
		return -ENOENT;
	*out = s;
	return 0;
}

int list_store_write_state(const struct list_store_paths *p, const struct list_stored *stored,
	char why[LIST_STORE_WHY_MAX])
{
	struct state_file f;
	state_file_begin(&f, stored_kind, STORED_VERSION);
	state_file_text(&f, "etag", stored->etag);
	state_file_text(&f, "last_modified", stored->last_modified);
	state_file_number(&f, "good_unix_s", stored->good_unix_s);
	state_file_number(&f, "size", stored->size);
	state_file_number(&f, "content_hash", stored->content_hash);
	return state_file_write(&f, p->state, why);
}

int list_store_take(const struct list_store_paths *p, int fd, const struct list_stored *stored,
	char why[LIST_STORE_WHY_MAX])
{
	// The folder is synced with the state, which goes the same way.
	if (fsync(fd) || rename(p->temporary, p->list)) {
		int err = -errno;
		snprintf(why, LIST_STORE_WHY_MAX, "%.150s: %s", p->list, strerror(-err));
		return err;
	}
	return list_store_write_state(p, stored, why);
}

// "0123456789abcdef.list" and so on.
static bool name_is_ours(const char *name, uint64_t *id)
{
	const char *ending = name + LIST_FILE_ID_LEN;
	return strspn(name, "0123456789abcdef") == LIST_FILE_ID_LEN
	       && sscanf(name, "%16" SCNx64, id) == 1
	       && (strcmp(ending, ".list") == 0 || strcmp(ending, ".state") == 0
		       || strcmp(ending, ".tmp") == 0);
}

void list_store_prune(const char *state_directory, const char *const *url, unsigned count)
{
	char folder[PATH_MAX];
	if (snprintf(folder, sizeof(folder), "%s/lists", state_directory) >= (int)sizeof(folder))
		return;
	DIR *d = opendir(folder);
	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d));) {
		uint64_t id;
		bool used = !name_is_ours(e->d_name, &id);
		for (unsigned i = 0; !used && i < count; i++)
			used = list_file_id(url[i]) == id;
		if (!used)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	closedir(d);
}

static const char kept_ending[] = ".kept";
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
	return list_file_path(out, PATH_MAX, state_directory, id_of(s), kept_ending)
		       ? 0
		       : -ENAMETOOLONG;
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
	// The copy gets the time of the list, which list_kept_is compares.
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
	char used[LIST_FILE_ID_LEN + sizeof(kept_ending)];
	for (unsigned i = 0; i < count; i++) {
		snprintf(used, sizeof(used), "%016" PRIx64 "%s", id_of(&source[i]), kept_ending);
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
		if (strncmp(e->d_name + strcspn(e->d_name, "."), kept_ending, strlen(kept_ending))
			== 0)
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
