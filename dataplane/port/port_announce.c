// SPDX-License-Identifier: BSD-3-Clause
#include "port_announce.h"

#include "stage/frame.h"

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <netinet/in.h>
#include <string.h>

enum { ADVERTISEMENT_LEN = 32, ADVERTISEMENT = 136, OVERRIDE = 0x20, TARGET_MAC = 2 };

// A frame of `len` bytes behind the Ethernet header, all zero; NULL: the pool is empty.
static struct rte_mbuf *frame_new(struct rte_mempool *pool, const struct port *port,
	const uint8_t to[6], uint16_t ether_type, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	if (!m)
		return NULL;
	const uint16_t all = (uint16_t)(sizeof(struct rte_ether_hdr) + len);
	struct rte_ether_hdr *eth = (void *)rte_pktmbuf_append(m, all);
	memset(eth, 0, all);
	memcpy(&eth->dst_addr, to, 6);
	eth->src_addr = port->mac;
	eth->ether_type = rte_cpu_to_be_16(ether_type);
	return m;
}

static struct rte_mbuf *announcement(
	struct rte_mempool *pool, const struct port *port, rte_be32_t address)
{
	static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rte_mbuf *m =
		frame_new(pool, port, everyone, RTE_ETHER_TYPE_ARP, sizeof(struct rte_arp_hdr));
	if (!m)
		return NULL;
	*rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, sizeof(struct rte_ether_hdr)) =
		(struct rte_arp_hdr){.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
			.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			.arp_hlen = 6,
			.arp_plen = 4,
			.arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST),
			.arp_data = {.arp_sha = port->mac, .arp_sip = address, .arp_tip = address}};
	return m;
}

static struct rte_mbuf *advertisement(
	struct rte_mempool *pool, const struct port *port, const uint8_t address[16])
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1}; // ff02::1
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct rte_mbuf *m = frame_new(
		pool, port, all_nodes_mac, RTE_ETHER_TYPE_IPV6, FRAME_IPV6_LEN + ADVERTISEMENT_LEN);
	if (!m)
		return NULL;
	struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, sizeof(struct rte_ether_hdr));
	uint8_t *icmp = (uint8_t *)ip + FRAME_IPV6_LEN;
	ip->vtc_flow = RTE_BE32(UINT32_C(6) << 28);
	ip->payload_len = RTE_BE16(ADVERTISEMENT_LEN);
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = 255;
	memcpy(&ip->src_addr, address, 16);
	memcpy(&ip->dst_addr, all_nodes, 16);
	icmp[0] = ADVERTISEMENT;
	icmp[4] = OVERRIDE;
	memcpy(icmp + 8, address, 16);
	icmp[24] = TARGET_MAC;
	icmp[25] = 1; // the option's length in units of 8 bytes
	memcpy(icmp + 26, &port->mac, 6);
	const uint16_t sum = csum_add(csum_partial(icmp, ADVERTISEMENT_LEN),
		frame_pseudo_sum_ipv6(icmp - 32, IPPROTO_ICMPV6, ADVERTISEMENT_LEN));
	put_u16(icmp + 2, (uint16_t)~sum);
	return m;
}

static void send_one(const struct port *port, struct rte_mbuf *m)
{
	if (m && rte_eth_tx_burst(port->id, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

void ports_announce(
	const struct ports *p, const struct worker_service *service, struct rte_mempool *pool)
{
	for (unsigned i = 0; i < p->client_count; i++) {
		const struct port *port = &p->port[i];
		if (p->exception_of[i] >= 0 || port->xdp)
			continue; // the kernel's
		for (unsigned a = 0; a < service->v4_count; a++)
			send_one(port, announcement(pool, port, service->v4[a]));
		for (unsigned a = 0; a < service->v6_count; a++)
			send_one(port, advertisement(pool, port, service->v6[a]));
	}
}
