// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A small HTTP/1.1 server on a unix socket, on libevent's bufferevents.
//
// One request a connection: it is read, handed to the handler, answered, and the connection closed.
// libevent 2.1's evhttp has no hook between accept and the first octet and cannot count its
// connections, so the bounds that we promise (peer's credentials, number of clients, one deadline
// for the whole request) could not be kept with it; its parsers of URIs and queries are used.
// Owned by one loop's thread. A client over the cap, or one whose credentials are refused, is
// closed before anything is read, counted. A request over a size bound is 431 or 413.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>

struct event_base;
struct http_server;
struct http_exchange; // one request and its reply

enum {
	HTTP_HEADER_MAX = 8192,
	HTTP_BODY_MAX = 65536,
	HTTP_READ_MS = 2000, // for the whole request to arrive
	HTTP_WRITE_MS = 2000,
};

struct http_settings {
	struct event_base *base;
	unsigned clients_max;
	// May this peer ask anything? `fd` for what else the kernel tells of it.
	bool (*admit)(void *arg, const struct ucred *peer, int fd);
	// Replies with http_reply, now or later (then it says http_defer first).
	void (*handle)(void *arg, struct http_exchange *x);
	void *arg;
};

// `fd`: a listening unix socket, non-blocking; taken over. -ENOMEM.
ATTR_MUST_CHECK int http_server_open(
	struct http_server **out, int fd, const struct http_settings *settings);
// Exchanges that still wait are answered with 503 as far as that goes without waiting. They stay
// valid for their http_reply, which then only frees them.
void http_server_close(struct http_server *s);

struct http_counts {
	uint64_t accepted, refused_full, refused_peer, bad_requests, timeouts;
};
void http_server_counts(const struct http_server *s, struct http_counts *out);

bool http_is_post(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x);
// Value of a query parameter, decoded, or NULL.
const char *http_param(const struct http_exchange *x, const char *name);
const struct ucred *http_peer(const struct http_exchange *x);

// Does the server still run, and the client still wait? What an asynchronous call was given by the
// server's owner may only be used then.
bool http_is_live(const struct http_exchange *x);

// The reply comes later. After `deadline_ms` the client is told 504. The exchange stays valid,
// whatever its client does meanwhile, until http_reply, which must be called exactly once.
void http_defer(struct http_exchange *x, unsigned deadline_ms);
// Sends and frees. `body`: malloced JSON, taken over; NULL: out of memory, replied as 500.
void http_reply(struct http_exchange *x, unsigned status, char *body);
