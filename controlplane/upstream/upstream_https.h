// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries to one server over HTTPS (RFC 8484): POST over HTTP/2, many at a time on few connections,
// by libcurl (http_multi.h). Resolver loop's thread only.
//
// A query has the id 0, is padded as over TLS (RFC 8467), and carries no cookie and no name of the
// software. weir follows no redirect and uses no proxy; the configuration has the address, so
// libcurl looks up nothing. A reply has status 200, the media type application/dns-message and 12
// to 65,535 bytes. Any other one is the server's failure, counted by its kind, and so is a
// connection that ends before the reply: the ask goes on to the next server, never in clear text,
// and the query counts as an unanswered one. Where the reply has an Age, its TTLs are less by that
// (RFC 8484 5.1); of several the first one counts.
//
// libcurl sends a query once it has a connection that is there; the time before is no part of its
// round trip. A handshake that fails ends all queries that wait for one. When an ask drops a query
// whose connection has said nothing for UPSTREAM_STREAM_STALL_MS, weir shuts the connection:
// libcurl repeats the other queries on it, or they fail. A dropped query that waits for the
// handshake of another one ends. Any other goes on without its leg, so that its handshake is of use
// and its body is drained (`late`).
//
// Bounds: UPSTREAM_HTTPS_QUERIES in flight for each server; one more takes the place of one without
// a leg, or is refused (`full`). UPSTREAM_HTTPS_CONNECTIONS to each server, UPSTREAM_HTTPS_ALL in a
// set of servers: one more ends idle ones of another server, or is refused (`refused`). A query
// lasts UPSTREAM_HTTPS_MS at most. After UPSTREAM_HTTPS_IDLE_MS without queries weir frees the
// connections and the handles of ended queries, of which it keeps some until then.

#include "transfer/http_multi.h"
#include "upstream_socket.h"

#include <weir/config.h>

enum {
	UPSTREAM_HTTPS_QUERIES = 200,
	UPSTREAM_HTTPS_CONNECTIONS = 2,
	UPSTREAM_HTTPS_ALL = 10,
	UPSTREAM_HTTPS_MS = 5000,
	UPSTREAM_HTTPS_IDLE_MS = HTTP_MULTI_IDLE_S * 1000,
	UPSTREAM_HTTPS_WHY_MAX = 160,
};

// Why a reply is none.
#define UPSTREAM_HTTPS_FAILURES(X)                                      \
	X(status, "a reply with another status than 200")               \
	X(type, "a reply of another type than application/dns-message") \
	X(body, "a body of more than 65,535 bytes, or less than 12")    \
	X(connection, "the connection ended before the reply")

enum upstream_https_failure {
#define X(name, text) UPSTREAM_HTTPS_##name,
	UPSTREAM_HTTPS_FAILURES(X)
#undef X
		UPSTREAM_HTTPS_FAILURE_COUNT
};

extern const char *const upstream_https_failure_names[UPSTREAM_HTTPS_FAILURE_COUNT];

// Exchanges with a server, by their results.
struct upstream_https_counts {
	uint64_t replies, failed[UPSTREAM_HTTPS_FAILURE_COUNT];
	unsigned version;                 // of HTTP of the latest reply; 0: there was none
	unsigned status;                  // of the latest one that was not 200; 0: there was none
	uint64_t status_ms, why_ms;       // of the latest reply or failure; clock_mono_ms
	char why[UPSTREAM_HTTPS_WHY_MAX]; // "": it was a reply
};

struct upstream_https_stats {
	unsigned open, queries, high; // connections; queries in flight
	uint64_t late;                // replies without a leg
	uint64_t full, refused, evicted;
	size_t bytes;
};

struct tls_peer;
struct upstream_https;
struct upstream_https_query;
struct upstream_leg;
struct upstreams;

// For the server; NULL: no memory. It holds the peer.
struct upstream_https *upstream_https_new(
	struct upstreams *u, const struct config_upstream *server, struct tls_peer *peer);
// The server has left the list: its queries go elsewhere in the next iteration of the loop. NULL is
// fine.
void upstream_https_free(struct upstream_https *h);
void upstream_https_end(struct upstreams *u); // of all of the set; no leg may wait
bool upstream_https_same(const struct upstream_https *a, const struct upstream_https *b);
unsigned upstream_https_open(const struct upstream_https *h); // connections; NULL is fine
void upstream_https_stats(const struct upstreams *u, struct upstream_https_stats *out);
void upstream_https_stats_add(
	struct upstream_https_stats *sum, const struct upstream_https_stats *one);

struct table_registry;
// Of so many sets of servers.
void upstream_https_table(
	const struct upstream_https_stats *s, unsigned sets, struct table_registry *tables);

// Sends the leg's query; its id becomes 0. `*place` is the query until it has ended or
// upstream_https_drop was called. -EMFILE (full), -ENOMEM, -EMSGSIZE.
ATTR_MUST_CHECK int upstream_https_ask(
	struct upstream_https *h, struct upstream_leg *leg, struct upstream_https_query **place);
void upstream_https_drop(struct upstream_https_query *q); // its leg is gone
bool upstream_https_is_sent(const struct upstream_https_query *q);
// Has its connection said nothing since it was sent, for too long?
bool upstream_https_is_silent(const struct upstream_https_query *q);
// It has waited for a handshake in vain: the first one to say so of this handshake? True after it.
bool upstream_https_is_first_silence(struct upstream_https_query *q);
