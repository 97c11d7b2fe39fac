// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/loop.h"
#include "tests/unit/unit.h"

enum { LOOPS = 3 };

static struct loop *loops[LOOPS], *asking;
static pthread_t threads[LOOPS], asking_thread;
static pthread_t delivered_on;
static _Atomic unsigned delivered;

struct question {
	struct loop_fan fan;
	pthread_t worked_on[LOOPS];
	unsigned worked[LOOPS];
};
static struct question seen;

static void on_loop(void *block, unsigned i)
{
	struct question *q = block;
	usleep(1000 * (LOOPS - i)); // the last one is back first
	q->worked_on[i] = pthread_self();
	q->worked[i]++;
}

static void on_delivered(void *block)
{
	seen = *(struct question *)block;
	delivered_on = pthread_self();
	delivered++;
}

static struct question *question_new(void)
{
	struct question *q = calloc(1, sizeof(*q));
	assert_non_null(q);
	q->fan = (struct loop_fan){.reply_to = asking, .work = on_loop, .deliver = on_delivered};
	return q;
}

static void *run(void *l)
{
	return (void *)(intptr_t)loop_run(l);
}

static int setup(void **)
{
	delivered = 0;
	for (unsigned i = 0; i < LOOPS; i++)
		assert_int_equal(loop_new("part", &loops[i]), 0);
	assert_int_equal(loop_new("asking", &asking), 0);
	return 0;
}

static int teardown(void **)
{
	for (unsigned i = 0; i < LOOPS; i++)
		loop_free(loops[i]);
	loop_free(asking);
	return 0;
}

static void threads_start(void)
{
	for (unsigned i = 0; i < LOOPS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, loops[i]), 0);
	assert_int_equal(pthread_create(&asking_thread, NULL, run, asking), 0);
}

static void threads_stop(void)
{
	for (unsigned i = 0; i < LOOPS; i++) {
		loop_stop(loops[i]);
		pthread_join(threads[i], NULL);
	}
	loop_stop(asking);
	pthread_join(asking_thread, NULL);
}

// Each loop does its part once, on its own thread; one delivery, where it was asked.
TEST_WITH(test_all_parts_are_delivered_together, setup, teardown)
{
	threads_start();
	for (unsigned n = 1; n <= 50; n++) {
		assert_int_equal(loop_fan(loops, LOOPS, question_new()), 0);
		WAIT_FOR(delivered >= n);
		assert_int_equal(delivered, n);
		assert_true(pthread_equal(delivered_on, asking_thread));
		for (unsigned i = 0; i < LOOPS; i++) {
			assert_int_equal(seen.worked[i], 1);
			assert_true(pthread_equal(seen.worked_on[i], threads[i]));
		}
	}
	threads_stop();
}

static void nothing(void *)
{
}

// Nothing is sent; others with a full mailbox take their part.
TEST_WITH(test_a_full_mailbox_of_the_first_refuses, setup, teardown)
{
	for (unsigned i = 0; i < LOOP_CALLS_MAX; i++) {
		assert_int_equal(loop_call(loops[0], nothing, NULL), 0);
		assert_int_equal(loop_call(loops[1], nothing, NULL), 0);
	}
	assert_int_equal(loop_fan(loops, LOOPS, question_new()), -EAGAIN);
	assert_int_equal(loop_fan(loops, 1, NULL), -ENOMEM);
	loop_stop(loops[0]);
	assert_int_equal(loop_run(loops[0]), 0);
	assert_int_equal(loop_fan(loops, LOOPS, question_new()), 0);
	assert_int_equal(delivered, 0);
	loops_settle((struct loop *[]){loops[0], loops[1], loops[2], asking}, LOOPS + 1);
	assert_int_equal(delivered, 1);
}

static _Atomic unsigned hung; // a bit of each loop
static atomic_bool stuck, held;

static bool hangs(const void *, unsigned i)
{
	return hung >> i & 1;
}

static void hold(void *)
{
	held = true;
	WAIT_FOR(!stuck);
	held = false;
}

static void fan_out(void)
{
	struct question *q = question_new();
	q->fan.hangs = hangs;
	assert_int_equal(loop_fan(loops, LOOPS, q), 0);
}

static void wait_for(unsigned count)
{
	WAIT_FOR(delivered >= count);
	assert_int_equal(delivered, count);
}

static void back_are(bool first, bool second, bool third)
{
	assert_int_equal(loop_fan_is_back(&seen.fan, 0), first);
	assert_int_equal(loop_fan_is_back(&seen.fan, 1), second);
	assert_int_equal(loop_fan_is_back(&seen.fan, 2), third);
}

// Neither those that hang before the call nor those that begin to during it.
TEST_WITH(test_a_loop_that_hangs_is_left_out, setup, teardown)
{
	threads_start();
	hung = 0;
	fan_out();
	wait_for(1);
	back_are(true, true, true);
	for (unsigned i = 0; i < LOOPS; i++) {
		stuck = true;
		assert_int_equal(loop_call(loops[i], hold, NULL), 0);
		WAIT_FOR(held);
		fan_out();
		STAYS_SO(delivered == 1 + 2 * i, 600); // as nobody says that it hangs
		hung = 1U << i;
		wait_for(2 + 2 * i);
		back_are(i != 0, i != 1, i != 2);
		fan_out();
		wait_for(3 + 2 * i);
		back_are(i != 0, i != 1, i != 2);
		assert_int_equal(seen.worked[i], 0);
		stuck = false;
		hung = 0;
		WAIT_FOR(!held);
	}
	hung = 7;
	struct question *q = question_new();
	q->fan.hangs = hangs;
	assert_int_equal(loop_fan(loops, LOOPS, q), -ETIMEDOUT);
	threads_stop();
	loops_settle((struct loop *[]){loops[0], loops[1], loops[2], asking}, LOOPS + 1);
	assert_int_equal(delivered, 1 + 2 * LOOPS);
}
