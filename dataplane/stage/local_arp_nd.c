// SPDX-License-Identifier: BSD-3-Clause
#include "local_arp_nd.h"

#include "address.h"
#include "frame.h"
#include "state/dpdk_differs.h"

#include <rte_arp.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include <netinet/in.h>

enum {
	ICMP_ECHO_REQUEST = 8,
	ICMP_ECHO_REPLY = 0,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_SOLICITATION = 135,
	ICMPV6_ADVERTISEMENT = 136,
	ICMP_HEADER_LEN = 8,
	ND_LEN = 24, // header and target
	ND_MAC_OPTION = 2,
	ND_MAC_OPTION_LEN = 8,
	ND_HOP_LIMIT = 255,
};

static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

static uint8_t *at(const struct packet *p, unsigned offset)
{
	return rte_pktmbuf_mtod_offset(p->m, uint8_t *, offset);
}

// Back to the client, from the port's own address: the question was perhaps a broadcast.
static void answer_ether(struct packet *p, const struct rte_ether_addr *mac)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(p->m, struct rte_ether_hdr *);
	eth->dst_addr = eth->src_addr;
	eth->src_addr = *mac;
}

static enum verdict answer_arp(
	struct packet *p, const struct rte_ether_addr *mac, const struct worker_service *service)
{
	if (rte_pktmbuf_data_len(p->m) < p->l3 + sizeof(struct rte_arp_hdr))
		return VERDICT_drop_runt;
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)at(p, p->l3);
	struct rte_arp_ipv4 *a = &arp->arp_data;
	if (arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER)
		|| arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) || arp->arp_hlen != 6
		|| arp->arp_plen != 4 || arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST)
		|| !address_is_ours_ipv4(service, a->arp_tip)
		|| address_is_ours_ipv4(service, a->arp_sip))
		return VERDICT_drop_not_ours;
	rte_be32_t ours = a->arp_tip;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	a->arp_tha = a->arp_sha;
	a->arp_tip = a->arp_sip;
	a->arp_sha = *mac;
	a->arp_sip = ours;
	answer_ether(p, mac);
	p->l4 = (uint16_t)(p->l3 + sizeof(struct rte_arp_hdr));
	frame_set_len(p, 0);
	return VERDICT_arp_reply;
}

// Sets the checksum of `len` bytes of ICMP at l4 (ICMPv6 with the pseudo header of the addresses
// before it, RFC 4443 2.3).
static void set_icmp_csum(struct packet *p, uint16_t len)
{
	uint8_t *icmp = at(p, p->l4);
	put_u16(icmp + 2, 0);
	uint16_t sum = csum_partial(icmp, len);
	if (p->ip_version == 6)
		sum = csum_add(sum, frame_pseudo_sum_ipv6(icmp - 32, IPPROTO_ICMPV6, len));
	put_u16(icmp + 2, (uint16_t)~sum);
}

static enum verdict answer_echo(
	struct packet *p, const struct rte_ether_addr *mac, uint8_t type, uint16_t len)
{
	answer_ether(p, mac);
	frame_turn_ip(p, len);
	*at(p, p->l4) = type;
	set_icmp_csum(p, len);
	frame_set_len(p, len);
	return VERDICT_echo_reply;
}

static enum verdict answer_ipv4(
	struct packet *p, const struct rte_ether_addr *mac, const struct worker_service *service)
{
	// The header was checked by stage_net, but for fragments.
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)at(p, p->l3);
	uint16_t len = (uint16_t)(rte_be_to_cpu_16(ip->total_length) - rte_ipv4_hdr_len(ip));
	const uint8_t *icmp = at(p, p->l4);
	bool fragment =
		ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	if (ip->next_proto_id != IPPROTO_ICMP || fragment || len < ICMP_HEADER_LEN
		|| icmp[0] != ICMP_ECHO_REQUEST || icmp[1] != 0
		|| !address_is_ours_ipv4(service, ip->dst_addr))
		return VERDICT_drop_not_ours;
	if (!address_can_ask_ipv4(service, ip->src_addr))
		return VERDICT_drop_source;
	if (csum_partial(icmp, len) != 0xffff)
		return VERDICT_drop_not_ours;
	return answer_echo(p, mac, ICMP_ECHO_REPLY, len);
}

// A neighbour advertisement over the solicitation. A client without an address (duplicate address
// detection) gets it by way of all nodes, unsolicited (RFC 4861 7.2.4).
static enum verdict answer_solicitation(
	struct packet *p, const struct rte_ether_addr *mac, const struct worker_service *service)
{
	enum { FLAG_SOLICITED = 0x40, FLAG_OVERRIDE = 0x20 };
	static const uint8_t unspecified[16];
	const uint16_t len = ND_LEN + ND_MAC_OPTION_LEN;
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)at(p, p->l3);
	uint8_t *icmp = at(p, p->l4);
	uint8_t target[16];
	memcpy(target, icmp + 8, 16);
	if (ip->hop_limits != ND_HOP_LIMIT || !address_is_ours_ipv6(service, target)
		|| p->m->buf_len - p->m->data_off < p->l4 + len)
		return VERDICT_drop_not_ours;
	bool solicited = memcmp(&ip->src_addr, unspecified, 16) != 0;
	if (solicited && !address_can_ask_ipv6(service, ipv6_src(ip)))
		return VERDICT_drop_source;
	answer_ether(p, mac);
	if (!solicited)
		memcpy(at(p, 0), all_nodes_mac, 6);
	ip->payload_len = rte_cpu_to_be_16(len);
	memcpy(&ip->dst_addr, solicited ? ipv6_src(ip) : all_nodes, 16);
	memcpy(&ip->src_addr, target, 16);
	icmp[0] = ICMPV6_ADVERTISEMENT;
	put_u32(icmp + 4, (uint32_t)(solicited ? FLAG_SOLICITED | FLAG_OVERRIDE : FLAG_OVERRIDE)
				  << 24);
	icmp[ND_LEN] = ND_MAC_OPTION;
	icmp[ND_LEN + 1] = 1; // the option's length in units of 8 bytes
	memcpy(icmp + ND_LEN + 2, mac, 6);
	frame_set_len(p, len);
	set_icmp_csum(p, len);
	return VERDICT_ndp_reply;
}

static enum verdict answer_ipv6(
	struct packet *p, const struct rte_ether_addr *mac, const struct worker_service *service)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)at(p, p->l3);
	uint16_t len = rte_be_to_cpu_16(ip->payload_len);
	p->l4 = (uint16_t)(p->l3 + FRAME_IPV6_LEN);
	const uint8_t *icmp = at(p, p->l4);
	if (ip->proto != IPPROTO_ICMPV6 || len < ICMP_HEADER_LEN || icmp[1] != 0)
		return VERDICT_drop_not_ours;
	uint16_t pseudo = frame_pseudo_sum_ipv6(icmp - 32, IPPROTO_ICMPV6, len);
	if (csum_add(pseudo, csum_partial(icmp, len)) != 0xffff)
		return VERDICT_drop_not_ours;
	if (icmp[0] == ICMPV6_SOLICITATION && len >= ND_LEN)
		return answer_solicitation(p, mac, service);
	if (icmp[0] != ICMPV6_ECHO_REQUEST || !address_is_ours_ipv6(service, ipv6_dst(ip)))
		return VERDICT_drop_not_ours;
	if (!address_can_ask_ipv6(service, ipv6_src(ip)))
		return VERDICT_drop_source;
	return answer_echo(p, mac, ICMPV6_ECHO_REPLY, len);
}

enum verdict local_answer(struct packet *p, uint16_t ether_type, const struct rte_ether_addr *mac,
	const struct worker_service *service)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *);
	if (!rte_is_valid_assigned_ether_addr(&eth->src_addr))
		return VERDICT_drop_not_ours;
	switch (ether_type) {
	case RTE_ETHER_TYPE_ARP:
		return answer_arp(p, mac, service);
	case RTE_ETHER_TYPE_IPV4:
		return answer_ipv4(p, mac, service);
	case RTE_ETHER_TYPE_IPV6:
		return answer_ipv6(p, mac, service);
	default:
		return VERDICT_drop_not_ours;
	}
}
