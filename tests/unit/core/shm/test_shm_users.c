// SPDX-License-Identifier: BSD-3-Clause

// A runtime directory, or a file in it, that does not fit the users of weir: the error names the
// command that mends it. Each case is a process of another user.
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/shm_region.h>

enum { USER = 64001, OTHER = 64002, GROUP = 64000 };

static char run[64], lock[96], why[SHM_WHY_MAX];

static int setup(void **)
{
	snprintf(run, sizeof(run), "/dev/shm/weir-test-users-%d", (int)getpid());
	snprintf(lock, sizeof(lock), "%s/dataplane.lock", run);
	return mkdir(run, 0750);
}

static int teardown(void **)
{
	return folder_remove(run, "");
}

// The steps of a process in the directory, as far as it comes: `why` has the rest.
static void run_as(uid_t user, gid_t group, int (*steps)(void))
{
	int out[2], status;
	assert_int_equal(pipe(out), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool is_user =
			setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0;
		_exit(!is_user || steps() == 0 || write(out[1], why, sizeof(why)) != sizeof(why));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(out[0], why, sizeof(why)), sizeof(why));
	close(out[0]);
	close(out[1]);
}

static int paths_open(void)
{
	struct shm_paths paths;
	return shm_paths_init_for(&paths, SHM_DATAPLANE, run, "off", why);
}

static int lock_take(void)
{
	int fd = process_lock(lock);
	return fd < 0 ? process_lock_fail(lock, fd, why) : 0;
}

// The control plane's region is there, of the same user.
static int both_sides(void)
{
	const struct region_spec spec = {
		.name = "directory", .kind = REGION_DIRECTORY, .generation = 1, .data_size = 4096};
	struct shm_paths cp, dp;
	struct region r;
	if (shm_paths_init_for(&cp, SHM_CONTROLPLANE, run, "off", why) < 0
		|| shm_paths_init_for(&dp, SHM_DATAPLANE, run, "off", why) < 0
		|| region_create(&cp, &spec, &r, why) < 0)
		return 0;
	region_publish(&r);
	int rc = region_attach(&dp, SHM_IN_MEM, "directory", REGION_DIRECTORY, false, &r, why);
	shm_paths_remove(&cp);
	return rc;
}

static void for_two_users(void)
{
	if (geteuid() != 0)
		skip(); // it must be able to change its user
	assert_int_equal(chown(run, 0, GROUP), 0);
	assert_int_equal(chmod(run, 03771), 0);
}

static void says(const char *want)
{
	if (!strstr(why, want))
		fail_msg("\"%s\" is not in \"%s\"", want, why);
}

TEST_WITH(test_no_member, setup, teardown)
{
	for_two_users();
	run_as(USER, USER, paths_open);
	says("start weir as one of its two users");
}

TEST_WITH(test_owned_by_another, setup, teardown)
{
	if (geteuid() != 0)
		skip();
	run_as(USER, USER, paths_open);
	says("start weir as a user who may, or give this one the folder");
}

TEST_WITH(test_one_user_where_two_are_meant, setup, teardown)
{
	for_two_users();
	run_as(USER, GROUP, both_sides);
	says("both processes run as uid 64001, and their folder is set up for two users: run ");
}

TEST_WITH(test_lock_of_root, setup, teardown)
{
	for_two_users();
	int fd = process_lock(lock);
	assert_true(fd >= 0);
	close(fd);
	run_as(USER, GROUP, lock_take);
	says("uid 0 left it in a run by hand; once none of its processes runs, remove");
}

// What the control plane makes of its start on, but its sockets.
static int control_starts(void)
{
	const struct region_spec spec = {
		.name = "directory", .kind = REGION_DIRECTORY, .generation = 1, .data_size = 4096};
	struct shm_paths cp;
	struct region r;
	if (shm_paths_init_for(&cp, SHM_CONTROLPLANE, run, "off", why) < 0)
		return -1;
	const char *path = text_from("%s/" SHM_NAME_CONTROL_LOCK, run);
	int fd = process_lock(path);
	if (fd < 0)
		return process_lock_fail(path, fd, why);
	if (region_create(&cp, &spec, &r, why) < 0)
		return -1;
	snprintf(why, sizeof(why), "it started as %llx", (unsigned long long)cp.instance);
	return -1;
}

// The other user takes each name in the runtime directory, and tries those in the folder there.
static int names_take(void)
{
	static const char *const names[] = {"instance", "instance.new.64002", "controlplane.lock",
		"control.sock", "link.sock", "directory", "l0.1", "policy.1", "log.in-hand"};
	unsigned taken = 0, kept = 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		taken += mkdir(text_from("%s/%s", run, names[i]), 0700) == 0;
		kept += mkdir(text_from("%s/" SHM_CONTROL "/%s.x", run, names[i]), 0700) < 0
			&& rename(text_from("%s/" SHM_CONTROL, run), text_from("%s/gone", run)) < 0;
	}
	snprintf(why, sizeof(why), "%zu of %zu", ARRAY_LEN(names) - taken, ARRAY_LEN(names) - kept);
	return -1;
}

TEST_WITH(test_names_that_the_data_plane_takes, setup, teardown)
{
	char first[SHM_WHY_MAX];
	for_two_users();
	run_as(OTHER, GROUP, control_starts);
	says("it started as ");
	memcpy(first, why, sizeof(first));
	run_as(USER, GROUP, names_take);
	says("0 of 0");
	run_as(OTHER, GROUP, control_starts);
	says(first);
}

// Before there is an identity that both have.
TEST_WITH(test_names_taken_before_the_first_start, setup, teardown)
{
	for_two_users();
	run_as(USER, GROUP, names_take);
	says("0 of 0");
	run_as(OTHER, GROUP, control_starts);
	says("it started as ");
}

static int data_starts(void)
{
	struct shm_paths dp;
	if (shm_paths_init_for(&dp, SHM_DATAPLANE, run, "off", why) < 0)
		return -1;
	snprintf(why, sizeof(why), "it started as %llx", (unsigned long long)dp.instance);
	return -1;
}

// Whichever starts first, both have one identity.
TEST_WITH(test_one_identity, setup, teardown)
{
	char first[SHM_WHY_MAX];
	for_two_users();
	run_as(USER, GROUP, data_starts);
	says("it started as ");
	memcpy(first, why, sizeof(first));
	run_as(OTHER, GROUP, control_starts);
	says(first);
	assert_int_equal(unlink(text_from("%s/instance", run)), 0);
	run_as(USER, GROUP, data_starts);
	says(first);
}
