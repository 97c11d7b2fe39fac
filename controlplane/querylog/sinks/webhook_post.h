// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One server that gets messages as POSTs of JSON: when it may get one, and what a failure means.
// For webhooks of queries (webhook.h) and of events (events/out).
//
// At most `per_minute` messages, one a second at most. A failed one is tried again by the owner,
// 1 s to 60 s later, doubling. A server that replies 429 or 503 with a time gets no message before
// it, WEBHOOK_AFTER_MAX_S later at most. A server with an untrusted certificate gets nothing; it is
// tried again like any other. What is shown and logged of a URL is its host alone: the rest may be
// a secret.
//
// Owned by one thread, which blocks while a message is sent.

#include "http/http_post.h"
#include "sink_thread.h"

#include <weir/config.h>

enum {
	WEBHOOK_TIMEOUT_MS = 5000,
	WEBHOOK_END_MS = 1000, // for all messages at the end
	WEBHOOK_SPACE_MS = 1000,
	WEBHOOK_AFTER_MAX_S = 3600
};

struct webhook_post {
	const struct config_webhook_to *config;
	char shown[SINK_TARGET_MAX]; // without what may be a secret
	struct http_post *post;
	uint64_t room, room_ms; // of messages, in parts of a minute's milliseconds; and since when
	uint64_t last_ms;
	struct sink_retry retry;
	bool is_cut;            // its message was being sent at the end: no error is logged
	char why[SINK_WHY_MAX]; // of the last failure, "" without one
};

// `config` outlives it; its ca_file replaces that of `s`. -ENOMEM.
ATTR_MUST_CHECK int webhook_post_open(struct webhook_post *p,
	const struct config_webhook_to *config, const struct http_post_settings *s);
void webhook_post_close(struct webhook_post *p);
// Does its limit allow a message, and is no wait after a failure left? Once a look.
bool webhook_post_may_send(struct webhook_post *p, uint64_t now_ms);
// At the end: the limit allows one, and it does not fail.
bool webhook_post_has_room(const struct webhook_post *p);
// Sends one message, which takes from the limit. False: in vain; then `retry` says when to try
// again, and the failure is logged. Counts in `counts` what was sent and what failed.
bool webhook_post_send(struct webhook_post *p, const char *text, uint64_t now_ms,
	unsigned timeout_ms, struct sink_status *counts);
