// SPDX-License-Identifier: BSD-3-Clause
//
// The writer of the query store is killed before each change that it makes to the file system, one
// after the other: SQLite's calls are this program's own here, and count. Whatever is left is
// readable at once, has all that was committed, and is gone on with.

#include "controlplane/querylog/store/query_file.h"
#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_search.h"
#include "controlplane/querylog/store/sql.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

#include <sys/syscall.h>
#include <sys/wait.h>

enum { HOUR = 472222, ROWS = 40, COMMITS = 3 };

static unsigned die_at, steps; // in the child: 0 is never
static unsigned syncs;

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
	syncs++;
	step();
	return (int)syscall(SYS_fdatasync, fd);
}

int unlink(const char *path)
{
	step();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static char path[PATH_MAX];

static int setup(void **state)
{
	return own_folder_setup(state) || query_folder_path(own_folder, HOUR, 1, path);
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
		if (c == 1)
			assert_int_equal(query_file_sync(f), 0);
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
	assert_int_equal(query_search(own_folder, &all, &stop, on_found, &rows, &end), 0);
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

TEST(test_killed_at_each_step)
{
	void *shared = mmap(
		NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_Atomic uint64_t *committed = shared;
	unsigned at = 1;
	assert_ptr_not_equal(shared, MAP_FAILED);
	for (bool killed = true; killed; at++) {
		assert_int_equal(setup(unit_state), 0);
		*committed = 0;
		killed = killed_at(at, committed);
		uint64_t found = rows_found(), safe = *committed;
		// One commit may have been done and not yet reported.
		assert_true(found == safe || (killed && found == safe + ROWS));
		write_file(1, committed);
		assert_int_equal(rows_found(), found + COMMITS * ROWS);
		assert_int_equal(own_folder_teardown(unit_state), 0);
	}
	assert_true(at > 30); // else the calls were not ours
	munmap(shared, sizeof(uint64_t));
}

// The power goes and takes what the disk was not waited for: here all but the file itself.
TEST_WITH(test_synced, setup, own_folder_teardown)
{
	struct querylog_rig rig;
	struct query_file *f;
	querylog_rig_open(&rig, 1);
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), 0);
	const struct querylog_batch *b = querylog_rig_batch(&rig, 2 * ROWS);
	for (unsigned i = 0; i < 2 * ROWS; i++) {
		assert_int_equal(query_file_put(f, "box", &b->row[i], 1), 0);
		if (i != ROWS - 1 && i != 2 * ROWS - 1)
			continue;
		assert_int_equal(query_file_commit(f), 0);
		if (i == ROWS - 1)
			assert_int_equal(query_file_sync(f), 0);
	}
	querylog_release(b);
	assert_int_equal(rows_found(), 2 * ROWS);
	const char *command = text_from("cp %s %s/kept", path, own_folder);
	assert_int_equal(system(command), 0);
	query_file_close(f);
	command = text_from("mv %s/kept %s", own_folder, path);
	const char *wal = text_from("%s-wal", path);
	assert_int_equal(system(command), 0);
	assert_int_equal(access(wal, F_OK), -1);
	assert_int_equal(rows_found(), ROWS);
	query_file_free(f);
	querylog_rig_close(&rig);
}

// A search keeps a checkpoint from what was committed after it began: the disk has it nevertheless.
TEST_WITH(test_sync_beside_a_search, setup, own_folder_teardown)
{
	struct querylog_rig rig;
	struct query_file *f;
	struct sql *reader;
	int64_t rows;
	querylog_rig_open(&rig, 1);
	assert_int_equal(query_file_new(&f), 0);
	assert_int_equal(query_file_open(f, path, HOUR), 0);
	const struct querylog_batch *b = querylog_rig_batch(&rig, 2);
	assert_int_equal(query_file_put(f, "box", &b->row[0], 1), 0);
	assert_int_equal(query_file_commit(f), 0);
	assert_int_equal(sql_open(&reader, path, SQL_READ), 0);
	assert_int_equal(sql_run(reader, "BEGIN"), 0);
	assert_int_equal(sql_number(reader, "SELECT count(*) FROM rows", &rows), 0);
	assert_int_equal(query_file_put(f, "box", &b->row[1], 1), 0);
	assert_int_equal(query_file_commit(f), 0);
	for (unsigned i = 0; i < 2; i++) { // also when there is nothing more to copy
		syncs = 0;
		assert_int_equal(query_file_sync(f), 0);
		assert_true(syncs > 0);
	}
	querylog_release(b);
	syncs = 0;
	query_file_close(f);
	assert_true(syncs > 0);
	sql_close(reader);
	query_file_free(f);
	querylog_rig_close(&rig);
}
