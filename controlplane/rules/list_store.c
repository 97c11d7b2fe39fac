// SPDX-License-Identifier: BSD-3-Clause
#include "list_store.h"

#include "lists/state_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/keyhash.h>
#include <weir/list_file.h>

static_assert((int)LIST_STORE_WHY_MAX == (int)STATE_FILE_WHY_MAX);

enum { READ_SIZE = 1 << 16, STORED_VERSION = 1 };
static const char stored_kind[] = "weir-list-state";

int list_store_paths(struct list_store_paths *out, const char *state_directory, const char *url)
{
	uint64_t id = list_file_id(url);
	bool fits = list_file_path(out->list, PATH_MAX, state_directory, id, ".list")
		    && list_file_path(out->state, PATH_MAX, state_directory, id, ".state")
		    && list_file_path(out->temporary, PATH_MAX, state_directory, id, ".tmp");
	return fits ? 0 : -ENAMETOOLONG;
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
