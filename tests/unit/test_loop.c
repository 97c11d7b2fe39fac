// SPDX-License-Identifier: BSD-3-Clause
#include "../../controlplane/loop.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

struct seen {
	struct loop *loop;
	unsigned count, out_of_order;
};

static struct seen seen;

static void count_call(void *arg)
{
	if ((uintptr_t)arg != seen.count)
		seen.out_of_order++;
	seen.count++;
}

static void stop_call(void *arg)
{
	loop_stop(arg);
}

static void sleep_call(void *arg)
{
	usleep((useconds_t)(uintptr_t)arg);
}

static void test_calls_run_in_order_before_a_stop(void **state)
{
	struct loop *l;
	(void)state;
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	for (uintptr_t i = 0; i < 100; i++)
		assert_int_equal(loop_call(l, count_call, (void *)i), 0);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(seen.count, 100);
	assert_int_equal(seen.out_of_order, 0);
	loop_free(l);
}

static void test_full_mailbox_refuses_and_counts(void **state)
{
	struct loop *l;
	(void)state;
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	for (uintptr_t i = 0; i < LOOP_CALLS_MAX; i++)
		assert_int_equal(loop_call(l, count_call, (void *)i), 0);
	assert_int_equal(loop_call(l, count_call, NULL), -EAGAIN);
	assert_int_equal(loop_calls_refused(l), 1);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(seen.count, LOOP_CALLS_MAX);
	assert_int_equal(loop_call(l, count_call, (void *)LOOP_CALLS_MAX), 0);
	loop_free(l);
}

static void *run_loop(void *arg)
{
	return (void *)(intptr_t)loop_run(arg);
}

static void test_other_threads_call_into_a_running_loop(void **state)
{
	struct loop *l;
	pthread_t thread;
	void *rc;
	(void)state;
	assert_int_equal(loop_new("test", &l), 0);
	seen = (struct seen){.loop = l};
	assert_int_equal(pthread_create(&thread, NULL, run_loop, l), 0);
	for (uintptr_t i = 0; i < 10000; i++)
		while (loop_call(l, count_call, (void *)i) == -EAGAIN)
			usleep(100);
	while (loop_call(l, stop_call, l) == -EAGAIN)
		usleep(100);
	pthread_join(thread, &rc);
	assert_int_equal((intptr_t)rc, 0);
	assert_int_equal(seen.count, 10000);
	assert_int_equal(seen.out_of_order, 0);
	loop_free(l);
}

static void test_a_blocking_call_shows_as_lag(void **state)
{
	struct loop *l;
	pthread_t thread;
	(void)state;
	assert_int_equal(loop_new("test", &l), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, l), 0);
	assert_int_equal(loop_call(l, sleep_call, (void *)(uintptr_t)120000), 0);
	usleep(200000);
	uint64_t lag = loop_lag_max_us(l);
	loop_stop(l);
	pthread_join(thread, NULL);
	assert_true(lag >= 90000);
	assert_true(loop_lag_max_us(l) < lag); // read once, then measured anew
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_run_in_order_before_a_stop),
		cmocka_unit_test(test_full_mailbox_refuses_and_counts),
		cmocka_unit_test(test_other_threads_call_into_a_running_loop),
		cmocka_unit_test(test_a_blocking_call_shows_as_lag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
