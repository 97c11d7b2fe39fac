// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Refresh-ahead without a cache or a clock: when to renew a cached record, by its heat, its TTLs
// and the settings; the plan of records to renew; the counts of what was done.
//
// A record is hot or warm by its hits in the window, else cold: nothing lies between. Hot and warm
// records are due when a share of their TTL is left, cold ones never, unless min_ttl says so. A
// record that would see less than one hit in its life is cold: its refresh costs more than the miss
// that it saves. With past_auth a hot or warm record that is kept for longer than its authority
// said is due when that time is over.

#include "base/counts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

enum refresh_heat { REFRESH_COLD, REFRESH_WARM, REFRESH_HOT };

struct refresh_policy {
	bool enabled, past_auth;
	uint32_t window_ms;         // window of the hits in a heat (l0_writer.h)
	uint32_t hot_min, warm_min; // least heat
	uint32_t hot_percent, warm_percent;
	uint32_t cold_ms;
	uint32_t sweep_interval_ms, sweep_window_ms;
};

#define REFRESH_NEVER UINT32_MAX

void refresh_policy_of(
	const struct config_refresh *c, uint32_t client_ttl_cap_s, struct refresh_policy *out);

// The facts of a record that matter here; times count from its creation.
struct refresh_record {
	uint32_t soft_ms, auth_ttl_s;
	uint32_t heat;
};

enum refresh_heat refresh_heat_of(const struct refresh_policy *p, const struct refresh_record *r);
// Age at which the record is due, or REFRESH_NEVER.
uint32_t refresh_due_ms(const struct refresh_policy *p, const struct refresh_record *r);
// Age at which the sweep plans the record, if no hit has requested it before.
uint32_t refresh_swept_ms(const struct refresh_policy *p, const struct refresh_record *r);
// Age from which on a worker reports a hit: the record is not due before, for any heat.
uint32_t refresh_told_ms(const struct refresh_policy *p, uint32_t soft_ms, uint32_t auth_ttl_s);

// Hits a minute, rounded.
uint32_t refresh_rate(const struct refresh_policy *p, uint32_t heat);

// Records to renew, the most urgent first. A sorted array of fixed size: when it is full a new
// entry replaces the least urgent, or is rejected. Entries are small and checked again when they
// are due, so one for a deleted record does no harm. An insertion moves 32 KB at worst with 2,000
// entries. One owner, one thread.
struct refresh_planned {
	uint64_t due_ms;
	uint32_t record;   // number in L0
	uint32_t hash_low; // low bits of the key's hash: the number may be another record's later
};

struct refresh_plan {
	struct refresh_planned *entry; // the most urgent last
	uint32_t used, limit, cap, most;
	uint64_t dropped; // dropped because there was no room
};

ATTR_MUST_CHECK int refresh_plan_init(struct refresh_plan *p, uint32_t cap); // -ENOMEM
void refresh_plan_destroy(struct refresh_plan *p);

// False: this or another entry was dropped because there was no room. An existing entry is not
// added again.
bool refresh_plan_insert(struct refresh_plan *p, const struct refresh_planned *e);
// The most urgent entry, if it is due. False: no entry is due.
bool refresh_plan_pop(struct refresh_plan *p, uint64_t now_ms, struct refresh_planned *out);
// Sets the limit, at most cap; drops the least urgent entries over it.
void refresh_plan_limit(struct refresh_plan *p, uint32_t limit);

// What refresh-ahead did and what it was good for: the last 24 h by the minute, in a fixed ring.
// A slot belongs to one minute of the monotonic clock and is cleared by the next that needs it.
enum { REFRESH_MINUTES = 24 * 60 };

#define REFRESH_COUNTS(X)                                                                      \
	X(SUM, uint32_t, asked, SAME, NONE, "Refreshes begun.")                                \
	X(SUM, uint32_t, done, SAME, NONE, "Records renewed.")                                 \
	X(SUM, uint32_t, failed, SAME, NONE,                                                   \
		"Refreshes whose upstreams failed: the old record stays.")                     \
	X(SUM, uint32_t, dropped, SAME, NONE, "Refreshes without room in the plan or to ask.") \
	X(SUM, uint32_t, held_back, SAME, NONE,                                                \
		"Refreshes not begun because one failed a short while ago.")                   \
	X(SUM, uint32_t, used, SAME, NONE,                                                     \
		"Records renewed and asked for since: misses saved, at most.")                 \
	X(SUM, uint32_t, hot_stale, SAME, NONE,                                                \
		"Hits of hot names served past soft expiry, an estimate.")                     \
	X(SUM, uint32_t, hot_missed, SAME, NONE,                                               \
		"Questions for hot names that had to wait, after their first fill.")           \
	X(SUM, uint32_t, late_ms, SAME, NONE, "How long those names had been expired, in all.")

struct refresh_counts {
	REFRESH_COUNTS(COUNT_FIELD)
};
COUNTS(refresh_rows, struct refresh_counts, "", REFRESH_COUNTS)

struct refresh_stats {
	uint64_t minute[REFRESH_MINUTES]; // number of the slot's minute; 0: unused
	struct refresh_counts count[REFRESH_MINUTES];
};

// The counts of the minute that `now_ms` lies in.
struct refresh_counts *refresh_stats_now(struct refresh_stats *s, uint64_t now_ms);
// The counts of `ago` minutes before; NULL: nothing was counted then, or it is over 24 h ago.
const struct refresh_counts *refresh_stats_at(
	const struct refresh_stats *s, uint64_t now_ms, unsigned ago);
// Sums the last `minutes`, the present one included; a counter that would wrap stays at its
// maximum.
void refresh_stats_sum(const struct refresh_stats *s, uint64_t now_ms, unsigned minutes,
	struct refresh_counts *out);
