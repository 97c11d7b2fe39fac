// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Helper threads for work that reads many files: at most JOB_RUNNING_MAX at a time, as each may
// read all lists from the disk. JOB_WAITING_MAX more wait their turn, for a bounded time, so that
// two searches at a time do not abort a third operator's export. One place of each kind is kept for
// work that needs no right (http_set_right): users over the network leave it to the control socket.
// A session or token has JOB_USER_MAX at most. Owned by one loop's thread, which polls every
// JOB_RUNNER_POLL_MS while something runs; there is no timer otherwise.

#include "loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	JOB_RUNNING_MAX = 3,
	JOB_WAITING_MAX = 4,
	JOB_USER_MAX = 4, // as a page with two tabs asks at once
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
	uint64_t refused;    // as too many waited, or were the user's
	uint64_t late;       // work that waited too long
	uint64_t bytes;      // of the runner, however many there are
	uint64_t since_ms;   // when the oldest of them came, clock_mono_ms; 0: none waits
};
void job_runner_counts(const struct job_runner *r, struct job_runner_counts *out);

// `work` on a thread of its own, which should look at *stop now and then; then `done` on the loop
// with what it returned, or with -EAGAIN (its turn came too late) or -errno of creating a thread,
// where `work` was not called. `right`: of the user; 0: none. Returns -EAGAIN: too many wait, or
// are the user's; or -errno of creating a thread; then `done` is not called.
ATTR_MUST_CHECK int job_runner_start(struct job_runner *r, uint64_t right,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err),
	void *arg);
