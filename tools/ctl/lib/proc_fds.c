// SPDX-License-Identifier: BSD-3-Clause
#include "proc_fds.h"

#include "sysroot.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct walk {
	bool (*look)(void *arg, pid_t pid, const char *to);
	void *arg;
	unsigned left; // descriptors
	bool ends;     // `look` has seen enough
};

static void process_walk(struct walk *w, pid_t pid)
{
	char path[SYSROOT_PATH_MAX], to[PATH_MAX];
	DIR *fds = opendir(sysroot_path(path, "/proc/%d/fd", (int)pid));
	for (const struct dirent *e; fds && !w->ends && w->left && (e = readdir(fds));) {
		ssize_t len = readlinkat(dirfd(fds), e->d_name, to, sizeof(to) - 1);
		if (len < 0)
			continue; // "." and "..", and those closed by now
		to[len] = '\0';
		w->left--;
		w->ends = !w->look(w->arg, pid, to);
	}
	if (fds)
		closedir(fds);
}

int proc_fds_look(bool (*look)(void *arg, pid_t pid, const char *to), void *arg)
{
	char path[SYSROOT_PATH_MAX];
	struct walk w = {.look = look, .arg = arg, .left = PROC_FDS_MAX};
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
