// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The connections of an HTTP server (http_server.h): evhttp neither counts them nor has a hook at
// accept. So this makes its bufferevents, keeps a reference to each, and checks each byte before
// evhttp sees it (http1_check.h). Which connections it closes or refuses is in
// docs/explanation/http.md. Owner: the server, on its loop's thread.

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

enum { HTTP_CONNS_LOOK_MS = 100, HTTP_CONNS_MAX = 768, HTTP_CONNS_INPUT_MAX = 128 << 10 };

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
