// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Formats an event for the journal and for a syslog server. A value may have any bytes; no byte of
// it ends a field or a message. Pure.

#include "events/events.h"

enum { EVENT_JOURNAL_MAX = 4096, EVENT_SYSLOG_MAX = 4096 };

// Writes the datagram for the journal (event_outs.c). Returns its length.
size_t event_journal_text(const struct event_record *e, char out[EVENT_JOURNAL_MAX]);
// Writes the syslog message (event_outs.c), without a length before it. Returns its length.
// `box`: the host's name.
size_t event_syslog_text(
	const struct event_record *e, const char *box, unsigned pid, char out[EVENT_SYSLOG_MAX]);
