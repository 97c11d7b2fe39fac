// SPDX-License-Identifier: BSD-3-Clause

// The frames that announce the service addresses, as a port that loops back gets them.

#include "dataplane/port/port.h"
#include "port_rig.h"

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ip.h>

static struct port_rig rig;
static char loop_device[] = "net_ring0";

static int start_eal(void **)
{
	static char vdev[] = "--vdev=net_ring0";
	char *const all[] = {vdev};
	return port_rig_start(&rig, "test_port_announce", all, ARRAY_LEN(all));
}

static void arp_announces(const struct rte_mbuf *m, const struct port *port, rte_be32_t address)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_arp_hdr *arp = (const void *)(eth + 1);
	assert_true(rte_is_broadcast_ether_addr(&eth->dst_addr));
	assert_true(rte_is_same_ether_addr(&eth->src_addr, &port->mac));
	assert_int_equal(eth->ether_type, RTE_BE16(RTE_ETHER_TYPE_ARP));
	assert_int_equal(arp->arp_opcode, RTE_BE16(RTE_ARP_OP_REQUEST));
	assert_int_equal(arp->arp_data.arp_sip, address);
	assert_int_equal(arp->arp_data.arp_tip, address);
	assert_true(rte_is_same_ether_addr(&arp->arp_data.arp_sha, &port->mac));
}

static void advertises(const struct rte_mbuf *m, const struct port *port, const uint8_t address[16])
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv6_hdr *ip = (const void *)(eth + 1);
	const uint8_t *icmp = (const void *)(ip + 1);
	assert_memory_equal(&eth->dst_addr, "\x33\x33\0\0\0\1", 6);
	assert_memory_equal(&ip->src_addr, address, 16);
	assert_int_equal(ip->hop_limits, 255);
	assert_int_equal(icmp[0], 136);
	assert_int_equal(icmp[4], 0x20); // unsolicited, override
	assert_memory_equal(icmp + 8, address, 16);
	assert_memory_equal(icmp + 26, &port->mac, 6);
	uint8_t copy[32];
	uint16_t sum;
	memcpy(copy, icmp, sizeof(copy));
	memcpy(&sum, copy + 2, 2);
	memset(copy + 2, 0, 2);
	uint32_t all = rte_raw_cksum(copy, sizeof(copy)) + rte_ipv6_phdr_cksum(ip, 0);
	all = (all & 0xffff) + (all >> 16);
	assert_int_equal(sum, (uint16_t)~all);
}

// A port that loops back what it sends.
TEST(service_addresses_are_announced)
{
	const struct worker_service service = {.v4_count = 1,
		.v6_count = 1,
		.v4 = {RTE_BE32(0xc6120035)},
		.v6 = {{0xfd, 0x53, [15] = 0x53}}};
	struct config config = port_rig_config(loop_device, 1);
	struct rte_mbuf *m[4];
	struct ports p;
	assert_int_equal(ports_find(&p, &config.dataplane, rig.why), 0);
	assert_int_equal(ports_start(&p, &config, rig.pool, rig.why), 0);
	ports_announce(&p, &service, rig.pool[0]);
	assert_int_equal(rte_eth_rx_burst(p.port[0].id, 0, m, 4), 2);
	arp_announces(m[0], &p.port[0], service.v4[0]);
	advertises(m[1], &p.port[0], service.v6[0]);
	rte_pktmbuf_free_bulk(m, 2);
	p.exception_of[0] = 0; // the kernel answers there
	ports_announce(&p, &service, rig.pool[0]);
	assert_int_equal(rte_eth_rx_burst(p.port[0].id, 0, m, 4), 0);
	ports_stop(&p);
}

TEST_GROUP(start_eal, port_rig_stop)
