// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Upstream queries through the port: a leg without a socket. A worker frames and sends the query
// (MSG_SEND) and hands over the reply (MSG_HEARD). One for each resolver; its loop alone.
//
// A query goes through the port where the board says so (route/route_board.h) and a worker is
// alive. Its local port is any one of those of this resolver (the remainder by the number of
// resolvers) that has no open leg: with the kernel's shipped range one of 36,280, drawn for each
// query. With 16 bits of id and the letter case that is what an off-path attacker has to guess (RFC
// 5452), and nothing stays open for longer than its query. The checks of a reply are those of a
// socket's: server, port, id, letter case, question.
//
// When no worker takes the query, when a worker refuses it (its image does not have the server
// yet), or when the worker that it was given to has died, a socket gets the open leg, with
// the same id and letter case and another port. Each is counted. A worker is dead after
// UPSTREAM_PORT_DEAD_MS without a heartbeat. Its legs move UPSTREAM_PORT_SLICE in an iteration
// of the loop, which costs 0.7 ms (11 us each, 0.2 s for 16,384), and it gets no query until all of
// them have moved or closed.
//
// The table of open UDP legs by local port has those of sockets too: a worker that listens on a
// port for a leg of the port may hand over a reply to a socket's. Legs of one port are a chain.
// Bounds: UPSTREAM_PORT_LEGS_MAX legs through the port; past that a socket is used (`full`). Cost:
// a draw and a store; no system call.

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

struct upstream_port_stats {
	uint64_t sent, replies;
	uint64_t unreachable; // messages of ICMP that name an open leg
	uint64_t strays;      // messages of workers that no open leg waits for
	uint64_t refused;     // by a worker
	uint64_t dead;        // whose worker died before the reply
	uint64_t unsent;      // no worker took it
	uint64_t full;        // no free port, or UPSTREAM_PORT_LEGS_MAX
	unsigned open, high;  // legs through the port
};

// For resolver `resolver` of `resolvers`.
ATTR_MUST_CHECK int upstream_port_new(
	struct upstream_port **out, unsigned resolver, unsigned resolvers);
void upstream_port_free(struct upstream_port *p); // NULL is fine; no leg may be open
// Until this call nothing goes through the port.
void upstream_port_serve(struct upstream_port *p, const struct upstream_port_calls *calls);
// A worker's message; `dns`: m->dns_len bytes.
void upstream_port_heard(struct upstream_port *p, const struct msg_heard *m, const uint8_t *dns);
// Each 100 ms. True: legs of dead workers are left, so upstream_port_move is to be called in the
// next iteration of the loop, and again as long as that says true. Where a leg gets no socket the
// next beat goes on.
bool upstream_port_beat(struct upstream_port *p);
bool upstream_port_move(struct upstream_port *p);
void upstream_port_stats(const struct upstream_port *p, struct upstream_port_stats *out);
void upstream_port_stats_add(
	struct upstream_port_stats *sum, const struct upstream_port_stats *one);
void upstream_port_tables(const struct upstream_port *p, struct table_registry *tables);
// Sockets draw the ports of this resolver alone from now on.
struct upstream_sockets;
void upstream_port_share(const struct upstream_port *p, struct upstream_sockets *sockets);

// For upstream_leg.c. Makes the leg one through the port, with a local port. False: it needs a
// socket.
bool upstream_port_take(struct upstream_port *p, struct upstream_leg *leg);
// Leaves its bytes to a worker; `len` at most UPSTREAM_QUERY_MAX. -errno: it needs a socket.
ATTR_MUST_CHECK int upstream_port_send(
	struct upstream_port *p, struct upstream_leg *leg, const uint8_t *dns, uint16_t len);
// Puts an open UDP leg, whose local_port is set, into the table, and takes it out.
void upstream_port_add(struct upstream_port *p, struct upstream_leg *leg);
void upstream_port_remove(struct upstream_port *p, struct upstream_leg *leg);
