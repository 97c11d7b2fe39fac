// SPDX-License-Identifier: BSD-3-Clause
// Lines that leave a file and lines that join it.

#include "controlplane/lists/fetch/list_diff.h"
#include "tests/unit/unit.h"

static struct list_diff *diff;
static char made[1 << 16];
static size_t made_len;
static uint64_t lines;

static int start(void **)
{
	made_len = lines = 0;
	return list_diff_new(&diff);
}

FIXTURE(stop, list_diff_free(diff))

static int on_text(void *arg, const char *line, size_t len)
{
	lines++;
	assert_int_equal(line[len - 1], '\n');
	if (made_len + len < sizeof(made)) {
		memcpy(made + made_len, line, len);
		made_len += len;
		made[made_len] = '\0';
	}
	return arg ? *(int *)arg : 0;
}

static int change(bool joins, const char *line)
{
	return list_diff_change(diff, joins, line, strlen(line));
}

static int apply(const char *copy, size_t len, void *arg)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, copy, len), len);
	made[made_len = 0] = '\0';
	int err = list_diff_apply(diff, fd, "soa 2\n", 6, on_text, arg);
	close(fd);
	return err;
}

TEST_WITH(test_lines, start, stop)
{
	static const char copy[] = "soa 1\na\nb\nb\nc\n";
	assert_int_equal(apply(copy, strlen(copy), NULL), -EBADMSG); // no such SOA joined
	assert_int_equal(change(false, "soa 1\n"), 0);
	assert_int_equal(change(false, "b\n"), 0);
	assert_int_equal(change(true, "soa 2\n"), 0);
	assert_int_equal(change(true, "d\n"), 0);
	assert_int_equal(change(true, "d\n"), -EBADMSG);
	assert_int_equal(change(false, "b\n"), -EBADMSG);
	assert_int_equal(list_diff_changes(diff), 4);
	assert_int_equal(apply(copy, strlen(copy), NULL), 0);
	assert_string_equal(made, "a\nc\nd\n"); // a record twice in the file is one record
	assert_int_equal(apply(copy, strlen(copy), &(int){-EFBIG}), -EFBIG);
}

TEST_WITH(test_a_copy_that_does_not_fit, start, stop)
{
	static const char *const bad[] = {"", "soa 1\na\n", "soa 1\nb\nd\n", "soa 1\nb", "b\n",
		"soa 1\nb\nsoa 2\n", "soa 1\nb\n\0"};
	assert_int_equal(change(false, "soa 1\n"), 0);
	assert_int_equal(change(false, "b\n"), 0);
	assert_int_equal(change(true, "soa 2\n"), 0);
	assert_int_equal(change(true, "d\n"), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
			apply(bad[i], strlen(bad[i]) + (i == ARRAY_LEN(bad) - 1), NULL), -EBADMSG);
	static char line[1 << 17];
	memset(line, 'x', sizeof(line));
	assert_int_equal(apply(line, sizeof(line), NULL), -EBADMSG);
	assert_int_equal(list_diff_apply(diff, -1, "soa 2\n", 6, on_text, NULL), -EBADF);
}

// Lines cross the ends of the windows in which the file is read.
TEST_WITH(test_a_large_copy, start, stop)
{
	enum { LINES = 50000 };
	char *copy = malloc(LINES * 40), line[40];
	size_t len = 0;
	uint64_t gone = 1;
	assert_non_null(copy);
	len += (size_t)sprintf(copy, "soa 1\n");
	for (unsigned i = 0; i < LINES; i++)
		len += (size_t)sprintf(copy + len, "%.*s%u\n", i % 20, "abcdefghijklmnopqrst", i);
	assert_int_equal(change(false, "soa 1\n"), 0);
	assert_int_equal(change(true, "soa 2\n"), 0);
	for (unsigned i = 0; i < LINES; i += 7, gone++) {
		sprintf(line, "%.*s%u\n", i % 20, "abcdefghijklmnopqrst", i);
		assert_int_equal(change(false, line), 0);
		sprintf(line, "new %u\n", i);
		assert_int_equal(change(true, line), 0);
	}
	assert_int_equal(apply(copy, len, NULL), 0);
	assert_int_equal(lines, LINES); // as many as left have joined
	free(copy);
}

TEST_WITH(test_too_many, start, stop)
{
	static char line[4096];
	int err = 0;
	for (unsigned i = 0; err == 0 && i <= LIST_DIFF_LINES_MAX; i++) {
		sprintf(line, "%u\n", i);
		err = change(true, line);
	}
	assert_int_equal(err, -E2BIG);
	assert_int_equal(list_diff_changes(diff), LIST_DIFF_LINES_MAX);
	stop(NULL);
	assert_int_equal(start(NULL), 0);
	memset(line, 'x', sizeof(line) - 1);
	err = 0;
	for (unsigned i = 0; err == 0 && i <= LIST_DIFF_TEXT_MAX / 4095; i++) {
		memcpy(line, &i, sizeof(i));
		err = list_diff_change(diff, true, line, sizeof(line) - 1);
	}
	assert_int_equal(err, -E2BIG);
}
