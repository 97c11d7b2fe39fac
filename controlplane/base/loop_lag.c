// SPDX-License-Identifier: BSD-3-Clause
#include "loop_lag.h"

enum { EXACT = 8, EXACT_BITS = 3, PARTS_BITS = 2, PARTS = 1 << PARTS_BITS };

static unsigned bucket_of(uint64_t us)
{
	if (us < EXACT)
		return (unsigned)us;
	unsigned octave = 63u - (unsigned)__builtin_clzll(us);
	unsigned part = (unsigned)(us >> (octave - PARTS_BITS)) & (PARTS - 1);
	unsigned i = EXACT + (octave - EXACT_BITS) * PARTS + part;
	return i < LOOP_LAG_BUCKETS ? i : LOOP_LAG_BUCKETS - 1;
}

// The longest time of bucket `i`.
static uint64_t bucket_end_us(unsigned i)
{
	if (i < EXACT)
		return i;
	unsigned octave = EXACT_BITS + (i - EXACT) / PARTS, part = (i - EXACT) % PARTS;
	return ((uint64_t)(PARTS + part + 1) << (octave - PARTS_BITS)) - 1;
}

void loop_lag_add(struct loop_lag_live *l, uint64_t us)
{
	_Atomic uint64_t *count = &l->count[bucket_of(us)];
	// There is only one writer.
	uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
	atomic_store_explicit(count, now + 1, memory_order_relaxed);
}

void loop_lag_read(const struct loop_lag_live *l, struct loop_lag *out)
{
	for (unsigned i = 0; i < LOOP_LAG_BUCKETS; i++)
		out->count[i] = atomic_load_explicit(&l->count[i], memory_order_relaxed);
}

uint64_t loop_lag_above(const struct loop_lag *now, uint64_t us)
{
	uint64_t n = 0;

	for (unsigned i = bucket_of(us) + 1; i < LOOP_LAG_BUCKETS; i++)
		n += now->count[i];
	return n;
}

uint64_t loop_lag_samples(const struct loop_lag *now)
{
	return now->count[0] + loop_lag_above(now, 0);
}

uint64_t loop_lag_us(const struct loop_lag *now, const struct loop_lag *before, unsigned permille)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < LOOP_LAG_BUCKETS; i++)
		total += now->count[i] - (before ? before->count[i] : 0);
	uint64_t wanted = (total * permille + 999) / 1000;
	for (unsigned i = 0; i < LOOP_LAG_BUCKETS && wanted > 0; i++) {
		seen += now->count[i] - (before ? before->count[i] : 0);
		if (seen >= wanted)
			return bucket_end_us(i);
	}
	return 0;
}
