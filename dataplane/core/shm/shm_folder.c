// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/text.h>

enum { ID_DIGITS = 16, PAUSE_MS = 10 };

// Locks without waiting: -EAGAIN if another process has the lock.
static int lock_take(int fd, short kind)
{
	struct flock lock = {.l_type = kind, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

// The last two are former names: folders that earlier builds left are swept too.
static bool is_made_by_weir(const char *name)
{
	static const char *const stems[] = {"l0.", "rule_image.", "policy.", "hops.", "rings.",
		"answers.", "marks.", "names.", "lane."};
	for (unsigned i = 0; i < ARRAY_LEN(stems); i++)
		if (strncmp(name, stems[i], strlen(stems[i])) == 0)
			return true;
	return strcmp(name, "directory") == 0 || strcmp(name, "stats") == 0
	       || strcmp(name, "reader") == 0 || strcmp(name, SHM_NAME_LOG_HAND) == 0;
}

static void regions_remove(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	const struct dirent *e;
	for (unsigned i = 0; i < FOLDER_LOOKS_MAX && (e = readdir(d)); i++)
		if (is_made_by_weir(e->d_name))
			(void)unlinkat(folder, e->d_name, 0);
	closedir(d);
}

// The lock last: a process that waits for it then finds that its file is gone.
static bool rest_remove(int root, int folder, const char *name)
{
	(void)unlinkat(folder, "run", 0);
	(void)unlinkat(folder, "lock", 0);
	return unlinkat(root, name, AT_REMOVEDIR) == 0;
}

void shm_folder_remove(const char *folder, bool whole)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	regions_remove(fd);
	if (whole)
		(void)rest_remove(AT_FDCWD, fd, folder);
	close(fd);
}

static void run_link(int folder, const char *run)
{
	char there[SHM_PATH_MAX];
	ssize_t len = readlinkat(folder, "run", there, sizeof(there));
	if (len == (ssize_t)strlen(run) && memcmp(there, run, (size_t)len) == 0)
		return;
	(void)unlinkat(folder, "run", 0);
	if (symlinkat(run, folder, "run") != 0)
		return; // the folder only goes sooner
}

// A read lock on the file that the folder has by the end. -EAGAIN: another process is removing it.
static int lock_shared(int folder)
{
	int fd = openat(
		folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	struct stat mine, there;
	int rc = lock_take(fd, F_RDLCK);
	if (rc == 0
		&& (fstat(fd, &mine) < 0 || fstatat(folder, "lock", &there, 0) < 0
			|| mine.st_ino != there.st_ino))
		rc = -EAGAIN;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int shm_folder_hold(const char *folder, const char *run, char why[SHM_WHY_MAX])
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = dir < 0 ? -errno : lock_shared(dir);
	for (unsigned i = 0; i < FOLDER_TRIES && rc == -EAGAIN; i++) {
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
		rc = lock_shared(dir);
	}
	if (rc >= 0)
		run_link(dir, run);
	if (dir >= 0)
		close(dir);
	return rc < 0 ? shm_fail(why, -rc, "%s/lock: %s", folder, strerror(-rc)) : rc;
}

int shm_folder_keep(const char *folder, const char *run, int hold)
{
	struct stat mine, there;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	int rc = fstat(hold, &mine) < 0 ? -errno : 1;
	if (rc == 1 && fstatat(dir, "lock", &there, AT_SYMLINK_NOFOLLOW) == 0
		&& there.st_ino == mine.st_ino && there.st_dev == mine.st_dev)
		rc = 0;
	int made = rc == 1 ? lock_shared(dir) : -1;
	if (rc == 1 && (made < 0 || dup3(made, hold, O_CLOEXEC) < 0))
		rc = made < 0 ? made : -errno;
	if (made >= 0)
		close(made);
	if (rc >= 0)
		run_link(dir, run);
	close(dir);
	return rc;
}

// Is it "<flat>.<identity>" of another weir?
static bool is_of_another(const char *name, uint64_t own, uint64_t *id)
{
	const char *dot = strrchr(name, '.');
	if (!dot || dot == name || strlen(dot + 1) != ID_DIGITS
		|| strspn(dot + 1, "0123456789abcdef") != ID_DIGITS)
		return false;
	*id = strtoull(dot + 1, NULL, 16);
	return *id != own;
}

// Stopped, but its runtime directory is here: it may come back and use what lies in its folder.
static bool may_come_back(int folder, uint64_t id)
{
	char run[SHM_PATH_MAX], why[SHM_WHY_MAX];
	uint64_t there = 0;
	ssize_t len = readlinkat(folder, "run", run, sizeof(run) - 1);
	if (len <= 0 || run[0] != '/')
		return false;
	run[len] = '\0';
	return shm_instance_get(run, NULL, &there, why) == 0 && there == id;
}

// Is it a folder of this user in which no other user can create files? In /dev/shm anyone may
// create a folder of any name.
static bool is_ours(int folder)
{
	struct stat st;
	return fstat(folder, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & S_IWOTH);
}

static void removed_tell(const char *name, const char *why)
{
	char shown[4 * NAME_MAX + 1];
	log_info("removed %s, which %s left behind", text_escape(name, shown, sizeof(shown)), why);
}

// False: it is not a folder of this user.
static bool sweep_one(int root, const char *name, uint64_t id)
{
	int folder = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return false;
	bool may = is_ours(folder);
	int lock = may ? openat(folder, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
	if (lock >= 0 && lock_take(lock, F_WRLCK) == 0 && !may_come_back(folder, id)) {
		regions_remove(folder);
		if (rest_remove(root, folder, name))
			removed_tell(name, "a weir that is gone");
	} else if (may && lock < 0 && errno == ENOENT) {
		(void)unlinkat(root, name, AT_REMOVEDIR); // half made or half removed: empty
	}
	if (lock >= 0)
		close(lock);
	close(folder);
	return may;
}

void shm_folders_sweep(const char *root, uint64_t own)
{
	DIR *d = opendir(root);
	unsigned count = 0, looks = 0;
	const struct dirent *e;
	while (d && count < FOLDER_SWEEP_MAX && looks++ < FOLDER_LOOKS_MAX && (e = readdir(d))) {
		uint64_t id;
		if (is_of_another(e->d_name, own, &id))
			count += sweep_one(dirfd(d), e->d_name, id);
	}
	if (d)
		closedir(d);
}

static bool is_running(const char *run)
{
	static const char *const locks[] = {"dataplane.lock", "controlplane.lock"};
	char path[SHM_PATH_MAX + 32];
	for (unsigned i = 0; i < ARRAY_LEN(locks); i++) {
		snprintf(path, sizeof(path), "%s/%s", run, locks[i]);
		int held = process_lock_probe(path);
		if (held != 0 && held != -ENOENT && held != -ENOTDIR)
			return true;
	}
	return false;
}

// A '-' in the name of a folder without an identity was a '-' or a '/' of the runtime directory:
// /a/b and /a-b had one folder. True also if that is not known.
static bool may_be_used(const char *flat)
{
	char run[SHM_PATH_MAX];
	size_t at[FOLDER_DASHES_MAX], len = strlen(flat);
	unsigned dashes = 0;
	for (size_t i = 0; i < len; i++) {
		if (flat[i] == '-' && dashes == FOLDER_DASHES_MAX)
			return true;
		if (flat[i] == '-')
			at[dashes++] = i;
	}
	for (unsigned choice = 0; choice < 1U << dashes; choice++) {
		snprintf(run, sizeof(run), "/%s", flat);
		for (unsigned i = 0; i < dashes; i++)
			run[1 + at[i]] = choice >> i & 1 ? '/' : '-';
		if (is_running(run))
			return true;
	}
	return false;
}

static void left_tell(const char *name)
{
	char shown[4 * NAME_MAX + 1];
	log_info("left %s as it is: a weir without an identity may use it",
		text_escape(name, shown, sizeof(shown)));
}

void shm_folder_sweep_flat(const char *root, const char *flat)
{
	int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int folder =
		top < 0 ? -1 : openat(top, flat, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool may = folder >= 0 && is_ours(folder);
	if (may && may_be_used(flat)) {
		left_tell(flat);
	} else if (may) {
		regions_remove(folder);
		if (unlinkat(top, flat, AT_REMOVEDIR) == 0)
			removed_tell(flat, "a weir without an identity");
	}
	if (folder >= 0)
		close(folder);
	if (top >= 0)
		close(top);
}
