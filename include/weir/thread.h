// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Threads beside the main one. Signals stay with the main thread.

#include "attr.h"

#include <pthread.h>

// Starts a thread that blocks all signals, except those that an instruction of its own raises:
// blocked, those would end the process without a word of shm_lost.c or of a sanitizer; and except
// SIGPROF, with which the control plane profiles its threads.
// `name`: at most 15 characters. -errno of pthread_create.
ATTR_MUST_CHECK int thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg);

// Each thread that thread_start makes from then on calls this first, with its name, in the thread
// itself. Once, before the first one is started.
void thread_on_start(void (*call)(const char *name));

// A condition that is waited for until a clock_deadline.
void thread_cond_init(pthread_cond_t *out);

// Gives the calling thread nice 10, a tenth of a loop's share of a CPU for which both compete. Such
// threads have locks that the loops take, and requests wait for them: with nice 19 one that lost
// its CPU inside a lock kept a loop for more than a second on a busy machine without autogroups. On
// Linux each thread has a nice value of its own.
void thread_background(void);
