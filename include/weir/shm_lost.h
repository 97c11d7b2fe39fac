// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A region whose file was cut off while it is mapped (an operator's `truncate`; none of us does
// that). Whoever touches a page that is no longer there gets SIGBUS: what lay there is gone.
//
// The side that made the region cannot go on. It says which file it was and ends with a status of
// its own; its supervisor starts it again, and the start makes the region anew, as it does with any
// that is damaged. It looks for this once a second as well, since pages that it never touches may
// be the ones that the other side needs.
//
// The other side lives: it gets zeros in place of the region, which are as good as anything else
// that a neighbour gone wild may write, says so, and goes on until there is a new one.

#include "attr.h"

enum { REGION_LOST_STATUS = 87 };

// From now on SIGBUS in a mapped region is dealt with like that. `own`: beginnings of the names of
// regions that this process makes, NULL behind the last; kept. One from anywhere else keeps its
// usual meaning.
void region_lost_catch(const char *const *own);

// The same end for who found `name` cut off by looking, or its file gone or damaged, as `why` says.
_Noreturn void region_lost_end(const char *name);
_Noreturn void region_gone_end(const char *why);
