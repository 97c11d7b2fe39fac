// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/own_file.h>
#include <weir/shm_region.h>

// Open-file-description locks and not flock or POSIX ones: a probe need not take them, they do not
// vanish when a library opens and closes the same file, and the kernel drops them with the last
// descriptor, however the process dies.

enum { LOCK_MODE = 0600, LOCK_MODE_TWO_USERS = 0640, LOCK_PATH_MAX = 512, LOCK_TRIES = 4 };

static struct flock whole_file(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

// A process that may read the file may hold a read lock on it. The other of two users must read it
// to see whether we live (F_OFD_GETLK needs an open file). It lies in their runtime directory, or
// in a folder of one of them there.
static mode_t lock_mode(const char *path)
{
	enum { LEVELS = 2 };
	char dir[LOCK_PATH_MAX];
	struct stat st;
	if ((size_t)snprintf(dir, sizeof(dir), "%s", path) >= sizeof(dir))
		return LOCK_MODE;
	for (unsigned i = 0; i < LEVELS; i++) {
		char *end = strrchr(dir, '/');
		if (!end || end == dir)
			break;
		*end = '\0';
		if (stat(dir, &st) == 0 && shm_dir_has_two_users(&st))
			return LOCK_MODE_TWO_USERS;
	}
	return LOCK_MODE;
}

// -EAGAIN: another process runs. -EDEADLK: no process runs, but someone who may only read the file
// holds a read lock; only we can have write locks.
static int lock_once(const char *path)
{
	int fd = own_file_open(path, O_RDWR | O_CREAT, LOCK_MODE);
	if (fd < 0)
		return fd;
	struct flock lock = whole_file();
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
		// Best effort: only the owner of the file can change its mode. Behind the lock, so
		// that nobody else has one on a new file before.
		(void)!fchmod(fd, lock_mode(path));
		return fd;
	}
	int err = errno == EACCES ? EAGAIN : errno;
	if (err == EAGAIN && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK)
		err = EDEADLK;
	close(fd);
	return -err;
}

int process_lock(const char *path)
{
	int fd = lock_once(path);
	for (unsigned i = 0; fd == -EDEADLK && i < LOCK_TRIES; i++) {
		(void)unlink(path);
		fd = lock_once(path);
	}
	return fd == -EDEADLK ? -EAGAIN : fd;
}

int process_lock_fail(const char *path, int rc, char why[SHM_WHY_MAX])
{
	struct stat st;
	if ((rc == -EACCES || rc == -EPERM) && lstat(path, &st) == 0 && st.st_uid != geteuid())
		return shm_fail(why, -rc,
			"%s: uid %u left it in a run by hand; once none of its processes runs, "
			"remove this file as root",
			path, st.st_uid);
	return shm_fail(why, -rc, "%s: %s", path, strerror(-rc));
}

int process_lock_probe(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	struct flock lock = whole_file();
	int err = fcntl(fd, F_OFD_GETLK, &lock) < 0 ? errno : 0;
	close(fd);
	if (err)
		return -err;
	return lock.l_type != F_UNLCK;
}

int process_lock_keep(const char *path, int *fd)
{
	struct stat mine, there;
	if (fstat(*fd, &mine) < 0)
		return -errno;
	if (stat(path, &there) == 0 && there.st_ino == mine.st_ino && there.st_dev == mine.st_dev)
		return 0;
	int made = process_lock(path);
	if (made < 0)
		return made;
	close(*fd);
	*fd = made;
	return 1;
}

uint64_t incarnation_new(void)
{
	uint64_t value = 0;
	for (unsigned tries = 0; tries < 16 && value == 0; tries++)
		if (getrandom(&value, sizeof(value), 0) != sizeof(value))
			value = 0;
	if (value)
		return value;
	// It only has to differ from that of other runs and keeps nobody out: without a random
	// source the time and the pid are enough.
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec << 16 ^ (uint64_t)getpid()) | 1;
}
