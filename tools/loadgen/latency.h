// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Times of replies in TSC cycles: a histogram whose buckets are at most 1/128 of the value wide, so
// that the same 27 KiB tell a microsecond and a second. Over 2^32 cycles: in the last bucket.

#include <stdint.h>

enum { LATENCY_BITS = 7, LATENCY_BUCKETS = (32 - LATENCY_BITS + 1) << LATENCY_BITS };

struct latency {
	uint64_t count;
	uint64_t longest;
	uint32_t bucket[LATENCY_BUCKETS];
};

static inline void latency_add(struct latency *l, uint64_t cycles)
{
	uint32_t v = cycles < UINT32_MAX ? (uint32_t)cycles : UINT32_MAX;
	unsigned shift =
		v >> (LATENCY_BITS + 1) ? 31u - LATENCY_BITS - (unsigned)__builtin_clz(v) : 0;
	l->bucket[(shift << LATENCY_BITS) + (v >> shift)]++;
	l->count++;
	if (cycles > l->longest)
		l->longest = cycles;
}

// In cycles, the middle of the bucket; -1: none. At least one value in `1 - q` is not under it, so
// of few values a high quantile is the longest.
static inline double latency_quantile(const struct latency *l, double q)
{
	uint64_t rank = (uint64_t)(q * (double)l->count), seen = 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS && l->count; i++) {
		seen += l->bucket[i];
		if (seen <= rank)
			continue;
		unsigned shift = i >> (LATENCY_BITS + 1) ? (i >> LATENCY_BITS) - 1 : 0;
		return ((double)(i - (shift << LATENCY_BITS)) + 0.5) * (double)(1u << shift);
	}
	return -1;
}
