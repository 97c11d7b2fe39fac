// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An HTTP server on 127.0.0.1 for what posts, in a thread of the test: one connection at a time,
// kept open between requests. A function of the test looks at each request and says what becomes
// of it.

#include "fake_listener.h"

enum {
	FAKE_POST_CLOSE = 1, // the connection, without a word
	FAKE_POST_HALF,      // half a reply, then that
	FAKE_POST_SILENT,    // nothing, until the client goes away
	FAKE_POST_STATUSES,  // from here on: a status
};

struct fake_post_request {
	const char *head; // request line and headers, NUL-terminated
	const uint8_t *body;
	size_t len;
};

struct fake_post {
	struct fake_listener listener;
	uint16_t port; // 0 before the first start: any
	_Atomic unsigned connections, requests;
	_Atomic unsigned cut_after; // closes when so much of a body was read; 0: never
	// On the server's thread. A status or one of the above; `reply` is the body of the reply.
	int (*answer)(void *arg, const struct fake_post_request *r, char reply[1024]);
	void *arg;
};

void fake_post_start(struct fake_post *f); // again after a stop: on the port it had
void fake_post_stop(struct fake_post *f);
