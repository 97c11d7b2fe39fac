// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a run found, as a line of JSON on stdout.

#include "load.h"

// `percent`: of the capacity that this run was asked to put on, or 0. True if every query was
// answered and every reply was right.
bool report_load(const struct load *l, double seconds, unsigned percent);
