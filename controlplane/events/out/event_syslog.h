// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Events for a syslog server (RFC 5424): over UDP a datagram each (RFC 5426), over TCP with its
// length before each (RFC 6587). In clear text.
//
// Facility daemon, the kind as message id, and the event's number, severity and fields as
// structured data of `event@32473`. 32473 is the number that RFC 5612 gives to documentation, as
// weir has none of its own. A control character becomes a question mark.
//
// A server that refuses (ICMP, a reset) or that takes nothing for EVENT_SYSLOG_WAIT_MS gets the
// event later (event_sink.h). UDP says of a datagram that it was refused when the next one is sent:
// both are then sent again. weir does not learn of datagrams that the network loses, nor of events
// in a TCP connection that breaks, and does not count them.

#include "event_sink.h"

enum { EVENT_SYSLOG_WAIT_MS = 2000 };

// As event_sink_start. `box` outlives it.
ATTR_MUST_CHECK int event_syslog_start(struct event_sink **out, struct events *events,
	const char *box, const struct event_sink_settings *s);
