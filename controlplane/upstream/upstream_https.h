// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries to one server over HTTPS (RFC 8484): POST over HTTP/2, many at a time on few connections,
// by libcurl (http_transfer.h). Resolver loop's thread only. docs/explanation/upstreams.md says
// what counts as a reply, and what happens to queries whose connection fails.
//
// Bounds: UPSTREAM_HTTPS_QUERIES in flight for each server; one more takes the place of one without
// a leg, or is refused (`full`). UPSTREAM_HTTPS_CONNECTIONS to each server, UPSTREAM_HTTPS_ALL in a
// set of servers: one more ends idle ones of another server, or is refused (`refused`). A query
// lasts UPSTREAM_HTTPS_MS at most. After UPSTREAM_HTTPS_IDLE_MS without queries weir frees the
// connections and the handles of ended queries, of which it keeps some until then.

#include "transfer/http_transfer.h"
#include "upstream.h"

#include <event2/event_struct.h>

#include <weir/config.h>

enum {
	UPSTREAM_HTTPS_QUERIES = 200,
	UPSTREAM_HTTPS_CONNECTIONS = 2,
	UPSTREAM_HTTPS_ALL = 10,
	UPSTREAM_HTTPS_MS = 5000,
	UPSTREAM_HTTPS_IDLE_MS = HTTP_MULTI_IDLE_S * 1000,
};

enum {
	UPSTREAM_HTTPS_SOCKETS = 8,
	UPSTREAM_HTTPS_KEPT = 32,
	UPSTREAM_HTTPS_URL_MAX = CONFIG_TLS_NAME_MAX + CONFIG_HTTPS_PATH_MAX + 24,
};

// One exchange. All fields of these structs are upstream_https.c's.
struct upstream_https_query {
	struct upstream_https *pool;
	struct upstream_https_query *next, **link;
	struct http_transfer *transfer;
	struct http_transfer_request request;
	struct upstream_leg *leg;            // NULL: it was dropped
	struct upstream_https_query **place; // the leg's pointer to it
	uint64_t sent_ms;                    // 0: not yet
	uint16_t port;                       // local port of its connection
	bool is_first;                       // the connection was made for it
	bool is_refused;                     // refused for the number of connections
	bool opens;                          // opens a connection, for all waiting queries
	bool is_typed;                       // the reply has the type of a DNS message
	bool is_expired;                     // the session's certificate has expired
	bool has_age;                        // the reply has had an Age field
	uint32_t age_s;
	uint32_t reply_len, reply_cap;
	uint8_t *reply;
	uint8_t query[UPSTREAM_QUERY_MAX + 2 * UPSTREAM_PADDING_BLOCK];
};

struct upstream_https_socket {
	int fd;            // -1: free
	uint16_t port;     // local port
	uint64_t heard_ms; // time of the latest part of a reply; 0: no part yet
	struct event event;
};

struct upstream_https {
	struct upstreams *owner;
	struct upstream_https *next, **link; // list of the set
	struct tls_peer *peer;
	struct http_multi *multi; // NULL: nothing is open
	struct upstream_https_query *busy, *kept;
	unsigned queries, kept_count;
	struct event timer, idle, leave;
	struct upstream_https_socket socket[UPSTREAM_HTTPS_SOCKETS];
	bool is_silent; // a wait was over during the handshake
	char url[UPSTREAM_HTTPS_URL_MAX];
	char addresses[CONFIG_TLS_NAME_MAX + SOCKET_ADDRESS_TEXT_MAX + 16]; // "": not needed
};

struct tls_peer;
struct upstream_https;

// Makes the pool of a server; NULL: no memory. The pool holds the peer.
struct upstream_https *upstream_https_new(
	struct upstreams *u, const struct config_upstream *server, struct tls_peer *peer);
// The server has left the list: its queries go elsewhere in the next iteration of the loop. NULL is
// fine.
void upstream_https_free(struct upstream_https *h);
void upstream_https_end(struct upstreams *u); // frees all pools of the set; no leg may wait
bool upstream_https_same(const struct upstream_https *a, const struct upstream_https *b);
unsigned upstream_https_open(const struct upstream_https *h); // connections; NULL is fine
void upstream_https_stats(const struct upstreams *u, struct upstream_https_stats *out);

struct table_registry;
// Registers the table of `sets` sets of servers.
void upstream_https_table(
	const struct upstream_https_stats *s, unsigned sets, struct table_registry *tables);

// Sends the leg's query; its id becomes 0. `*place` is the query until it has ended or
// upstream_https_drop was called. -EMFILE (full), -ENOMEM, -EMSGSIZE.
ATTR_MUST_CHECK int upstream_https_ask(
	struct upstream_https *h, struct upstream_leg *leg, struct upstream_https_query **place);
void upstream_https_drop(struct upstream_https_query *q); // the query's leg is gone
bool upstream_https_is_sent(const struct upstream_https_query *q);
// Has the query's connection been silent for too long since the query was sent?
bool upstream_https_is_silent(const struct upstream_https_query *q);
// A wait for the query is over: is it the first one during this handshake? True after the
// handshake.
bool upstream_https_is_first_silence(struct upstream_https_query *q);
