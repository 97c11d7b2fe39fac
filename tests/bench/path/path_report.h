// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What bench_path says of a case (bench_row.h), and whether its books are in order.

#include "path_measure.h"

enum { PATH_MISSES_PER_S = 100000 }; // of M5

void path_report_one(const struct path_case *c, const char *metric, double value, const char *unit,
	double reference);
void path_report(const struct path_case *c, const struct path_samples *s);

// Did every query end as it should, and was every frame, reply and packet buffer accounted for?
// After the case's last turn, before its rig is closed. False after saying what is wrong.
bool path_report_books(const struct path_rig *r, const struct path_case *c);
