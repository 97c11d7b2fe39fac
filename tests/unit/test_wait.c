// SPDX-License-Identifier: BSD-3-Clause

// What a wait does that is in vain, or whose condition ends. The clock stands still, so that all
// patience ends at once.
#include "unit.h"

#include <sys/wait.h>

static bool never;

static void waits_in_vain(void **)
{
	WAIT_FOR(never);
}

static void does_not_stay_so(void **)
{
	unsigned looks = 0;
	STAYS_SO(looks++ < 3, 5);
}

// A program of one test in a child: how it ended, and what it said.
static int child_runs(void (*test)(void **), char *said, size_t size)
{
	const struct CMUnitTest tests[] = {{.name = "test", .test_func = test}};
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

static void fails_as(void (*test)(void **), const char *how)
{
	char said[2048];
	int status = child_runs(test, said, sizeof(said));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(said, how));
}

TEST(a_wait_in_vain_fails_its_case)
{
	fails_as(waits_in_vain, "test_wait.c:13: in vain: WAIT_FOR(never)");
}

TEST(what_ends_too_early_fails_its_case)
{
	fails_as(does_not_stay_so, "test_wait.c:19: no longer: STAYS_SO(looks++ < 3)");
}

TEST(what_stays_so_is_looked_at_for_the_time)
{
	const uint64_t from_ms = clock_mono_ms();
	unsigned looks = 0;
	STAYS_SO(++looks, 5);
	assert_int_equal(looks, 5);
	assert_int_equal(clock_mono_ms() - from_ms, 5);
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
