// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The part of an output that sends each event by itself, in their order: its place in the ring, and
// when to try again. A failed event is sent again 1 s to 60 s later, doubling; those that the ring
// has overwritten by then are counted as lost. All on the sink's thread.

#include "event_sink.h"

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
