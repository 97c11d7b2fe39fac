// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the values of a model must be together, so that weir takes them: after the last reader. What
// cannot stay is a miss.

#include "import_model.h"

// Drops records that are there twice and those beside a CNAME, zones that are there twice, what is
// over a bound of weir's lists, and a shortest TTL over the longest.
void import_settle(struct import_model *m);
