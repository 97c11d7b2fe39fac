// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An event as the journal and as a syslog server read it. A value may hold any bytes: none of them
// ends a field or a message. Pure.

#include "events/events.h"

enum { EVENT_JOURNAL_MAX = 4096, EVENT_SYSLOG_MAX = 4096 };

// The datagram for the journal (event_journal.h); its length.
size_t event_journal_text(const struct event_record *e, char out[EVENT_JOURNAL_MAX]);
// The message of syslog (event_syslog.h), without a length before it; its length. `box` is what
// weir has for the host's name.
size_t event_syslog_text(
	const struct event_record *e, const char *box, unsigned pid, char out[EVENT_SYSLOG_MAX]);
