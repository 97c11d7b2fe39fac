// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The verdict on growth: which account, table, sum or count of both processes leaks, and since
// when. Given the sample of each second (memory_sample.h). docs/explanation/growth.md explains what
// is subtracted from a value, and when its growth is a leak.
//
// Not checked: the first SETTLE_S of a process, and while rules are built (for at most HOLD_S) the
// accounts that building uses. A restart of a process begins its lines again. Service loop. 1.6 KiB
// for each of at most JUDGE_VALUES values; a sample costs some 20 us.

#include "memory_life.h"
#include "memory_sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

// For how long entries of a table of questions have stayed lately: at most as many as came in that
// time can be in it. Where upstream servers answer in milliseconds that is far less than the
// longest stay allows, so a place that is never given back shows within a minute.
//
// The oldest entry's age, of a sample a second: the most of this span and of the one before it, so
// of AGES_SPAN_MS at least, and a second for what a sample does not see. Service loop.

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

enum judge_kind {
	JUDGE_ACCOUNT,
	JUDGE_TABLE,
	JUDGE_HEAP,
	JUDGE_RESIDENT,
	JUDGE_MAPPINGS,
	JUDGE_DELETED_MAPPINGS,
	JUDGE_DESCRIPTORS,
	JUDGE_BUFFERS,
	JUDGE_KINDS
};
extern const char *const judge_kind_texts[JUDGE_KINDS];
extern const char *const judge_process_texts[MEMORY_PROCESSES];

enum { JUDGE_VALUES = MEMORY_SERIES_MAX, JUDGE_ALARMS_MAX = 32, JUDGE_BY_MAX = 96 };

// Names of values that an alarm is made of; those of the data plane have METER_DATAPLANE before
// them. Bytes: "anonymous", "allocator" (pages of the allocator), "unexplained" (handed out, in no
// account), "mappings KIND". Counts: "descriptors KIND", "mappings", "buffers"
// (missing ones), "deleted" (mappings of deleted files that are older than they may be).

struct judge_alarm {
	enum memory_process process;
	enum judge_kind kind;
	char name[MEMORY_NAME_MAX];
	const char *unit;
	double per_hour, gained; // units
	uint64_t over_s;         // the time in which it was gained
	uint64_t since_s;        // Unix time at which the alarm was raised
	char by[JUDGE_BY_MAX];   // function (file:line), kind or region that grew most; "": unknown
};

struct memory_judge;

ATTR_MUST_CHECK int memory_judge_open(struct memory_judge **out); // -ENOMEM
void memory_judge_close(struct memory_judge *j);                  // NULL is fine
void memory_judge_take(struct memory_judge *j, const struct memory_sample *s);
// The process has restarted: its lines and alarms begin again at the next sample.
void memory_judge_begin(struct memory_judge *j, enum memory_process process);

struct judge_status {
	unsigned count;    // alarms, the oldest first
	unsigned left_out; // more than JUDGE_ALARMS_MAX
	uint64_t raised;   // alarms since the start
	uint64_t judged_s; // for so long the control plane's lines have been judged
	struct judge_alarm alarm[JUDGE_ALARMS_MAX];
};
const struct judge_status *memory_judge_status(const struct memory_judge *j);
size_t memory_judge_bytes(const struct memory_judge *j);
