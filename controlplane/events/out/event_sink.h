// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A thread that sends events to one kind of receiver, and may block: of low priority, started when
// the output is first on, and kept until the process ends.
//
// The ring of events is its queue: the sink has a place in it, and copies one event at a time. So
// the service loop waits for no sink, a receiver that is away gets what it missed once it is back,
// and what the ring has overwritten by then (EVENTS_MAX) is counted as lost.
//
// Who owns what: the service loop starts it, gives it settings and stops it. All calls of `work`
// are on the thread.

#include "events/events.h"
#include "querylog/sinks/sink_thread.h"

#include <weir/config.h>

enum { EVENT_SINK_BEAT_MS = 200, EVENT_SINK_REST_MS = 5000 };

// Settings of all outputs; each output has a copy.
struct event_sink_settings {
	struct config_events config; // its texts too
	bool has_journal;
	uint64_t newest; // number of the newest event when they were given
	unsigned server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX]; // servers that resolve names in URLs
};

struct event_sink;

struct event_sink_work {
	const char *name;
	size_t bytes; // that the sink has for itself
	// Other settings, which stay until the next call of it. The first call comes before all
	// else.
	void (*apply)(void *arg, const struct event_sink_settings *s);
	// Sends what can be sent. True: something waits, so that the next call comes within
	// EVENT_SINK_BEAT_MS; else with the next event, or within EVENT_SINK_REST_MS.
	bool (*beat)(void *arg, uint64_t now_ms);
	// The last call. May send waiting events, within its own deadline; frees `arg`.
	void (*end)(void *arg);
	void *arg;
};

// -ENOMEM, -errno of creating the thread. `work` and `s` are copied; `events` outlives it.
ATTR_MUST_CHECK int event_sink_start(struct event_sink **out, struct events *events,
	const struct event_sink_work *work, const struct event_sink_settings *s);
// The same, later. -ENOMEM: it goes on with what it had.
ATTR_MUST_CHECK int event_sink_configure(struct event_sink *k, const struct event_sink_settings *s);
// Ends the thread after its current call and `end`, and frees it. NULL is fine.
void event_sink_stop(struct event_sink *k);
// True once it is to end, for waits that look, until `end` is called.
const _Atomic bool *event_sink_is_ending(const struct event_sink *k);
size_t event_sink_bytes(const struct event_sink *k);

// The sink's own thread says how it is; any thread reads it.
void event_sink_show(struct event_sink *k, const struct sink_status *s);
void event_sink_status(struct event_sink *k, struct sink_status *out);

// The part of an output that sends each event by itself, in their order: its place in the ring, and
// when to try again. A failed event is sent again 1 s to 60 s later, doubling; those that the ring
// has overwritten by then are counted as lost. All on the sink's thread.
struct event_each {
	struct event_sink *sink; // by event_sink_start
	struct events *events;
	const char *name;                                     // for the log
	int (*send)(void *arg, const struct event_record *e); // bytes sent, or -errno
	void *arg;
	bool is_on;
	uint64_t after; // number of the last event that was sent
	struct sink_retry retry;
	struct sink_status now; // the owner sets target and sockets
};

// The output is on or off from now on. Once on it begins behind `newest`.
void event_each_apply(struct event_each *c, bool is_on, uint64_t newest);
// Sends all that there is, unless it failed lately. True: some wait.
bool event_each_beat(struct event_each *c, uint64_t now_ms);
