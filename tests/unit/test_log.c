// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/log.h>

// Runs body with stderr going to a pipe; what it wrote is in out.
static size_t capture(void (*body)(void), char *out, size_t cap)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0, 1);
	int saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	body();
	dup2(saved, STDERR_FILENO);
	close(saved);
	size_t len = 0;
	ssize_t n;
	while ((n = read(fds[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(fds[0]);
	return len;
}

static void say_levels(void)
{
	log_init("prog", LOG_LEVEL_WARNING);
	log_error("bad %d", 7);
	log_info("quiet");
}

static void test_levels(void **)
{
	char out[1024];
	capture(say_levels, out, sizeof out);
	assert_string_equal(out, "<3>prog: bad 7\n");
}

static void say_long(void)
{
	char text[4000];
	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = 0;
	log_error("%s", text);
}

static void test_long_line_is_cut(void **)
{
	char out[8192];
	size_t len = capture(say_long, out, sizeof out);
	assert_true(len <= 1024);
	assert_int_equal(out[len - 1], '\n');
}

static void say_much(void)
{
	for (int i = 0; i < 100000; i++)
		log_error("again");
}

static void test_flood_is_bounded(void **)
{
	static char out[1 << 20];
	size_t len = capture(say_much, out, sizeof out);
	unsigned lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += out[i] == '\n';
	assert_true(lines <= 1000); // 100 a second; the loop lasts well under ten
	assert_int_equal(log_suppressed() + lines, 100000 + 0u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_long_line_is_cut),
		cmocka_unit_test(test_flood_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
