// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A reply of lines of JSON that goes on until its client hangs up: each API_LINES_TICK_MS its owner
// is called, checks the client, and sends the waiting lines. A client that reads nothing for
// API_LINES_STUCK_MS while lines wait is stuck, and the owner closes it; a slow one gets no more
// until less than the owner's cap waits, so the cap bounds its memory. Owned by one endpoint's
// object, on the service loop.

#include "base/loop.h"
#include "http/http_server.h"

#include <weir/attr.h>

enum { API_LINES_TICK_MS = 100, API_LINES_STUCK_MS = 2000 };

enum api_lines_state {
	API_LINES_GONE,  // hung up
	API_LINES_STUCK, // to be hung up on
	API_LINES_FULL,  // as much as may be waits for the client
	API_LINES_ROOM,
};

struct api_lines {
	struct http_stream *stream; // NULL: not begun
	struct event *tick;         // NULL: the owner's
	size_t pending;             // at the last check, plus the bytes sent since
	uint64_t moved_ms;          // when it was less than that, or nothing
};

// `tick` is called with `arg` from api_lines_begin() on; NULL: the owner calls api_lines_look() by
// a timer of its own. 0 or -ENOMEM, and then there is no end.
ATTR_MUST_CHECK int api_lines_init(
	struct api_lines *l, struct loop *service, void (*tick)(int, short, void *), void *arg);
// False: no memory, and the error reply is sent; the end is still called.
ATTR_MUST_CHECK bool api_lines_begin(
	struct api_lines *l, struct http_exchange *x, const char *type);
#define API_LINES_JSON "application/x-ndjson"
// Hangs up, if it was begun.
void api_lines_end(struct api_lines *l);

// Of the streams of one kind those over the network, and of these the ones of a user.
struct api_places {
	unsigned remote, own;
};
void api_places_count(
	struct api_places *p, const struct api_lines *l, const struct http_exchange *x);
// A user over the network has half of `max` places at most, and all of these three quarters: the
// rest is the control socket's. False: x is one too many of them and is refused, with `what` they
// are.
ATTR_MUST_CHECK bool api_places_admit(
	const struct api_places *p, struct http_exchange *x, unsigned max, const char *what);

// Each time before the owner sends, and once a tick.
enum api_lines_state api_lines_look(struct api_lines *l, size_t pending_max, uint64_t now_ms);
// False: no memory.
ATTR_MUST_CHECK bool api_lines_put(struct api_lines *l, const char *text, size_t len);
// The same, and then {"missed": N} unless that is 0.
ATTR_MUST_CHECK bool api_lines_send(
	struct api_lines *l, const char *text, size_t len, uint64_t missed);
