// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What threads other than the main one have in common.

#include <signal.h>
#include <sys/resource.h>

// The signals that they block around their creation: all, but those that an instruction of their
// own raises. Blocked, those would kill without a word of shm_lost.c or a sanitizer.
static inline void thread_mask(sigset_t *mask)
{
	sigfillset(mask);
	sigdelset(mask, SIGBUS);
	sigdelset(mask, SIGSEGV);
	sigdelset(mask, SIGFPE);
	sigdelset(mask, SIGILL);
}

// For a helper thread, of itself: the loops come first. On Linux the nice value is a thread's own;
// a thread at 19 gets the CPU that nobody else wants and gives it back as soon as a loop wakes up.
static inline void thread_background(void)
{
	(void)setpriority(PRIO_PROCESS, 0, 19);
}
