// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// UDP sockets to upstream servers, opened on demand, and ahead of need while there is much of it.
// Resolver loop's thread only.
//
// Each socket is bound to a random port of the address from which its server is reached, connected
// to that server and registered once, and then serves one leg at a time: no other question can be
// on it. A server that is sent fewer than UPSTREAM_SHELF_BUSY queries a second gets a socket for
// each of them, closed with the reply. From there on the server is busy: sockets are kept ready for
// it and used again, until ten seconds have passed without such a second. Then all are closed. So a
// box at rest has none, and takes no port from other programs.
//
// Why not always for each query: making a socket (socket, setsockopt, bind, connect, epoll_ctl,
// close) is half of what a miss costs. Why not always ahead: 1,024 sockets that are drawn again
// every 10 to 20 s are 68 new ones a second, more than a quiet server needs.
//
// A socket comes back only when its one query had its one reply; else it is closed, so that a late
// reply, or the second to a repeated query, meets no other question. It is closed as well after
// UPSTREAM_SOCKET_USES queries, after 10 to 20 s (each draws its own time), and when anything at
// all reaches it while it is idle: an attacker guesses, or knows the port. A step of the timer
// opens and closes at most UPSTREAM_SOCKET_STEP each, so ports are redrawn continuously and the
// loop is not held up.
//
// What an off-path attacker has to guess (RFC 5452): the port is one of 64,512, drawn by us and
// not by the kernel, with 16 bits of id and the letter case. To a quiet server each query has a
// port of its own (RFC 5452 9.2), open for one round trip. To a busy one, that another query used
// the port a second ago tells nothing unless the port is known. Somebody who found open ports out,
// say through ICMP rate limits (Man et al. 2020, "SAD DNS"), still has the pick of one of at least
// `want` / 2 idle sockets (512); a socket probed is closed. A shelf with fewer idle sockets is not
// used: the query gets a socket of its own, a fresh port (counted as `made`), which comes to lie on
// the shelf. So there are two cases and nothing between them: a port for each query, or one of 512.
//
// Shelves: one for each server. Sockets are opened ahead for busy ones, UPSTREAM_SOCKETS_AHEAD
// each, or fewer if the process may not open that many files; a shelf holds UPSTREAM_SHELF_MAX idle
// ones at most, the rest is closed. Full: UPSTREAM_SOCKETS_MAX in all, or EMFILE; then an idle one
// is used if there is any, else the send fails.

#include "base/age_list.h"
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

struct upstream_sockets_stats {
	unsigned idle, open; // open: idle or in use
	uint64_t opened;     // sockets, ever
	uint64_t made;       // queries that got a socket of their own, for want of idle ones
	uint64_t strays;     // datagrams and errors at idle sockets
	uint64_t full;       // no socket to be had
	uint64_t evicted;    // closed because their shelf was full
	uint64_t since_ms;   // when the oldest open one was opened; 0: none
	size_t bytes;        // touched so far
};

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
// to a port to the resolver that it belongs to (upstream_port.h).
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
