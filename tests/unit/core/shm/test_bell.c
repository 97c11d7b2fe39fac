// SPDX-License-Identifier: BSD-3-Clause

// The bell, and what a hostile far end can make of it.
#include "tests/unit/passed_files.h"
#include "tests/unit/unit.h"

#include <sys/epoll.h>
#include <weir/bell.h>
#include <weir/gong.h>

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

TEST_WITH(test_rings, setup, teardown)
{
	for (unsigned i = 0; i < 2; i++) {
		assert_false(has_rung(end[BELL_HEARS]));
		assert_true(bell_clear(end[BELL_HEARS]));
		bell_ring(end[BELL_RINGS]);
		bell_ring(end[BELL_RINGS]);
		assert_true(has_rung(end[BELL_HEARS]));
		assert_true(bell_clear(end[BELL_HEARS]));
		assert_false(has_rung(end[BELL_HEARS]));
	}
	bell_ring(-1);
}

// What is sent to the end that rings, descriptors too, stays with its sender.
TEST_WITH(test_nothing_comes_back, setup, teardown)
{
	assert_int_equal(passed_files_try(end[BELL_HEARS]), -EPIPE);
	bell_ring(end[BELL_RINGS]);
	assert_true(bell_clear(end[BELL_HEARS]));
}

// Rung for long while nobody listened: one clear, and it rings again.
TEST_WITH(test_full, setup, teardown)
{
	for (unsigned i = 0; i < RINGS; i++)
		bell_ring(end[BELL_RINGS]);
	assert_true(bell_clear(end[BELL_HEARS]));
	assert_false(has_rung(end[BELL_HEARS]));
	bell_ring(end[BELL_RINGS]);
	assert_true(has_rung(end[BELL_HEARS]));
}

static void let_wait(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
}

// The other process has the same open files, and asks them to wait.
TEST_WITH(test_cannot_be_made_to_wait, setup, teardown)
{
	for (unsigned i = 0; i < BELL_ENDS; i++)
		let_wait(end[i]);
	assert_true(bell_clear(end[BELL_HEARS]));
	for (unsigned i = 0; i < RINGS; i++)
		bell_ring(end[BELL_RINGS]);
}

TEST_WITH(test_shut_down, setup, teardown)
{
	assert_int_equal(shutdown(end[BELL_HEARS], SHUT_RDWR), 0);
	bell_ring(end[BELL_RINGS]); // no SIGPIPE
	assert_false(bell_clear(end[BELL_HEARS]));
}

TEST_WITH(test_no_socket, setup, teardown)
{
	int file = open("/dev/zero", O_RDWR | O_CLOEXEC);
	bell_ring(file);
	assert_false(bell_clear(file));
	close(file);
}

static bool is_heard(int watch)
{
	struct epoll_event e;
	return epoll_wait(watch, &e, 1, 0) == 1;
}

// Each strike is an event, also once the counter is full and the file may wait.
TEST(test_gong)
{
	const uint64_t most = UINT64_MAX - 2;
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	int gong = gong_open(), watch = epoll_create1(EPOLL_CLOEXEC);
	alarm(SECONDS);
	assert_int_equal(epoll_ctl(watch, EPOLL_CTL_ADD, gong, &e), 0);
	assert_true(is_heard(watch)); // as its counter is 1
	for (unsigned full = 0; full < 2; full++) {
		assert_false(is_heard(watch));
		gong_strike(gong);
		gong_strike(gong);
		assert_true(is_heard(watch));
		assert_false(is_heard(watch));
		if (!full) {
			let_wait(gong);
			assert_int_equal(write(gong, &most, sizeof(most)), sizeof(most));
			assert_true(is_heard(watch));
		}
	}
	gong_strike(-1);
	alarm(0);
	close(gong);
	close(watch);
}

TEST_WITH(test_what_is_a_gong, setup, teardown)
{
	int gong = gong_open(), file = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(gong_is(gong));
	assert_false(gong_is(file));
	assert_false(gong_is(ends[1]));
	assert_false(gong_is(end[BELL_RINGS]));
	assert_false(gong_is(-1));
	close(gong);
	close(file);
	close(ends[0]);
	close(ends[1]);
}
