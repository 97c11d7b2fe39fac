// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/loop_fan.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOOPS = 3, PATIENCE_MS = 20000 };

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
static void test_all_parts_are_delivered_together(void **)
{
	threads_start();
	for (unsigned n = 1; n <= 50; n++) {
		assert_int_equal(loop_fan(loops, LOOPS, question_new()), 0);
		for (unsigned i = 0; i < PATIENCE_MS && delivered < n; i++)
			usleep(1000);
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
static void test_a_full_mailbox_of_the_first_refuses(void **)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_all_parts_are_delivered_together, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_full_mailbox_of_the_first_refuses, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
