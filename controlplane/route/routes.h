// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The way to each upstream server, kept up to date: looks at the kernel's routes and neighbours
// each second and as soon as one changes (multicast groups of rtnetlink), at most five times a
// second. Messages of the kernel are only a reason to look again, at everything; so when some are
// lost
// (-ENOBUFS) nothing has to be mended. Owned by the service loop.
//
// What changed goes to the board (route_board.h), and as a sealed image to `publish`. A server is
// in the image once the MAC address of its next hop is known, and stays there for 8 s after the
// board has another way for it (struct route_past).
//
// The kernel takes a neighbour's entry for stale when no packet of its own goes there, and queries
// through the port pass it by. So an empty datagram goes to port 9 (discard, RFC 863) of a next hop
// whose entry is stale or missing, once a second until the kernel has confirmed it: that is some 20
// to 90 s later stale again. rtnetlink could ask for it without a packet, but needs CAP_NET_ADMIN,
// which this process does not have.
//
// Cost: some 10 us a server for each look. With `upstreams.via: kernel`, or without an interface of
// the kernel on any port, there are no looks.

#include "base/loop.h"
#include "route_board.h"

struct routes;

struct routes_calls {
	// Publishes an image; -errno: it is tried again with the next look.
	int (*publish)(void *arg, const struct hops_image *image);
	// Must the one that was published last be published again, because workers do not take it?
	bool (*again)(void *arg);
	void *arg;
};

// `dp` outlives it. `resolvers`: how many there are.
ATTR_MUST_CHECK int routes_open(struct routes **out, struct loop *loop,
	const struct config_dataplane *dp, unsigned resolvers, const struct routes_calls *calls);
void routes_close(struct routes *r); // NULL is fine
// The servers of this configuration from now on, which outlives the next call; those given by a
// host name as soon as their addresses are known. Looks at once. -errno: rtnetlink cannot be
// opened, and no server is asked through the port.
ATTR_MUST_CHECK int routes_configure(struct routes *r, const struct config *c);

// Is there an interface by which a server could be asked through the port?
bool route_has_interface(const struct config_dataplane *dp);
void route_ports_look(struct route_ports *out); // asks the kernel
