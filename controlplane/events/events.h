// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The latest EVENTS_MAX events of this process: what happened, when, how severe it is, a sentence,
// and named fields. A further event overwrites the oldest, which is counted. docs/how-to/events.md
// has the kinds.
//
// Each event has a number, one higher than the event before. The first number of a process is the
// Unix time of its start in milliseconds. So numbers rise over restarts too, unless the clock was
// set back or a process had over 1000 events a second all its life.
//
// The service loop's thread adds and reads. Any thread may copy events and wait for new ones, by
// events_copy and events_wait: a lock protects the ring; the loop holds it while it writes one
// event, other threads while they copy one. events_open allocates all memory. An addition formats
// the text, and a line of the log if that is JSON (log_event), and waits for nothing else.

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
// An array of fields, for the functions below, which also accept NULL: no fields.
#define EVENT_FIELDS(...) ((const struct event_field[]){__VA_ARGS__, {NULL, NULL}})

struct event_record {
	uint64_t number;
	int64_t unix_ms;
	enum event_kind kind;
	enum event_severity severity;
	const char *box; // name of this box; outlives the events
	unsigned fields;
	char text[EVENT_TEXT_MAX];
	const char *name[EVENT_FIELDS_MAX];
	char value[EVENT_FIELDS_MAX][EVENT_VALUE_MAX];
};

struct events;
struct json_node;
struct json_out;

// `box`: the name of this box, which outlives the events. -ENOMEM.
ATTR_MUST_CHECK int events_open(struct events **out, const char *box);
void events_close(struct events *e); // NULL is fine

// Adds an event with the usual severity of its kind. `e` may be NULL.
void events_add(struct events *e, enum event_kind kind, const struct event_field *fields,
	const char *fmt, ...) ATTR_PRINTF(4, 5);
// Adds an event with the given severity.
void events_add_as(struct events *e, enum event_kind kind, enum event_severity severity,
	const struct event_field *fields, const char *fmt, ...) ATTR_PRINTF(5, 6);

// The oldest event with a number over `after`, valid until the next addition; NULL: no such event.
// `*missed`: events of this process between `after` and that event, all overwritten. An `after`
// that is no number of this process comes from another run: the oldest event is returned.
const struct event_record *events_next(const struct events *e, uint64_t after, uint64_t *missed);
// The number of the newest event; without an event the number before the first.
uint64_t events_newest(const struct events *e);

// Any thread: copies the event of events_next. False: no such event.
bool events_copy(struct events *e, uint64_t after, struct event_record *out, uint64_t *missed);
// Any thread but the service loop's: waits until the newest event is not `newest`, until
// events_pokes is not `pokes` any more, or for timeout_ms. A thread reads `pokes` before it looks
// at what it is poked for. Returns the number of the newest event.
uint64_t events_wait(struct events *e, uint64_t newest, uint64_t pokes, unsigned timeout_ms);
uint64_t events_pokes(struct events *e);
void events_poke(struct events *e); // wakes all threads in events_wait

struct events_counts {
	uint64_t of_kind[EVENT_KIND_COUNT]; // since the start
	uint64_t overwritten, left_out;
	unsigned used;
	size_t bytes;
	int64_t oldest_unix_ms; // 0: no event
};
void events_counts(const struct events *e, struct events_counts *out);

// An event as JSON, for readers of the control API and for webhooks.
void event_json(struct json_out *o, struct json_node *n, const struct event_record *e);

// Conditions that last, such as an alarm or a server that is down: the first look that sees a
// condition adds the event of its begin. The event of its end follows after `patience` looks in a
// row that did not see it, so a condition that comes and goes adds at most two events in that many
// looks. One whose severity changes adds the event of its begin again, and that of its end once:
// when it is gone with every severity.
//
// Bounds: EVENT_CONDITIONS_MAX conditions at once; one more is not followed, and each look counts
// it (left_out). The latest EVENT_CONDITIONS_ENDED of the ended conditions are kept. No allocation.
// The service loop's thread; a look costs some microseconds.

enum {
	EVENT_CONDITIONS_MAX = 96,
	EVENT_CONDITIONS_ENDED = 32,
	EVENT_ABOUT_MAX = 96,
	EVENT_CONDITION_TEXT_MAX = 288
};

struct event_condition_kind {
	enum event_kind begins, ends;
	enum event_severity severity; // severity of the event of its begin
	const char *field;            // name of the field that says what it is about
	const char *is_over;          // first words of the sentence at its end
	unsigned patience;            // looks without the condition until it has ended
};

struct event_condition {
	const struct event_condition_kind *kind;
	char about[EVENT_ABOUT_MAX];
	char text[EVENT_CONDITION_TEXT_MAX]; // text of the event of its begin
	uint64_t since_ms, until_ms;         // clock_mono_ms; until_ms 0: it has not ended
	unsigned unseen;                     // looks in a row without it
};

struct event_conditions { // zeros: no conditions
	unsigned count;
	struct event_condition one[EVENT_CONDITIONS_MAX];
	uint64_t ended_count; // since the start; ended condition `i` is in slot `i %
			      // EVENT_CONDITIONS_ENDED`
	struct event_condition ended[EVENT_CONDITIONS_ENDED];
};

// A look calls event_conditions_see for each condition that it finds, and then
// event_conditions_end. `kind` and `about` identify a condition; its text does not.
void event_conditions_see(struct event_conditions *c, struct events *e,
	const struct event_condition_kind *kind, const char *about, uint64_t now_ms,
	const char *fmt, ...) ATTR_PRINTF(6, 7);
void event_conditions_end(struct event_conditions *c, struct events *e, uint64_t now_ms);

// The condition that lasts, of the kind whose begin is `begins`; valid until the next look. NULL:
// no such condition.
const struct event_condition *event_conditions_find(
	const struct event_conditions *c, enum event_kind begins, const char *about);
