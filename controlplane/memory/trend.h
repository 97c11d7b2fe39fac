// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A straight line through samples by least squares, and how sure its slope is.
//
// Samples of memory follow one another: each is mostly the one before. So the interval is widened
// by what the residuals' correlation from one sample to the next leaves of their number, n (1 - r)
// / (1 + r), as if they were an autoregressive series of the first order. With fewer than
// TREND_SAMPLES_MIN such samples nothing is known.

#include <stdbool.h>

enum { TREND_SAMPLES_MIN = 5 };

struct trend {
	unsigned samples;
	double independent; // as many as these samples are worth
	double slope;       // units of y for each one of x
	double half;        // half of the 95% interval; 0 and not `known`: nothing is known of it
	bool known;
};

// `x` grows. O(n), three passes.
void trend_fit(const double *x, const double *y, unsigned n, struct trend *out);
// All of the interval lies above.
bool trend_is_above(const struct trend *t, double slope);
