// SPDX-License-Identifier: BSD-3-Clause

#include <signal.h>
#include <sys/resource.h>
#include <weir/thread.h>

int thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg)
{
	sigset_t mask, before;
	sigfillset(&mask);
	sigdelset(&mask, SIGBUS);
	sigdelset(&mask, SIGSEGV);
	sigdelset(&mask, SIGFPE);
	sigdelset(&mask, SIGILL);
	sigdelset(&mask, SIGPROF);
	pthread_sigmask(SIG_SETMASK, &mask, &before);
	int rc = pthread_create(out, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		(void)pthread_setname_np(*out, name);
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
	(void)setpriority(PRIO_PROCESS, 0, 19);
}
