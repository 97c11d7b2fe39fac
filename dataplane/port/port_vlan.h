// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// VLANs that a NIC drops unless its driver names them.
//
// A virtio NIC whose driver has negotiated VIRTIO_NET_F_CTRL_VLAN drops frames of each VLAN that
// the driver has not named (virtio 1.2, 5.1.6.5.3), and DPDK's driver always negotiates it. So
// port_offload_choose asks for VLAN filters on virtio, and here those of `ports[].vlans` are named.
// One command for each: all 4,094 took 1.2 s in an emulated machine, so without `vlans` none is
// named. Other NICs pass all tags. Main lcore, at start.

#include <stdint.h>

// After rte_eth_dev_start. named: a bit for each VLAN, CONFIG_VLANS of them. A NIC that refuses one
// is warned about.
void port_vlan_admit(uint16_t port_id, const char *name, const uint64_t *named);
