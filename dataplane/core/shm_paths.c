// SPDX-License-Identifier: BSD-3-Clause

#include "shm_why.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { HUGE_2M = 2 << 20, DIR_MODE = 0750 };

// What both public calls want to know from each step.
struct search {
	struct shm_paths paths;
	char base[SHM_PATH_MAX]; // the runtime directory's whole path as one name
	bool create;
	char *why;
};

static int path_join(char out[SHM_PATH_MAX], const char *dir, const char *name)
{
	size_t len = strlen(dir);
	while (len > 1 && dir[len - 1] == '/')
		len--;
	int n = snprintf(out, SHM_PATH_MAX, "%.*s/%s", (int)len, dir, name);
	return n < SHM_PATH_MAX ? 0 : -ENAMETOOLONG;
}

// Whose files we believe: our own, root's, and those of whoever owns the runtime directory (an
// operator's weirctl reads what the daemons' user wrote).
static bool owner_trusted(const struct search *s, uid_t owner)
{
	struct stat run;
	return owner == geteuid() || owner == 0
	       || (stat(s->paths.run, &run) == 0 && owner == run.st_uid);
}

// Makes sure that `dir` is a directory in which no stranger can plant files.
static int dir_ready(struct search *s, const char *dir)
{
	bool made = false;
	if (s->create) {
		made = mkdir(dir, DIR_MODE) == 0;
		if (!made && errno != EEXIST)
			return shm_fail(s->why, errno, "cannot make directory %s: %s", dir,
				strerror(errno));
	}
	struct stat st;
	if ((made && chmod(dir, DIR_MODE) < 0) || lstat(dir, &st) < 0)
		return shm_fail(s->why, errno, "directory %s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return shm_fail(s->why, ENOTDIR, "%s is not a directory", dir);
	if (st.st_mode & S_IWOTH)
		return shm_fail(s->why, EPERM, "directory %s is writable by everyone (mode %04o)",
			dir, st.st_mode & 07777);
	if (dir != s->paths.run && !owner_trusted(s, st.st_uid))
		return shm_fail(s->why, EPERM,
			"directory %s belongs to uid %u, not to us (%u) or root", dir, st.st_uid,
			geteuid());
	return 0;
}

static bool is_hugetlbfs(const char *dir, long *page_size)
{
	struct statfs fs;
	if (statfs(dir, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC)
		return false;
	*page_size = fs.f_bsize;
	return true;
}

// The first usable mount wins; one in which our directory lies already is preferred, so that two
// processes that see the mounts in another order still meet.
static void find_huge_auto(struct search *s)
{
	char ignored[SHM_WHY_MAX];
	struct search quiet = *s;
	quiet.why = ignored;
	for (int create = 0; create <= (int)s->create; create++) {
		quiet.create = create;
		FILE *mounts = setmntent("/proc/self/mounts", "re");
		if (!mounts)
			return;
		struct mntent m;
		char line[4096], dir[SHM_PATH_MAX];
		bool found = false;
		while (!found && getmntent_r(mounts, &m, line, sizeof line)) {
			long page_size;
			found = strcmp(m.mnt_type, "hugetlbfs") == 0
				&& is_hugetlbfs(m.mnt_dir, &page_size) && page_size == HUGE_2M
				&& path_join(dir, m.mnt_dir, s->base) == 0
				&& dir_ready(&quiet, dir) == 0;
		}
		endmntent(mounts);
		if (found) {
			memcpy(s->paths.huge, dir, sizeof dir);
			return;
		}
	}
}

static int find_huge(struct search *s, const char *huge)
{
	if (strcmp(huge, "off") == 0)
		return 0;
	if (strcmp(huge, "auto") == 0) {
		find_huge_auto(s);
		return 0;
	}
	long page_size;
	if (!is_hugetlbfs(huge, &page_size))
		return shm_fail(s->why, EINVAL, "%s is not a directory on a hugetlbfs mount", huge);
	char dir[SHM_PATH_MAX];
	if (path_join(dir, huge, s->base) < 0)
		return shm_fail(s->why, ENAMETOOLONG, "path too long: %s", huge);
	int err = dir_ready(s, dir);
	if (err == 0)
		memcpy(s->paths.huge, dir, sizeof dir);
	return s->create || err != -ENOENT ? err : 0;
}

static int find_mem(struct search *s)
{
	struct statfs fs;
	if (statfs(s->paths.run, &fs) < 0)
		return shm_fail(s->why, errno, "directory %s: %s", s->paths.run, strerror(errno));
	if (fs.f_type == TMPFS_MAGIC) {
		memcpy(s->paths.mem, s->paths.run, sizeof s->paths.mem);
		return 0;
	}
	if (path_join(s->paths.mem, "/dev/shm", s->base) < 0)
		return shm_fail(s->why, ENAMETOOLONG, "path too long: %s", s->paths.run);
	return dir_ready(s, s->paths.mem);
}

static int search_all(
	struct search *s, struct shm_paths *out, const char *run_dir, const char *huge)
{
	size_t len = strlen(run_dir);
	while (len > 1 && run_dir[len - 1] == '/')
		len--;
	if (run_dir[0] != '/' || len < 2)
		return shm_fail(s->why, EINVAL,
			"runtime directory must be an absolute path, not \"%s\"", run_dir);
	if (len >= SHM_PATH_MAX)
		return shm_fail(s->why, ENAMETOOLONG, "path too long: %s", run_dir);
	memcpy(s->paths.run, run_dir, len);
	// Two runtime directories must not meet in one memory directory, so all of the path counts.
	memcpy(s->base, s->paths.run + 1, len);
	for (char *c = s->base; *c; c++)
		if (*c == '/')
			*c = '-';
	int err = dir_ready(s, s->paths.run);
	if (err == 0)
		err = find_mem(s);
	if (err == 0)
		err = find_huge(s, huge);
	if (err == 0)
		*out = s->paths;
	return err;
}

int shm_paths_init(
	struct shm_paths *paths, const char *run_dir, const char *huge, char why[SHM_WHY_MAX])
{
	struct search s = {.create = true, .why = why};
	return search_all(&s, paths, run_dir, huge);
}

int shm_paths_find(
	struct shm_paths *paths, const char *run_dir, const char *huge, char why[SHM_WHY_MAX])
{
	struct search s = {.why = why};
	return search_all(&s, paths, run_dir, huge);
}

void shm_name_generation(char out[SHM_NAME_MAX], const char *stem, uint64_t generation)
{
	snprintf(out, SHM_NAME_MAX, "%s.%" PRIu64, stem, generation);
}

void shm_name_lane(char out[SHM_NAME_MAX], unsigned worker)
{
	snprintf(out, SHM_NAME_MAX, "lane.%u", worker);
}

void shm_name_marks(char out[SHM_NAME_MAX], unsigned worker, uint64_t l0_generation)
{
	snprintf(out, SHM_NAME_MAX, "marks.%u.%" PRIu64, worker, l0_generation);
}
