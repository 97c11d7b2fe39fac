// SPDX-License-Identifier: BSD-3-Clause

// A region cut off while it is mapped: its maker ends with its own status, the other side reads
// zeros and goes on, any other SIGBUS kills as ever. Each in a child of its own.

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/shm_lost.h>
#include <weir/shm_region.h>

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct region region;

static int setup(void **)
{
	strcpy(dir, "/tmp/weir-test-lost-XXXXXX");
	const struct region_spec spec = {.name = "l0.1",
		.kind = REGION_L0,
		.generation = 1,
		.incarnation = 7,
		.data_size = 4 * SHM_PAGE,
		.mode = 0600};
	if (!mkdtemp(dir) || shm_paths_init(&paths, dir, "off", why)
		|| region_create(&paths, &spec, &region, why))
		return -1;
	memset(region_data(&region), 0xaa, 4 * SHM_PAGE);
	region_publish(&region);
	return 0;
}

static int teardown(void **)
{
	region_unmap(&region);
	(void)region_unlink(&paths, SHM_IN_MEM, "l0.1");
	rmdir(paths.mem);
	rmdir(dir);
	return 0;
}

static void cut_off(void)
{
	char path[2 * SHM_PATH_MAX];
	snprintf(path, sizeof(path), "%s/l0.1", paths.mem);
	assert_int_equal(truncate(path, 2 * SHM_PAGE), 0);
}

// How a child ends that reads an octet beyond the end, which must be 0 if it can be read.
static int touch(const char *own)
{
	const char *const names[] = {own, NULL};
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		region_lost_catch(names);
		const volatile uint8_t *at = region.base;
		_exit(at[3 * SHM_PAGE] == 0 && at[0] == 0 ? 1 : 2);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_its_maker_ends(void **)
{
	assert_false(region_is_cut(&paths, &region, "l0.1"));
	cut_off();
	assert_true(region_is_cut(&paths, &region, "l0.1"));
	int status = touch("l0.");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), REGION_LOST_STATUS);
}

static void test_who_reads_it_goes_on(void **)
{
	cut_off();
	int status = touch("lane.");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void test_another_file_of_that_name_is_not_ours(void **)
{
	struct region old = region;
	region = (struct region){0};
	assert_int_equal(setup(NULL), 0);
	assert_true(old.inode != region.inode);
	cut_off();
	assert_false(region_is_cut(&paths, &old, "l0.1"));
	region_unmap(&old);
}

static void test_any_other_bus_error_kills(void **)
{
	static const char *const none[] = {NULL};
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		region_lost_catch(none);
		raise(SIGBUS);
		_exit(3);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_its_maker_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_reads_it_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_another_file_of_that_name_is_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_other_bus_error_kills, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
