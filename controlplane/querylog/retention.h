// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which time deletes old data: the query store, the request log and the ClickHouse sink ask here.
//
// A wrong clock must not delete a log. So age counts from the newest data, not from the clock,
// until a clock that runs ahead of the data has proved itself in one of two ways: this process has
// seen it run without a step for RETENTION_PROOF_S, or data of that length in all has come by it,
// data of an earlier process included. A step is a change against CLOCK_MONOTONIC of more than
// RETENTION_STEP_S. Data that lies in the future of the clock proves nothing: the clock was wrong
// when it was written, or is now. So the newest piece, which is never deleted, is the newest of the
// present; and where there is too much data, a clock that has run without a step for
// RETENTION_PROOF_S has the pieces of the future deleted before those of the present.
//
// Owned by the thread that deletes; no I/O, no allocation.

#include <stdbool.h>
#include <stdint.h>

enum {
	RETENTION_PROOF_S = 86400,
	RETENTION_STEP_S = 600,
	RETENTION_FUTURE_S = 3600, // data further ahead of the clock lies in the future
};

struct retention {
	int64_t offset_s;  // clock less monotonic time, since the last step
	uint64_t since_ms; // monotonic time of the last step, or of the first look
	bool has_looked;
};

// The time that ages count from; never later than `clock_s`. `start_s`: when each piece of data
// begins (an hour's file, a day's partition), ascending; each covers `length_s`.
int64_t retention_now(struct retention *r, int64_t clock_s, uint64_t mono_ms,
	const int64_t *start_s, unsigned count, int64_t length_s);
// How many pieces of data are of the present: they begin at most RETENTION_FUTURE_S ahead of the
// clock.
unsigned retention_present(int64_t clock_s, const int64_t *start_s, unsigned count);
// Whether this process has seen the clock run without a step for RETENTION_PROOF_S. After
// retention_now.
bool retention_is_steady(const struct retention *r, uint64_t mono_ms);
