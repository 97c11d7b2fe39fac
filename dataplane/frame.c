// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/bytes.h>
#include <weir/csum.h>

// Words as they lie in memory are loaded, turned in registers, stored and summed (csum.h) in one
// go, because narrow stores that are soon read as wide words stall the core.

// Of a pseudo header without its addresses.
ATTR_INLINE uint64_t pseudo_rest(uint8_t protocol, uint16_t len)
{
	return (uint64_t)rte_cpu_to_be_16(protocol) + rte_cpu_to_be_16(len);
}

uint16_t frame_pseudo_sum_ipv4(const uint8_t addresses[8], uint8_t protocol, uint16_t len)
{
	return csum_fold(csum_wide_add(csum_wide(addresses, 8), pseudo_rest(protocol, len)));
}

uint16_t frame_pseudo_sum_ipv6(const uint8_t addresses[32], uint8_t protocol, uint16_t len)
{
	return csum_fold(csum_wide_add(csum_wide(addresses, 32), pseudo_rest(protocol, len)));
}

// Two addresses of 48 bits as one word of 64 and one of 32, little-endian: the first address is the
// low six octets of the first word.
void frame_swap_macs(struct packet *p)
{
	const unsigned mac_bits = 48;
	uint8_t *eth = rte_pktmbuf_mtod(p->m, uint8_t *);
	uint64_t front;
	uint32_t back;
	memcpy(&front, eth, sizeof front);
	memcpy(&back, eth + 8, sizeof back);
	uint64_t first = front & ((UINT64_C(1) << mac_bits) - 1);
	uint64_t second = front >> mac_bits | (uint64_t)back << (64 - mac_bits);
	front = second | first << mac_bits;
	back = (uint32_t)(first >> (64 - mac_bits));
	memcpy(eth, &front, sizeof front);
	memcpy(eth + 8, &back, sizeof back);
}

void frame_set_len(struct packet *p, uint16_t payload_len)
{
	p->m->data_len = (uint16_t)(p->l4 + payload_len);
	p->m->pkt_len = p->m->data_len;
}

// Everything of an IP header but the addresses, which are in place; `addresses` is their wide sum.
// Identification 0.
ATTR_INLINE void ipv4_fill(uint8_t *ip, uint8_t protocol, uint16_t payload_len, uint64_t addresses)
{
	const uint32_t version_ihl = 0x4500, flags = RTE_IPV4_HDR_DF_FLAG;
	const uint32_t total_len = FRAME_IPV4_LEN + (uint32_t)payload_len;
	rte_be64_t front =
		rte_cpu_to_be_64((uint64_t)(version_ihl << 16 | total_len) << 32 | flags);
	const uint32_t ttl_protocol = (uint32_t)FRAME_TTL << 8 | protocol;
	uint64_t sum = csum_wide_add(
		csum_wide_add(addresses, front), rte_cpu_to_be_16((uint16_t)ttl_protocol));
	rte_be32_t back = rte_cpu_to_be_32(ttl_protocol << 16 | (uint16_t)~csum_fold(sum));
	memcpy(ip, &front, sizeof(front));
	memcpy(ip + 8, &back, sizeof(back));
}

ATTR_INLINE void ipv6_fill(uint8_t *ip, uint8_t protocol, uint16_t payload_len)
{
	rte_be64_t front = rte_cpu_to_be_64(UINT64_C(6) << 60 | (uint64_t)payload_len << 16
					    | (uint64_t)protocol << 8 | FRAME_TTL);
	memcpy(ip, &front, sizeof(front));
}

static void strip_ipv4_options(struct packet *p)
{
	uint16_t options = (uint16_t)(p->l4 - p->l3 - FRAME_IPV4_LEN);
	if (likely_(options == 0))
		return;
	uint8_t *frame = rte_pktmbuf_mtod(p->m, uint8_t *);
	memmove(frame + options, frame, (size_t)p->l3 + FRAME_IPV4_LEN);
	rte_pktmbuf_adj(p->m, options);
	p->l4 -= options;
	p->dns -= options;
}

// Both addresses change places; their wide sum.
ATTR_INLINE uint64_t turn_ipv4_addresses(uint8_t *addresses)
{
	uint64_t both;
	memcpy(&both, addresses, sizeof both);
	both = both << 32 | both >> 32;
	memcpy(addresses, &both, sizeof both);
	return both;
}

ATTR_INLINE uint64_t turn_ipv6_addresses(uint8_t *addresses)
{
	uint64_t w[4], sum = 0;
	for (unsigned i = 0; i < 4; i++) {
		memcpy(&w[i], addresses + 8 * i, 8);
		sum = csum_wide_add(sum, w[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		memcpy(addresses + 8 * i, &w[i ^ 2], 8);
	return sum;
}

// frame_turn_ip's work; the wide sum of the addresses.
ATTR_INLINE uint64_t turn_ip(struct packet *p, uint16_t payload_len)
{
	if (likely_(p->ip_version == 4)) {
		strip_ipv4_options(p);
		uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l3);
		uint64_t sum = turn_ipv4_addresses(ip + 12);
		ipv4_fill(ip, ip[9], payload_len, sum);
		return sum;
	}
	uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l3);
	uint64_t sum = turn_ipv6_addresses(ip + 8);
	ipv6_fill(ip, ip[6], payload_len);
	return sum;
}

void frame_turn_ip(struct packet *p, uint16_t payload_len)
{
	(void)turn_ip(p, payload_len);
}

// The UDP header at `udp`: `ports` as they lie in it, the wide sums of addresses and message. A sum
// of 0 is sent as 0xffff: 0 would say that there is no checksum (RFC 768).
ATTR_INLINE void udp_fill(uint8_t *udp, uint32_t ports, uint16_t dns_len, uint64_t addresses,
	uint64_t dns, bool zero_csum)
{
	uint16_t len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	uint64_t front = (uint64_t)rte_cpu_to_be_16(len) << 32 | ports;
	uint16_t csum = 0;
	if (likely_(!zero_csum)) {
		uint64_t sum = csum_wide_add(csum_wide_add(addresses, dns), front);
		csum = (uint16_t)~csum_fold(csum_wide_add(sum, pseudo_rest(IPPROTO_UDP, len)));
		csum = csum ? csum : 0xffff;
	}
	front |= (uint64_t)rte_cpu_to_be_16(csum) << 48;
	memcpy(udp, &front, sizeof front);
}

void frame_reply(struct packet *p, uint16_t dns_len, uint16_t dns_sum)
{
	uint16_t udp_len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	frame_swap_macs(p);
	uint64_t addresses = turn_ip(p, udp_len);
	uint8_t *udp = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l4);
	uint32_t ports;
	memcpy(&ports, udp, sizeof ports);
	ports = ports << 16 | ports >> 16;
	udp_fill(udp, ports, dns_len, addresses, csum_widen(dns_sum), p->zero_csum);
	frame_set_len(p, udp_len);
}

void frame_return_path(
	const struct packet *p, uint16_t port, uint16_t worker, struct return_path *out)
{
	const uint8_t *frame = rte_pktmbuf_mtod(p->m, const uint8_t *);
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)frame;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(frame + p->l4);
	*out = (struct return_path){
		.port = port,
		.worker = worker,
		.vlan_tci = p->has_vlan ? get_u16(frame + FRAME_ETHER_LEN) : 0,
		.has_vlan = p->has_vlan,
		.ip_version = p->ip_version,
		.client_udp = udp->src_port,
		.service_udp = udp->dst_port,
		.zero_csum = p->zero_csum,
	};
	memcpy(out->client_mac, &eth->src_addr, 6);
	memcpy(out->service_mac, &eth->dst_addr, 6);
	if (p->ip_version == 4) {
		memcpy(out->client_ip, frame + p->l3 + 12, 4);
		memcpy(out->service_ip, frame + p->l3 + 16, 4);
	} else {
		memcpy(out->client_ip, frame + p->l3 + 8, 16);
		memcpy(out->service_ip, frame + p->l3 + 24, 16);
	}
}

unsigned frame_headers_len(const struct return_path *path)
{
	return FRAME_ETHER_LEN + (path->has_vlan ? FRAME_VLAN_LEN : 0)
	       + (path->ip_version == 4 ? FRAME_IPV4_LEN : FRAME_IPV6_LEN) + FRAME_UDP_LEN;
}

static uint8_t *build_ether(uint8_t *out, const struct return_path *path)
{
	memcpy(out, path->client_mac, 6);
	memcpy(out + 6, path->service_mac, 6);
	out += 12;
	if (path->has_vlan) {
		put_u16(out, RTE_ETHER_TYPE_VLAN);
		put_u16(out + 2, path->vlan_tci);
		out += FRAME_VLAN_LEN;
	}
	put_u16(out, path->ip_version == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	return out + 2;
}

void frame_build(uint8_t *frame, const struct return_path *path, uint16_t dns_len, uint16_t dns_sum)
{
	uint8_t *ip = build_ether(frame, path);
	uint16_t udp_len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	uint64_t addresses;
	if (path->ip_version == 4) {
		memcpy(ip + 12, path->service_ip, 4);
		memcpy(ip + 16, path->client_ip, 4);
		addresses = csum_wide(ip + 12, 8);
		ipv4_fill(ip, IPPROTO_UDP, udp_len, addresses);
		ip += FRAME_IPV4_LEN;
	} else {
		memcpy(ip + 8, path->service_ip, 16);
		memcpy(ip + 24, path->client_ip, 16);
		addresses = csum_wide(ip + 8, 32);
		ipv6_fill(ip, IPPROTO_UDP, udp_len);
		ip += FRAME_IPV6_LEN;
	}
	uint32_t ports = (uint32_t)path->client_udp << 16 | path->service_udp;
	udp_fill(ip, ports, dns_len, addresses, csum_widen(dns_sum), path->zero_csum);
}
