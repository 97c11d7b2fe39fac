// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What refresh-ahead did and what it was good for: the last 24 h by the minute, in a fixed ring.
// A slot belongs to one minute of the monotonic clock and is cleared by the next that needs it.

#include <stddef.h>
#include <stdint.h>

enum { REFRESH_MINUTES = 24 * 60 };

struct refresh_counts {
	uint32_t asked;      // begun
	uint32_t done;       // renewed
	uint32_t failed;     // upstreams failed: the old record stays
	uint32_t dropped;    // no room: in the plan, or to ask
	uint32_t held_back;  // failed a short while ago
	uint32_t used;       // renewed, and asked for since: misses saved, at most
	uint32_t hot_stale;  // hits of hot names that were served past soft expiry (an estimate)
	uint32_t hot_missed; // questions for hot names that had to wait, after their first fill
	uint32_t late_ms;    // how long those names had been expired, in all
};

struct refresh_stats {
	uint64_t minute[REFRESH_MINUTES]; // which one the slot is of; 0: none
	struct refresh_counts count[REFRESH_MINUTES];
};

// The counts of the minute that `now_ms` lies in.
struct refresh_counts *refresh_stats_now(struct refresh_stats *s, uint64_t now_ms);
// `ago` minutes before; NULL: nothing was counted then, or it is over 24 h ago.
const struct refresh_counts *refresh_stats_at(
	const struct refresh_stats *s, uint64_t now_ms, unsigned ago);
// Of the last `minutes`, the present one included; counters that would wrap stay at their end.
void refresh_stats_sum(const struct refresh_stats *s, uint64_t now_ms, unsigned minutes,
	struct refresh_counts *out);
