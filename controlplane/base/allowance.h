// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A token bucket: a burst, then a rate, for what a client may do, but not often. Counts in
// thousandths, so that a rate holds over any number of calls.

#include <stdbool.h>
#include <stdint.h>

struct allowance {
	int64_t left; // below 0: a debt
	uint64_t at_ms;
};

enum { ALLOWANCE_UNIT = 1000 };

static inline struct allowance allowance_full(unsigned burst, uint64_t now_ms)
{
	return (struct allowance){.left = (int64_t)burst * ALLOWANCE_UNIT, .at_ms = now_ms};
}

static inline void allowance_add(struct allowance *a, unsigned n)
{
	a->left += (int64_t)n * ALLOWANCE_UNIT;
}

// Takes `n` for work that began before its cost was known. A debt is at most `burst`.
static inline void allowance_charge(struct allowance *a, uint64_t n, unsigned burst)
{
	const int64_t least = -(int64_t)burst * ALLOWANCE_UNIT;
	const int64_t most = a->left - least;
	a->left -= n < (uint64_t)most / ALLOWANCE_UNIT ? (int64_t)n * ALLOWANCE_UNIT : most;
}

// Takes one. False: nothing is left. `rate`: a second's.
static inline bool allowance_take(
	struct allowance *a, unsigned rate, unsigned burst, uint64_t now_ms)
{
	const int64_t most = (int64_t)burst * ALLOWANCE_UNIT;

	if (now_ms > a->at_ms) {
		a->left += (int64_t)((now_ms - a->at_ms) * rate);
		a->at_ms = now_ms;
	}
	if (a->left > most)
		a->left = most;
	if (a->left < ALLOWANCE_UNIT)
		return false;
	a->left -= ALLOWANCE_UNIT;
	return true;
}
