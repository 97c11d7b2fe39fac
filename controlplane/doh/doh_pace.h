// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// So many at once, then so many a second: for what a client may do, but not often. Counts in
// thousandths, so that a rate holds over any number of calls.

#include <stdbool.h>
#include <stdint.h>

struct doh_pace {
	uint64_t left, at_ms;
};

enum { DOH_PACE_UNIT = 1000 };

static inline struct doh_pace doh_pace_full(unsigned burst, uint64_t now_ms)
{
	return (struct doh_pace){.left = (uint64_t)burst * DOH_PACE_UNIT, .at_ms = now_ms};
}

static inline void doh_pace_add(struct doh_pace *p, unsigned n)
{
	p->left += (uint64_t)n * DOH_PACE_UNIT;
}

// False: too many. `rate` is a second's.
static inline bool doh_pace_take(struct doh_pace *p, unsigned rate, unsigned burst, uint64_t now_ms)
{
	const uint64_t most = (uint64_t)burst * DOH_PACE_UNIT;

	if (now_ms > p->at_ms) {
		p->left += (now_ms - p->at_ms) * rate;
		p->at_ms = now_ms;
	}
	if (p->left > most)
		p->left = most;
	if (p->left < DOH_PACE_UNIT)
		return false;
	p->left -= DOH_PACE_UNIT;
	return true;
}
