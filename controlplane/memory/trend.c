// SPDX-License-Identifier: BSD-3-Clause
#include "trend.h"

#include <math.h>

// Student's t for 95% on both sides: Cornish and Fisher's expansion about the normal quantile,
// within 2% from 3 degrees of freedom on.
static double t_quantile(double freedom)
{
	const double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
	const double f = freedom;
	return z + (z3 + z) / (4 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96 * f * f)
	       + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * f * f * f);
}

struct sums {
	double x_mean, y_mean, xx, xy;
};

static void sums_take(const double *x, const double *y, unsigned n, struct sums *s)
{
	*s = (struct sums){0};
	for (unsigned i = 0; i < n; i++) {
		s->x_mean += x[i];
		s->y_mean += y[i];
	}
	s->x_mean /= n;
	s->y_mean /= n;
	for (unsigned i = 0; i < n; i++) {
		double dx = x[i] - s->x_mean;
		s->xx += dx * dx;
		s->xy += dx * (y[i] - s->y_mean);
	}
}

// The sum of squared residuals, and the correlation of each residual with the next.
static double residuals(
	const double *x, const double *y, unsigned n, const struct sums *s, double slope, double *r)
{
	double squares = 0, products = 0, before = 0;
	for (unsigned i = 0; i < n; i++) {
		double e = y[i] - s->y_mean - slope * (x[i] - s->x_mean);
		squares += e * e;
		if (i)
			products += e * before;
		before = e;
	}
	*r = squares > 0 ? products / squares : 0;
	return squares;
}

void trend_fit(const double *x, const double *y, unsigned n, struct trend *out)
{
	struct sums s;
	double r;
	*out = (struct trend){.samples = n, .independent = n};
	if (n < 2)
		return;
	sums_take(x, y, n, &s);
	if (!(s.xx > 0))
		return;
	out->slope = s.xy / s.xx;
	double squares = residuals(x, y, n, &s, out->slope, &r);
	if (r > 0)
		out->independent = n * (1 - r) / (1 + r);
	// Nothing is left: the line is exact, and correlation of rounding errors is none.
	if (squares <= 1e-12 * (1 + s.y_mean * s.y_mean))
		out->independent = n;
	if (out->independent < TREND_SAMPLES_MIN)
		return;
	double variance = squares / (n - 2) * (n / out->independent);
	out->half = t_quantile(out->independent - 2) * sqrt(variance / s.xx);
	out->known = true;
}
