// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The outputs of events: systemd's journal, a syslog server, webhooks. Each output has a thread of
// its own, once it was on, and a position in the ring of events. The service loop's thread opens,
// configures and closes the outputs. It waits for them only at the close, while they send their
// last events, EVENT_OUTS_END_MS at most.

#include "base/table_registry.h"
#include "events/events.h"
#include "querylog/sinks/sink_thread.h"
#include "querylog/sinks/webhook.h"

#include <weir/config.h>

enum event_out { EVENT_OUT_JOURNAL, EVENT_OUT_SYSLOG, EVENT_OUT_WEBHOOKS, EVENT_OUTS };
enum { EVENT_SYSLOG_WAIT_MS = 2000 };
enum { EVENT_OUTS_END_MS = 2 * EVENT_SYSLOG_WAIT_MS + WEBHOOK_END_MS };

struct event_outs;

struct event_outs_settings {
	struct events *events;      // outlives the outputs
	const char *box;            // name of this box, for receivers; outlives the outputs
	const _Atomic bool *single; // `single` of http_post_settings; outlives the outputs
	const char *journal_socket; // NULL: systemd's; outlives the outputs
};

ATTR_MUST_CHECK int event_outs_open(
	struct event_outs **out, const struct event_outs_settings *s); // -ENOMEM
// Starts outputs that the configuration turns on, and configures the running ones. An output that
// is turned on begins with the next event. `servers` resolve names in URLs. Returns the first
// error, -ENOMEM or -errno of creating a thread; then some output is unchanged, and fails by its
// status until a later call succeeds. `is_changed`: false: the settings are those of the last call,
// for the outputs that could not take them.
ATTR_MUST_CHECK int event_outs_configure(struct event_outs *o, bool is_changed,
	const struct config_events *c, const struct socket_address *servers, unsigned count);
// Ends the outputs; an aborted message of a webhook may be sent once more. NULL is fine.
void event_outs_close(struct event_outs *o);

// Status of the outputs that are on, or could not be turned off. Returns their number.
unsigned event_outs_status(struct event_outs *o, struct sink_status out[EVENT_OUTS]);
void event_outs_tables(struct event_outs *o, struct table_registry *tables);
