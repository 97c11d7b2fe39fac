// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sockets of the kernel on the service addresses. An address need not be there yet: the data plane
// puts it on the exception port.
//
// With several frontends each has a socket of its own on each address (SO_REUSEPORT). The kernel
// would let any process of the same user share them, and give it a part of the clients. So the
// first socket on an address binds without that option, which fails while another process is bound
// there, as it does with one frontend; after the bind it shares. The first socket on another port
// of the address, to which the frontends move one by one, does the same. A process that comes later
// is not seen. The lock is held for the calls that open a socket, never for a wait.

#include "resolver/resolver_client.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <weir/attr.h>
#include <weir/config.h>
#include <weir/sender.h>

// Balancers (proxy_protocol.from), over TCP and UDP alike: whom a header of PROXY protocol v2 is
// due from, and the client that it names (sender.h). Pure functions; any thread.

// Is the peer a balancer?
bool frontend_proxy_is_due(
	const struct config_proxy_protocol *balancers, const union client_address *peer);
// The client that a header names (PROXY_HEADER_CLIENT).
union client_address frontend_proxy_client(const struct proxy_header *h);

enum { FRONTEND_SOCKETS_MAX = 4 * CONFIG_ADDRESSES_MAX };

// Sockets of one type, UDP or TCP, of all frontends of the process.
struct frontend_sockets {
	bool shares; // there are several frontends
	pthread_mutex_t lock;
	struct {
		uint16_t port;         // the latest port
		unsigned open;         // sockets on that port
	} place[FRONTEND_SOCKETS_MAX]; // one for each address and kind; under the lock
};

void frontend_sockets_init(struct frontend_sockets *s, bool shares);
void frontend_sockets_end(struct frontend_sockets *s); // all sockets are closed

// Opens a socket of type SOCK_STREAM or SOCK_DGRAM on the address of place `i`: non-blocking and
// bound. Returns the descriptor, or -errno. Any thread.
ATTR_MUST_CHECK int frontend_socket_open(
	struct frontend_sockets *s, unsigned i, const struct socket_address *at, int type);
void frontend_socket_close(struct frontend_sockets *s, unsigned i, uint16_t port, int fd);
// Sets an option that a kernel may lack.
void frontend_socket_prefer(int fd, int level, int option, int value);
