// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Does what a writer of L0 has on record agree with its index?

#include <weir/l0_writer.h>

// Used units are those that records have, all of the writer's share, no unit is in two, overflow
// counts are right, and the SIEVE list has each record once. 0, or -EPROTO with `why` filled in.
ATTR_MUST_CHECK int l0_audit(const struct l0_writer *w, char why[128]);
