// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Events for a syslog server (RFC 5424): over UDP each event is a datagram (RFC 5426), over TCP its
// length precedes it (RFC 6587). Nothing is encrypted.
//
// A message has facility daemon, the kind as message id, and the event's number, severity and
// fields as structured data of `event@32473`. 32473 is the enterprise number that RFC 5612 reserves
// for documentation; weir has no number. A control character becomes a question mark.
//
// A server that refuses (ICMP, a reset) or accepts nothing for EVENT_SYSLOG_WAIT_MS gets the event
// later (event_sink.h). With UDP the refusal of a datagram shows when the next one is sent; weir
// then sends both again. weir does not learn of datagrams that the network loses, nor of events in
// a TCP connection that breaks, and does not count them.

#include "event_sink.h"

enum { EVENT_SYSLOG_WAIT_MS = 2000 };

// Starts the sink as event_sink_start does. `box` outlives the sink.
ATTR_MUST_CHECK int event_syslog_start(struct event_sink **out, struct events *events,
	const char *box, const struct event_sink_settings *s);
