// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A straight line through samples by least squares, and the confidence interval of its slope.
//
// Successive samples of memory depend on each other. So the interval uses the effective number of
// samples, n (1 - r) / (1 + r) with the correlation r of successive residuals, as for an
// autoregressive series of the first order. With fewer than TREND_SAMPLES_MIN effective samples the
// slope is unknown.

#include <stdbool.h>

enum { TREND_SAMPLES_MIN = 5 };

struct trend {
	unsigned samples;
	double independent; // independent samples that these are worth
	double slope;       // units of y for each one of x
	double half;        // half of the 95% interval; 0 and not `known`: nothing is known of it
	bool known;
};

// `x` grows. O(n), three passes.
void trend_fit(const double *x, const double *y, unsigned n, struct trend *out);
// All of the interval lies above.
static inline bool trend_is_above(const struct trend *t, double slope)
{
	return t->known && t->slope - t->half > slope;
}
