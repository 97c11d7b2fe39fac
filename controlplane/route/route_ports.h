// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The local ports from which queries through the port leave: every port from 1024 that lies outside
// net.ipv4.ip_local_port_range, so that no program of this machine is given one by the kernel.
// Those of net.ipv4.ip_local_reserved_ports lie in the ranges and are not drawn
// (base/local_ports.h). No allocation; any thread.

#include "base/local_ports.h"

#include <stddef.h>
#include <weir/hops.h>

enum {
	ROUTE_PORTS_LEAST = 32768, // with fewer the port is not used: too few to guess among
};

struct route_ports {
	unsigned count; // ports that may be drawn
	unsigned range_count;
	struct hops_range range[HOPS_RANGES_MAX];
};

// Of text like "32768\t60999\n", as the kernel writes it. No ports: it is other text.
void route_ports_parse(struct route_ports *out, const char *text, size_t len);
// Takes those off the count.
void route_ports_reserve(struct route_ports *p, const struct local_ports *reserved);
