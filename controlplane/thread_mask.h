// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The signals that threads other than the main one block around their creation: all, but those that
// an instruction of their own raises. Blocked, those would kill without a word of shm_lost.c or a
// sanitizer.

#include <signal.h>

static inline void thread_mask(sigset_t *mask)
{
	sigfillset(mask);
	sigdelset(mask, SIGBUS);
	sigdelset(mask, SIGSEGV);
	sigdelset(mask, SIGFPE);
	sigdelset(mask, SIGILL);
}
