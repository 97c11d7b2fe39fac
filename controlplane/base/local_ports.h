// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Ports from which no query may leave, because other programs listen or will listen there:
// net.ipv4.ip_local_reserved_ports. The kernel leaves these out when it draws ephemeral ports, also
// for IPv6. weir draws its ports itself, so it must leave them out, too (RFC 5452 9.2 asks for such
// a means).
//
// Read once into a few ranges; a check compares with each. No allocation; any thread.

#include "rng.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>

enum { LOCAL_PORT_RANGES_MAX = 64 }; // the first ranges of the text

struct local_ports {
	unsigned every,
		resolver; // only ports with remainder `resolver` by `every` are free; 0: all ports
	unsigned count;
	struct local_port_range {
		uint16_t first, last;
	} range[LOCAL_PORT_RANGES_MAX];
};

// Reads text such as "8080,9000-9010\n", as the kernel writes it. Other text ends the parsing.
void local_ports_parse(struct local_ports *out, const char *text, size_t len);
void local_ports_load(struct local_ports *out); // no ports if the file cannot be read
bool local_ports_reserved(const struct local_ports *p, uint16_t port);

// The address from which this machine's packets to a peer leave.
union local_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
// The address by the kernel's present routes, with port 0. Four system calls. -errno of connect(2).
ATTR_MUST_CHECK int local_address_to(
	const struct sockaddr *peer, socklen_t len, union local_address *out);

// Binds a UDP socket to `from` and a random port outside `reserved`, which `port` gets. Programs on
// other addresses of the machine may use the same port. -errno; -EADDRNOTAVAIL: the machine has
// lost the address.
ATTR_MUST_CHECK int local_port_bind(struct rng *rng, const struct local_ports *reserved, int fd,
	const union local_address *from, uint16_t *port);
