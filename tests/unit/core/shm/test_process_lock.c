// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <weir/shm_region.h>

static char path[64];

static int setup(void **)
{
	snprintf(path, sizeof(path), "/tmp/weir-test-lock-%d", (int)getpid());
	return 0;
}

FIXTURE(teardown, unlink(path))

TEST(test_held_and_free)
{
	assert_int_equal(process_lock_probe(path), -ENOENT); // no file: nobody can tell
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
TEST(test_dies_with_its_holder)
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

// Any process that may open the file may hold a read lock on it, which keeps its owner out.
TEST(test_nobody_else_can_open_it)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640); // of an earlier version
	assert_true(fd >= 0);
	close(fd);
	mode_t old = umask(0);
	fd = process_lock(path);
	umask(old);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	unlink(path);
	old = umask(0);
	fd = process_lock(path);
	umask(old);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
}

// The other of two users may read the file, and so may hold a read lock on it.
TEST(test_a_read_lock_keeps_nobody_out)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	struct stat before, after;
	int fd = process_lock(path);
	assert_true(fd >= 0);
	close(fd);
	int reader = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fcntl(reader, F_OFD_SETLK, &lock), 0);
	assert_int_equal(stat(path, &before), 0);
	fd = process_lock(path);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(process_lock_probe(path), 1);
	assert_int_equal(process_lock(path), -EAGAIN); // the lock of one that runs still does
	close(reader);
	close(fd);
}

TEST(test_deleted_while_held)
{
	int fd = process_lock(path);
	assert_true(fd >= 0);
	assert_int_equal(process_lock_keep(path, &fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(process_lock_probe(path), -ENOENT); // not "free"
	assert_int_equal(process_lock_keep(path, &fd), 1);
	assert_int_equal(process_lock_probe(path), 1);
	assert_int_equal(process_lock(path), -EAGAIN);
	// An empty file in its place, as of a restore, is taken as well; one that is held is not.
	assert_int_equal(unlink(path), 0);
	close(creat(path, 0600));
	assert_int_equal(process_lock_keep(path, &fd), 1);
	assert_int_equal(process_lock_probe(path), 1);
	assert_int_equal(unlink(path), 0);
	int other = process_lock(path);
	assert_true(other >= 0);
	assert_int_equal(process_lock_keep(path, &fd), -EAGAIN);
	close(other);
	close(fd);
}

TEST(test_errors)
{
	assert_int_equal(process_lock("/no/such/dir/lock"), -ENOENT);
	assert_int_equal(process_lock_probe("/no/such/dir/lock"), -ENOENT);
	unlink(path);
	assert_int_equal(symlink("/tmp/weir-nowhere", path), 0);
	assert_int_equal(process_lock(path), -EPERM);
	assert_int_equal(process_lock_probe(path), -ELOOP);
}

// A secret that another user has given the lock's name too stays one.
TEST(test_another_file_under_its_name)
{
	char secret[80];
	struct stat st;
	snprintf(secret, sizeof(secret), "%s.secret", path);
	unlink(path);
	const int fd = open(secret, O_WRONLY | O_CREAT | O_EXCL, 0400);
	assert_int_equal(link(secret, path), 0);
	assert_int_equal(process_lock(path), -EPERM);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0400);
	close(fd);
	assert_int_equal(unlink(secret), 0);
}

TEST(test_incarnations_differ)
{
	uint64_t seen[64];
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		seen[i] = incarnation_new();
		assert_int_not_equal(seen[i], 0);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
}

TEST_GROUP(setup, teardown)
