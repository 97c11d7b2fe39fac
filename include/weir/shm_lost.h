// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A region whose file was truncated while it is mapped (by an operator; weir never does that). A
// process that touches a missing page gets SIGBUS: its contents are gone.
//
// The side that made the region cannot go on. It logs the file and ends with a status of its own;
// its supervisor starts it again, and the start makes the region again, as it does with any damaged
// one. It also checks for this once a second, since the other side may need pages that it never
// touches itself.
//
// The other side goes on: it gets zeros in place of the region, which are no worse than what a
// broken writer may leave, logs that, and waits for a new region.

#include "attr.h"

enum { REGION_LOST_STATUS = 87 };

// From now on SIGBUS in a mapped region is dealt with like that. `own`: beginnings of the names of
// regions that this process makes, NULL behind the last; kept. One from anywhere else keeps its
// usual meaning. Once, before filters of system calls; two descriptors stay open, one of
// /proc/self/maps and one of the standard error of this moment.
void region_lost_catch(const char *const *own);

// Ends the process in the same way, for a caller that found `name` cut off by looking, or its file
// gone or damaged, as `why` says.
_Noreturn void region_lost_end(const char *name);
_Noreturn void region_gone_end(const char *why);
