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

// Conditions that last, such as an alarm or a server that is down: the look that sees one first
// adds the event of its begin, and the one of its end follows when `patience` looks in a row have
// not seen it. So a condition that comes and goes costs two events in that many looks at most.
//
// Bounds: EVENT_CONDITIONS_MAX conditions at once; one more is not followed, and counted in each
// look (events_leave_out). Of those that ended the latest EVENT_CONDITIONS_ENDED are kept. No
// memory of its own. The service loop's thread; a look is some microseconds.

enum {
	EVENT_CONDITIONS_MAX = 96,
	EVENT_CONDITIONS_ENDED = 32,
	EVENT_ABOUT_MAX = 96,
	EVENT_CONDITION_TEXT_MAX = 288
};

struct event_condition_kind {
	enum event_kind begins, ends;
	enum event_severity severity; // of its begin
	const char *field;            // name of the field that says what it is about
	const char *is_over;          // first words of the sentence at its end
	unsigned patience;            // looks
};

struct event_condition {
	const struct event_condition_kind *kind;
	char about[EVENT_ABOUT_MAX];
	char text[EVENT_CONDITION_TEXT_MAX]; // of its begin
	uint64_t since_ms, until_ms;         // clock_mono_ms; 0: it has not ended
	unsigned unseen;                     // looks in a row
};

struct event_conditions { // zeros: none
	unsigned count;
	struct event_condition one[EVENT_CONDITIONS_MAX];
	uint64_t ended_count; // ever; number `i` of them is in slot `i % EVENT_CONDITIONS_ENDED`
	struct event_condition ended[EVENT_CONDITIONS_ENDED];
};

// A look calls event_conditions_see for each condition that it finds, and then
// event_conditions_end. `kind` and `about` identify a condition; its text does not.
void event_conditions_see(struct event_conditions *c, struct events *e,
	const struct event_condition_kind *kind, const char *about, uint64_t now_ms,
	const char *fmt, ...) ATTR_PRINTF(6, 7);
void event_conditions_end(struct event_conditions *c, struct events *e, uint64_t now_ms);

// The one that lasts, of kinds that begin with `begins`; until the next look. NULL: none.
const struct event_condition *event_conditions_find(
	const struct event_conditions *c, enum event_kind begins, const char *about);
