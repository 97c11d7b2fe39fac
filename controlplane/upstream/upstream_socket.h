// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// UDP sockets to upstream servers, opened on demand, and ahead of need while a server is busy.
// Resolver loop's thread only. docs/explanation/upstreams.md says why, and what an attacker has to
// guess.
//
// A shelf has the idle sockets of one server. Sockets are opened ahead for a server that is sent
// UPSTREAM_SHELF_BUSY queries a second, UPSTREAM_SOCKETS_AHEAD each, or fewer if the process may
// not open that many files. A shelf with fewer than half of them is not used: the query gets a
// socket of its own. A step of the timer opens and closes at most UPSTREAM_SOCKET_STEP each, so
// ports are redrawn continuously and the loop is not held up. Bounds: UPSTREAM_SHELF_MAX idle
// sockets on a shelf, UPSTREAM_SOCKETS_MAX in all; past that, or with EMFILE, an idle socket is
// used if there is any, else the send fails.

#include "base/age_list.h"
#include "base/counts.h"
#include "base/local_ports.h"
#include "base/loop.h"
#include "base/rng.h"

#include <event2/event_struct.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
	UPSTREAM_SOCKETS_MAX = 65536,
	UPSTREAM_SOCKETS_AHEAD = 1024,
	UPSTREAM_SHELF_MAX = 2048,
	UPSTREAM_SHELF_BUSY = 128, // queries in a second
	UPSTREAM_SOCKET_USES = 64,
	UPSTREAM_SOCKET_STEP = 16, // a quarter of a millisecond
};

struct upstream_leg;
struct upstream_sockets;

union upstream_peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

// All fields but `leg` are upstream_socket.c's to write.
struct upstream_socket {
	struct upstream_sockets *owner;
	struct upstream_leg *leg; // whose query it carries; NULL: idle
	int fd;
	uint16_t local_port;
	uint32_t shelf;    // in the present list; UINT32_MAX: its server has left
	uint32_t place;    // on the shelf while idle, next free slot while closed
	unsigned uses;     // queries
	uint64_t until_ms; // not used again from then on
	socklen_t peer_len;
	union upstream_peer peer;
	struct event event;
	struct age_link age;
};

#define SOCKET_COUNTS(X)                                                                          \
	X(SUM, unsigned, idle, NAMED("sockets_idle"), NONE, "UDP sockets that wait for a query.") \
	X(SUM, unsigned, open, NAMED("sockets_open"), NAMED("sockets_open"),                      \
		"UDP sockets that are open for upstreams.")                                       \
	X(SUM, uint64_t, opened, NAMED("sockets_opened"), NAMED("sockets_opened_total"),          \
		"UDP sockets opened for upstreams.")                                              \
	X(SUM, uint64_t, made, NAMED("sockets_made"), NONE,                                       \
		"Queries that got a socket of their own because none was idle.")                  \
	X(SUM, uint64_t, strays, SAME, TOTAL, "Datagrams and errors received at unused sockets.") \
	X(SUM, uint64_t, full, NAMED("sockets_full"), NAMED("sockets_full_total"),                \
		"Times that no UDP socket was free.")                                             \
	X(SUM, uint64_t, evicted, NONE, NONE, "Sockets closed because their shelf was full.")     \
	X(EARLIEST, uint64_t, since_ms, NONE, NONE,                                               \
		"When the oldest open one was opened; 0: none is open.")                          \
	X(SUM, size_t, bytes, NONE, NONE, "Memory touched so far.")

struct upstream_sockets_stats {
	SOCKET_COUNTS(COUNT_FIELD)
};
COUNTS(upstream_socket_rows, struct upstream_sockets_stats, "weir_resolver_upstream_",
	SOCKET_COUNTS)

// `readable`: something has come for s->leg.
ATTR_MUST_CHECK int upstream_sockets_new(struct upstream_sockets **out, struct loop *loop,
	struct rng *rng, void (*readable)(struct upstream_socket *s));
void upstream_sockets_free(struct upstream_sockets *p); // NULL is fine; none may be in use
// The servers there are now, at most CONFIG_UPSTREAMS_MAX; sockets of others are closed when idle.
void upstream_sockets_configure(struct upstream_sockets *p, const union upstream_peer *peers,
	const socklen_t *lens, unsigned count);

// Sockets are used for so many queries from now on; 0: UPSTREAM_SOCKET_USES.
void upstream_sockets_uses(struct upstream_sockets *p, unsigned most);

// Of `every` resolvers number `resolver` draws its own ports alone: a worker hands over a reply
// to a port to the resolver that it belongs to (upstream_udp.h).
void upstream_sockets_share(struct upstream_sockets *p, unsigned every, unsigned resolver);

// See upstreams_one_of; before the next upstream_sockets_configure.
void upstream_sockets_one_of(struct upstream_sockets *p, unsigned sets);

// One to server `i` of the list. -errno; -EMFILE: full.
ATTR_MUST_CHECK int upstream_socket_take(struct upstream_sockets *p, unsigned i,
	struct upstream_leg *leg, uint64_t now_ms, struct upstream_socket **out);
// `clean`: its query went out once and was answered, so nothing more can come.
void upstream_socket_give(struct upstream_socket *s, bool clean);

bool upstream_same_address(const union upstream_peer *a, const union upstream_peer *b);
void upstream_sockets_stats(const struct upstream_sockets *p, struct upstream_sockets_stats *out);
