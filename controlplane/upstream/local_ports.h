// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Ports from which no query may leave, because other programs listen or will listen there:
// net.ipv4.ip_local_reserved_ports, by which the kernel keeps the ports that it draws itself free
// of them, for IPv6 too. A resolver draws its own ports and must respect it itself (RFC 5452 9.2
// asks for some such means).
//
// Read once into a few ranges; a check compares with each. No allocation; any thread.

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>

enum { LOCAL_PORT_RANGES_MAX = 64 }; // the first ranges of the text

struct local_ports {
	unsigned count;
	struct local_port_range {
		uint16_t first, last;
	} range[LOCAL_PORT_RANGES_MAX];
};

// Of text like "8080,9000-9010\n", as the kernel writes it. Other text ends the parsing.
void local_ports_parse(struct local_ports *out, const char *text, size_t len);
void local_ports_load(struct local_ports *out); // none where it cannot be read
bool local_ports_reserved(const struct local_ports *p, uint16_t port);

// Binds a UDP socket to a random port outside `reserved`. -errno.
ATTR_MUST_CHECK int local_port_bind(
	struct rng *rng, const struct local_ports *reserved, int fd, sa_family_t family);
