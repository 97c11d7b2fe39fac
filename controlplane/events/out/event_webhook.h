// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Messages about events to webhooks: up to EVENT_WEBHOOK_EVENTS_MAX events in a POST, which
// webhook.h sends and limits. A target chooses kinds and the least severity.
//
// Each target has a position of its own in the ring. Events between two messages go into the next
// one. A failed message is made again from the ring, with the events that came since. Events that
// the ring has overwritten by then are counted as lost, and the message has their number. A message
// whose reply was lost may arrive twice: its events have numbers. At shutdown the current message
// is aborted, and targets that do not fail get the waiting events, for WEBHOOK_END_MS in all.

#include "event_sink.h"

enum { EVENT_WEBHOOK_EVENTS_MAX = 8 };

// Starts the sink as event_sink_start does. `box` and `single` (http_post.h) outlive the sink.
ATTR_MUST_CHECK int event_webhook_start(struct event_sink **out, struct events *events,
	const char *box, const _Atomic bool *single, const struct event_sink_settings *s);
