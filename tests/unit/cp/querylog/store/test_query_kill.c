// SPDX-License-Identifier: BSD-3-Clause
//
// The writer of the query store is killed before each change that it makes to the file system, one
// after the other: SQLite's calls are this program's own here, and count. Whatever is left is
// readable at once, has all that was committed, and is gone on with.

#include "controlplane/querylog/store/query_file.h"
#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_search.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUR = 472222, ROWS = 40, COMMITS = 3 };

static unsigned die_at, steps; // in the child: 0 is never

static void step(void)
{
	if (die_at && ++steps == die_at)
		kill(getpid(), SIGKILL);
}

// The C library's, in the place of which these are taken by the dynamic linker.
ssize_t pwrite64(int fd, const void *at, size_t len, off64_t offset)
{
	step();
	return syscall(SYS_pwrite64, fd, at, len, offset);
}

int ftruncate64(int fd, off64_t len)
{
	step();
	return (int)syscall(SYS_ftruncate, fd, len);
}

int fdatasync(int fd)
{
	step();
	return (int)syscall(SYS_fdatasync, fd);
}

int unlink(const char *path)
{
	step();
	return (int)syscall(SYS_unlink, path);
}

static char folder[64], path[PATH_MAX];

static int setup(void **)
{
	snprintf(folder, sizeof(folder), "/tmp/weir-kill-XXXXXX");
	return mkdtemp(folder) ? query_folder_path(folder, HOUR, 1, path) : -1;
}

static int teardown(void **)
{
	return folder_remove(folder, "");
}

// Adds to *committed what is safe from now on.
static void write_file(uint64_t seed, _Atomic uint64_t *committed)
{
	struct querylog_rig rig;
	struct query_file *f;
	querylog_rig_open(&rig, seed);
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), 0);
	for (unsigned c = 0; c < COMMITS; c++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, ROWS);
		for (unsigned i = 0; i < ROWS; i++)
			assert_int_equal(query_file_put(f, "box", &b->row[i], 1), 0);
		querylog_release(b);
		assert_int_equal(query_file_commit(f), 0);
		*committed += ROWS;
	}
	query_file_close(f);
	query_file_free(f);
	querylog_rig_close(&rig);
}

static void on_found(void *arg, const struct query_found *)
{
	++*(uint64_t *)arg;
}

static uint64_t rows_found(void)
{
	const struct query_filter all = {.until_us = INT64_MAX, .rows = 1000, .for_ms = 60000};
	const _Atomic bool stop = false;
	struct query_outcome end;
	uint64_t rows = 0;
	assert_int_equal(query_search(folder, &all, &stop, on_found, &rows, &end), 0);
	assert_true(end.complete);
	assert_int_equal(end.unreadable, 0);
	return rows;
}

// False when it was through before it came to its `at`th step.
static bool killed_at(unsigned at, _Atomic uint64_t *committed)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		die_at = at;
		write_file(at, committed);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return true;
}

static void test_killed_at_each_step(void **state)
{
	void *shared = mmap(
		NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_Atomic uint64_t *committed = shared;
	unsigned at = 1;
	assert_ptr_not_equal(shared, MAP_FAILED);
	for (bool killed = true; killed; at++) {
		assert_int_equal(setup(state), 0);
		*committed = 0;
		killed = killed_at(at, committed);
		uint64_t found = rows_found(), safe = *committed;
		// One commit may have been done and not yet reported.
		assert_true(found == safe || (killed && found == safe + ROWS));
		write_file(1, committed);
		assert_int_equal(rows_found(), found + COMMITS * ROWS);
		assert_int_equal(teardown(state), 0);
	}
	assert_true(at > 30); // else the calls were not ours
	munmap(shared, sizeof(uint64_t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_at_each_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
