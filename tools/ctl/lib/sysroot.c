// SPDX-License-Identifier: BSD-3-Clause
#include "sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void path_make(char out[SYSROOT_PATH_MAX], const char *fmt, va_list args)
{
	const char *root = secure_getenv("WEIR_ROOT");
	int len = snprintf(out, SYSROOT_PATH_MAX, "%s", root ? root : "");
	if (len >= 0 && len < SYSROOT_PATH_MAX)
		vsnprintf(out + len, SYSROOT_PATH_MAX - (size_t)len, fmt, args);
}

#define PATH_OF(path, fmt)                       \
	do {                                     \
		va_list args_;                   \
		va_start(args_, fmt);            \
		path_make((path), (fmt), args_); \
		va_end(args_);                   \
	} while (0)

char *sysroot_path(char out[SYSROOT_PATH_MAX], const char *fmt, ...)
{
	PATH_OF(out, fmt);
	return out;
}

bool sysroot_exists(const char *fmt, ...)
{
	char path[SYSROOT_PATH_MAX];
	PATH_OF(path, fmt);
	return access(path, F_OK) == 0;
}

static ssize_t file_read(const char *path, char *out, size_t cap)
{
	size_t len = 0;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	*out = '\0';
	if (fd < 0)
		return -errno;
	while (len < cap - 1) {
		ssize_t n = read(fd, out + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -errno : 0;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	out[rc ? 0 : len] = '\0';
	return rc ? rc : (ssize_t)len;
}

ssize_t sysroot_read(char *out, size_t cap, const char *fmt, ...)
{
	char path[SYSROOT_PATH_MAX];
	PATH_OF(path, fmt);
	return file_read(path, out, cap);
}

int sysroot_line(char *out, size_t cap, const char *fmt, ...)
{
	char path[SYSROOT_PATH_MAX];
	PATH_OF(path, fmt);
	ssize_t len = file_read(path, out, cap);
	out[strcspn(out, "\n")] = '\0';
	return len < 0 ? (int)len : 0;
}

int sysroot_link(char *out, size_t cap, const char *fmt, ...)
{
	char path[SYSROOT_PATH_MAX], to[SYSROOT_PATH_MAX];
	PATH_OF(path, fmt);
	*out = '\0';
	ssize_t len = readlink(path, to, sizeof(to) - 1);
	if (len < 0)
		return -errno;
	to[len] = '\0';
	const char *slash = strrchr(to, '/');
	snprintf(out, cap, "%s", slash ? slash + 1 : to);
	return 0;
}
