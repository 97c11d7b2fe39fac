// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A thread that sends events to one kind of receiver, and may block. It has low priority, starts
// when the output is first turned on, and runs until the process ends.
//
// The ring of events is its queue: the sink has a position in the ring, and copies one event at a
// time. So the service loop waits for no sink. A receiver that was away gets the missed events once
// it is back; events that the ring has overwritten by then (EVENTS_MAX) are counted as lost.
//
// Who owns what: the service loop starts the thread, configures and stops it. All functions of
// `work` run on the thread.

#include "events/events.h"
#include "querylog/sinks/sink_thread.h"

#include <weir/config.h>

enum {
	EVENT_SINK_BEAT_MS = 200,
	EVENT_SINK_REST_MS = 5000,
	EVENT_SINK_TURN_MS = 2000, // no event is begun later in a beat, or at the end
};

// Settings of all outputs; each output has a copy.
struct event_sink_settings {
	struct config_events config; // a copy, its texts included
	bool has_journal;
	uint64_t newest; // number of the newest event when these settings were made
	unsigned server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX]; // servers that resolve names in URLs
};

struct event_sink;

struct event_sink_work {
	const char *name;
	size_t bytes; // bytes of the state of the sink
	// Applies settings, which stay valid until the next call. Called before `beat` and `end`.
	void (*apply)(void *arg, const struct event_sink_settings *s);
	// Sends what can be sent. True: events wait, and the next call comes within
	// EVENT_SINK_BEAT_MS. False: it comes with the next event, or within EVENT_SINK_REST_MS.
	bool (*beat)(void *arg, uint64_t now_ms);
	// The last call. May send waiting events, within its own deadline; frees `arg`.
	void (*end)(void *arg);
	void *arg;
};

// -ENOMEM, -errno of creating the thread. `work` and `s` are copied; `events` outlives the sink.
ATTR_MUST_CHECK int event_sink_start(struct event_sink **out, struct events *events,
	const struct event_sink_work *work, const struct event_sink_settings *s);
// Gives the sink new settings. -ENOMEM: it keeps the old ones.
ATTR_MUST_CHECK int event_sink_configure(struct event_sink *k, const struct event_sink_settings *s);
// Ends the thread after its current call and `end`, and frees the sink. NULL is fine.
void event_sink_stop(struct event_sink *k);
// Points to a flag that is true from the request to end until `end` is called, for waits that check
// one.
const _Atomic bool *event_sink_is_ending(const struct event_sink *k);
size_t event_sink_bytes(const struct event_sink *k);

// event_sink_show: the sink's own thread sets its status. event_sink_status: any thread reads it.
void event_sink_show(struct event_sink *k, const struct sink_status *s);
void event_sink_status(struct event_sink *k, struct sink_status *out);

// State of an output that sends events one by one, in their order: its position in the ring, and
// when to try again. A failed event is sent again 1 s to 60 s later, doubling; events that the ring
// has overwritten by then are counted as lost. The sink's thread alone.
struct event_each {
	struct event_sink *sink; // set by event_sink_start
	struct events *events;
	const char *name;                                     // name in log lines
	int (*send)(void *arg, const struct event_record *e); // bytes sent, or -errno
	void *arg;
	bool is_on;
	uint64_t after; // number of the last event that was sent
	struct sink_retry retry;
	struct sink_status now; // the owner sets target and sockets
};

// Turns the output on or off. An output that is turned on begins behind `newest`.
void event_each_apply(struct event_each *c, bool is_on, uint64_t newest);
// Sends all waiting events, unless a wait after a failure is left. True: the last attempt failed,
// and events wait.
bool event_each_beat(struct event_each *c, uint64_t now_ms);
