// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Helper threads for work that reads many files: at most JOB_RUNNING_MAX at a time, because each
// may read all lists from the disk. JOB_WAITING_MAX more jobs wait for a bounded time, so that
// searches do not abort another operator's export. One running and one waiting place are kept for
// jobs of nobody (http_job_user), which come from the control socket. A user has at most
// JOB_USER_MAX jobs, however many sessions there are. Owned by one loop's thread, which polls every
// JOB_RUNNER_POLL_MS while a job runs; there is no timer otherwise.

#include "loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	JOB_RUNNING_MAX = 3,
	JOB_WAITING_MAX = 4,
	JOB_USER_MAX = 4, // jobs that a page in two tabs asks for at once
	JOB_RUNNER_WAIT_MS = 8000,
	JOB_RUNNER_POLL_MS = 5
};

struct job_runner;

// `wait_ms`: how long a job may wait for its turn. -ENOMEM.
ATTR_MUST_CHECK int job_runner_open(struct job_runner **out, struct loop *loop, unsigned wait_ms);
// Stops the running jobs, waits for them, and calls `done` of each job, running or waiting, with
// -ECANCELED.
void job_runner_close(struct job_runner *r); // NULL is fine

struct job_runner_counts {
	unsigned used, high; // jobs that run or wait, and the most there ever were
	uint64_t refused;    // jobs refused: too many waited, or too many were the user's
	uint64_t late;       // jobs that waited too long
	uint64_t bytes;      // size of the runner, which does not depend on its jobs
	uint64_t since_ms;   // when the oldest job came, clock_mono_ms; 0: there is no job
};
void job_runner_counts(const struct job_runner *r, struct job_runner_counts *out);

// Whether job_runner_start has a place for a job, for callers whose preparations cost much. False
// counts as refused. `right`: the user; 0: nobody.
ATTR_MUST_CHECK bool job_runner_admits(struct job_runner *r, uint64_t right);
// Runs `work` on a thread, which should check *stop now and then; then calls `done` on the loop
// with the result. If `work` could not run, `done` gets -EAGAIN (its turn came too late) or -errno
// of creating a thread. `right`: the user; 0: nobody. -EAGAIN: too many jobs wait, or are the
// user's; -errno of creating a thread: `done` is not called.
ATTR_MUST_CHECK int job_runner_start(struct job_runner *r, uint64_t right,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err),
	void *arg);
