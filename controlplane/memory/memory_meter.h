// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The slope meter: how fast memory grows, in all and by subsystem, and whether the figure is
// meaningful yet.
//
// It is given a sample each second. The newest METER_SECONDS of them are kept, and one each minute
// for METER_MINUTES in a ring that survives restarts (memory_file.h); both are allocated once. A
// report fits a line through the samples of the requested span (trend.h). As long as a table fills,
// growth is what tables are for: the report is not steady then, and names the one that fills
// fastest. A table is full from 99% of its cap on; else it fills when the lower end of its slope is
// above 0 and it gains over the span more than 1% of what it holds and 0.1% of its cap.
//
// Alarms are another module's, which sees each sample. A report says whether there
// is one, and names the one that grows fastest. One thread, unless noted otherwise. A sample costs
// some tens of microseconds, a report a millisecond at most.

#include "memory_judge.h"
#include "memory_sample.h"

#include <stddef.h>

// A line of the log about memory, each runtime.log_memory_s seconds: both processes, bytes of no
// account, the accounts that gained most since the line before, and the fullest tables. From the
// sample of each second; keeps the sample of the last line. Service loop.

enum { MEMORY_LINE_MAX = 512, MEMORY_LINE_TOP = 3 };

struct memory_line {
	bool is_begun;
	struct memory_sample last; // the sample of the line before, or of the start
};

// `every_s` 0: no lines. Writes the line when it is due into `out`, and returns it; else NULL.
const char *memory_line_take(struct memory_line *l, const struct memory_sample *s, unsigned every_s,
	char out[MEMORY_LINE_MAX]);

enum {
	METER_SECONDS = 300,
	METER_MINUTES = 1440,
	METER_LOOK_SPAN_S = 1800,
};

struct memory_meter;

// `path`: of the history; NULL, or one that cannot be used (logged): it ends with the process.
ATTR_MUST_CHECK int memory_meter_open(struct memory_meter **out, const char *path);
void memory_meter_stopped(struct memory_meter *m); // the life ends as it should
void memory_meter_close(struct memory_meter *m);   // NULL is fine
void memory_meter_take(struct memory_meter *m, const struct memory_sample *s);
// The present state of the data plane, each second, before the sample. Its series begin with
// METER_DATAPLANE: a new run of it restarts their lines, and the end of each run is kept. A run
// that began and ended between two samples is not seen.
void memory_meter_dataplane(struct memory_meter *m, const struct memory_other *o);

struct memory_slope {
	char name[MEMORY_NAME_MAX];
	uint32_t kind;
	uint64_t value, cap;
	struct trend trend; // bytes, or entries, a second
	bool fills;         // it is a table's
};

struct memory_report {
	uint64_t span_ms; // between the first and last sample
	unsigned samples;
	bool by_minute;
	bool steady;
	char filling[MEMORY_NAME_MAX]; // "" when steady
	double query_rate;             // a second
	bool alarm;                    // at least one
	char alarm_by[MEMORY_NAME_MAX];
	uint64_t alarms;  // since the start
	uint64_t refused; // values for which there was no series
	uint64_t damaged; // parts of the history that could not be read
	bool kept;        // the history is
	unsigned count;
	struct memory_slope slope[MEMORY_SERIES_MAX];
};

// The last half hour, at most a minute ago; no samples before the first minute.
const struct memory_report *memory_meter_look(const struct memory_meter *m);
void memory_meter_report(const struct memory_meter *m, uint64_t span_s, struct memory_report *out);
const struct judge_status *memory_meter_alarms(const struct memory_meter *m);
uint64_t memory_meter_refused(const struct memory_meter *m); // values without a series
size_t memory_meter_bytes(const struct memory_meter *m);     // bytes of the rings
const struct memory_lives *memory_meter_lives(
	const struct memory_meter *m, enum memory_process process);
const struct memory_ring *memory_meter_minutes(const struct memory_meter *m);
