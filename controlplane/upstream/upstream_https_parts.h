// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What upstream_https_pool.c (connections, timers), upstream_https_query.c (one exchange) and
// upstream_https_leg.c (its meaning for legs and servers) share.

#include "upstream_https.h"
#include "upstream_internal.h"
#include "upstream_options.h"

enum {
	UPSTREAM_HTTPS_SOCKETS = 8,
	UPSTREAM_HTTPS_KEPT = 32,
	UPSTREAM_HTTPS_URL_MAX = CONFIG_TLS_NAME_MAX + CONFIG_HTTPS_PATH_MAX + 24,
};

// Of one exchange.
struct upstream_https_query {
	struct upstream_https *pool;
	struct upstream_https_query *next, **link;
	struct http_transfer *transfer;
	struct http_transfer_request request;
	struct upstream_leg *leg;            // NULL: it was dropped
	struct upstream_https_query **place; // of the leg
	uint64_t sent_ms;                    // 0: not yet
	uint16_t port;                       // local, of its connection
	bool is_first;                       // it has made its connection
	bool is_refused;                     // for the number of connections
	bool opens;                          // a connection, for all who wait
	bool is_typed;                       // as a DNS message
	bool is_expired;                     // its connection: a session of a certificate that is
	bool has_age;                        // the reply, in its first field of that name
	uint32_t age_s;
	uint32_t reply_len, reply_cap;
	uint8_t *reply;
	uint8_t query[UPSTREAM_QUERY_MAX + 2 * UPSTREAM_PADDING_BLOCK];
};

struct upstream_https_socket {
	int fd;            // -1: free
	uint16_t port;     // local
	uint64_t heard_ms; // a part of a reply, since it is watched
	struct event event;
};

struct upstream_https {
	struct upstreams *owner;
	struct upstream_https *next, **link; // of the set
	struct tls_peer *peer;
	struct http_multi *multi; // NULL: nothing is open
	struct upstream_https_query *busy, *kept;
	unsigned queries, kept_count;
	struct event timer, idle, leave;
	struct upstream_https_socket socket[UPSTREAM_HTTPS_SOCKETS];
	bool is_silent; // a wait was over during the handshake
	char url[UPSTREAM_HTTPS_URL_MAX];
	char addresses[CONFIG_TLS_NAME_MAX + SOCKET_ADDRESS_TEXT_MAX + 16]; // "": none needed
};

// upstream_https_pool.c
ATTR_MUST_CHECK int upstream_https_begin(struct upstream_https *h); // what libcurl needs; -ENOMEM
void upstream_https_settle(struct upstream_https *h);               // begins or ends its idle time
bool upstream_https_may_open(struct upstream_https_query *q);       // one more connection
// Of the query's connection; NULL: none that is watched.
struct upstream_https_socket *upstream_https_socket(const struct upstream_https_query *q);

// upstream_https_query.c. One that is off the pool goes back to it, to be used again.
void upstream_https_put(struct upstream_https_query *q);
void upstream_https_unkeep(struct upstream_https *h); // frees those
// Gives up the exchange; the query is off the pool then.
struct upstream_https_query *upstream_https_take(struct upstream_https_query *q);
// The same of one that waits for a connection; NULL: none waits.
struct upstream_https_query *upstream_https_unsent(struct upstream_https *h);
bool upstream_https_waits_for_reply(const struct upstream_https *h); // some query that is sent

// upstream_https_leg.c. The query is off the pool; its caller puts it back. `result` NULL: weir has
// given it up.
void upstream_https_ended(
	struct upstream_https_query *q, int err, const struct http_transfer_result *result);
// It is on a connection that is there; `tls`: of a new one. False: which is no good.
bool upstream_https_sent(struct upstream_https_query *q, const struct ssl_st *tls);
