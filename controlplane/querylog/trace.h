// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The steps of the control plane for watched queries (watch_msg.h).
//
// While there is a watch, a miss that a worker numbered, or a query to the frontend that passes the
// filter, gets a trace: a fixed number of events with the time since it arrived. The trace follows
// its client's question until the question has ended, which is up to 5 s. The trace of a client
// that joins a question has its steps from then on. An ended trace goes to `put`, with the number
// that the worker's part of the query has.
//
// Bounds: TRACES_MAX traces at one time and TRACES_A_SECOND; more are counted. Over these bounds a
// miss of a worker is put without events, while at most TRACES_TOLD_A_SECOND came in that second:
// in a flood of misses it would cost more than the misses. Of more than TRACE_EVENTS_MAX events the
// last place keeps the newest, the others are counted. The table exists only during a watch:
// without one a query costs a test of a number that is 0. Resolver loop's thread only.

#include "trace_step.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <weir/dns_name.h>
#include <weir/shm_msg.h>
#include <weir/watch_msg.h>

enum { TRACES_MAX = 64, TRACES_A_SECOND = 500, TRACES_TOLD_A_SECOND = 2000, TRACE_EVENTS_MAX = 48 };
enum { TRACE_OF_FRONTEND = UINT16_MAX }; // the `worker` of a query to the frontend

// Outcomes: those of enum answer_kind, and TRACE_NO_ANSWER.
enum { TRACE_NO_ANSWER = ANSWER_KINDS, TRACE_OUTCOMES };

struct trace {
	uint32_t number; // watch_trace_number
	uint16_t worker;
	bool is_left_out; // there was no room for the trace: it has no events
	bool is_tcp;
	bool is_handed;  // the answer went to a worker, which reports when it was sent
	uint8_t verdict; // enum verdict
	uint8_t outcome;
	uint8_t ip_version, name_len;
	uint16_t client_port; // 0: of a query of which no more is known
	uint16_t qtype;
	uint64_t arrival_us; // time of arrival, as clock_mono_us
	uint8_t client[16];
	uint8_t name[DNS_NAME_MAX]; // lower-case wire form
	uint16_t count, lost;       // lost: events without room
	struct trace_event event[TRACE_EVENTS_MAX];
};

typedef void (*trace_put_fn)(void *arg, const struct trace *t);

struct traces;

ATTR_MUST_CHECK int traces_new(struct traces **out); // -ENOMEM
void traces_free(struct traces *t);                  // NULL is fine
// Begins to trace watched queries. Queries to the frontend get traces until the filter's time is
// over. -ENOMEM: no query is traced.
ATTR_MUST_CHECK int traces_begin(
	struct traces *t, const struct dp_watch *filter, trace_put_fn put, void *arg);
void traces_end(struct traces *t); // unfinished traces are dropped
void traces_beat(
	struct traces *t, uint64_t now_ms); // ends the watch some seconds after its time is over
bool traces_on(const struct traces *t);     // is a watch active?
// Number of unfinished traces, for code that has to check it before it knows the query.
const unsigned *traces_live(const struct traces *t);

// Handle of a trace; 0: no trace. The handle of an ended trace, or of an earlier watch, is invalid
// too.
typedef uint32_t trace_handle;

// Begins a trace. `what` has all fields but the events; `number` 0: a query to the frontend, to
// which the filter is applied here.
trace_handle traces_start(struct traces *t, const struct trace *what);
// Adds a step to a trace and to all traces behind it in its chain.
void traces_note(
	struct traces *t, trace_handle first, enum trace_step step, unsigned n, uint32_t value);
void traces_note_server(
	struct traces *t, trace_handle first, const struct trace_event *e); // at_us: set here
// Notes that the answer goes to a worker. Returns the number that goes with it; 0: no trace.
uint16_t traces_hand(struct traces *t, trace_handle one);
// Adds the answer to this trace alone.
void traces_answered(struct traces *t, trace_handle one, unsigned outcome, unsigned rcode);
// Puts the trace first into the chain of a question, `*first`. It goes on until
// traces_finish(*first).
void traces_join(struct traces *t, trace_handle *first, trace_handle one);
// Ends the trace unless it has joined a question. traces_finish: ends all traces of a chain.
void traces_settle(struct traces *t, trace_handle one);
void traces_finish(struct traces *t, trace_handle first);

struct traces_counts {
	bool is_on;
	unsigned live, most;
	uint64_t begun, left_out, since_ms; // since_ms: arrival of the oldest; 0: no trace
	size_t bytes;
};
void traces_counts(const struct traces *t, struct traces_counts *out);

extern const char *const trace_step_names[TRACE_STEP_COUNT];
extern const char *const trace_step_keys[TRACE_STEP_COUNT][2];
extern const char *const trace_outcome_names[TRACE_OUTCOMES];
