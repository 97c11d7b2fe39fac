// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of the machine (/sys, /proc, /etc, /dev), for the commands that look at it. WEIR_ROOT is a
// directory in place of /, for tests. Any user; reads of a few KiB that block for nothing.

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { SYSROOT_PATH_MAX = 512 };

// The path below the root. One that is too long ends early, and no file has that name. Returns
// `out`.
char *sysroot_path(char out[SYSROOT_PATH_MAX], const char *fmt, ...) ATTR_PRINTF(2, 3);
bool sysroot_exists(const char *fmt, ...) ATTR_PRINTF(1, 2);
// The first cap - 1 bytes of a file, with a NUL behind them. Their number or -errno, then `out` is
// "".
ssize_t sysroot_read(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
// The first line, without its end. 0 or -errno.
int sysroot_line(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
// The last part of the target of a symbolic link. 0 or -errno, then `out` is "".
int sysroot_link(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
