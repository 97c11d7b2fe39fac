// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The connections of an HTTP server (http_server.h): evhttp neither counts them nor has a hook at
// accept. So this makes its bufferevents and keeps a reference to each.
//
// At most `max` live at a time. One beyond gets 503 and is closed in the next iteration; its
// request is not served. When even those have no place the listener is disabled, and clients wait
// in the kernel. A connection has `life_ms` from its beginning until a request is there, and from a
// reply until the client has read it and sent the next request; a client that sends or reads too
// slowly is closed. Between the two the deadlines of the server apply. Input beyond
// HTTP_CONNS_INPUT_MAX waits in the kernel: evhttp reads while it writes, to see the end of a
// connection, and would keep all of it. Each byte that it takes is checked before evhttp sees it
// (http1_check.h). Owner: the server, on its loop's thread. A descriptor is
// closed at the next check after its end, HTTP_CONNS_LOOK_MS later at most.
//
// With `lend` the connections speak TLS by libevent's bufferevent_openssl. One beyond `max`, beyond
// `source_max` of its address, or that `refuses` names, is closed without a handshake and without a
// reply; so is, of the others, one beyond `source_rate_max` of its address or beyond `rate_max` of
// all in this second, in which the first of each address, or /64 of IPv6, does not count: what is
// closed for its address takes nothing from the rest. A /64 has SOURCE_NETWORK_TIMES an address's
// share, and half of `max` and `rate_max` at most.
//
// With `source_max` one beyond `max` takes the place of another: the oldest connection of the
// address or /64 with the most on which nobody has shown a right, or of the user with the most, if
// these are more than a quarter of `max`. Else it is one beyond.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct bufferevent;
struct sockaddr_storage;
struct ssl_st;
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
	unsigned source_max, rate_max, source_rate_max; // 0 is no limit
	struct ssl_st *(*lend)(void *arg);              // NULL: connections in clear text
	// Is this client shut out? May be NULL.
	bool (*refuses)(void *arg, const struct sockaddr_storage *source);
	void *arg;
};

ATTR_MUST_CHECK int http_conns_new(
	struct http_conns **out, const struct http_conns_settings *settings); // -ENOMEM
// After the users of the bufferevents are gone. NULL is fine.
void http_conns_free(struct http_conns *c);
// May the listener be enabled again?
bool http_conns_has_place(struct http_conns *c);
// For evhttp_set_bevcb. NULL: no memory.
struct bufferevent *http_conns_make(struct event_base *base, void *conns);
// Called once for each request that evhttp takes from the connection. Returns the fault of that
// request; NULL: it has none.
const char *http_conns_fault(struct http_conns *c, const struct bufferevent *b);
// A whole request came on it, which may take as long as the server lets it.
void http_conns_asked(struct http_conns *c, const struct bufferevent *b);
// A request on it was that of a user with a right, by a key that is not 0.
void http_conns_entitled(struct http_conns *c, const struct bufferevent *b, uint64_t user);
// Notes that its reply is made: a refusal of that weight, or no refusal with 0. The weight of all
// on it by now.
unsigned http_conns_replied(struct http_conns *c, const struct bufferevent *b, unsigned refusal);

// It ends soon, once what was replied on it by then has left.
void http_conns_end(struct http_conns *c, const struct bufferevent *b);

struct http_conns_counts {
	unsigned live, most, max;
	uint64_t made;
	uint64_t refused;  // found it full
	uint64_t cut;      // closed for being too slow
	uint64_t shut_out; // closed for their source, for coming too fast, or for another
	uint64_t since_ms; // when the oldest one began; 0 without one
	size_t bytes;
};
void http_conns_counts(const struct http_conns *c, struct http_conns_counts *out);
