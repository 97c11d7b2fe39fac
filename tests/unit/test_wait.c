// SPDX-License-Identifier: BSD-3-Clause

// What a wait does that is in vain. The clock stands still, so that its patience ends at once.
#include "unit.h"

#include <sys/wait.h>

static bool never;

static void waits_in_vain(void **)
{
	WAIT_FOR(never);
}

// A program of tests in a child: how it ended, and what it said.
static int vain(char *said, size_t size)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(waits_in_vain)};
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		_exit(cmocka_run_group_tests(tests, NULL, NULL));
	}
	close(ends[1]);
	size_t len = 0;
	for (ssize_t n; len < size - 1 && (n = read(ends[0], said + len, size - 1 - len)) > 0;)
		len += (size_t)n;
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

TEST(a_wait_in_vain_fails_its_case)
{
	char said[2048];
	int status = vain(said, sizeof(said));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(said, "test_wait.c:12: in vain: WAIT_FOR(never)"));
}

TEST(what_follows_is_done_until_it_is_so)
{
	unsigned count = 0, looks = 0;
	WAIT_FOR(looks++ >= 3, count++);
	assert_int_equal(count, 3);
	assert_int_equal(looks, 4);
	WAIT_FOR(true, count++);
	assert_int_equal(count, 3);
}
