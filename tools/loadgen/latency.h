// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Times of replies in TSC cycles: a histogram of fixed width, everything over its end in one
// bucket.

#include <stdint.h>

enum { LATENCY_CYCLES = 16, LATENCY_BUCKETS = 8192 }; // 50 us at 2.6 GHz

struct latency {
	uint64_t count;
	uint32_t bucket[LATENCY_BUCKETS + 1];
};

static inline void latency_add(struct latency *l, uint64_t cycles)
{
	uint64_t i = cycles / LATENCY_CYCLES;
	l->bucket[i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS]++;
	l->count++;
}

// In cycles, the middle of the bucket; -1: none, or over the end.
static inline double latency_quantile(const struct latency *l, double q)
{
	uint64_t rank = (uint64_t)(q * (double)l->count), seen = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->bucket[i];
		if (seen > rank)
			return (i + 0.5) * LATENCY_CYCLES;
	}
	return -1;
}
