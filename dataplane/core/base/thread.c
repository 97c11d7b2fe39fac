// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

enum { NAME_MAX_BYTES = 16 };

struct start {
	char name[NAME_MAX_BYTES];
	void *(*run)(void *);
	void *arg;
};

static void (*on_start)(const char *name);

void thread_on_start(void (*call)(const char *name))
{
	on_start = call;
}

static void *begin(void *arg)
{
	const struct start s = *(struct start *)arg;
	heap_free(arg);
	// Only its own: the name of another thread is written to a file, which few threads may.
	(void)pthread_setname_np(pthread_self(), s.name);
	if (on_start)
		on_start(s.name);
	return s.run(s.arg);
}

int thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg)
{
	sigset_t mask, before;
	struct start *start = heap_malloc(sizeof(*start));
	if (!start)
		return -ENOMEM;
	*start = (struct start){.run = run, .arg = arg};
	snprintf(start->name, sizeof(start->name), "%s", name);
	sigfillset(&mask);
	sigdelset(&mask, SIGBUS);
	sigdelset(&mask, SIGSEGV);
	sigdelset(&mask, SIGFPE);
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGPROF);
	pthread_sigmask(SIG_SETMASK, &mask, &before);
	int rc = pthread_create(out, NULL, begin, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		heap_free(start);
	return -rc;
}

void thread_cond_init(pthread_cond_t *out)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(out, &attr);
	pthread_condattr_destroy(&attr);
}

void thread_background(void)
{
	(void)setpriority(PRIO_PROCESS, 0, 10);
}
