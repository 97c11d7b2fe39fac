// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What resolvers know of the way to each upstream server: through the port, or why not. One for the
// process, static: HOPS_SERVERS_MAX servers.
//
// Threads: the service loop writes it (routes.h). Any thread reads: route_board_turn is one relaxed
// load, made for each query; the others take a lock and are made when the turn has changed, some
// times a second at most. A lookup of a server compares with each, some 2 us for 1,024.

#include "base/local_ports.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/config.h>
#include <weir/hops.h>

// X(name, why a server is not asked through the port)
#define ROUTE_WAYS(X)                                                                    \
	X(kernel, "upstreams.via is kernel")                                             \
	X(own, "recursion is part of weir-controlplane")                                 \
	X(few_ports, "too few local ports outside net.ipv4.ip_local_port_range")         \
	X(no_route, "there is no route to it")                                           \
	X(elsewhere, "its route does not leave by an interface of weir's ports")         \
	X(unfit, "the interface of its route is no Ethernet, or its MTU is too small")   \
	X(other_source, "its route has another source address than that of the servers " \
			"before it")                                                     \
	X(no_neighbour, "the MAC address of its next hop is not known")                  \
	X(full, "there are too many servers or next hops")                               \
	X(port, "")

enum route_way {
#define X(name, why) ROUTE_##name,
	ROUTE_WAYS(X)
#undef X
		ROUTE_WAY_COUNT
};

const char *route_way_why(enum route_way way); // "": through the port

struct route_board {
	unsigned range_count; // ranges of local ports that queries through the port have
	struct hops_range range[HOPS_RANGES_MAX];
	unsigned count;
	struct route_server {
		struct socket_address address; // prefix_len 0
		enum route_way way;
	} server[HOPS_SERVERS_MAX];
};

// Each server of the configuration once, those of groups and zones too, at the addresses that host
// names have (host_board.h); ways and ports are zeros. Unless `turn` is that of these addresses,
// which it gets: then nothing is done.
void route_board_follow(struct route_board *b, const struct config *c, uint64_t *turn);
void route_board_put(const struct route_board *b); // the service loop alone
// Changes with each route_board_put. Any thread, as the rest.
uint64_t route_board_turn(void);
// ROUTE_kernel: a server that is not on it.
enum route_way route_board_way(const struct socket_address *server);
unsigned route_board_ranges(struct hops_range range[HOPS_RANGES_MAX]);

// The local ports at which workers take replies of servers, as the kernel has its own now; 0: with
// this configuration there are none. Host names count before they have an address.
unsigned route_board_ranges_of(const struct config *c, struct hops_range range[HOPS_RANGES_MAX]);

struct table_registry;
void route_board_tables(struct table_registry *tables);

// The local ports from which queries through the port leave: every port from 1024 that lies outside
// net.ipv4.ip_local_port_range, so that no program of this machine is given one by the kernel.
// Those of net.ipv4.ip_local_reserved_ports lie in the ranges and are not drawn
// (base/local_ports.h). No allocation; any thread.
enum {
	ROUTE_PORTS_LEAST = 32768, // fewer are too few to guess among: the port is not used
};

struct route_ports {
	unsigned count; // ports that may be drawn
	unsigned range_count;
	struct hops_range range[HOPS_RANGES_MAX];
};

// Parses text like "32768\t60999\n", as the kernel writes it. Other text gives no ports.
void route_ports_parse(struct route_ports *out, const char *text, size_t len);
// Takes those off the count.
void route_ports_reserve(struct route_ports *p, const struct local_ports *reserved);

// Servers that the board no longer sends queries to through the port stay in the image for
// ROUTE_PAST_MS, so that replies in flight are heard. The image has more than the board then, which
// is no harm: nothing asks them. A server whose source address is no longer that of its IP version
// is not kept. Service loop.
enum { ROUTE_PAST_MS = 8000 }; // workers hear replies as long (asked_ports.h)

struct route_past {
	struct hops_image image;              // the last image, with those that were kept in it
	uint64_t leaves_ms[HOPS_SERVERS_MAX]; // when each of its servers leaves; 0: not kept
};

// Adds to an image, not sealed, what must stay, and remembers it. Is it another one than before?
bool route_past_keep(struct route_past *p, struct hops_image *image, uint64_t now_ms);
