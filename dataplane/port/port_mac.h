// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frames that a port accepts, by their destination MAC: its own address, the configured ones (a
// virtual router's), and all multicast, for neighbour discovery. Promiscuous mode is turned off,
// also where an earlier user of the port or its driver had it on. Main lcore, at start only.

#include "port.h"

// After the port has started; fills in port->mac and port->sees_others. A configured address that
// the port does not take is an error, unless it takes all: without it a service would be deaf to
// some of its clients. -errno with `why`.
ATTR_MUST_CHECK int port_mac_apply(
	struct port *port, const struct config_port *config, char why[PORT_WHY_MAX]);

// On a NIC clients must find the kernel's answers (ARP, TCP) at the MAC that the NIC takes frames
// for. A TAP takes all frames, so its exception port keeps its own.
void port_mac_share(const struct port *client, struct port *exception);

// What workers compare on a port that sees frames for other hosts. `exception` may be NULL.
void port_mac_bind(const struct port *client, const struct port *exception,
	const struct config_port *config, struct worker_port *out);
