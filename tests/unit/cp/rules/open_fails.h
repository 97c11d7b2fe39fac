// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// open() of the whole program: one path fails with EIO while a test says so. For one file of a
// program.

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *_Atomic open_fails; // NULL: none

int open(const char *path, int flags, ...)
{
	const char *failing = open_fails;
	va_list ap;
	va_start(ap, flags);
	const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (!failing || strcmp(path, failing) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	errno = EIO;
	return -1;
}
