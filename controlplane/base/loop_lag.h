// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How long the events of one loop had to wait: a histogram of fixed size.
//
// Counts only grow: a reader keeps the last values and subtracts them. The loop's thread adds; any
// thread may read. Buckets are a quarter of an octave wide from 8 us on, so a quantile is at most a
// quarter too high and never too low.

#include <stdatomic.h>
#include <stdint.h>

enum { LOOP_LAG_BUCKETS = 96 }; // the last one from 29 s on

struct loop_lag {
	uint64_t count[LOOP_LAG_BUCKETS];
};

struct loop_lag_live {
	_Atomic uint64_t count[LOOP_LAG_BUCKETS];
};

void loop_lag_add(struct loop_lag_live *l, uint64_t us);
void loop_lag_read(const struct loop_lag_live *l, struct loop_lag *out);
// Samples so far, and samples above `us` (the end of a bucket, or a little more).
uint64_t loop_lag_samples(const struct loop_lag *now);
uint64_t loop_lag_above(const struct loop_lag *now, uint64_t us);
// The time within which `permille` of 1,000 samples between two readings were; 1,000: all samples.
// `before` NULL: since the start. 0: there are no samples.
uint64_t loop_lag_us(const struct loop_lag *now, const struct loop_lag *before, unsigned permille);
