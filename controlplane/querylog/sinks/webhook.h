// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Webhooks: a sink of the query log that sends POSTs about blocked and failed queries, and once a
// day (UTC) about the previous 24 hours.
//
// A thread of its own (sink_thread.h) for all targets. Queries between two messages to a target go
// into the next: their number, and the first WEBHOOK_EVENTS_MAX of them. So a flood costs at most
// `per_minute` messages of a bounded size, one a second at most. The queries of a failed message go
// with the next one, tried 1 s to 60 s later, doubling. A message whose reply was lost may so
// arrive twice. A server that replies 429 or 503 with a time gets no message before it,
// WEBHOOK_AFTER_MAX_S later at most. A server with an untrusted certificate gets nothing; it is
// tried again like any other. A day's summary is tried WEBHOOK_DAY_TRIES times, then lost and
// counted. A restart forgets the day so far, and `since` of the next summary says so. At the end
// the current message is aborted, and the waiting ones are sent at once to targets that do not
// fail, for WEBHOOK_END_MS in all; the rest is counted as lost and logged.

#include "sink_thread.h"
#include "webhook_post.h"

#include <weir/config.h>

enum { WEBHOOK_DAY_TRIES = 8 };

struct webhook_settings {
	const struct config_webhook *targets; // CONFIG_WEBHOOKS_MAX at most; outlive it
	unsigned count;
	const char *box;       // outlives it
	unsigned server_count; // servers that resolve names; copied
	const struct socket_address *servers;
	const _Atomic bool *single; // of http_post.h
	int64_t (*unix_s)(void);    // NULL: time(2). For tests
};

struct webhook;

// -ENOMEM, -errno of creating the thread.
ATTR_MUST_CHECK int webhook_open(struct webhook **out, const struct webhook_settings *s);
void webhook_close(struct webhook *w); // after querylog_stop. NULL is fine
// Any thread, one at a time: replaces the servers that resolve names, from the next message on;
// copied.
void webhook_name_servers(struct webhook *w, const struct socket_address *servers, unsigned count);
struct sink_thread *webhook_thread(struct webhook *w);
