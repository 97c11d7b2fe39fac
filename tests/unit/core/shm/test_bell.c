// SPDX-License-Identifier: BSD-3-Clause

// The bell, and what a hostile far end can make of it.
#include "tests/unit/unit.h"

#include <weir/bell.h>

enum { RINGS = 5000, SECONDS = 60 };

static int end[BELL_ENDS];

static int setup(void **)
{
	alarm(SECONDS); // a thread that waits below waits for ever
	return bell_open(end);
}

static int teardown(void **)
{
	alarm(0);
	close(end[0]);
	close(end[1]);
	return 0;
}

static bool has_rung(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

TEST_WITH(test_rings_both_ways, setup, teardown)
{
	for (unsigned i = 0; i < BELL_ENDS; i++) {
		assert_false(has_rung(end[i]));
		assert_true(bell_clear(end[i]));
		bell_ring(end[!i]);
		bell_ring(end[!i]);
		assert_true(has_rung(end[i]));
		assert_true(bell_clear(end[i]));
		assert_false(has_rung(end[i]));
	}
	bell_ring(-1);
}

// Rung for long while nobody listened: one clear, and it rings again.
TEST_WITH(test_full, setup, teardown)
{
	for (unsigned i = 0; i < RINGS; i++)
		bell_ring(end[0]);
	assert_true(bell_clear(end[1]));
	assert_false(has_rung(end[1]));
	bell_ring(end[0]);
	assert_true(has_rung(end[1]));
}

// The other process has the same open files, and asks them to wait.
TEST_WITH(test_cannot_be_made_to_wait, setup, teardown)
{
	for (unsigned i = 0; i < BELL_ENDS; i++)
		assert_int_equal(fcntl(end[i], F_SETFL, fcntl(end[i], F_GETFL) & ~O_NONBLOCK), 0);
	assert_true(bell_clear(end[0]));
	for (unsigned i = 0; i < RINGS; i++)
		bell_ring(end[0]);
}

TEST_WITH(test_shut_down, setup, teardown)
{
	assert_int_equal(shutdown(end[1], SHUT_RDWR), 0);
	bell_ring(end[0]); // no SIGPIPE
	assert_false(bell_clear(end[0]));
}

TEST_WITH(test_no_socket, setup, teardown)
{
	int file = open("/dev/zero", O_RDWR | O_CLOEXEC);
	bell_ring(file);
	assert_false(bell_clear(file));
	close(file);
}
