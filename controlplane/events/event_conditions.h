// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Conditions that last, such as an alarm or a server that is down: the look that sees one first
// adds the event of its begin, and the one of its end follows when `patience` looks in a row have
// not seen it. So a condition that comes and goes costs two events in that many looks at most.
//
// Bounds: EVENT_CONDITIONS_MAX conditions at once; one more is not followed, and counted in each
// look (events_leave_out). Of those that ended the latest EVENT_CONDITIONS_ENDED are kept. No
// memory of its own. The service loop's thread; a look is some microseconds.

#include "events.h"

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
