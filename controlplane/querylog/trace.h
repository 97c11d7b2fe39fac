// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The steps of the control plane for watched queries (watch_msg.h).
//
// While there is a watch, a miss that a worker numbered, or a query of a client of the frontend's
// that passes the filter, gets a trace: a fixed number of events with the time since it arrived. It
// follows its client's question until that has ended, which is up to 5 s; a client that joins a
// question sees its steps from then on. An ended trace goes to `put`, under the number that the
// worker's part has too.
//
// Bounds: TRACES_MAX at one time and TRACES_A_SECOND; one more is counted. A worker's is put
// without events while fewer than TRACES_TOLD_A_SECOND came in that second: in a flood of misses it
// would cost more than the misses. Of more than TRACE_EVENTS_MAX events the last place keeps the
// newest, the others are counted. The table exists only during a watch: without one a query costs a
// test of a number that is 0. Resolver loop's thread only.

#include "trace_step.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <weir/dns_name.h>
#include <weir/shm_msg.h>
#include <weir/watch_msg.h>

enum { TRACES_MAX = 64, TRACES_A_SECOND = 500, TRACES_TOLD_A_SECOND = 2000, TRACE_EVENTS_MAX = 48 };
enum { TRACE_OF_FRONTEND = UINT16_MAX }; // the `worker` of a query without one

// Of enum answer_kind, and:
enum { TRACE_NO_ANSWER = ANSWER_KINDS, TRACE_OUTCOMES };

struct trace {
	uint32_t number; // watch_trace_number
	uint16_t worker;
	bool is_left_out; // there was no room: no events
	bool is_tcp;
	bool is_handed;  // its answer went to a worker, which reports when it has left
	uint8_t verdict; // enum verdict
	uint8_t outcome;
	uint8_t ip_version, name_len;
	uint16_t client_port; // 0: of a query of which no more is known
	uint16_t qtype;
	uint64_t arrival_us; // as clock_mono_us
	uint8_t client[16];
	uint8_t name[DNS_NAME_MAX]; // lower-case wire form
	uint16_t count, lost;       // lost: for which there was no room
	struct trace_event event[TRACE_EVENTS_MAX];
};

typedef void (*trace_put_fn)(void *arg, const struct trace *t);

struct traces;

ATTR_MUST_CHECK int traces_new(struct traces **out); // -ENOMEM
void traces_free(struct traces *t);                  // NULL is fine
// From now on, until the filter's time is over for new ones. -ENOMEM: there will be none.
ATTR_MUST_CHECK int traces_begin(
	struct traces *t, const struct dp_watch *filter, trace_put_fn put, void *arg);
void traces_end(struct traces *t);                   // unfinished traces are dropped
void traces_beat(struct traces *t, uint64_t now_ms); // each 100 ms: ends expired traces
bool traces_on(const struct traces *t);              // is a watch active?
// How many go on, for those who have to look before they know of whom.
const unsigned *traces_live(const struct traces *t);

// Handle of a trace; 0: none. The handle of an ended trace, or of an earlier watch, is invalid too.
typedef uint32_t trace_handle;

// `what` with all fields but the events; `number` 0: a query of the frontend, checked by the filter
// here.
trace_handle traces_start(struct traces *t, const struct trace *what);
// Of it and of all that are in its chain.
void traces_note(
	struct traces *t, trace_handle first, enum trace_step step, unsigned n, uint32_t value);
void traces_note_server(
	struct traces *t, trace_handle first, const struct trace_event *e); // at_us: set here
// Its answer goes to its worker, with this number; 0: none.
uint16_t traces_hand(struct traces *t, trace_handle one);
// Of it alone.
void traces_answered(struct traces *t, trace_handle one, unsigned outcome, unsigned rcode);
// It goes on with a question, whose first one is `*first`, until traces_finish(*first).
void traces_join(struct traces *t, trace_handle *first, trace_handle one);
// Ends it unless it goes on with a question.
void traces_settle(struct traces *t, trace_handle one);
void traces_finish(struct traces *t, trace_handle first);

struct traces_counts {
	bool is_on;
	unsigned live, most;
	uint64_t begun, left_out, since_ms; // since_ms: the oldest's; 0: none
	size_t bytes;
};
void traces_counts(const struct traces *t, struct traces_counts *out);

extern const char *const trace_step_names[TRACE_STEP_COUNT];
extern const char *const trace_step_keys[TRACE_STEP_COUNT][2];
extern const char *const trace_outcome_names[TRACE_OUTCOMES];
