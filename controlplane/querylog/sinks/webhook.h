// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Webhooks: a sink of the query log that tells URLs, by POST, of blocked and of failed queries, and
// once a day (UTC) of the 24 hours before.
//
// A thread of its own (sink_thread.h) for all targets. What happens between two messages to a
// target goes into the next: how many queries, and the first WEBHOOK_EVENTS_MAX of them; so a flood
// costs no more than `per_minute` messages of a bounded size, one a second at most. A message that
// fails is not forgotten: its queries go with the next one, tried 1 s to 60 s later, doubling. One
// whose reply was lost may so be told twice. A server that is asked too often (429) or is not ready
// (503) and says when to ask again is not asked before, WEBHOOK_AFTER_MAX_S later at most. A server
// for whose certificate nobody vouches gets nothing; it is tried again like any other. A day's
// summary is tried WEBHOOK_DAY_TRIES times, then lost and counted. A restart forgets the day so
// far, and `since` of the next summary says so. At the end the message under way is cut short, and
// what waits is told at once to targets that do not fail, for WEBHOOK_END_MS in all; what is left
// is counted as lost and logged.

#include "sink_thread.h"

#include <weir/config.h>

enum {
	WEBHOOK_TIMEOUT_MS = 5000,
	WEBHOOK_END_MS = 1000,
	WEBHOOK_SPACE_MS = 1000,
	WEBHOOK_DAY_TRIES = 8,
	WEBHOOK_AFTER_MAX_S = 3600
};

struct webhook_settings {
	const struct config_webhook *targets; // CONFIG_WEBHOOKS_MAX at most; outlive it
	unsigned count;
	const char *box;       // outlives it
	unsigned server_count; // that names are asked of; copied
	const struct socket_address *servers;
	const _Atomic bool *single; // of http_post.h
	int64_t (*unix_s)(void);    // NULL: time(2). For tests
};

struct webhook;

// -ENOMEM, -errno of creating the thread.
ATTR_MUST_CHECK int webhook_open(struct webhook **out, const struct webhook_settings *s);
void webhook_close(struct webhook *w); // after querylog_stop. NULL is fine
// Any thread, one at a time: from its next message on names are asked of these; copied.
void webhook_name_servers(struct webhook *w, const struct socket_address *servers, unsigned count);
struct sink_thread *webhook_thread(struct webhook *w);
