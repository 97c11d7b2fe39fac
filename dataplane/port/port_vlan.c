// SPDX-License-Identifier: BSD-3-Clause

#include "port_vlan.h"

#include <rte_errno.h>
#include <rte_ethdev.h>

#include <weir/config.h>
#include <weir/log.h>

void port_vlan_admit(uint16_t port_id, const char *name, const uint64_t *named)
{
	const int offload = rte_eth_dev_get_vlan_offload(port_id);
	if (offload < 0 || !(offload & RTE_ETH_VLAN_FILTER_OFFLOAD))
		return;
	for (uint16_t id = 1; id <= CONFIG_VLAN_MAX; id++) {
		if (!(named[id / 64] >> id % 64 & 1))
			continue;
		const int rc = rte_eth_dev_vlan_filter(port_id, id, 1);
		if (rc) {
			log_warning("port %s: the NIC does not accept VLAN %u (%s): frames of it "
				    "and of later ones do not come",
				name, id, rte_strerror(-rc));
			return;
		}
	}
}
