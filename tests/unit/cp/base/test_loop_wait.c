// SPDX-License-Identifier: BSD-3-Clause
// Parts of a change that come back in time, and late.
#include "controlplane/base/loop.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

enum { PARTS = 3, PATIENCE_MS = 20000 };

static struct loop *loop;
static struct loop_wait wait;
static unsigned hanging, ended; // hanging: a bit of each part

static bool part_hangs(const void *arg, unsigned part)
{
	assert_ptr_equal(arg, &hanging);
	return hanging >> part & 1;
}

static void on_end(void *arg)
{
	assert_ptr_equal(arg, &hanging);
	ended++;
}

static int setup(void **)
{
	ended = 0;
	hanging = 0;
	wait = (struct loop_wait){.hangs = part_hangs, .then = on_end, .arg = &hanging};
	if (loop_new("test", &loop))
		return -1;
	wait.loop = loop;
	loop_wait_begin(&wait, PARTS);
	return 0;
}

FIXTURE(teardown, loop_free(loop))

static void run_for(uint64_t ms)
{
	const uint64_t end_ms = clock_mono_ms() + ms;
	while (clock_mono_ms() < end_ms)
		event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

TEST_WITH(test_all_in_time, setup, teardown)
{
	hanging = 7; // nobody asks: all are back before
	loop_wait_done(&wait, 2);
	loop_wait_done(&wait, 0);
	assert_int_equal(ended, 0);
	loop_wait_done(&wait, 1);
	assert_int_equal(ended, 1);
	assert_int_equal(wait.late, 0);
	run_for(2 * LOOP_WAIT_LOOK_MS);
	assert_int_equal(ended, 1);
}

// One that is merely slow is waited for; when it hangs too, both are left out.
TEST_WITH(test_left_out, setup, teardown)
{
	hanging = 1 << 1;
	loop_wait_done(&wait, 0);
	run_for(3 * LOOP_WAIT_LOOK_MS);
	assert_int_equal(ended, 0);
	hanging |= 1 << 2;
	for (uint64_t end_ms = clock_mono_ms() + PATIENCE_MS; !ended;) {
		assert_true(clock_mono_ms() < end_ms);
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	}
	assert_int_equal(wait.left, 0);
	assert_int_equal(wait.late, 6);
	loop_wait_done(&wait, 2);
	assert_int_equal(wait.late, 2);
	hanging = 0;
	loop_wait_done(&wait, 1);
	assert_int_equal(wait.late, 0);
	assert_int_equal(ended, 1);
}
