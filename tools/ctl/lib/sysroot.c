// SPDX-License-Identifier: BSD-3-Clause
#include "sysroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
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

bool sysroot_user_find(const char *name, uid_t uid, struct passwd_user *out)
{
	char path[SYSROOT_PATH_MAX], room[4096];
	struct passwd one, *found;
	FILE *f = fopen(sysroot_path(path, "/etc/passwd"), "re");
	bool is_there = false;
	while (f && !is_there && fgetpwent_r(f, &one, room, sizeof(room), &found) == 0)
		is_there = name ? strcmp(one.pw_name, name) == 0 : one.pw_uid == uid;
	if (f)
		fclose(f);
	if (is_there) {
		snprintf(out->name, sizeof(out->name), "%s", one.pw_name);
		out->uid = one.pw_uid;
		out->gid = one.pw_gid;
		out->is_in_all = false;
	}
	return is_there;
}

struct walk {
	bool (*look)(void *arg, pid_t pid, const char *to);
	void *arg;
	unsigned left; // descriptors that may still be read
	bool ends;     // `look` has seen enough
};

static void process_walk(struct walk *w, pid_t pid)
{
	char path[SYSROOT_PATH_MAX], to[PATH_MAX];
	DIR *fds = opendir(sysroot_path(path, "/proc/%d/fd", (int)pid));
	for (const struct dirent *e; fds && !w->ends && w->left && (e = readdir(fds));) {
		ssize_t len = readlinkat(dirfd(fds), e->d_name, to, sizeof(to) - 1);
		if (len < 0)
			continue; // ".", "..", or a descriptor that was closed meanwhile
		to[len] = '\0';
		w->left--;
		w->ends = !w->look(w->arg, pid, to);
	}
	if (fds)
		closedir(fds);
}

int sysroot_fds_walk(bool (*look)(void *arg, pid_t pid, const char *to), void *arg)
{
	char path[SYSROOT_PATH_MAX];
	struct walk w = {.look = look, .arg = arg, .left = SYSROOT_FDS_MAX};
	DIR *processes = opendir(sysroot_path(path, "/proc"));
	if (!processes)
		return -errno;
	for (const struct dirent *e; !w.ends && w.left && (e = readdir(processes));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0)
			process_walk(&w, pid);
	}
	closedir(processes);
	return w.ends || w.left ? 0 : -E2BIG;
}
