// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the programs of tools/bench say, one JSON object a line: goal, case, metric, value, unit,
// reference (the figure that the goal asks for, or null) and ratio (value to reference, or null).

#include <stdio.h>

struct bench_row {
	const char *goal, *name, *metric, *unit;
	double value, reference; // 0: none
};

static inline void bench_row_print(const struct bench_row *r)
{
	printf("{\"goal\": \"%s\", \"case\": \"%s\", \"metric\": \"%s\", \"value\": %.3f, "
	       "\"unit\": \"%s\", ",
		r->goal, r->name, r->metric, r->value, r->unit);
	if (r->reference > 0)
		printf("\"reference\": %.2f, \"ratio\": %.3f}\n", r->reference,
			r->value / r->reference);
	else
		printf("\"reference\": null, \"ratio\": null}\n");
}

// The same where only the figure differs from row to row.
static inline void bench_say(const char *goal, const char *name, const char *metric, double value,
	const char *unit, double most)
{
	const struct bench_row row = {goal, name, metric, unit, value, most};
	bench_row_print(&row);
}
