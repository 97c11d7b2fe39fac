// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Slices of a case's work, in cycles a query. What a case is worth is the first decile of its
// slices: those in which something else had the core are far above it.

#include "path_beside.h"

enum {
	PATH_SLICES = 400,
	PATH_PAIRS = 2000,  // of short slices, with and without
	PATH_WINDOW = 1000, // slices of a second with a new image, and of one without
	PATH_ROUNDS = 8,
};

enum path_way { WAY_REFLECT, WAY_PLAIN, WAY_TIMED, WAYS };

struct path_samples {
	double way[WAYS][PATH_SLICES];
	double stage[STAGE_COUNT][PATH_SLICES];
	double dns[PATH_SLICES];    // the stages between rx and tx
	double answer[PATH_SLICES]; // answers of the control plane, for each query of any kind
	// Without and with what the case is measured against.
	unsigned pairs;
	double whole[2][PATH_PAIRS], dns_of[2][PATH_PAIRS];
	double window[2][PATH_WINDOW][PATH_ROUNDS];
	double write_rate; // writes a second while there were any
	uint64_t refused, published;
};

// Everything about a case whose rig is open. False after saying why.
bool path_measure(struct path_rig *r, const struct path_case *c, struct path_samples *s);

double path_decile(const double *samples, unsigned count);
// Time of the second with an image to that without, of each slice the second least of its rounds.
double path_window_ratio(const struct path_samples *s);
