// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/shm_region.h>

static char path[64];

static int setup(void **)
{
	snprintf(path, sizeof path, "/tmp/weir-test-lock-%d", (int)getpid());
	return 0;
}

static int teardown(void **)
{
	unlink(path);
	return 0;
}

static void test_held_and_free(void **)
{
	assert_int_equal(process_lock_probe(path), 0); // no file
	int fd = process_lock(path);
	assert_true(fd >= 0);
	assert_int_equal(process_lock_probe(path), 1);
	assert_int_equal(process_lock(path), -EAGAIN); // also within one process
	assert_int_equal(process_lock_probe(path), 1); // and the refusal released nothing
	close(fd);
	assert_int_equal(process_lock_probe(path), 0); // file, but no holder
	fd = process_lock(path);
	assert_true(fd >= 0);
	close(fd);
}

// Another process: seen as held while it lives, as free as soon as it is reaped.
static void test_dies_with_its_holder(void **)
{
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int fd = process_lock(path);
		if (write(ready[1], fd >= 0 ? "y" : "n", 1) == 1)
			pause();
		_exit(0);
	}
	char c = 0;
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(process_lock_probe(path), 1);
	assert_int_equal(process_lock(path), -EAGAIN);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(process_lock_probe(path), 0);
	close(ready[0]);
	close(ready[1]);
}

static void test_errors(void **)
{
	assert_int_equal(process_lock("/no/such/dir/lock"), -ENOENT);
	assert_int_equal(process_lock_probe("/no/such/dir/lock"), 0);
	unlink(path);
	assert_int_equal(symlink("/tmp/weir-nowhere", path), 0);
	assert_int_equal(process_lock(path), -ELOOP);
	assert_int_equal(process_lock_probe(path), -ELOOP);
}

static void test_incarnations_differ(void **)
{
	uint64_t seen[64];
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		seen[i] = incarnation_new();
		assert_int_not_equal(seen[i], 0);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_and_free),
		cmocka_unit_test(test_dies_with_its_holder),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_incarnations_differ),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
