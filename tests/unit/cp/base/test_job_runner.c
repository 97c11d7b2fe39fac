// SPDX-License-Identifier: BSD-3-Clause
// Helper threads of explanations: how many, who waits and how long, what they return, and an end
// while they run.

#include "controlplane/base/job_runner.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#include <malloc.h>

static struct loop *loop;
static struct job_runner *runner;

static _Atomic unsigned begun;

struct piece {
	_Atomic bool go;
	int ret, err;
	uint64_t right;
	unsigned turn; // the place in which it began; 0: it has not
	bool done, again;
};

static int work(void *arg, const _Atomic bool *stop)
{
	struct piece *p = arg;
	p->turn = atomic_fetch_add(&begun, 1) + 1;
	WAIT_FOR(p->go || *stop);
	return p->ret;
}

static void on_done(void *arg, int err);

static int start(struct piece *p)
{
	return job_runner_start(runner, p->right, work, on_done, p);
}

static void on_done(void *arg, int err)
{
	struct piece *p = arg;
	assert_false(p->done);
	p->done = true;
	p->err = err;
	if (p->again) { // its slot is free by now
		p->done = p->again = false;
		assert_int_equal(start(p), 0);
		return;
	}
}

static int setup(void **)
{
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(job_runner_open(&runner, loop, 60000), 0);
	begun = 0;
	return 0;
}

static int teardown(void **)
{
	job_runner_close(runner);
	loop_free(loop);
	return 0;
}

static void turn_until(bool *done)
{
	WAIT_FOR(*done, (void)event_base_loop(loop_base(loop), EVLOOP_ONCE | EVLOOP_NONBLOCK));
}

// Of two users over the network: they have all the places that there are for such.
static void both_begin(struct piece *a, struct piece *b)
{
	a->right = 1;
	b->right = 2;
	assert_int_equal(start(a), 0);
	assert_int_equal(start(b), 0);
	WAIT_FOR(begun >= 2);
	assert_int_equal(begun, 2);
}

static struct job_runner_counts counts(void)
{
	struct job_runner_counts c;
	job_runner_counts(runner, &c);
	return c;
}

TEST_WITH(test_two_at_a_time, setup, teardown)
{
	struct piece a = {.ret = 7}, b = {.ret = -EIO, .again = true}, c = {.right = 3};
	size_t bytes = counts().bytes, block = malloc_usable_size(runner);
	assert_in_range(bytes, block - 16, block); // all of it is one block
	both_begin(&a, &b);
	assert_int_equal(start(&c), 0);
	assert_int_equal(counts().bytes, bytes);
	assert_int_equal(c.turn, 0);
	b.go = c.go = true;
	turn_until(&b.done);
	assert_int_equal(b.err, -EIO);
	assert_false(a.done);
	a.go = true;
	turn_until(&a.done);
	turn_until(&c.done);
	assert_int_equal(a.err, 7);
	assert_int_equal(c.err, 0);
	assert_int_equal(c.turn, 3); // before b, who came again
	assert_int_equal(b.turn, 4);
}

TEST_WITH(test_many_wait_in_turn, setup, teardown)
{
	enum { MORE = JOB_WAITING_MAX - 1 };
	struct piece a = {0}, b = {0}, more[MORE] = {0}, refused = {.right = 9};
	both_begin(&a, &b);
	for (unsigned i = 0; i < MORE; i++) {
		more[i].go = true;
		more[i].right = 3 + i;
		assert_int_equal(start(&more[i]), 0);
	}
	assert_int_equal(counts().refused, 0);
	assert_int_equal(start(&refused), -EAGAIN);
	assert_int_equal(counts().refused, 1);
	assert_int_equal(counts().used, JOB_RUNNING_MAX + JOB_WAITING_MAX - 2);
	assert_true(counts().since_ms > 0);
	a.go = true; // and b keeps its thread: they come one by one
	for (unsigned i = 0; i < MORE; i++) {
		turn_until(&more[i].done);
		assert_int_equal(more[i].err, 0);
		assert_int_equal(more[i].turn, 3 + i);
	}
	assert_false(b.done || refused.done);
	b.go = true;
	turn_until(&b.done);
	assert_int_equal(counts().used, 0);
	assert_int_equal(counts().high, JOB_RUNNING_MAX + JOB_WAITING_MAX - 2);
	assert_int_equal(counts().since_ms, 0);
	assert_int_equal(counts().late, 0);
}

// Users over the network have all their places: the control socket has its own, and goes ahead.
TEST_WITH(test_kept_places, setup, teardown)
{
	struct piece a = {0}, b = {0}, more[JOB_WAITING_MAX - 1] = {0};
	struct piece local = {0}, next = {.go = true}, over = {0};
	both_begin(&a, &b);
	for (unsigned i = 0; i < ARRAY_LEN(more); i++) {
		more[i].go = true;
		more[i].right = 3 + i;
		assert_int_equal(start(&more[i]), 0);
	}
	assert_int_equal(start(&local), 0);
	WAIT_FOR(local.turn == 3);
	assert_int_equal(start(&next), 0);
	assert_int_equal(start(&over), -EAGAIN);
	local.go = true;
	turn_until(&next.done);
	assert_int_equal(next.turn, 4);
	a.go = b.go = true;
	for (unsigned i = 0; i < ARRAY_LEN(more); i++)
		turn_until(&more[i].done);
	turn_until(&b.done);
}

TEST_WITH(test_part_of_a_user, setup, teardown)
{
	struct piece of[JOB_USER_MAX] = {0}, other = {.right = 2, .go = true}, over = {.right = 1};
	for (unsigned i = 0; i < JOB_USER_MAX; i++) {
		of[i].right = 1;
		of[i].go = i > 0;
		assert_int_equal(start(&of[i]), 0);
	}
	assert_int_equal(start(&over), -EAGAIN);
	assert_int_equal(counts().refused, 1);
	assert_false(job_runner_admits(runner, 1));
	assert_int_equal(counts().refused, 2);
	assert_true(job_runner_admits(runner, 2));
	assert_int_equal(start(&other), 0);
	turn_until(&other.done);
	assert_int_equal(other.err, 0);
	of[0].go = true;
	for (unsigned i = 0; i < JOB_USER_MAX; i++)
		turn_until(&of[i].done);
}

TEST_WITH(test_too_late, setup, teardown)
{
	job_runner_close(runner);
	assert_int_equal(job_runner_open(&runner, loop, 0), 0);
	struct piece a = {0}, b = {0}, c = {.right = 3};
	both_begin(&a, &b);
	assert_int_equal(start(&c), 0);
	a.go = b.go = true;
	turn_until(&c.done);
	assert_int_equal(c.err, -EAGAIN);
	assert_int_equal(c.turn, 0);
	assert_int_equal(counts().late, 1);
	assert_int_equal(counts().refused, 0);
	turn_until(&a.done);
	turn_until(&b.done);
}

TEST_WITH(test_end_while_they_run, setup, teardown)
{
	struct piece a = {.ret = 7}, b = {.go = true}, c = {.go = true, .right = 3};
	both_begin(&a, &b);
	assert_int_equal(start(&c), 0);
	job_runner_close(runner);
	runner = NULL;
	assert_true(a.done && b.done && c.done);
	assert_int_equal(c.err, -ECANCELED);
	assert_int_equal(c.turn, 0);
	assert_int_equal(a.err, -ECANCELED);
	assert_int_equal(b.err, -ECANCELED);
}
