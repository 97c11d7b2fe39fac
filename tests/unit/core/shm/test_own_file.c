// SPDX-License-Identifier: BSD-3-Clause

// What another user may put in a file's place.
#include "tests/unit/unit.h"

#include <weir/own_file.h>

static char path[FOLDER_MAX + 8], other[FOLDER_MAX + 8];

static int setup(void **state)
{
	const int rc = own_folder_setup(state);
	snprintf(path, sizeof(path), "%s/file", own_folder);
	snprintf(other, sizeof(other), "%s/other", own_folder);
	alarm(60); // a FIFO would hang the test
	return rc;
}

static int teardown(void **state)
{
	alarm(0);
	return own_folder_teardown(state);
}

static void other_put(void)
{
	const int fd = open(other, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, "secret", 6), 6);
	close(fd);
}

static void fifo_put(void)
{
	assert_int_equal(mkfifo(path, 0666), 0);
}

static void link_put(void)
{
	other_put();
	assert_int_equal(symlink(other, path), 0);
}

static void second_name_put(void)
{
	other_put();
	assert_int_equal(link(other, path), 0);
}

static void (*const puts_there[])(void) = {fifo_put, link_put, second_name_put};

static void other_is_as_it_was(void)
{
	struct stat st;
	if (stat(other, &st) < 0)
		return;
	assert_int_equal(st.st_size, 6);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(unlink(other), 0);
}

TEST_WITH(test_what_is_not_opened, setup, teardown)
{
	static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT};
	for (size_t i = 0; i < ARRAY_LEN(puts_there); i++) {
		puts_there[i]();
		for (size_t k = 0; k < ARRAY_LEN(flags); k++)
			assert_int_equal(own_file_open(path, flags[k], 0600), -EPERM);
		assert_int_equal(unlink(path), 0);
		other_is_as_it_was();
	}
	assert_int_equal(own_file_open(path, O_RDWR, 0600), -ENOENT);
	assert_int_equal(own_file_open(own_folder, O_RDWR, 0600), -EPERM);
}

// Root takes a file of any user, another one its own and root's.
TEST_WITH(test_whose_it_is, setup, teardown)
{
	enum { MINE = 64001, THEIRS = 64002 };
	static const struct {
		uid_t by, of;
		int rc;
	} cases[] = {{0, THEIRS, 0}, {MINE, MINE, 0}, {MINE, 0, 0}, {MINE, THEIRS, -EPERM}};
	if (geteuid() != 0)
		skip();
	other_put();
	assert_int_equal(chmod(other, 0666), 0);
	assert_int_equal(chmod(own_folder, 0755), 0);
	const int folder = open(own_folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(fchdir(folder), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(chown(other, cases[i].of, (gid_t)-1), 0);
		assert_int_equal(seteuid(cases[i].by), 0);
		const int fd = own_file_open("other", O_RDWR, 0);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(fd < 0 ? fd : 0, cases[i].rc);
		if (fd >= 0)
			close(fd);
	}
	close(folder);
	assert_int_equal(chdir("/"), 0);
}

TEST_WITH(test_a_new_one_takes_the_place, setup, teardown)
{
	struct stat st;
	for (size_t i = 0; i < ARRAY_LEN(puts_there); i++) {
		puts_there[i]();
		const int fd = own_file_make(path, 0640);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "x", 1), 1);
		close(fd);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISREG(st.st_mode) && st.st_size == 1 && st.st_nlink == 1);
		assert_int_equal(unlink(path), 0);
		other_is_as_it_was();
	}
	assert_true(own_file_make(own_folder, 0600) < 0);
}
