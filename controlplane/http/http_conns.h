// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The connections of an HTTP server (http_server.h): evhttp neither counts them nor lets anybody
// ask at accept, so its bufferevents are made here, and a reference to each is kept.
//
// No more than `max` live at a time; what comes over that is told so (503) and hung up on when the
// loop turns next, and nothing of what it sent is done. Without a place for even one of those the
// listener is disabled, and who comes waits in the kernel. A connection has `life_ms` from its
// beginning until a request is there, and from a reply until that is taken and the next request is
// there: who sends an octet now and then, or reads so slowly, is cut. Between the two it is the
// server's, whose deadlines hold. What it sends beyond HTTP_CONNS_INPUT_MAX waits in the kernel:
// evhttp reads while it writes, to see the end of a connection, and would keep all of it. Owner:
// the server, on its loop's thread. A descriptor is given back at the look after its end,
// HTTP_CONNS_LOOK_MS later at most.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct bufferevent;
struct evconnlistener;
struct event;
struct event_base;
struct http_conns;

enum { HTTP_CONNS_LOOK_MS = 100, HTTP_CONNS_MAX = 256, HTTP_CONNS_INPUT_MAX = 128 << 10 };

struct http_conns_settings {
	struct event_base *base;
	struct evconnlistener *listener;
	unsigned max; // at most HTTP_CONNS_MAX
	unsigned life_ms;
};

ATTR_MUST_CHECK int http_conns_new(
	struct http_conns **out, const struct http_conns_settings *settings); // -ENOMEM
// After whoever uses the bufferevents is gone. NULL is fine.
void http_conns_free(struct http_conns *c);
// May the listener be enabled again?
bool http_conns_has_place(struct http_conns *c);
// For evhttp_set_bevcb. NULL: no memory.
struct bufferevent *http_conns_make(struct event_base *base, void *conns);
// A whole request came on it, which may take as long as the server lets it.
void http_conns_asked(struct http_conns *c, const struct bufferevent *b);
// Its reply is made.
void http_conns_replied(struct http_conns *c, const struct bufferevent *b);

struct http_conns_counts {
	unsigned live, most, max;
	uint64_t made;
	uint64_t refused;  // found it full
	uint64_t cut;      // had their time
	uint64_t since_ms; // the oldest one's beginning; 0: none
	size_t bytes;
};
void http_conns_counts(const struct http_conns *c, struct http_conns_counts *out);
