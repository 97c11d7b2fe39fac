// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/shm_region.h>

// Open-file-description locks and not flock or POSIX ones: a probe need not take them, they do not
// vanish when a library opens and closes the same file, and the kernel drops them with the last
// descriptor, however the process dies.

enum { LOCK_MODE = 0600 };

static struct flock whole_file(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

int process_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, LOCK_MODE);
	if (fd < 0)
		return -errno;
	// A process that may read the file may hold a read lock on it, which keeps us out. Best
	// effort: only the owner of the file can change its mode.
	(void)!fchmod(fd, LOCK_MODE);
	struct flock lock = whole_file();
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		int err = errno == EACCES ? EAGAIN : errno;
		close(fd);
		return -err;
	}
	return fd;
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
