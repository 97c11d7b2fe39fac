// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Legs over UDP: through a port of the data plane, or else a socket. A worker frames and sends the
// query (MSG_SEND) and hands over the reply (MSG_HEARD). One struct upstream_port for each
// resolver; its loop's thread only. docs/explanation/upstreams.md says when a query leaves through
// the port, and when a socket gets its leg.
//
// A worker is dead after UPSTREAM_PORT_DEAD_MS without a heartbeat. Its legs move
// UPSTREAM_PORT_SLICE in an iteration of the loop, which costs 0.7 ms, and it gets no query until
// all of them have moved or closed. The table of open UDP legs by local port has those of sockets
// too: a worker that listens on a port for a leg of the port may hand over a reply to a socket's.
// Bound: UPSTREAM_PORT_LEGS_MAX legs through the port; past that a socket is used (`full`).

#include "base/age_list.h"
#include "base/counts.h"
#include "base/local_ports.h"
#include "base/loop.h"
#include "base/rng.h"

#include <event2/event_struct.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>
#include <weir/hops.h>
#include <weir/shm_msg.h>

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

// All fields but `leg` are upstream_udp.c's to write.
struct upstream_socket {
	struct upstream_sockets *owner;
	struct upstream_leg *leg; // the leg whose query it carries; NULL: idle
	int fd;
	uint16_t local_port;
	uint32_t number;   // place in the table
	uint32_t shelf;    // place of the server in the list; UINT32_MAX: the server has left
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
	X(SUM, size_t, bytes, NONE, NONE, "Memory that they have.")

struct upstream_sockets_stats {
	SOCKET_COUNTS(COUNT_FIELD)
};
COUNTS(upstream_socket_rows, struct upstream_sockets_stats, "weir_resolver_upstream_",
	SOCKET_COUNTS)

// `readable`: something has come for s->leg.
ATTR_MUST_CHECK int upstream_sockets_new(struct upstream_sockets **out, struct loop *loop,
	struct rng *rng, void (*readable)(struct upstream_socket *s));
void upstream_sockets_free(struct upstream_sockets *p); // NULL is fine; none may be in use
// Takes the present servers, at most CONFIG_UPSTREAMS_MAX; sockets of others are closed when idle.
void upstream_sockets_configure(struct upstream_sockets *p, const union upstream_peer *peers,
	const socklen_t *lens, unsigned count);

// Sockets are used for `most` queries from now on; 0: UPSTREAM_SOCKET_USES.
void upstream_sockets_uses(struct upstream_sockets *p, unsigned most);

// See upstreams_one_of; before the next upstream_sockets_configure.
void upstream_sockets_one_of(struct upstream_sockets *p, unsigned sets);

// `clean`: its query went out once and was answered, so nothing more can come.
void upstream_socket_give(struct upstream_socket *s, bool clean);

bool upstream_same_address(const union upstream_peer *a, const union upstream_peer *b);
void upstream_sockets_stats(const struct upstream_sockets *p, struct upstream_sockets_stats *out);

enum {
	UPSTREAM_PORT_LEGS_MAX = 16384,
	UPSTREAM_PORT_DEAD_MS = 500,
	UPSTREAM_PORT_SLICE = 64,
};

struct upstream_leg;
struct upstream_port;
struct table_registry;

struct upstream_port_calls {
	// Gives the query to a worker, whose number is then in *worker; `allowed`: bits of workers
	// that may have it. -errno: no worker takes the query.
	int (*send)(void *arg, const struct msg_send *m, const uint8_t *dns, uint64_t allowed,
		unsigned *worker);
	// Bits of the workers that live and send, and in *incarnation the life of their process.
	uint64_t (*live)(void *arg, uint64_t *incarnation);
	void *arg;
};

#define PORT_COUNTS(X)                                                                             \
	X(SUM, uint64_t, sent, SAME, TOTAL,                                                        \
		"Queries to upstreams that a worker sent through its port.")                       \
	X(SUM, uint64_t, replies, SAME, TOTAL, "Datagrams of upstreams that workers handed over.") \
	X(SUM, uint64_t, unreachable, SAME, TOTAL, "ICMP port unreachable for these queries.")     \
	X(SUM, uint64_t, strays, SAME, TOTAL, "Messages of workers that no query waited for.")     \
	X(SUM, uint64_t, refused, SAME, TOTAL,                                                     \
		"Queries that a worker did not send, and a socket did.")                           \
	X(SUM, uint64_t, dead, SAME, TOTAL,                                                        \
		"Queries that a socket sent again because their worker died.")                     \
	X(SUM, uint64_t, unsent, SAME, TOTAL, "Queries that no worker took, and a socket sent.")   \
	X(SUM, uint64_t, full, SAME, TOTAL,                                                        \
		"Queries for which no local port of the port was free, and a socket sent.")        \
	X(SUM, unsigned, open, SAME, SAME, "Queries to upstreams in flight through the port.")     \
	X(SUM, unsigned, high, NONE, NONE, "Most queries in flight at once.")

struct upstream_port_stats {
	PORT_COUNTS(COUNT_FIELD)
};
COUNTS(upstream_port_rows, struct upstream_port_stats, "weir_resolver_upstream_port_", PORT_COUNTS)

// Makes the port of resolver `resolver` of `resolvers`.
ATTR_MUST_CHECK int upstream_port_new(
	struct upstream_port **out, unsigned resolver, unsigned resolvers);
void upstream_port_free(struct upstream_port *p); // NULL is fine; no leg may be open
// Until this call nothing goes through the port.
void upstream_port_serve(struct upstream_port *p, const struct upstream_port_calls *calls);
// A worker's message; `dns`: m->dns_len bytes.
void upstream_port_heard(struct upstream_port *p, const struct msg_heard *m, const uint8_t *dns);
// To be called every 100 ms. True: legs of dead workers are left, so upstream_port_move is to be
// called in the next iteration of the loop, and again as long as that says true. Where a leg gets
// no socket the next beat goes on.
bool upstream_port_beat(struct upstream_port *p);
bool upstream_port_move(struct upstream_port *p);
void upstream_port_stats(const struct upstream_port *p, struct upstream_port_stats *out);
void upstream_port_tables(const struct upstream_port *p, struct table_registry *tables);
// Sockets draw the ports of this resolver alone from now on.
struct upstream_sockets;
void upstream_port_share(const struct upstream_port *p, struct upstream_sockets *sockets);

// Puts an open UDP leg, whose local_port is set, into the table, and takes it out.
void upstream_port_add(struct upstream_port *p, struct upstream_leg *leg);
void upstream_port_remove(struct upstream_port *p, struct upstream_leg *leg);
