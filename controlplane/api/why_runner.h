// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Helper threads for explanations and searches: at most WHY_RUNNING_MAX at a time, as each may read
// all lists from the disk. WHY_WAITING_MAX more wait their turn, for a bounded time, so that two
// searches at a time do not abort a third operator's export. Owned by one loop's thread, which
// polls every WHY_POLL_MS while something runs; there is no timer otherwise.

#include "base/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { WHY_RUNNING_MAX = 2, WHY_WAITING_MAX = 4, WHY_WAIT_MS = 8000, WHY_POLL_MS = 5 };

struct why_runner;

// `wait_ms`: how long one may wait for its turn. -ENOMEM.
ATTR_MUST_CHECK int why_runner_open(struct why_runner **out, struct loop *loop, unsigned wait_ms);
// Stops the running work, waits for it, and calls each `done` with -ECANCELED, also those of
// waiting work.
void why_runner_close(struct why_runner *r); // NULL is fine

struct why_runner_counts {
	unsigned used, high; // that run or wait, and the most that did
	uint64_t refused;    // as WHY_WAITING_MAX waited
	uint64_t late;       // work that waited too long
	uint64_t bytes;      // of the runner, however many there are
	uint64_t since_ms;   // when the oldest of them came, clock_mono_ms; 0: none waits
};
void why_runner_counts(const struct why_runner *r, struct why_runner_counts *out);

// `work` on a thread of its own, which should look at *stop now and then; then `done` on the loop
// with what it returned, or with -EAGAIN (its turn came too late) or -errno of creating a thread,
// where `work` was not called. Returns -EAGAIN: WHY_WAITING_MAX wait; or -errno of creating a
// thread; then `done` is not called.
ATTR_MUST_CHECK int why_runner_start(struct why_runner *r,
	int (*work)(void *arg, const _Atomic bool *stop), void (*done)(void *arg, int err),
	void *arg);
