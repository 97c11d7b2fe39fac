// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Helper threads for work that reads many files: at most JOB_RUNNING_MAX at a time, as each may
// read all lists from the disk. JOB_WAITING_MAX more wait their turn, for a bounded time, so that
// two searches at a time do not abort a third operator's export. Owned by one loop's thread, which
// polls every JOB_RUNNER_POLL_MS while something runs; there is no timer otherwise.

#include "loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	JOB_RUNNING_MAX = 2,
	JOB_WAITING_MAX = 4,
	JOB_RUNNER_WAIT_MS = 8000,
	JOB_RUNNER_POLL_MS = 5
};

struct job_runner;

// `wait_ms`: how long one may wait for its turn. -ENOMEM.
ATTR_MUST_CHECK int job_runner_open(struct job_runner **out, struct loop *loop, unsigned wait_ms);
// Stops the running work, waits for it, and calls each `done` with -ECANCELED, also those of
// waiting work.
void job_runner_close(struct job_runner *r); // NULL is fine

struct job_runner_counts {
	unsigned used, high; // that run or wait, and the most that did
	uint64_t refused;    // as JOB_WAITING_MAX waited
	uint64_t late;       // work that waited too long
	uint64_t bytes;      // of the runner, however many there are
	uint64_t since_ms;   // when the oldest of them came, clock_mono_ms; 0: none waits
};
void job_runner_counts(const struct job_runner *r, struct job_runner_counts *out);

// `work` on a thread of its own, which should look at *stop now and then; then `done` on the loop
// with what it returned, or with -EAGAIN (its turn came too late) or -errno of creating a thread,
// where `work` was not called. Returns -EAGAIN: JOB_WAITING_MAX wait; or -errno of creating a
// thread; then `done` is not called.
ATTR_MUST_CHECK int job_runner_start(struct job_runner *r,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err),
	void *arg);
