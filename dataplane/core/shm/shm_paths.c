// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { HUGE_2M = 2 << 20, DIR_MODE = 0750, DIR_MODE_TWO_USERS = S_ISGID | 0750 };
enum { RUN_MODE_TWO_USERS = S_ISGID | S_ISVTX | S_IWGRP };
enum { IN_MEM, IN_HUGE }; // struct shm_paths.hold

// What both public calls want to know from each step.
struct search {
	struct shm_paths paths;
	char flat[SHM_PATH_MAX];    // the runtime directory's whole path as one name
	char control[SHM_PATH_MAX]; // the control plane's folder there
	// `flat`, with two users a side, and the identity: names of this weir's shared folders.
	char base[SHM_PATH_MAX + 24];  // own; of no side the data plane's
	char other[SHM_PATH_MAX + 24]; // the folder of the other process
	char huge[SHM_PATH_MAX + 24];  // for large regions, which are the control plane's
	mode_t run_mode;
	bool create;
	char *why;
};

static bool is_control(const struct search *s)
{
	return s->paths.side == SHM_CONTROLPLANE;
}

static int path_join(char out[SHM_PATH_MAX], const char *dir, const char *name)
{
	size_t len = strlen(dir);
	while (len > 1 && dir[len - 1] == '/')
		len--;
	int n = snprintf(out, SHM_PATH_MAX, "%.*s/%s", (int)len, dir, name);
	return n < SHM_PATH_MAX ? 0 : -ENAMETOOLONG;
}

bool shm_dir_has_two_users(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & RUN_MODE_TWO_USERS) == RUN_MODE_TWO_USERS;
}

bool shm_folder_is_theirs(const struct shm_paths *paths, const char *folder)
{
	struct stat st;
	return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode)
	       && (st.st_uid == 0 || st.st_uid == geteuid() || st.st_gid == paths->group)
	       && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

// A user who may pass the runtime directory may pass ours; what lies in it gets the group.
static int folder_open_to_group(const struct search *s, const char *dir)
{
	const mode_t mode = DIR_MODE_TWO_USERS | (s->run_mode & S_IXOTH);
	if (chown(dir, (uid_t)-1, s->paths.group) < 0)
		return -1;
	// RestrictSUIDSGID= of the units forbids S_ISGID. Files get the group without it: it is
	// that of the process.
	return chmod(dir, mode) < 0 && errno == EPERM ? chmod(dir, mode & 0777) : 0;
}

// Owners whose files are trusted: this user, root, and the owner of the runtime directory (an
// operator's weirctl reads files of the daemons' user).
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
	int rc = !made                ? 0
		 : s->paths.two_users ? folder_open_to_group(s, dir)
				      : chmod(dir, DIR_MODE);
	if (rc < 0 || lstat(dir, &st) < 0)
		return shm_fail(s->why, errno, "directory %s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return shm_fail(s->why, ENOTDIR, "%s is not a directory", dir);
	if (st.st_mode & S_IWOTH)
		return shm_fail(s->why, EPERM, "directory %s is writable by everyone (mode %04o)",
			dir, st.st_mode & 07777);
	if (dir != s->paths.run && !owner_trusted(s, st.st_uid)
		&& (s->create || !s->paths.two_users || !shm_folder_is_theirs(&s->paths, dir)))
		return shm_fail(s->why, EPERM,
			"directory %s belongs to uid %u, not to us (%u) or root", dir, st.st_uid,
			geteuid());
	return 0;
}

enum { FOLDER_MAKE_TRIES = 8 };

// Opens and holds this weir's folder in a place that other weirs may share. A weir that starts at
// the same moment may remove it while nobody holds it yet; then it is made again.
static int folder_ready(struct search *s, const char *folder, int *hold)
{
	int rc = -ENOENT;
	for (unsigned i = 0; i < FOLDER_MAKE_TRIES && rc == -ENOENT; i++) {
		rc = dir_ready(s, folder);
		if (!s->create)
			return rc;
		if (rc == 0)
			rc = shm_folder_hold(folder, s->paths.run, s->why);
	}
	*hold = rc;
	return rc < 0 ? rc : 0;
}

static bool is_hugetlbfs(const char *dir, long *page_size)
{
	struct statfs fs;
	if (statfs(dir, &fs) < 0 || fs.f_type != HUGETLBFS_MAGIC)
		return false;
	*page_size = fs.f_bsize;
	return true;
}

// Removes the folders of dead weirs in a shared place.
static void place_sweep(const struct search *s, const char *place)
{
	shm_folders_sweep(place, s->paths.instance);
	shm_folder_sweep_flat(place, s->flat);
}

static int take_huge(struct search *s, const char *mount, const char *folder, char *why)
{
	struct search taking = *s;
	taking.why = why;
	place_sweep(s, mount);
	return folder_ready(&taking, folder, &s->paths.hold[IN_HUGE]);
}

// Where there are two users only the control plane makes and holds the folder.
static bool makes_huge(const struct search *s)
{
	return !s->paths.two_users || is_control(s);
}

// For who does not make it: is the folder there, or may a member of our group make it?
static bool huge_usable(struct search *s, const char *mount, const char *dir)
{
	if (makes_huge(s))
		return dir_ready(s, dir) == 0;
	return s->create ? faccessat(AT_FDCWD, mount, W_OK | X_OK, AT_EACCESS) == 0
			 : shm_folder_is_theirs(&s->paths, dir);
}

// The first usable mount wins; one that already has this weir's folder is preferred, so that two
// processes that see the mounts in another order still meet.
static void find_huge_auto(struct search *s)
{
	char ignored[SHM_WHY_MAX];
	struct search quiet = *s;
	quiet.why = ignored;
	for (int create = 0; create <= (int)s->create; create++) {
		quiet.create = create; // makes_huge does not depend on it
		FILE *mounts = setmntent("/proc/self/mounts", "re");
		if (!mounts)
			return;
		struct mntent m;
		char line[4096], dir[SHM_PATH_MAX];
		bool found = false;
		while (!found && getmntent_r(mounts, &m, line, sizeof(line))) {
			long page_size;
			found = strcmp(m.mnt_type, "hugetlbfs") == 0
				&& is_hugetlbfs(m.mnt_dir, &page_size) && page_size == HUGE_2M
				&& path_join(dir, m.mnt_dir, s->huge) == 0
				&& huge_usable(&quiet, m.mnt_dir, dir);
			if (found && s->create && makes_huge(s))
				found = take_huge(s, m.mnt_dir, dir, ignored) == 0;
		}
		endmntent(mounts);
		if (found) {
			memcpy(s->paths.huge, dir, sizeof(dir));
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
	if (path_join(dir, huge, s->huge) < 0)
		return shm_fail(s->why, ENAMETOOLONG, "path too long: %s", huge);
	if (!makes_huge(s)) {
		memcpy(s->paths.huge, dir, sizeof(dir));
		return 0;
	}
	if (s->create)
		place_sweep(s, huge);
	int err = folder_ready(s, dir, &s->paths.hold[IN_HUGE]);
	if (err == 0)
		memcpy(s->paths.huge, dir, sizeof(dir));
	return s->create || err != -ENOENT ? err : 0;
}

static int find_mem(struct search *s)
{
	struct statfs fs;
	if (statfs(s->paths.run, &fs) < 0)
		return shm_fail(s->why, errno, "directory %s: %s", s->paths.run, strerror(errno));
	if (fs.f_type == TMPFS_MAGIC) {
		const bool theirs = s->paths.two_users && !is_control(s);
		memcpy(s->paths.mem, s->paths.own, sizeof(s->paths.mem));
		memcpy(s->paths.other, theirs ? s->control : s->paths.run, sizeof(s->paths.other));
		return 0;
	}
	if (path_join(s->paths.mem, "/dev/shm", s->base) < 0
		|| path_join(s->paths.other, "/dev/shm", s->other) < 0)
		return shm_fail(s->why, ENAMETOOLONG, "path too long: %s", s->paths.run);
	if (s->create)
		place_sweep(s, "/dev/shm");
	return folder_ready(s, s->paths.mem, &s->paths.hold[IN_MEM]);
}

static void names_make(struct search *s)
{
	const bool two = s->paths.two_users, is_cp = is_control(s);
	const char *own = !two    ? ""
			  : is_cp ? ".cp"
				  : ".dp",
		   *other = !two    ? ""
			    : is_cp ? ".dp"
				    : ".cp";
	const char *const part[] = {own, other, two ? ".cp" : ""};
	char *const name[] = {s->base, s->other, s->huge};
	for (unsigned i = 0; i < ARRAY_LEN(name); i++)
		snprintf(name[i], sizeof(s->base), "%s%s.%016" PRIx64, s->flat, part[i],
			s->paths.instance);
}

// Who set it up, and for whom?
static int run_ready(struct search *s)
{
	struct stat st;
	int err = dir_ready(s, s->paths.run);
	if (err)
		return err;
	if (stat(s->paths.run, &st) < 0)
		return shm_fail(s->why, errno, "directory %s: %s", s->paths.run, strerror(errno));
	if (s->create && faccessat(AT_FDCWD, s->paths.run, W_OK | X_OK, AT_EACCESS) < 0
		&& errno == EACCES)
		return shm_fail(s->why, EACCES,
			"%s: uid %u may not make files there (mode %04o of user %u, group %u): %s",
			s->paths.run, geteuid(), st.st_mode & 07777, st.st_uid, st.st_gid,
			shm_dir_has_two_users(&st)
				? "start weir as one of its two users"
				: "start weir as a user who may, or give this one the folder");
	s->paths.two_users = shm_dir_has_two_users(&st);
	s->paths.group = st.st_gid;
	s->run_mode = st.st_mode;
	return 0;
}

static int control_ready(struct search *s)
{
	if (path_join(s->control, s->paths.run, SHM_CONTROL) < 0)
		return shm_fail(s->why, ENAMETOOLONG, "path too long: %s", s->paths.run);
	const char *own = s->paths.two_users && is_control(s) ? s->control : s->paths.run;
	memcpy(s->paths.own, own, sizeof(s->paths.own));
	return s->create && s->paths.side != SHM_DATAPLANE ? dir_ready(s, s->control) : 0;
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
	// The whole path, so that an operator sees whose folder it is.
	memcpy(s->flat, s->paths.run + 1, len);
	for (char *c = s->flat; *c; c++)
		if (*c == '/')
			*c = '-';
	s->paths.hold[IN_MEM] = s->paths.hold[IN_HUGE] = -1;
	int err = run_ready(s);
	if (err == 0)
		err = control_ready(s);
	if (err == 0)
		err = shm_instance_get(
			s->paths.run, s->create ? s->paths.own : NULL, &s->paths.instance, s->why);
	if (err == 0) {
		names_make(s);
		err = find_mem(s);
	}
	if (err == 0)
		err = find_huge(s, huge);
	if (err == 0)
		*out = s->paths;
	else
		shm_paths_close(&s->paths);
	return err;
}

int shm_paths_init_for(struct shm_paths *paths, enum shm_side side, const char *run_dir,
	const char *huge, char why[SHM_WHY_MAX])
{
	struct search s = {.create = true, .why = why, .paths.side = side};
	return search_all(&s, paths, run_dir, huge);
}

int shm_paths_find(
	struct shm_paths *paths, const char *run_dir, const char *huge, char why[SHM_WHY_MAX])
{
	struct search s = {.why = why};
	return search_all(&s, paths, run_dir, huge);
}

// The folder itself may be one that the other process has yet to make.
uint64_t shm_huge_place(const struct shm_paths *paths)
{
	struct stat st;
	char place[SHM_PATH_MAX];
	memcpy(place, paths->huge, sizeof(place));
	char *end = strrchr(place, '/');
	if (!end || (faccessat(AT_FDCWD, paths->huge, X_OK, AT_EACCESS) < 0 && errno != ENOENT))
		return SHM_HUGE_NONE;
	*end = '\0';
	if (stat(place, &st) < 0)
		return SHM_HUGE_NONE;
	return (uint64_t)st.st_dev << 32 ^ st.st_ino;
}

void shm_paths_close(struct shm_paths *paths)
{
	for (unsigned i = 0; paths->instance && i < SHM_SHARED_PLACES; i++) {
		if (paths->hold[i] >= 0)
			close(paths->hold[i]);
		paths->hold[i] = -1;
	}
}

static bool is_shared_place(const struct shm_paths *paths, const char *folder)
{
	return strcmp(folder, paths->run) != 0 && strcmp(folder, paths->own) != 0;
}

void shm_paths_remove(struct shm_paths *paths)
{
	static const char *const rest[] = {
		"instance", SHM_CONTROL "/instance", SHM_NAME_CONTROL_LOCK, NULL};
	char path[SHM_PATH_MAX + 32];
	shm_paths_close(paths);
	if (paths->huge[0])
		shm_folder_remove(paths->huge, true);
	shm_folder_remove(paths->mem, is_shared_place(paths, paths->mem));
	shm_folder_remove(paths->other, is_shared_place(paths, paths->other));
	for (const char *const *name = rest; *name; name++) {
		snprintf(path, sizeof(path), "%s/%s", paths->run, *name);
		(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/" SHM_CONTROL, paths->run);
	(void)rmdir(path);
}
