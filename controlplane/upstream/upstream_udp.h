// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Legs over UDP: through a port of the data plane, or else a socket (upstream_socket.h). A worker
// frames and sends the query (MSG_SEND) and hands over the reply (MSG_HEARD). One struct
// upstream_port for each resolver; its loop's thread only. docs/explanation/upstreams.md says when
// a query leaves through the port, and when a socket gets its leg.
//
// A worker is dead after UPSTREAM_PORT_DEAD_MS without a heartbeat. Its legs move
// UPSTREAM_PORT_SLICE in an iteration of the loop, which costs 0.7 ms, and it gets no query until
// all of them have moved or closed. The table of open UDP legs by local port has those of sockets
// too: a worker that listens on a port for a leg of the port may hand over a reply to a socket's.
// Bound: UPSTREAM_PORT_LEGS_MAX legs through the port; past that a socket is used (`full`).

#include "base/counts.h"
#include "base/local_ports.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/hops.h>
#include <weir/shm_msg.h>

enum {
	UPSTREAM_PORT_LEGS_MAX = 16384,
	UPSTREAM_PORT_DEAD_MS = 500,
	UPSTREAM_PORT_SLICE = 64,
};

struct upstream_leg;
struct upstream_port;
struct table_registry;

struct upstream_port_calls {
	// Gives the query to a worker, whose number is then in *worker; `allowed`: bits of those
	// that may have it. -errno: none takes it.
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

// For resolver `resolver` of `resolvers`.
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
