// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One look at the kernel's routes, links and neighbours: the way to each of a number of servers.
// Each server costs one question (rtnl.h), each link and each next hop one more. Service loop.

#include "base/rtnl.h"
#include "route_board.h"

#include <net/if.h>

enum { ROUTE_LINKS_MAX = 64 };

struct route_link {
	int index, parent; // parent: of a VLAN, else 0
	uint32_t mtu;
	uint16_t vlan; // 0: it is none
	bool is_ether; // has a MAC address
	uint8_t mac[6];
	char name[IF_NAMESIZE];
};

struct route_hop {
	int interface;
	struct ip_address address; // the gateway's, or the server's
	uint16_t state;            // NUD_*; 0: the kernel does not know it
	bool is_known;             // `hop` is filled in
	struct hops_hop hop;
};

struct route_look {
	struct rtnl *kernel;
	const struct config_dataplane *dp;
	unsigned link_count, hop_count;
	struct route_link link[ROUTE_LINKS_MAX];
	struct route_hop hop[HOPS_MAX];
};

// Where a query to a server leaves.
struct route_seen {
	unsigned hop; // number in the look; when the way is ROUTE_port or ROUTE_no_neighbour
	struct ip_address source; // then; prefix_len 0
};

// Is there an interface by which a server could be asked through the port?
bool route_look_has_interface(const struct config_dataplane *dp);
void route_look_begin(struct route_look *l, struct rtnl *kernel, const struct config_dataplane *dp);
// `source`: the address that queries have; NULL: the one that the kernel would choose. The way is
// one of no_route, elsewhere, unfit, no_neighbour, full and port.
enum route_way route_look_server(struct route_look *l, const struct socket_address *server,
	const struct ip_address *source, struct route_seen *out);
// Is the IPv6 address one of this machine? The kernel finds routes for others too; of IPv4 it does
// not.
bool route_look_has_address(const struct ip_address *v6);
// Sends a datagram to each next hop whose entry the kernel takes for stale, or does not have.
void route_look_keep(const struct route_look *l);
void route_look_ports(struct route_ports *out); // asks the kernel

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
