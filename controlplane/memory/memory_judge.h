// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The verdict on growth: which account, table, sum or count of both processes leaks, and since
// when. Given the sample of each second (memory_sample.h).
//
// The judge checks the unexplained part of each value: it subtracts the amounts that are known to
// be in the value, so a table that fills hides no leak beside it:
// * an account: less the bytes of its tables (TABLE_CACHE and TABLE_FIXED up to their cap), unless
//   their memory was taken at the start: that is in the account from then on;
// * a table of TABLE_WORK: the entries. What leaves when it is done does not pile up: an alarm is
//   that it does while the load does not, by a part of the cap, or of questions by half as much
//   again as come while one stays (of a minute or two: as long as entries have stayed lately, as
//   their ages say), less what came while the oldest of now has stayed, as answers that become
//   slower keep so many; or that the oldest entry is older than twice `stay_ms` and 10 s;
// * heap: what the allocator has handed out less all accounts;
// * resident: the process's own pages over all that the allocator could have in memory;
// * mappings by kind, descriptors less those that the entries of tables hold, packet buffers that
//   nobody has, mappings of deleted files that should be gone.
//
// Growth is checked by low-water marks at five scales (marks.h): a value leaks when most of the
// marks rise, and the sum of rises without the two largest is over the threshold of its rule
// (memory_judge.c) at that scale, half of it late; marks that rise evenly need half of it. The
// thresholds are about half of what a leak of 1 GiB, 250 MiB, 100 MiB, 10 MiB and 1 MiB an hour
// gains there: so these alarm within a minute, two, three, a quarter of an hour and an hour. A rise
// is excused by as much as LOAD_BYTES for each miss a second that came with it, and by a tenth of
// what the tables gained (what the allocator adds to a block). The alarm ends when no scale that
// raised it gains half of its threshold any more.
//
// Not checked: the first SETTLE_S of a process, and while rules are built (for at most HOLD_S) the
// accounts that building uses: their marks repeat. A restart of a process begins its lines again.
// Service loop. 1.6 KiB for each of at most JUDGE_VALUES values; a sample costs some 20 us.

#include "memory_life.h"
#include "memory_sample.h"

#include <stddef.h>
#include <weir/attr.h>

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
