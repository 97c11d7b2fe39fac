// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of the machine (/sys, /proc, /etc, /dev), its users and the open descriptors of its
// processes. WEIR_ROOT is a directory in place of /, for tests. Any user; reads a few KiB without
// blocking.

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { SYSROOT_PATH_MAX = 512 };

// Writes the path below the root. A path that is too long is cut, and no file has that name.
// Returns `out`.
char *sysroot_path(char out[SYSROOT_PATH_MAX], const char *fmt, ...) ATTR_PRINTF(2, 3);
bool sysroot_exists(const char *fmt, ...) ATTR_PRINTF(1, 2);
// Reads the first cap - 1 bytes of a file, and adds a NUL. Returns their number, or -errno and
// `out` is "".
ssize_t sysroot_read(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
// Reads the first line, without its newline. -errno.
int sysroot_line(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
// Reads the last part of a symbolic link's target. -errno, and `out` is "".
int sysroot_link(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);

enum { PASSWD_NAME_MAX = 40 };

struct passwd_user {
	char name[PASSWD_NAME_MAX];
	uid_t uid;
	gid_t gid;
	bool is_in_all; // may be a member of any group; sysroot_user_find: false
};

// Finds a user in /etc/passwd by name, or by number if `name` is NULL. False: there is no such
// user, and `out` stays.
ATTR_MUST_CHECK bool sysroot_user_find(const char *name, uid_t uid, struct passwd_user *out);

enum { SYSROOT_FDS_MAX = 1 << 18 }; // some 0.5 s

// Calls `look` for each open descriptor of all processes with its target (readlink of /proc/PID/fd,
// proc(5)), until `look` returns false. Leaves out processes that the caller may not inspect; root
// may inspect all. -E2BIG: there are more than SYSROOT_FDS_MAX; -errno: /proc cannot be read.
ATTR_MUST_CHECK int sysroot_fds_walk(bool (*look)(void *arg, pid_t pid, const char *to), void *arg);
