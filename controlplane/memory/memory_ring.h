// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Samples of memory in a ring of fixed length: MEMORY_SERIES_MAX series, each sample a row of
// values. Allocated once; bytes = memory_ring_bytes. Full: the oldest sample is written over. A
// series that no sample of the ring has any more gives its place to a new one; without such a place
// a new series is refused, counted. One thread.

#include "memory_sample.h"
#include "trend.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

struct memory_series {
	char name[MEMORY_NAME_MAX]; // "": no series
	uint32_t kind;
	uint64_t cap;         // the last sample's
	uint64_t since, last; // numbers of the samples that had it first and last
};

struct memory_row {
	uint64_t uptime_ms, wall_s, queries;
	uint64_t life; // number of the process's life: lines are only drawn within one
	uint64_t value[MEMORY_SERIES_MAX];
};

struct memory_ring {
	unsigned length;
	uint64_t next; // number of the next sample
	uint64_t refused;
	struct memory_series series[MEMORY_SERIES_MAX];
	struct memory_row *row;
};

ATTR_MUST_CHECK int memory_ring_open(struct memory_ring *r, unsigned length); // -ENOMEM
void memory_ring_close(struct memory_ring *r);
size_t memory_ring_bytes(const struct memory_ring *r);
void memory_ring_push(struct memory_ring *r, const struct memory_sample *s, uint64_t life);
// Restarts the lines of the series whose names begin with `names` at the next sample, because their
// process restarted.
void memory_ring_begin(struct memory_ring *r, const char *names);
// Sample `back` from the newest (0) on; NULL: there is none.
const struct memory_row *memory_ring_row(const struct memory_ring *r, unsigned back);
// Samples of the newest life that are at most `span_ms` older than the newest one.
unsigned memory_ring_span(const struct memory_ring *r, uint64_t span_ms);
// The line of series `i` through the newest `count` samples, in units a second.
void memory_ring_trend(const struct memory_ring *r, unsigned i, unsigned count, struct trend *out);
// Queries a second over those; 0 unless there are two.
double memory_ring_query_rate(const struct memory_ring *r, unsigned count);
