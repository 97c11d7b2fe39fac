// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For how long entries of a table of questions have stayed lately: at most as many as came in that
// time can be in it. Where upstream servers answer in milliseconds that is far less than the
// longest stay allows, so a place that is never given back shows within a minute.
//
// The oldest entry's age, of a sample a second: the most of this span and of the one before it, so
// of AGES_SPAN_MS at least, and a second for what a sample does not see. Service loop.

#include "memory_sample.h"

#include <stdbool.h>

enum { AGES_SPAN_MS = 120000, AGES_SCALES = 2, AGES_MORE_MS = 1000 }; // scales within a span

struct judge_ages {
	uint64_t began_ms;
	uint64_t most_ms, before_ms; // longest stay in the span that is open, and in the last one
	bool is_whole;               // there was a last one
};

// Seconds; while too little is known `stay_s`, the longest that is allowed. 0 for a table that has
// no questions.
static inline double judge_ages_see(
	struct judge_ages *a, const struct memory_table *t, uint64_t uptime_ms, double stay_s)
{
	if (!a->began_ms || uptime_ms < a->began_ms || uptime_ms - a->began_ms >= AGES_SPAN_MS)
		*a = (struct judge_ages){.began_ms = uptime_ms,
			.before_ms = a->most_ms,
			.is_whole = a->began_ms != 0};
	if (t->oldest_ms > a->most_ms)
		a->most_ms = t->oldest_ms;
	const uint64_t most_ms = a->most_ms > a->before_ms ? a->most_ms : a->before_ms;
	const double seen_s = (double)(most_ms + AGES_MORE_MS) / 1000;
	return t->has_ages && a->is_whole && seen_s < stay_s ? seen_s : stay_s;
}
