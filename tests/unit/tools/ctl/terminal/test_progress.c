// SPDX-License-Identifier: BSD-3-Clause
// What a person sees while a command waits: stderr is a terminal of this test's.

#include "terminal/progress.h"
#include "tests/unit/unit.h"

#include <pty.h>

static int master, slave;

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
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return -1;
	return fcntl(master, F_SETFL, O_NONBLOCK);
}

static int terminal_end(void **)
{
	close(slave);
	return close(master);
}

// With that as stderr.
static void with(int fd, void (*call)(struct progress *), struct progress *p)
{
	const int usual = dup(STDERR_FILENO);
	assert_true(usual >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	call(p);
	assert_true(dup2(usual, STDERR_FILENO) >= 0);
	close(usual);
}

static void step(struct progress *p)
{
	with(slave, progress_step, p);
}

static void end(struct progress *p)
{
	with(slave, progress_end, p);
}

// One that began so many seconds ago.
static struct progress since(unsigned s, unsigned total_s)
{
	struct progress p = progress_begin("working", total_s);
	p.begin_ms -= s * 1000 + 400;
	return p;
}

TEST(it_is_silent_for_a_second)
{
	struct progress p = progress_begin("working", 4);
	step(&p);
	end(&p);
	assert_string_equal(shown(), "");
}

TEST(a_bar_where_the_end_is_known)
{
	struct progress p = since(2, 4);
	step(&p);
	assert_string_equal(shown(), "\r\033[Kworking  [##########          ]  2 of 4 s");
	step(&p); // in the same second
	end(&p);
	assert_string_equal(shown(), "\r\033[K");
	end(&p);
	assert_string_equal(shown(), "");
}

TEST(seconds_where_it_is_not)
{
	struct progress p = since(3, 0);
	step(&p);
	assert_string_equal(shown(), "\r\033[Kworking, 3 s");
	p = since(9, 4); // past its end
	step(&p);
	assert_string_equal(shown(), "\r\033[Kworking, 9 s");
}

TEST(nothing_where_nobody_reads)
{
	const int file = open("/dev/null", O_WRONLY);
	struct progress p = since(3, 0);
	with(file, progress_step, &p);
	close(file);
	assert_int_equal(p.shown_s, 0);
	progress_off();
	step(&p);
	end(&p);
	assert_string_equal(shown(), "");
}

TEST_GROUP(terminal_begin, terminal_end)
