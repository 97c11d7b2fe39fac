// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of the machine (/sys, /proc, /etc, /dev), its users and the open descriptors of its
// processes, for the commands that look at it. WEIR_ROOT is a directory in place of /, for tests.
// Any user may ask; files are read in a few KiB, which block for nothing.

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

enum { PASSWD_NAME_MAX = 40 };

struct passwd_user {
	char name[PASSWD_NAME_MAX];
	uid_t uid;
	gid_t gid;
};

// Finds a user in /etc/passwd by its name, or with NULL by its number. False: no such user; `out`
// stays.
ATTR_MUST_CHECK bool sysroot_user_find(const char *name, uid_t uid, struct passwd_user *out);

enum { SYSROOT_FDS_MAX = 1 << 18 }; // some 0.5 s

// Calls `look` with what each open descriptor of a process points to (proc(5), /proc/PID/fd), as
// readlink has it, until that returns false. Processes that the caller may not look into are left
// out: root sees all of them. 0; -E2BIG: there are more than SYSROOT_FDS_MAX; -errno: /proc cannot
// be read.
ATTR_MUST_CHECK int sysroot_fds_walk(bool (*look)(void *arg, pid_t pid, const char *to), void *arg);
