// SPDX-License-Identifier: BSD-3-Clause
#include "job_runner.h"

#include <event2/event.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

struct job {
	int (*work)(void *arg, const _Atomic bool *stop);
	void (*done)(void *arg, int err);
	void *arg;
	uint64_t right;   // the user's; 0: no right
	uint64_t came_ms; // clock_mono_ms
};

struct job_run {
	bool taken;
	_Atomic bool stop, ended;
	int err;
	pthread_t thread;
	struct job job;
};

struct job_runner {
	struct event *poll;
	unsigned wait_ms;
	struct job_run run[JOB_RUNNING_MAX];
	unsigned waiting;
	struct job queue[JOB_WAITING_MAX]; // the oldest first
	unsigned high;
	uint64_t refused, late;
};

static void *run_work(void *arg)
{
	struct job_run *r = arg;
	thread_background();
	r->err = r->job.work(r->job.arg, &r->stop);
	atomic_store_explicit(&r->ended, true, memory_order_release);
	return NULL;
}

// Frees the slot before it calls `done`, which may start another job.
static void run_end(struct job_run *r, int err)
{
	pthread_join(r->thread, NULL);
	const struct job job = r->job;
	int outcome = err ? err : r->err;
	r->taken = false;
	job.done(job.arg, outcome);
}

// Counts of jobs: all, those of users over the network, those of one user.
struct tally {
	unsigned all, remote, own;
};

static void tally_add(struct tally *t, const struct job *job, uint64_t right)
{
	t->all++;
	t->remote += job->right != 0;
	t->own += job->right == right;
}

static struct tally tally_running(const struct job_runner *r, uint64_t right)
{
	struct tally t = {0};
	for (unsigned i = 0; i < JOB_RUNNING_MAX; i++)
		if (r->run[i].taken)
			tally_add(&t, &r->run[i].job, right);
	return t;
}

static struct tally tally_waiting(const struct job_runner *r, uint64_t right)
{
	struct tally t = {0};
	for (unsigned i = 0; i < r->waiting; i++)
		tally_add(&t, &r->queue[i], right);
	return t;
}

static bool has_place(const struct tally *t, uint64_t right, unsigned max)
{
	return t->all < max && (!right || t->remote < max - 1);
}

// A slot for a job with `right`; NULL: the job must wait.
static struct job_run *run_free(struct job_runner *r, uint64_t right)
{
	const struct tally t = tally_running(r, right);
	struct job_run *run = r->run;
	if (!has_place(&t, right, JOB_RUNNING_MAX))
		return NULL;
	while (run->taken)
		run++;
	return run;
}

static int run_start(struct job_runner *r, struct job_run *run, const struct job *job)
{
	const struct timeval interval = {.tv_usec = JOB_RUNNER_POLL_MS * 1000};
	*run = (struct job_run){.taken = true, .job = *job};
	int rc = thread_start(&run->thread, "weir-why", run_work, run);
	if (rc < 0) {
		run->taken = false;
		return rc;
	}
	(void)event_add(r->poll, &interval);
	return 0;
}

static struct job queue_take(struct job_runner *r, unsigned at)
{
	const struct job job = r->queue[at];
	r->waiting--;
	memmove(r->queue + at, r->queue + at + 1, (r->waiting - at) * sizeof(job));
	return job;
}

// The place of the oldest waiting job that may run; r->waiting: no job may run.
static unsigned queue_next(struct job_runner *r)
{
	unsigned i = 0;
	while (i < r->waiting && !run_free(r, r->queue[i].right))
		i++;
	return i;
}

static void queue_run(struct job_runner *r)
{
	unsigned next;
	while ((next = queue_next(r)) < r->waiting) {
		const struct job job = queue_take(r, next);
		const bool late = clock_mono_ms() >= job.came_ms + r->wait_ms;
		r->late += late;
		const int err = late ? -EAGAIN : run_start(r, run_free(r, job.right), &job);
		if (err)
			job.done(job.arg, err);
	}
}

static void on_poll(evutil_socket_t, short, void *arg)
{
	struct job_runner *r = arg;
	for (unsigned i = 0; i < JOB_RUNNING_MAX; i++)
		if (r->run[i].taken && atomic_load_explicit(&r->run[i].ended, memory_order_acquire))
			run_end(&r->run[i], 0);
	queue_run(r);
	if (tally_running(r, 0).all == 0)
		(void)event_del(r->poll);
}

int job_runner_open(struct job_runner **out, struct loop *loop, unsigned wait_ms)
{
	struct job_runner *r = heap_calloc(1, sizeof(*r));
	if (r)
		r->poll = event_new(loop_base(loop), -1, EV_PERSIST, on_poll, r);
	if (!r || !r->poll) {
		heap_free(r);
		return -ENOMEM;
	}
	r->wait_ms = wait_ms;
	*out = r;
	return 0;
}

void job_runner_close(struct job_runner *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < JOB_RUNNING_MAX; i++)
		atomic_store(&r->run[i].stop, true);
	for (unsigned i = 0; i < JOB_RUNNING_MAX; i++)
		if (r->run[i].taken)
			run_end(&r->run[i], -ECANCELED);
	while (r->waiting) {
		const struct job job = queue_take(r, 0);
		job.done(job.arg, -ECANCELED);
	}
	event_free(r->poll);
	heap_free(r);
}

// A job goes ahead only of waiting jobs that may not run. NULL: it must wait.
static struct job_run *run_next(struct job_runner *r, uint64_t right)
{
	return queue_next(r) < r->waiting ? NULL : run_free(r, right);
}

bool job_runner_admits(struct job_runner *r, uint64_t right)
{
	const struct tally wait = tally_waiting(r, right);
	const bool is_full = !run_next(r, right) && !has_place(&wait, right, JOB_WAITING_MAX);
	const bool admits =
		!is_full && !(right && wait.own + tally_running(r, right).own >= JOB_USER_MAX);
	r->refused += !admits;
	return admits;
}

int job_runner_start(struct job_runner *r, uint64_t right,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err),
	void *arg)
{
	const struct job job = {
		.work = work, .done = done, .arg = arg, .right = right, .came_ms = clock_mono_ms()};
	if (!job_runner_admits(r, right))
		return -EAGAIN;
	struct job_run *run = run_next(r, right);
	int err = 0;
	if (run)
		err = run_start(r, run, &job);
	else
		r->queue[r->waiting++] = job;
	const unsigned used = tally_running(r, 0).all + r->waiting;
	if (used > r->high)
		r->high = used;
	return err;
}

void job_runner_counts(const struct job_runner *r, struct job_runner_counts *out)
{
	*out = (struct job_runner_counts){.used = tally_running(r, 0).all + r->waiting,
		.high = r->high,
		.refused = r->refused,
		.late = r->late,
		.bytes = sizeof(*r),
		.since_ms = r->waiting ? r->queue[0].came_ms : 0};
	for (unsigned i = 0; i < JOB_RUNNING_MAX; i++) // running jobs came first
		if (r->run[i].taken && (!out->since_ms || r->run[i].job.came_ms < out->since_ms))
			out->since_ms = r->run[i].job.came_ms;
}
