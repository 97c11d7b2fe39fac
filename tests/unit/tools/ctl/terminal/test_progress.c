// SPDX-License-Identifier: BSD-3-Clause
// What a person sees while a command waits: stderr is a terminal of this test's.

#include "terminal/progress.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <unistd.h>

static int master, usual;

// What the terminal has got.
static const char *shown(void)
{
	static char text[1024];
	ssize_t n = read(master, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static int terminal_begin(void **)
{
	int slave;
	usual = dup(STDERR_FILENO);
	if (usual < 0 || openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return -1;
	dup2(slave, STDERR_FILENO);
	close(slave);
	return fcntl(master, F_SETFL, O_NONBLOCK);
}

static int terminal_end(void **)
{
	dup2(usual, STDERR_FILENO);
	close(usual);
	return close(master);
}

// One that began so many seconds ago.
static struct progress since(unsigned s, unsigned total_s)
{
	struct progress p = progress_begin("working", total_s);
	p.begin_ms -= s * 1000 + 10;
	return p;
}

static void it_is_silent_for_a_second(void **)
{
	struct progress p = progress_begin("working", 4);
	progress_step(&p);
	progress_end(&p);
	assert_string_equal(shown(), "");
}

static void a_bar_where_the_end_is_known(void **)
{
	struct progress p = since(2, 4);
	progress_step(&p);
	assert_string_equal(shown(), "\r\033[Kworking  [##########          ]  2 of 4 s");
	progress_step(&p); // in the same second
	progress_end(&p);
	assert_string_equal(shown(), "\r\033[K");
	progress_end(&p);
	assert_string_equal(shown(), "");
}

static void seconds_where_it_is_not(void **)
{
	struct progress p = since(3, 0);
	progress_step(&p);
	assert_string_equal(shown(), "\r\033[Kworking, 3 s");
	p = since(9, 4); // past its end
	progress_step(&p);
	assert_string_equal(shown(), "\r\033[Kworking, 9 s");
}

static void nothing_where_nobody_reads(void **)
{
	const int terminal = dup(STDERR_FILENO), file = open("/dev/null", O_WRONLY);
	struct progress p = since(3, 0);
	dup2(file, STDERR_FILENO);
	progress_step(&p);
	assert_int_equal(p.shown_s, 0);
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	close(file);
	progress_off();
	progress_step(&p);
	progress_end(&p);
	assert_string_equal(shown(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_silent_for_a_second),
		cmocka_unit_test(a_bar_where_the_end_is_known),
		cmocka_unit_test(seconds_where_it_is_not),
		cmocka_unit_test(nothing_where_nobody_reads),
	};
	return cmocka_run_group_tests(tests, terminal_begin, terminal_end);
}
