// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// VLAN tags on AF_XDP ports. A NIC that strips tags (ethtool: rx-vlan-offload) hands the XDP
// program frames without them, and the tag beside the frame does not reach an AF_XDP socket.

#include <weir/config.h>

// Main lcore, at start. -EINVAL with `why` if the port cannot see its `vlans`.
ATTR_MUST_CHECK int steering_tags_check(const struct config_port *port, char *why, size_t cap);
// Warns if groups[].vlans finds no tags on a port.
void steering_tags_warn(const struct config *config);
