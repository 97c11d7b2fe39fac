// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The outputs of events: systemd's journal (event_journal.h), a syslog server (event_syslog.h),
// webhooks (event_webhook.h). Each has a thread of its own, once it was on, and a place in the ring
// of events (event_sink.h). The service loop's thread opens, configures and closes them. It waits
// for them at the close alone: for what they send at the end, EVENT_OUTS_END_MS at most.

#include "base/table_registry.h"
#include "event_sink.h"
#include "event_syslog.h"
#include "querylog/sinks/webhook.h"

enum event_out { EVENT_OUT_JOURNAL, EVENT_OUT_SYSLOG, EVENT_OUT_WEBHOOKS, EVENT_OUTS };
enum { EVENT_OUTS_END_MS = 2 * EVENT_SYSLOG_WAIT_MS + WEBHOOK_END_MS };

struct event_outs;

struct event_outs_settings {
	struct events *events;      // outlives it
	const char *box;            // name of this box, for receivers; outlives it
	const _Atomic bool *single; // of http_post.h; outlives it
	const char *journal_socket; // NULL: systemd's. Outlives it
};

ATTR_MUST_CHECK int event_outs_open(
	struct event_outs **out, const struct event_outs_settings *s); // -ENOMEM
// Starts the outputs that the configuration has and that did not run, and tells all what it says.
// An output that is turned on begins with the next event. `servers` resolve names in URLs. The
// first error of -ENOMEM and -errno of creating a thread; then some output is as it was.
ATTR_MUST_CHECK int event_outs_configure(struct event_outs *o, const struct config_events *c,
	const struct socket_address *servers, unsigned count);
// An aborted message of a webhook may be sent once more. NULL is fine.
void event_outs_close(struct event_outs *o);

// Those that are on; how many.
unsigned event_outs_status(struct event_outs *o, struct sink_status out[EVENT_OUTS]);
void event_outs_tables(struct event_outs *o, struct table_registry *tables);
