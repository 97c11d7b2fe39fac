// SPDX-License-Identifier: BSD-3-Clause

#include "port_offload.h"

#include <string.h>
#include <weir/attr.h>

static bool is_one_of(const char *driver, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(driver, names[i]) == 0)
			return true;
	}
	return false;
}

bool port_offload_is_software(const char *driver)
{
	static const char *const copying[] = {
		"net_tap", "net_pcap", "net_null", "net_af_packet", "net_memif"};
	return is_one_of(driver, copying, ARRAY_LEN(copying));
}

// Does the NIC verify checksums? A guest's frames from the same host have partial ones.
static bool verifies_csums(const char *driver)
{
	static const char *const partial[] = {
		"net_virtio", "net_virtio_user", "net_vhost", "net_vmxnet3"};
	return !port_offload_is_software(driver) && !is_one_of(driver, partial, ARRAY_LEN(partial));
}

void port_offload_choose(
	const struct rte_eth_dev_info *info, bool has_partial, struct rte_eth_conf *conf)
{
	const uint64_t csums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	conf->rxmode.offloads = 0;
	if (!has_partial && verifies_csums(info->driver_name))
		conf->rxmode.offloads = info->rx_offload_capa & csums;
	if (strcmp(info->driver_name, "net_virtio") == 0) // port_vlan.h says why
		conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	conf->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
}
