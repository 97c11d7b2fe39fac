// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What unit tests look at in a box (l0_fixture.h): its audit and what its writer counts.

#include "l0_audit.h"
#include "l0_fixture.h"
#include "tests/unit/unit.h"

static inline void audit(const struct box *b)
{
	char why[128] = "";
	if (l0_audit(b->w, why) != 0)
		fail_msg("audit: %s", why);
}

static inline struct l0_writer_stats stats_of(const struct box *b)
{
	struct l0_writer_stats s;
	l0_writer_stats(b->w, &s);
	return s;
}
