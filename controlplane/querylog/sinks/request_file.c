// SPDX-License-Identifier: BSD-3-Clause
#include "request_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>

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

static int piece_read(int fd, char *buffer, size_t len, uint64_t at)
{
	ssize_t n;
	do {
		n = pread(fd, buffer, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

// Behind the last end of a line; 0: no end of a line.
static int lines_end(int fd, uint64_t size, char *buffer, uint64_t *out)
{
	*out = 0;
	while (size) {
		size_t len = size < READ_AT_ONCE ? (size_t)size : READ_AT_ONCE;
		size -= len;
		int rc = piece_read(fd, buffer, len, size);
		if (rc < 0)
			return rc;
		const char *end = memrchr(buffer, '\n', len);
		if (end) {
			*out = size + (uint64_t)(end - buffer) + 1;
			return 0;
		}
	}
	return 0;
}

// The first NUL of the last REQUEST_MEND_MAX bytes; `size`: no NUL.
static int nul_find(int fd, uint64_t size, char *buffer, uint64_t *out)
{
	uint64_t at = size > REQUEST_MEND_MAX ? size - REQUEST_MEND_MAX : 0;
	while (at < size) {
		size_t len = size - at < READ_AT_ONCE ? (size_t)(size - at) : READ_AT_ONCE;
		int rc = piece_read(fd, buffer, len, at);
		if (rc < 0)
			return rc;
		const char *nul = memchr(buffer, 0, len);
		if (nul) {
			*out = at + (uint64_t)(nul - buffer);
			return 0;
		}
		at += len;
	}
	*out = size;
	return 0;
}

int request_file_mend(int fd, uint64_t *size)
{
	uint64_t end = 0, sound = 0;
	char *buffer = heap_malloc(READ_AT_ONCE);
	if (!buffer)
		return -ENOMEM;
	int rc = nul_find(fd, *size, buffer, &sound);
	if (rc == 0)
		rc = lines_end(fd, sound, buffer, &end);
	heap_free(buffer);
	if (rc == 0 && end < *size && ftruncate(fd, (off_t)end) < 0)
		rc = -errno;
	if (rc == 0)
		*size = end;
	return rc;
}
