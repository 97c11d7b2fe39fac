// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Events as entries of systemd's journal, with fields: one datagram each to its socket, in the
// journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
//
// Fields: MESSAGE (the event's text), PRIORITY (3, 4, 6), SYSLOG_IDENTIFIER=weir-events, WEIR_EVENT
// (its kind), WEIR_EVENT_NUMBER, WEIR_SEVERITY, and WEIR_NAME for each field NAME of the event. The
// identifier differs from that of the log, whose lines may report the same event: `journalctl -t
// weir-events` has events alone, and `-t weir-controlplane` the log.
//
// weir does not use libsystemd: sd_journal_sendv blocks while journald does not read, which would
// keep the process from ending, and needs a memfd or a temporary file if a datagram is too large.
// An event has under 4 KiB, and the protocol is one line for each field.
//
// If the socket is full, or nobody listens on it, weir sends the event 1 s to 60 s later, doubling.

#include "event_sink.h"

// Whether stderr is a stream of the journal, by $JOURNAL_STREAM.
bool event_journal_has_stderr(void);
// Starts the sink as event_sink_start does. `socket` NULL: systemd's.
ATTR_MUST_CHECK int event_journal_start(struct event_sink **out, struct events *events,
	const char *socket, const struct event_sink_settings *s);
