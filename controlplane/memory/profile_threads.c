// SPDX-License-Identifier: BSD-3-Clause
#include "process.h"
#include "profile.h"
#include "profile_out.h"
#include "profile_signal.h"
#include "signal_pc.h"
#include "stacks.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static_assert(PROFILE_SIGNAL == SIGPROF);

enum { WAIT_MS = 50 };

// The one thread that is asked for its stack.
enum { NOBODY, WANTED, TAKING, TAKEN };
static struct {
	_Atomic int state;
	_Atomic pid_t thread;
	unsigned depth;
	void *frame[STACK_DEPTH_MAX];
} wanted;

static _Atomic(struct stacks *) samples;
static _Atomic unsigned inside; // handlers that may use it
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void sample_take(const void *at)
{
	void *frame[STACK_DEPTH_MAX];
	atomic_fetch_add(&inside, 1);
	struct stacks *t = atomic_load(&samples);
	if (t)
		stacks_add(t, frame, stack_take(frame, at, true), 0);
	atomic_fetch_sub(&inside, 1);
}

static void thread_take(const void *at)
{
	int state = WANTED;
	if (atomic_load(&wanted.thread) != gettid()
		|| !atomic_compare_exchange_strong(&wanted.state, &state, TAKING))
		return;
	wanted.depth = stack_take(wanted.frame, at, true);
	atomic_store(&wanted.state, TAKEN);
}

static void on_signal(int, siginfo_t *info, void *context)
{
	const void *at = signal_pc(context);
	int err = errno;
	if (info->si_code == SI_TIMER)
		sample_take(at);
	else if (info->si_code == SI_TKILL && info->si_pid == getpid())
		thread_take(at);
	errno = err;
}

int profile_signal_start(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	stack_prepare();
	sigfillset(&action.sa_mask);
	return sigaction(SIGPROF, &action, NULL) < 0 ? -errno : 0;
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

void profile_signal_to(struct stacks *t)
{
	atomic_store(&samples, t);
	while (!t && atomic_load(&inside))
		pause_ms(1);
}

// False: it has ended, or blocks the signal.
static bool thread_ask(pid_t thread)
{
	atomic_store(&wanted.thread, thread);
	atomic_store(&wanted.state, WANTED);
	if (syscall(SYS_tgkill, getpid(), thread, SIGPROF) == 0)
		for (unsigned ms = 0; ms < WAIT_MS && atomic_load(&wanted.state) != TAKEN; ms++)
			pause_ms(1);
	int state = WANTED;
	bool is_silent = atomic_compare_exchange_strong(&wanted.state, &state, NOBODY);
	while (!is_silent && atomic_load(&wanted.state) != TAKEN)
		pause_ms(1);
	return !is_silent;
}

static void thread_write(FILE *f, const struct process_thread *t)
{
	bool is_self = t->id == gettid();
	bool is_there = !is_self && thread_ask(t->id);
	fprintf(f, "# %s id %d state %c cpu_ms %" PRIu64 "%s\n", t->name, t->id, t->state,
		t->cpu_ms,
		is_self    ? ": takes this profile"
		: is_there ? ""
			   : ": no stack, it blocks SIGPROF or has ended");
	if (!is_there)
		return;
	fputs("1 @", f);
	for (unsigned i = 0; i < wanted.depth; i++)
		fprintf(f, " 0x%" PRIxPTR, (uintptr_t)wanted.frame[i]);
	fputs("\n\n", f);
}

int profile_threads(char **out, size_t *len)
{
	struct process_thread thread[PROCESS_THREADS_MAX];
	int rc = profile_signal_start();
	if (rc < 0)
		return rc;
	if (pthread_mutex_trylock(&one_at_a_time) != 0)
		return -EBUSY;
	unsigned count = process_threads(thread, PROCESS_THREADS_MAX);
	FILE *f = open_memstream(out, len);
	if (f) {
		fprintf(f, "threads profile: total %u\n", count);
		for (unsigned i = 0; i < count && i < PROCESS_THREADS_MAX; i++)
			thread_write(f, &thread[i]);
		fputs("\nMAPPED_LIBRARIES:\n", f);
		profile_maps_write(f);
	}
	pthread_mutex_unlock(&one_at_a_time);
	return f ? profile_finish(f, out, 0) : -ENOMEM;
}
