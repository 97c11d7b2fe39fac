// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The verdict on growth: which account, table, sum or count of both processes leaks, and since
// when. Given the sample of each second (memory_sample.h). docs/explanation/growth.md explains what
// is subtracted from a value, and when its growth is a leak.
//
// Not checked: the first SETTLE_S of a process, and while rules are built (for at most HOLD_S) the
// accounts that building uses. A restart of a process begins its lines again. Service loop. 1.6 KiB
// for each of at most JUDGE_VALUES values; a sample costs some 20 us.

#include "memory_sample.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

// Runs of a process: when each began, how large it was when last seen, and how it ended. Growth
// that a restart hides each few days shows here. Keeps the last MEMORY_LIVES. The next run finds
// how a run ended that left no note: another boot, the kernel's count of out-of-memory kills, or
// neither.

enum { MEMORY_LIVES = 64, MEMORY_BOOT_MAX = 40, MEMORY_VERSION_MAX = 48 };

enum memory_end {
	MEMORY_RUNS, // it does
	MEMORY_STOPPED,
	MEMORY_KILLED,     // or crashed: it left no note
	MEMORY_OUT_KILLED, // killed while the kernel's out-of-memory killer was active
	MEMORY_REBOOTED,   // the machine went down under it
	MEMORY_UNSEEN,     // another life was there when anybody looked
	MEMORY_FAILED,     // it could not start
	MEMORY_ENDS
};

struct memory_life {
	uint64_t number; // from 1 on; 0 without one
	uint64_t id;     // incarnation of the other process' run, which may outlast this one
	uint64_t started_s, seen_s, uptime_ms;
	uint64_t rss, heap, queries; // when it was seen last
	uint64_t oom_kills;          // the machine's since its boot
	uint32_t end;                // enum memory_end
	char boot[MEMORY_BOOT_MAX], version[MEMORY_VERSION_MAX];
};

struct memory_lives {
	uint64_t next; // number of the next one less 1
	struct memory_life life[MEMORY_LIVES];
};

// The processes whose runs are kept.
enum memory_process { MEMORY_CONTROLPLANE, MEMORY_DATAPLANE, MEMORY_PROCESSES };

struct memory_place { // the environment of a run
	uint64_t wall_s, oom_kills;
	char boot[MEMORY_BOOT_MAX];
};

// Reads /proc. A field that cannot be read is empty or 0.
void memory_place_read(struct memory_place *out);
// A new life, after the last one's end has been found out.
struct memory_life *memory_life_begin(struct memory_lives *l, const struct memory_place *p);
void memory_life_seen(
	struct memory_life *l, const struct memory_sample *s, const struct memory_place *p);
// Another process's life, as looked at from here.
struct memory_other {
	bool is_there;
	uint64_t id, rss, queries, uptime_ms;
	// How the life that is over ended, as far as it is known by itself: of `ended_id`.
	enum { OTHER_UNKNOWN, OTHER_STOPPED, OTHER_FELL, OTHER_FAILED } ended;
	uint64_t ended_id;
	// How the run before `id` ended, if it has: two ends between two samples.
	unsigned former;
	uint64_t former_id;
};
// Does its newest life go on? Else memory_lives_follow has something to write down.
bool memory_lives_goes_on(const struct memory_lives *l, const struct memory_other *o);
// Reopens a run that was marked as ended and still exists. False: no such run.
bool memory_lives_resume(struct memory_lives *l, const struct memory_other *o);
// The end of the newest one if it is over, a new one if there is one. True: there is.
bool memory_lives_follow(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p);
void memory_lives_saw(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p);
// Life `back` from the newest (0) on; NULL: there is none.
const struct memory_life *memory_life_get(const struct memory_lives *l, unsigned back);
const char *memory_end_text(uint32_t end);

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
