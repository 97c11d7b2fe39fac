// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Ports that no query may go out from, since others listen or will listen there: what the operator
// has put into net.ipv4.ip_local_reserved_ports, by which the kernel keeps the ports that it draws
// itself free of them, for IPv6 too. A resolver draws its own and has to heed it by itself (RFC
// 5452 9.2 asks for some such means).
//
// Read once into a few ranges; a look compares with each. No allocation; any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UPSTREAM_PORT_RANGES_MAX = 64 }; // of the text, the first so many

struct upstream_ports {
	unsigned count;
	struct upstream_port_range {
		uint16_t first, last;
	} range[UPSTREAM_PORT_RANGES_MAX];
};

// Of text like "8080,9000-9010\n", as the kernel writes it. What is no such text ends it.
void upstream_ports_parse(struct upstream_ports *out, const char *text, size_t len);
void upstream_ports_load(struct upstream_ports *out); // none where it cannot be read
bool upstream_ports_reserved(const struct upstream_ports *p, uint16_t port);
