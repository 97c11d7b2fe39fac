// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Helper threads for explanations: at most WHY_RUNNING_MAX at a time, as each may read all lists
// from the disk. One that is full refuses; nothing waits in a queue. Owned by one loop's thread,
// which looks every WHY_POLL_MS while something runs; there is no timer otherwise.

#include "loop.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { WHY_RUNNING_MAX = 2, WHY_POLL_MS = 5 };

struct why_runner;

ATTR_MUST_CHECK int why_runner_open(struct why_runner **out, struct loop *loop); // -ENOMEM
// Tells what runs to stop, waits for it, and calls its `done` with -ECANCELED.
void why_runner_close(struct why_runner *r); // NULL is fine

// `work` on a thread of its own, which should look at *stop now and then; then `done` on the loop
// with what it returned. -EAGAIN: WHY_RUNNING_MAX run; -errno of creating a thread.
ATTR_MUST_CHECK int why_runner_start(struct why_runner *r,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err),
	void *arg);
