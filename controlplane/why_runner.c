// SPDX-License-Identifier: BSD-3-Clause
#include "why_runner.h"

#include "thread_start.h"

#include <event2/event.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct why_run {
	bool taken;
	_Atomic bool stop, ended;
	int err;
	pthread_t thread;
	int (*work)(void *arg, const _Atomic bool *stop);
	void (*done)(void *arg, int err);
	void *arg;
};

struct why_runner {
	struct event *poll;
	struct why_run run[WHY_RUNNING_MAX];
};

static void *run_work(void *arg)
{
	struct why_run *r = arg;
	thread_background();
	r->err = r->work(r->arg, &r->stop);
	atomic_store_explicit(&r->ended, true, memory_order_release);
	return NULL;
}

// The slot is free again before `done` is called, which may start another one.
static void run_end(struct why_run *r, int err)
{
	pthread_join(r->thread, NULL);
	void (*done)(void *arg, int err) = r->done;
	void *arg = r->arg;
	int outcome = err ? err : r->err;
	r->taken = false;
	done(arg, outcome);
}

static void on_poll(evutil_socket_t, short, void *arg)
{
	struct why_runner *r = arg;
	unsigned running = 0;
	for (unsigned i = 0; i < WHY_RUNNING_MAX; i++)
		if (r->run[i].taken && atomic_load_explicit(&r->run[i].ended, memory_order_acquire))
			run_end(&r->run[i], 0);
	for (unsigned i = 0; i < WHY_RUNNING_MAX; i++)
		running += r->run[i].taken;
	if (!running)
		(void)event_del(r->poll);
}

int why_runner_open(struct why_runner **out, struct loop *loop)
{
	struct why_runner *r = calloc(1, sizeof *r);
	if (r)
		r->poll = event_new(loop_base(loop), -1, EV_PERSIST, on_poll, r);
	if (!r || !r->poll) {
		free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void why_runner_close(struct why_runner *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < WHY_RUNNING_MAX; i++)
		atomic_store(&r->run[i].stop, true);
	for (unsigned i = 0; i < WHY_RUNNING_MAX; i++)
		if (r->run[i].taken)
			run_end(&r->run[i], -ECANCELED);
	event_free(r->poll);
	free(r);
}

int why_runner_start(struct why_runner *r, int (*work)(void *arg, const _Atomic bool *stop),
	void (*done)(void *arg, int err), void *arg)
{
	const struct timeval interval = {.tv_usec = WHY_POLL_MS * 1000};
	unsigned i = 0;
	while (i < WHY_RUNNING_MAX && r->run[i].taken)
		i++;
	if (i == WHY_RUNNING_MAX)
		return -EAGAIN;
	struct why_run *run = &r->run[i];
	*run = (struct why_run){.taken = true, .work = work, .done = done, .arg = arg};
	sigset_t all, before;
	thread_mask(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&run->thread, NULL, run_work, run);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		run->taken = false;
		return -err;
	}
	(void)event_add(r->poll, &interval);
	return 0;
}
