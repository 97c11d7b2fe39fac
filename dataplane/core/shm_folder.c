// SPDX-License-Identifier: BSD-3-Clause

#include "shm_folder.h"

#include "shm_instance.h"
#include "shm_why.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/log.h>

enum { ID_DIGITS = 16, PAUSE_MS = 10 };

// Without waiting: -EAGAIN if another process has it.
static int lock_take(int fd, short kind)
{
	struct flock lock = {.l_type = kind, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static bool is_made_by_weir(const char *name)
{
	static const char *const stems[] = {"l0.", "names.", "policy.", "lane.", "marks."};
	for (unsigned i = 0; i < ARRAY_LEN(stems); i++)
		if (strncmp(name, stems[i], strlen(stems[i])) == 0)
			return true;
	return strcmp(name, "directory") == 0 || strcmp(name, "stats") == 0
	       || strcmp(name, SHM_NAME_LOG_HAND) == 0;
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
	for (const struct dirent *e; (e = readdir(d));)
		if (is_made_by_weir(e->d_name))
			(void)unlinkat(folder, e->d_name, 0);
	closedir(d);
}

// The lock last: a process that waits for it then finds that its file is gone.
static void rest_remove(int root, int folder, const char *name)
{
	(void)unlinkat(folder, "run", 0);
	(void)unlinkat(folder, "lock", 0);
	(void)unlinkat(root, name, AT_REMOVEDIR);
}

void shm_folder_remove(const char *folder, bool whole)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	regions_remove(fd);
	if (whole)
		rest_remove(AT_FDCWD, fd, folder);
	close(fd);
}

static void run_link(int folder, const char *run)
{
	char there[SHM_PATH_MAX];
	ssize_t len = readlinkat(folder, "run", there, sizeof there);
	if (len == (ssize_t)strlen(run) && memcmp(there, run, (size_t)len) == 0)
		return;
	(void)unlinkat(folder, "run", 0);
	(void)symlinkat(run, folder, "run"); // without it the folder only goes sooner
}

// A read lock on the file that the folder has by the end. -EAGAIN: somebody removes it just now.
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

// "<flat>.<identity>" of a weir that is not ours.
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
	ssize_t len = readlinkat(folder, "run", run, sizeof run - 1);
	if (len <= 0 || run[0] != '/')
		return false;
	run[len] = '\0';
	return shm_instance_get(run, false, &there, why) == 0 && there == id;
}

static void sweep_one(int root, const char *name, uint64_t id)
{
	struct stat st;
	int folder = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return;
	bool may = fstat(folder, &st) == 0 && (st.st_uid == geteuid() || geteuid() == 0);
	int lock = may ? openat(folder, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) : -1;
	if (lock >= 0 && lock_take(lock, F_WRLCK) == 0 && !may_come_back(folder, id)) {
		regions_remove(folder);
		rest_remove(root, folder, name);
		log_info("removed %s, which a weir that is gone left behind", name);
	} else if (may && lock < 0 && errno == ENOENT) {
		(void)unlinkat(root, name, AT_REMOVEDIR); // half made or half removed: empty
	}
	if (lock >= 0)
		close(lock);
	close(folder);
}

void shm_folders_sweep(const char *root, uint64_t own)
{
	DIR *d = opendir(root);
	unsigned count = 0;
	for (const struct dirent *e; d && count < FOLDER_SWEEP_MAX && (e = readdir(d));) {
		uint64_t id;
		if (!is_of_another(e->d_name, own, &id))
			continue;
		count++;
		sweep_one(dirfd(d), e->d_name, id);
	}
	if (d)
		closedir(d);
}
