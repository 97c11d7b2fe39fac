// SPDX-License-Identifier: BSD-3-Clause

#include "closer.h"

#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <weir/thread.h>

enum { END_STEP_US = 1000, END_STEPS = 3000 };

static void on_kick(int signo)
{
	(void)signo;
}

static void *run(void *arg)
{
	struct closer *c = arg;
	sigset_t kick;
	sigemptyset(&kick);
	sigaddset(&kick, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	for (unsigned i = 0; i < c->closing; i++)
		close(c->fds[i]);
	atomic_store_explicit(&c->ended, true, memory_order_release);
	return NULL;
}

static void start(struct closer *c)
{
	const struct sigaction kick = {.sa_handler = on_kick};
	sigaction(SIGUSR1, &kick, NULL);
	c->closing = c->count;
	atomic_store_explicit(&c->ended, false, memory_order_relaxed);
	c->is_running = thread_start(&c->thread, "weir-close", run, c) == 0;
}

static void reap(struct closer *c)
{
	pthread_join(c->thread, NULL);
	c->is_running = false;
	c->count -= c->closing;
	memmove(c->fds, c->fds + c->closing, c->count * sizeof(c->fds[0]));
}

void closer_take(struct closer *c, int fd)
{
	assert(c->count < CLOSER_MAX);
	c->fds[c->count++] = fd;
}

bool closer_turn(struct closer *c)
{
	if (c->is_running && atomic_load_explicit(&c->ended, memory_order_acquire))
		reap(c);
	if (c->is_running)
		pthread_kill(c->thread, SIGUSR1);
	else if (c->count > 0)
		start(c);
	return c->count == 0;
}

void closer_end(struct closer *c)
{
	// The process' end closes what is left.
	for (unsigned i = 0; i < END_STEPS && !closer_turn(c) && c->is_running; i++)
		usleep(END_STEP_US);
}
