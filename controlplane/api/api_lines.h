// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A stream of lines, such as JSON, until the client hangs up. Each API_LINES_TICK_MS the owner is
// called, checks the client, and sends the waiting lines. A client that reads nothing for
// API_LINES_STUCK_MS while lines wait is stuck, and the owner closes the stream; a slow client gets
// no more lines until less than the owner's cap waits, so the cap bounds the memory. Owned by one
// endpoint's object, on the service loop.

#include "base/loop.h"
#include "http/http_server.h"

#include <weir/attr.h>

enum { API_LINES_TICK_MS = 100, API_LINES_STUCK_MS = 2000 };

enum api_lines_state {
	API_LINES_GONE,  // the client has hung up
	API_LINES_STUCK, // the owner must close the stream
	API_LINES_FULL,  // the cap's bytes wait for the client
	API_LINES_ROOM,
};

struct api_lines {
	struct http_stream *stream; // NULL: before api_lines_begin()
	struct event *tick;         // NULL: the owner has a timer
	size_t pending;             // bytes that wait for the client, when last counted
	uint64_t moved_ms;          // when `pending` last fell, or was 0
};

// `tick` is called with `arg` from api_lines_begin() on; NULL: the owner calls api_lines_look() by
// another timer. -ENOMEM: do not call api_lines_end().
ATTR_MUST_CHECK int api_lines_init(
	struct api_lines *l, struct loop *service, void (*tick)(int, short, void *), void *arg);
// False: no memory, and the error reply is sent; call api_lines_end() then, too.
ATTR_MUST_CHECK bool api_lines_begin(
	struct api_lines *l, struct http_exchange *x, const char *type);
#define API_LINES_JSON "application/x-ndjson"
// Hangs up, if the stream was begun.
void api_lines_end(struct api_lines *l);

// Counts of streams of one kind: all, those over the network, and those among them of one user.
struct api_places {
	unsigned all, remote, own;
};
void api_places_count(
	struct api_places *p, const struct api_lines *l, const struct http_exchange *x);
// For a place whose stream has not begun.
void api_places_add(
	struct api_places *p, const struct http_stream_user *u, const struct http_exchange *x);
// One user over the network has at most half of `max` places, and all such users three quarters, so
// that the control socket keeps the rest. False: x is refused and counted in *refused; the reply
// calls the streams `what`.
ATTR_MUST_CHECK bool api_places_admit(const struct api_places *p, struct http_exchange *x,
	unsigned max, const char *what, uint64_t *refused);

// Called before the owner sends, and once a tick.
enum api_lines_state api_lines_look(struct api_lines *l, size_t pending_max, uint64_t now_ms);
// False: no memory.
ATTR_MUST_CHECK bool api_lines_put(struct api_lines *l, const char *text, size_t len);
// Sends `text` as api_lines_put() does, then {"missed": N} unless `missed` is 0.
ATTR_MUST_CHECK bool api_lines_send(
	struct api_lines *l, const char *text, size_t len, uint64_t missed);
