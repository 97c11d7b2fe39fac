// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Webhooks: a sink of the query log that sends POSTs about blocked and failed queries, and once a
// day (UTC) about the previous 24 hours.
//
// One thread (sink_thread.h) serves all targets. Queries between two messages to a target go into
// the next: their number, and the first WEBHOOK_EVENTS_MAX of them. So a flood costs at most
// `per_minute` messages of a bounded size, one a second at most. The queries of a failed message go
// with the next one, 1 s to 60 s later, doubling. So a message whose reply was lost may arrive
// twice. A server that replies 429 or 503 with a time gets no message before it,
// WEBHOOK_AFTER_MAX_S later at most. A server with an untrusted certificate gets nothing; it is
// tried again like any other. A day's summary is tried WEBHOOK_DAY_TRIES times, then lost and
// counted. A restart forgets the day so far, and `since` of the next summary says so; so does the
// log when it begins to hide or exclude others: then a waiting summary is lost, and waiting queries
// are only counted. At shutdown the current message is aborted, and the waiting messages are sent
// at once to targets that do not fail, for WEBHOOK_END_MS in all; the rest is counted as lost and
// logged.

#include "http/http_post.h"
#include "sink_thread.h"

#include <weir/config.h>

// One server that gets messages as POSTs of JSON: when it may get one, and what a failure means.
// For webhooks of queries and of events (events/out).
//
// At most `per_minute` messages, one a second at most. The owner tries a failed message again, 1 s
// to 60 s later, doubling. A server that replies 429 or 503 with a time gets no message before it,
// WEBHOOK_AFTER_MAX_S later at most. A server with an untrusted certificate gets nothing; it is
// tried again like any other. The host alone of a URL is shown and logged: the rest may be a
// secret.
//
// Owned by one thread, which blocks while a message is sent.

enum {
	WEBHOOK_TIMEOUT_MS = 5000,
	WEBHOOK_END_MS = 1000, // time for all messages at shutdown
	WEBHOOK_SPACE_MS = 1000,
	WEBHOOK_AFTER_MAX_S = 3600
};

struct webhook_post {
	const struct config_webhook_to *config;
	char shown[SINK_TARGET_MAX]; // the host of the URL; the rest may be a secret
	struct http_post *post;
	uint64_t room, room_ms; // messages that the limit allows, in units of 1/60000; time of the
				// last update
	uint64_t last_ms;
	struct sink_retry retry;
	bool is_cut;            // the message was aborted at shutdown: no error is logged
	char why[SINK_WHY_MAX]; // the last failure; "": no failure
};

// `config` outlives `p`; its ca_file replaces that of `s`. -ENOMEM.
ATTR_MUST_CHECK int webhook_post_open(struct webhook_post *p,
	const struct config_webhook_to *config, const struct http_post_settings *s);
void webhook_post_close(struct webhook_post *p);
// Goes on as `before`, which was open for the same URL: by its limit and its wait after a failure.
void webhook_post_follow(struct webhook_post *p, const struct webhook_post *before);
// Whether the limit allows a message, and the wait after a failure is over. Refills the limit.
bool webhook_post_may_send(struct webhook_post *p, uint64_t now_ms);
// At shutdown: whether the limit allows a message, and the last message did not fail.
bool webhook_post_has_room(const struct webhook_post *p);
// Sends one message, which takes from the limit. False: it failed; then `retry` says when to try
// again, and the failure is logged. Counts in `counts` what was sent and what failed.
bool webhook_post_send(struct webhook_post *p, const char *text, uint64_t now_ms,
	unsigned timeout_ms, struct sink_status *counts);

// Discord's form of a message: `content` under WEBHOOK_CONTENT_MAX bytes, cut at the end of a line,
// without mentions. For webhooks of queries and of events.

enum { WEBHOOK_CONTENT_MAX = 1900 };

struct webhook_content { // zeros: empty
	char text[WEBHOOK_CONTENT_MAX];
	size_t len;
};

void webhook_content_line(struct webhook_content *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Copies a text to `out` so that it can stand between backticks: texts of clients and servers may
// have backticks.
const char *webhook_harmless(const char *from, char *out, size_t cap);
// Returns a malloced text; NULL: no memory.
ATTR_MUST_CHECK char *webhook_discord(const struct webhook_content *c);

enum { WEBHOOK_DAY_TRIES = 8, WEBHOOK_EVENTS_MAX = 8 };

struct webhook_settings {
	const struct config_webhook *targets; // CONFIG_WEBHOOKS_MAX at most; outlive the sink
	unsigned count;
	const char *box;       // outlives the sink
	unsigned server_count; // servers that resolve names; copied
	const struct socket_address *servers;
	const _Atomic bool *single; // `single` of struct http_post_settings
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
