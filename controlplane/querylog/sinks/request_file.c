// SPDX-License-Identifier: BSD-3-Clause
#include "request_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_AT_ONCE = 65536 };

bool request_file_is_at(int fd, const char *path, uint64_t *size)
{
	struct stat named, open;
	if (lstat(path, &named) < 0 || fstat(fd, &open) < 0 || named.st_dev != open.st_dev
		|| named.st_ino != open.st_ino)
		return false;
	*size = (uint64_t)open.st_size;
	return true;
}

// Behind the last end of a line; 0: no end of a line.
static int lines_end(int fd, uint64_t size, char *buffer, uint64_t *out)
{
	*out = 0;
	while (size) {
		size_t len = size < READ_AT_ONCE ? (size_t)size : READ_AT_ONCE;
		ssize_t n = pread(fd, buffer, len, (off_t)(size - len));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)len)
			return n < 0 ? -errno : -EIO;
		size -= len;
		const char *end = memrchr(buffer, '\n', len);
		if (end) {
			*out = size + (uint64_t)(end - buffer) + 1;
			return 0;
		}
	}
	return 0;
}

int request_file_mend(int fd, uint64_t *size)
{
	uint64_t end;
	char *buffer = malloc(READ_AT_ONCE);
	if (!buffer)
		return -ENOMEM;
	int rc = lines_end(fd, *size, buffer, &end);
	free(buffer);
	if (rc == 0 && end < *size && ftruncate(fd, (off_t)end) < 0)
		rc = -errno;
	if (rc == 0)
		*size = end;
	return rc;
}
