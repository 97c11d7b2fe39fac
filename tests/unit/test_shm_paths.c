// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/shm_region.h>

static char why[SHM_WHY_MAX];

static mode_t mode_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

// A directory on a tmpfs is itself the place for regions; find makes nothing, init makes 0750.
static void test_run_on_tmpfs(void **)
{
	char run[64], slashes[80];
	struct shm_paths p = {.run = "untouched"};
	snprintf(run, sizeof run, "/dev/shm/weir-test-paths-%d", (int)getpid());
	snprintf(slashes, sizeof slashes, "%s///", run);
	assert_int_equal(shm_paths_find(&p, run, "off", why), -ENOENT);
	assert_non_null(strstr(why, run));
	assert_string_equal(p.run, "untouched");
	mode_t old = umask(0077);
	assert_int_equal(shm_paths_init(&p, slashes, "off", why), 0);
	umask(old);
	assert_string_equal(p.run, run);
	assert_string_equal(p.mem, run);
	assert_string_equal(p.huge, "");
	assert_int_equal(mode_of(run), 0750);
	// Twice is fine, and a mode that the administrator chose stays.
	assert_int_equal(chmod(run, 0710), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	assert_int_equal(mode_of(run), 0710);
	assert_int_equal(shm_paths_find(&p, run, "off", why), 0);
	rmdir(run);
}

static void test_run_on_disk(void **)
{
	char run[64], mem[96];
	struct shm_paths p, found;
	snprintf(run, sizeof run, "/var/tmp/weir-test-paths-%d", (int)getpid());
	snprintf(mem, sizeof mem, "/dev/shm/var-tmp-weir-test-paths-%d", (int)getpid());
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	if (strcmp(p.mem, run) == 0) {
		rmdir(run);
		skip(); // a machine whose /var/tmp is a tmpfs
	}
	assert_string_equal(p.mem, mem);
	assert_int_equal(mode_of(mem), 0750);
	assert_int_equal(shm_paths_find(&found, run, "off", why), 0);
	assert_memory_equal(&p, &found, sizeof p);
	rmdir(mem);
	assert_int_equal(shm_paths_find(&found, run, "off", why), -ENOENT);
	assert_non_null(strstr(why, mem));
	rmdir(run);
}

static void test_refusals(void **)
{
	char run[64], below[80], longer[SHM_PATH_MAX + 2];
	struct shm_paths p;
	snprintf(run, sizeof run, "/dev/shm/weir-test-paths-%d", (int)getpid());
	snprintf(below, sizeof below, "%s/no/such", run);
	memset(longer, 'x', sizeof longer);
	longer[0] = '/';
	longer[sizeof longer - 1] = 0;
	const char *not_absolute[] = {"", "/", "///", "run/weir"};
	for (unsigned i = 0; i < ARRAY_LEN(not_absolute); i++)
		assert_int_equal(shm_paths_init(&p, not_absolute[i], "off", why), -EINVAL);
	assert_int_equal(shm_paths_init(&p, longer, "off", why), -ENAMETOOLONG);
	assert_int_equal(shm_paths_init(&p, below, "off", why), -ENOENT);
	assert_int_equal(symlink("/tmp", run), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), -ENOTDIR);
	assert_int_equal(unlink(run), 0);
	assert_int_equal(mkdir(run, 0700), 0);
	assert_int_equal(shm_paths_init(&p, run, "/dev/shm", why), -EINVAL);
	assert_non_null(strstr(why, "hugetlbfs"));
	assert_int_equal(chmod(run, 0777), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), -EPERM);
	rmdir(run);
}

// The directory in /dev/shm, where everyone may make one, must not be a stranger's.
static void test_planted_mem_dir(void **)
{
	if (geteuid() != 0)
		skip();
	char run[64], mem[80];
	struct shm_paths p;
	snprintf(run, sizeof run, "/var/tmp/weir-test-paths-%d", (int)getpid());
	snprintf(mem, sizeof mem, "/dev/shm/var-tmp-weir-test-paths-%d", (int)getpid());
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	bool disk = strcmp(p.mem, mem) == 0;
	if (disk) {
		assert_int_equal(chown(mem, 65534, 65534), 0);
		assert_int_equal(shm_paths_init(&p, run, "off", why), -EPERM);
		assert_non_null(strstr(why, "uid 65534"));
		rmdir(mem);
	}
	rmdir(run);
	if (!disk)
		skip();
}

static void test_names(void **)
{
	char name[SHM_NAME_MAX];
	shm_name_generation(name, "l0", 7);
	assert_string_equal(name, "l0.7");
	shm_name_generation(name, "names", UINT64_MAX);
	assert_string_equal(name, "names.18446744073709551615");
	shm_name_lane(name, 63);
	assert_string_equal(name, "lane.63");
	shm_name_marks(name, 0, 7);
	assert_string_equal(name, "marks.0.7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_on_tmpfs),
		cmocka_unit_test(test_run_on_disk),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_planted_mem_dir),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
