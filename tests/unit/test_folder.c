// SPDX-License-Identifier: BSD-3-Clause

// Folders of tests: what a killed one left is gone once another one makes a folder, in /dev/shm
// too; what a living one has stays.

#include "unit.h"

#include <sys/wait.h>

struct made {
	char folder[FOLDER_MAX], shared[2 * FOLDER_MAX];
};

static struct made made_here(void)
{
	struct made m;
	if (folder_make(m.folder, "some") || folder_make(m.folder, "more"))
		_exit(1);
	snprintf(m.shared, sizeof(m.shared), "/dev/shm/%.63s.0123456789abcdef", m.folder + 1);
	for (char *c = m.shared + 9; *c; c++)
		*c = *c == '/' ? '-' : *c;
	// A weir that starts beside this test takes an empty folder of such a name for a half made
	// one, and removes it.
	char inside[sizeof(m.shared) + 8];
	snprintf(inside, sizeof(inside), "%s/inside", m.shared);
	return mkdir(m.shared, 0700) || mkdir(inside, 0700) ? (struct made){.folder = ""} : m;
}

// A process that makes folders, and then waits for its end.
static pid_t child_start(struct made *out)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		const struct made m = made_here();
		if (write(pipes[1], &m, sizeof(m)) == sizeof(m))
			pause();
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(read(pipes[0], out, sizeof(*out)), sizeof(*out));
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

static void child_kill(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool is_there(const struct made *m)
{
	return access(m->folder, F_OK) == 0 && access(m->shared, F_OK) == 0;
}

static bool is_gone(const struct made *m)
{
	return access(m->folder, F_OK) != 0 && access(m->shared, F_OK) != 0;
}

TEST(test_the_next_start_cleans)
{
	struct made dead, alive, next;
	pid_t first = child_start(&dead), second = child_start(&alive);
	assert_true(is_there(&dead) && is_there(&alive));
	assert_memory_not_equal(dead.folder, alive.folder, strlen(dead.folder));
	child_kill(first);
	pid_t third = child_start(&next);
	// The sweep of another test that starts now may have begun with it, and not be done.
	WAIT_FOR(is_gone(&dead));
	assert_true(is_there(&alive) && is_there(&next));
	child_kill(second);
	child_kill(third);
}

TEST(test_an_end_cleans)
{
	struct made m;
	int pipes[2], status;
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		m = made_here();
		exit(write(pipes[1], &m, sizeof(m)) != sizeof(m));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipes[0], &m, sizeof(m)), sizeof(m));
	assert_true(m.folder[0] && is_gone(&m));
	close(pipes[0]);
	close(pipes[1]);
}
