// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Events as entries of systemd's journal, with fields: one datagram each to its socket, in the
// journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
//
// Fields: MESSAGE (the event's text), PRIORITY (3, 4, 6), SYSLOG_IDENTIFIER=weir-events, WEIR_EVENT
// (its kind), WEIR_EVENT_NUMBER, WEIR_SEVERITY, and WEIR_NAME for each field NAME of the event. The
// identifier is another one than that of the log, whose lines may say the same in other words: so
// `journalctl -t weir-events` has events alone, and `-t weir-controlplane` the log.
//
// Not by libsystemd: its sd_journal_sendv blocks while journald does not read, which would keep the
// process from ending, and takes a memfd and a temporary file where a datagram is too large. An
// event has under 4 KiB, and the protocol is a line a field.
//
// A socket that is full, or that nobody listens on, gets the event later, 1 s to 60 s, doubling.

#include "event_sink.h"

// $JOURNAL_STREAM says that stderr is a stream of the journal.
bool event_journal_has_stderr(void);
// As event_sink_start; `socket` NULL: systemd's.
ATTR_MUST_CHECK int event_journal_start(struct event_sink **out, struct events *events,
	const char *socket, const struct event_sink_settings *s);
