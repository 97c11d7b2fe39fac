// SPDX-License-Identifier: BSD-3-Clause
#include "folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_STEM "/tmp/weir-test."

enum { FOLDER_TRIES = 8 };

// Goes on when it fails: a weir that starts may sweep the same folder, and take a file first.
static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
	(void)st, (void)kind, (void)place;
	(void)remove(path);
	return 0;
}

static bool is_there(const char *path)
{
	return path[0] && access(path, F_OK) == 0;
}

int folder_remove(const char *a, const char *b)
{
	for (unsigned i = 0; i < FOLDER_TRIES && (is_there(a) || is_there(b)); i++) {
		(void)nftw(a, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		(void)nftw(b, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	return is_there(a) || is_there(b);
}

// In a place for shared memory: /tmp/a is tmp-a there (shm_paths.c).
static void remove_shared(const char *place, const char *process_folder)
{
	char pattern[4096];
	glob_t found = {0};
	int n = snprintf(pattern, sizeof(pattern), "%s/%s-*", place, process_folder + 1);
	for (char *c = pattern + strlen(place) + 1; n < (int)sizeof(pattern) && *c; c++)
		*c = *c == '/' ? '-' : *c;
	if (n < (int)sizeof(pattern) && glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			(void)folder_remove(found.gl_pathv[i], "");
	globfree(&found);
}

static void remove_process(const char *process_folder)
{
	struct mntent m;
	char line[4096];
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	while (mounts && getmntent_r(mounts, &m, line, sizeof(line)))
		if (strcmp(m.mnt_type, "hugetlbfs") == 0)
			remove_shared(m.mnt_dir, process_folder);
	if (mounts)
		endmntent(mounts);
	remove_shared("/dev/shm", process_folder);
	(void)folder_remove(process_folder, "");
}

// The lock of a process' folder, or -1: another process has it, or it is gone.
static int lock_take(const char *process_folder, int flags)
{
	char path[4096];
	struct stat st;
	snprintf(path, sizeof(path), "%s/lock", process_folder);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void sweep(void)
{
	glob_t found = {0};
	if (glob(FOLDER_STEM "*", GLOB_NOSORT, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			int lock = lock_take(found.gl_pathv[i], 0);
			if (lock < 0) {
				(void)rmdir(found.gl_pathv[i]); // killed before it made its lock
				continue;
			}
			remove_process(found.gl_pathv[i]);
			close(lock);
		}
	}
	globfree(&found);
}

// Of the program's path the folder that holds the build: /work/weir/build/tests/unit/x: weir.
static void checkout_name(char out[16])
{
	char path[4096] = "";
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *end = len > 0 ? strstr(path, "/tests/") : NULL;
	for (unsigned up = 0; end && up < 2; up++) {
		*end = '\0';
		if (up == 0)
			end = strrchr(path, '/');
	}
	const char *name = strrchr(path, '/');
	snprintf(out, 16, "%s", name && end ? name + 1 : "some");
	for (char *c = out; *c; c++)
		*c = *c == '.' || *c == '-' ? '_' : *c;
}

static struct {
	char path[FOLDER_MAX];
	pid_t pid;
	unsigned made;
} own;

static void at_exit(void)
{
	if (own.pid == getpid())
		remove_process(own.path);
}

// Once for each process: its folder, with its lock.
static bool own_open(void)
{
	char checkout[16];
	if (own.path[0])
		return true;
	sweep();
	checkout_name(checkout);
	for (unsigned i = 0; i < FOLDER_TRIES; i++) {
		char path[FOLDER_MAX];
		snprintf(path, sizeof(path), FOLDER_STEM "%s.XXXXXX", checkout);
		if (!mkdtemp(path))
			return false;
		if (lock_take(path, O_CREAT) < 0) // a sweep took it away meanwhile
			continue;
		memcpy(own.path, path, sizeof(path));
		own.pid = getpid();
		return atexit(at_exit) == 0;
	}
	return false;
}

int folder_make(char out[FOLDER_MAX], const char *name)
{
	if (!own_open())
		return -1;
	int n = snprintf(out, FOLDER_MAX, "%s/%s.%u", own.path, name, own.made++);
	return n < FOLDER_MAX ? mkdir(out, 0700) : -1;
}

char own_folder[FOLDER_MAX];

int own_folder_setup(void **)
{
	snprintf(own_folder, sizeof(own_folder), "/tmp/weir-test-XXXXXX");
	return mkdtemp(own_folder) ? 0 : -1;
}

int own_folder_teardown(void **)
{
	return folder_remove(own_folder, "");
}
