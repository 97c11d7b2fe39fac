// SPDX-License-Identifier: BSD-3-Clause
#include "version_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static void path_of(char out[PATH_MAX], const char *folder, unsigned number, const char *kind)
{
	snprintf(out, PATH_MAX, "%s/%u.%s", folder, number, kind);
}

static bool is_before(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec < b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

// Repairs a version: its mode, and its blotted file if that is missing or older. An older weir
// wrote versions that the group can read, without blotted files; a version that was copied here may
// lack one too. A crash may have left a blotted file with an older result.
static void version_shut(const char *folder, unsigned number)
{
	struct config_version v;
	struct config_bundle b;
	struct stat st, blotted;
	char path[PATH_MAX], why[CONFIG_WHY_MAX];
	path_of(path, folder, number, "blotted");
	const bool has_blotted = lstat(path, &blotted) == 0;
	path_of(path, folder, number, "version");
	if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode)
		|| (has_blotted && !is_before(&blotted, &st) && !(st.st_mode & 077)))
		return;
	int rc = 0;
	if (config_version_read(folder, number, &v, &b, why) == 0) {
		rc = version_store_put(folder, &v, &b, why);
		config_bundle_free(&b);
	}
	if (rc < 0) // the data plane can read it as it is, until the next start
		log_warning("configuration: version %u keeps its secrets open: %s", number, why);
	else if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		(void)!chmod(path, 0600);
}

static int folder_make(
	const char *folder, const char *state_directory, char why[FILE_WRITE_WHY_MAX])
{
	(void)!mkdir(state_directory, 0750);
	if (mkdir(folder, 0750) == 0 || errno == EEXIST)
		return 0;
	const int err = errno;
	snprintf(why, FILE_WRITE_WHY_MAX, "%.200s: %s", folder, strerror(err));
	return -err;
}

int version_store_open(
	const char *folder, const char *state_directory, char why[FILE_WRITE_WHY_MAX])
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int rc = folder_make(folder, state_directory, why);
	int count = rc == 0 ? config_versions_list(folder, numbers) : 0;
	for (int i = 0; i < count; i++)
		version_shut(folder, numbers[i]);
	return rc;
}

unsigned version_store_newest(const char *folder)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int count = config_versions_list(folder, numbers);
	return count > 0 ? numbers[count - 1] : 0;
}

static int one_put(const char *path, const struct config_version *v, const struct config_bundle *b,
	bool is_shared, char why[FILE_WRITE_WHY_MAX])
{
	size_t len;
	char *text = config_version_text(v, b, &len);
	if (!text) {
		snprintf(why, FILE_WRITE_WHY_MAX, "%.200s: %s", path, strerror(EFBIG));
		return -EFBIG;
	}
	int rc = is_shared ? file_write_shared(path, text, len, why)
			   : file_write(path, text, len, why);
	heap_free(text);
	return rc;
}

static bool loads(const struct config_bundle *b)
{
	struct config_errors errors = {0};
	struct config *c = NULL;
	const bool ok = config_bundle_load(b, CONFIG_SECRETS_NONE, &c, &errors) == 0;
	config_free(c);
	return ok;
}

// Writes the version without its secrets, for the data plane, which must be able to start with it:
// a text that loads only with its secrets keeps them.
static int blotted_put(const char *folder, const struct config_version *v,
	const struct config_bundle *b, char why[FILE_WRITE_WHY_MAX])
{
	struct config_bundle blotted;
	char path[PATH_MAX];
	unsigned blots;
	path_of(path, folder, v->number, "blotted");
	int rc = config_bundle_blot(b, &blotted, &blots);
	if (rc < 0) {
		snprintf(why, FILE_WRITE_WHY_MAX, "%.200s: %s", path, strerror(-rc));
		return rc;
	}
	const bool is_fit = !blots || loads(&blotted) || !loads(b);
	if (!is_fit)
		log_warning("configuration: version %u does not load without its secrets, so the "
			    "data plane can read them",
			v->number);
	rc = one_put(path, v, is_fit ? &blotted : b, true, why);
	config_bundle_free(&blotted);
	return rc;
}

int version_store_put(const char *folder, const struct config_version *v,
	const struct config_bundle *b, char why[FILE_WRITE_WHY_MAX])
{
	char path[PATH_MAX];
	path_of(path, folder, v->number, "version");
	// A new version comes after its blotted file, which the data plane needs. A new result must
	// not wait for the blotted file.
	const bool is_new = access(path, F_OK) != 0;
	int rc = is_new ? blotted_put(folder, v, b, why) : 0;
	if (rc == 0)
		rc = one_put(path, v, b, false, why);
	if (rc == 0 && !is_new)
		rc = blotted_put(folder, v, b, why);
	if (rc < 0 && is_new && access(path, F_OK) != 0) { // it would take a full disk's room
		path_of(path, folder, v->number, "blotted");
		(void)unlink(path);
	}
	FAULT_POINT(version_stored);
	return rc;
}

// Writes `need` bytes to a file without a name. -errno.
static int room_try(const char *folder, uint64_t need)
{
	static const char zeros[64 << 10];
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/room", folder);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int rc = unlink(path) < 0 ? -errno : 0;
	for (uint64_t at = 0; rc == 0 && at < need; at += sizeof(zeros))
		rc = file_write_fd(fd, zeros, sizeof(zeros));
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int version_store_room(const char *folder, const struct config_version *v,
	const struct config_bundle *b, char why[FILE_WRITE_WHY_MAX])
{
	struct statvfs fs;
	size_t len = 0; // a text that is too long is not stored anyway
	heap_free(config_version_text(v, b, &len));
	if (statvfs(folder, &fs) < 0) {
		const int err = errno;
		snprintf(why, FILE_WRITE_WHY_MAX, "%.200s: %s", folder, strerror(err));
		return -err;
	}
	// Two files, and one of them again with its result. A file system without blocks has no
	// limit.
	const uint64_t need = 3 * (uint64_t)len + VERSION_STORE_SPARE;
	const uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room >= need || fs.f_blocks == 0)
		return 0;
	// Some file systems, such as those of FUSE, know of no free block and take writes.
	if (room == 0 && room_try(folder, need) == 0)
		return 0;
	snprintf(why, FILE_WRITE_WHY_MAX, "%.120s: %s: a version needs %u KiB", folder,
		strerror(ENOSPC), (unsigned)(need >> 10));
	return -ENOSPC;
}

int version_store_switch(const char *folder, unsigned number, char why[FILE_WRITE_WHY_MAX])
{
	char path[PATH_MAX], text[16];
	snprintf(path, sizeof(path), "%s/current", folder);
	int len = snprintf(text, sizeof(text), "%u\n", number);
	int rc = file_write_shared(path, text, (size_t)len, why);
	FAULT_POINT(version_switched);
	return rc;
}

int version_store_settle(const char *folder, unsigned number, enum config_version_result result,
	const char *reason, char why[CONFIG_WHY_MAX])
{
	struct config_version v;
	struct config_bundle b;
	int rc = config_version_read(folder, number, &v, &b, why);
	if (rc < 0)
		return rc;
	v.result = result;
	snprintf(v.reason, sizeof(v.reason), "%s", reason);
	rc = version_store_put(folder, &v, &b, why);
	config_bundle_free(&b);
	FAULT_POINT(version_settled);
	return rc;
}

void version_store_settle_pending(const char *folder, unsigned above, unsigned below,
	enum config_version_result result, const char *reason)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int count = config_versions_list(folder, numbers);
	for (int i = 0; i < count; i++) {
		struct config_version v;
		char why[CONFIG_WHY_MAX];
		if (numbers[i] <= above || numbers[i] >= below
			|| config_version_read(folder, numbers[i], &v, NULL, why) < 0)
			continue;
		if (config_version_is_watched(&v))
			(void)!version_store_settle(folder, numbers[i], result, reason, why);
	}
}

int version_store_take_back(const char *folder, unsigned above, unsigned number, const char *reason,
	char why[CONFIG_WHY_MAX])
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	int rc = 0;
	int count = config_versions_list(folder, numbers);
	for (int i = 0; i < count; i++) {
		struct config_version v;
		if (numbers[i] <= above || numbers[i] > number)
			continue;
		int err = config_version_read(folder, numbers[i], &v, NULL, why);
		if (err == 0 && v.result != CONFIG_VERSION_not_taken
			&& v.result != CONFIG_VERSION_taken_back)
			err = version_store_settle(
				folder, numbers[i], CONFIG_VERSION_taken_back, reason, why);
		rc = err < 0 ? err : rc;
	}
	return rc;
}

// Whether a version is small: made by the role `operate`, the timer or weir itself, which can make
// many.
static bool is_small(const char *folder, unsigned number)
{
	static const char *const whats[] = {
		"allow ", "deny ", "entry ", "list enable ", "list disable ", "services "};
	struct config_version v;
	char why[CONFIG_WHY_MAX];
	if (config_version_read(folder, number, &v, NULL, why) < 0)
		return false;
	bool is = strcmp(v.who, "timer") == 0 || strcmp(v.who, "weir") == 0;
	for (unsigned i = 0; i < ARRAY_LEN(whats); i++)
		is |= strncmp(v.what, whats[i], strlen(whats[i])) == 0;
	return is;
}

// Room for versions, used up from the newest version on until one does not fit.
struct room {
	unsigned left;
	uint64_t bytes;
};

static bool room_has(struct room *r, uint64_t size)
{
	if (size > r->bytes)
		r->left = 0;
	return r->left > 0;
}

static void room_take(struct room *r, uint64_t size)
{
	r->left -= r->left > 0;
	r->bytes -= size < r->bytes ? size : r->bytes;
}

static const char *const kinds[] = {"version", "blotted"};

static uint64_t version_size(const char *folder, unsigned number)
{
	char path[PATH_MAX];
	struct stat st;
	uint64_t size = 0;
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		path_of(path, folder, number, kinds[i]);
		size += lstat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	}
	return size;
}

static void version_remove(const char *folder, unsigned number)
{
	char path[PATH_MAX];
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		path_of(path, folder, number, kinds[i]);
		(void)unlink(path);
	}
}

void version_store_prune(const char *folder, unsigned in_force, unsigned good, unsigned base)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	struct room all = {CONFIG_VERSIONS_KEPT, VERSION_STORE_BYTES_MAX};
	struct room small = {VERSION_STORE_SMALL_MAX, VERSION_STORE_BYTES_MAX / 2};
	int count = config_versions_list(folder, numbers);
	for (int i = count - 1; i >= 0; i--) {
		const bool is_needed =
			numbers[i] == in_force || numbers[i] == good || numbers[i] == base;
		const bool of_small = is_small(folder, numbers[i]);
		const uint64_t size = version_size(folder, numbers[i]);
		if (!is_needed
			&& ((of_small && !room_has(&small, size)) || !room_has(&all, size))) {
			version_remove(folder, numbers[i]);
			continue;
		}
		room_take(&all, size);
		if (of_small)
			room_take(&small, size);
	}
	FAULT_POINT(version_pruned);
}

int version_store_stopped(const char *folder, bool is_stopped, char why[FILE_WRITE_WHY_MAX])
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/stopped", folder);
	if (is_stopped)
		return file_write_shared(path, "", 0, why);
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	const int err = errno;
	snprintf(why, FILE_WRITE_WHY_MAX, "%.200s: %s", path, strerror(err));
	return -err;
}
