// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The latest EVENTS_MAX events of this process: what happened, when, how severe it is, a sentence,
// and named fields. One more overwrites the oldest (counted). docs/how-to/events.md has the kinds.
//
// Each event has a number, one higher than the event before. The first number of a process is the
// Unix time of its start in milliseconds. So numbers rise over restarts too, unless the clock was
// set back or a process had over 1000 events a second all its life.
//
// The service loop's thread adds and reads. Any thread may copy events and wait for new ones, by
// events_copy and events_wait: a lock protects the ring, which the loop holds while it writes one
// event and others while they copy one. All memory is taken at the open. An addition formats one
// line, of the log too where that is JSON (log_event), and waits for nothing else.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config_log.h>

enum { EVENTS_MAX = 256, EVENT_FIELDS_MAX = 4, EVENT_TEXT_MAX = 512, EVENT_VALUE_MAX = 120 };

extern const char *const event_kind_names[EVENT_KIND_COUNT];
extern const char *const event_severity_names[EVENT_SEVERITIES];

// A named value. `name` is a constant of the program. A value that is too long is cut.
struct event_field {
	const char *name, *value;
};
// Fields by value; NULL: none.
#define EVENT_FIELDS(...) ((const struct event_field[]){__VA_ARGS__, {NULL, NULL}})

struct event_record {
	uint64_t number;
	int64_t unix_ms;
	enum event_kind kind;
	enum event_severity severity;
	unsigned fields;
	char text[EVENT_TEXT_MAX];
	const char *name[EVENT_FIELDS_MAX];
	char value[EVENT_FIELDS_MAX][EVENT_VALUE_MAX];
};

struct events;
struct json_node;
struct json_out;

ATTR_MUST_CHECK int events_open(struct events **out); // -ENOMEM
void events_close(struct events *e);                  // NULL is fine

// Adds an event of the severity that its kind has. `e` NULL: nothing.
void events_add(struct events *e, enum event_kind kind, const struct event_field *fields,
	const char *fmt, ...) ATTR_PRINTF(4, 5);
// The same with another severity.
void events_add_as(struct events *e, enum event_kind kind, enum event_severity severity,
	const struct event_field *fields, const char *fmt, ...) ATTR_PRINTF(5, 6);

// A condition that event_conditions.h has no room to follow. `e` NULL: nothing.
void events_leave_out(struct events *e);

// The oldest event with a number over `after`, until the next addition; NULL: none.
// `*missed`: events over `after` of this process that were overwritten before that. An `after` that
// no event has had yet is of another life of the process: the oldest event is the next.
const struct event_record *events_next(const struct events *e, uint64_t after, uint64_t *missed);
// The highest number so far; without an event the one before the first.
uint64_t events_newest(const struct events *e);

// Any thread. The event that events_next gives, copied. False: none.
bool events_copy(struct events *e, uint64_t after, struct event_record *out, uint64_t *missed);
// Any thread but the service loop's. Waits until the newest event is another one than `newest`,
// until events_poke, or so long. The number of the newest.
uint64_t events_wait(struct events *e, uint64_t newest, unsigned timeout_ms);
void events_poke(struct events *e); // all that wait

struct events_counts {
	uint64_t of_kind[EVENT_KIND_COUNT]; // ever
	uint64_t overwritten, left_out;
	unsigned used;
	size_t bytes;
	int64_t oldest_unix_ms; // 0: none
};
void events_counts(const struct events *e, struct events_counts *out);

// An event as JSON, for readers of the control API and for webhooks.
void event_json(struct json_out *o, struct json_node *n, const struct event_record *e);
