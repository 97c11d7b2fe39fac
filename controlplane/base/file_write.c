// SPDX-License-Identifier: BSD-3-Clause
#include "file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/own_file.h>

static int fail(char why[FILE_WRITE_WHY_MAX], const char *path, const char *what, int rc)
{
	snprintf(why, FILE_WRITE_WHY_MAX, "%.150s: %s: %s", path, what, strerror(-rc));
	return rc;
}

int file_write_fd(int fd, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	while (size > 0) {
		ssize_t n = write(fd, from, size);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			from += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int sync_folder_of(const char *path)
{
	char copy[PATH_MAX];
	snprintf(copy, sizeof(copy), "%s", path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static int write_synced(const char *path, const void *bytes, size_t size, mode_t mode)
{
	int fd = own_file_make(path, mode);
	if (fd < 0)
		return fd;
	FAULT_POINT(store_file_made);
	int rc = file_write_fd(fd, bytes, size);
	FAULT_POINT(store_written);
	if (!rc && fsync(fd))
		rc = -errno;
	FAULT_POINT(store_synced);
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

static int replace(
	const char *path, const void *bytes, size_t size, mode_t mode, char why[FILE_WRITE_WHY_MAX])
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return fail(why, path, "cannot write", -ENAMETOOLONG);
	int rc = write_synced(temporary, bytes, size, mode);
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc) {
		(void)unlink(temporary);
		return fail(why, path, "cannot write", rc);
	}
	FAULT_POINT(store_renamed);
	rc = sync_folder_of(path);
	FAULT_POINT(store_folder_synced);
	return rc ? fail(why, path, "cannot sync its folder", rc) : 0;
}

int file_write(const char *path, const void *bytes, size_t size, char why[FILE_WRITE_WHY_MAX])
{
	return replace(path, bytes, size, 0600, why);
}

int file_write_shared(
	const char *path, const void *bytes, size_t size, char why[FILE_WRITE_WHY_MAX])
{
	return replace(path, bytes, size, 0640, why);
}
