// SPDX-License-Identifier: BSD-3-Clause
// The keys of the whole screen: stdin and stdout are a terminal of this test's.

#include "terminal/screen.h"
#include "tests/unit/unit.h"

#include <pty.h>

static int master, usual_in, usual_out;

static int terminal_begin(void **)
{
	int slave;
	usual_in = dup(STDIN_FILENO);
	usual_out = dup(STDOUT_FILENO);
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		return -1;
	if (dup2(slave, STDIN_FILENO) < 0 || dup2(slave, STDOUT_FILENO) < 0)
		return -1;
	return close(slave);
}

static int terminal_end(void **)
{
	screen_leave();
	if (dup2(usual_in, STDIN_FILENO) < 0 || dup2(usual_out, STDOUT_FILENO) < 0)
		return -1;
	close(usual_in);
	close(usual_out);
	return close(master);
}

static void press(char key)
{
	assert_int_equal(write(master, &key, 1), 1);
}

// As during a search that takes seconds.
TEST_WITH(a_wait_sees_the_key_that_ends, terminal_begin, terminal_end)
{
	assert_true(screen_enter());
	assert_false(screen_is_over());
	press('x');
	assert_false(screen_is_over());
	press('q');
	assert_true(screen_is_over());
	assert_int_equal(screen_key(0), SCREEN_KEY_END);
	screen_leave();
	assert_false(screen_is_over());
}
