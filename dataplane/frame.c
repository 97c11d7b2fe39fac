// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/bytes.h>

// One's complement sums do not mind the order of octets within words, nor how many words are added
// at once (RFC 1071 2), so addresses are summed as they lie in memory, four octets at a time, and
// the result is turned into network order once.
static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

ATTR_INLINE uint16_t sum_addresses(const uint8_t *addresses, unsigned octets)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < octets; i += 4) {
		uint32_t word;
		memcpy(&word, addresses + i, 4);
		sum += word;
	}
	return rte_be_to_cpu_16(fold(sum));
}

uint16_t frame_pseudo_sum_ipv4(const uint8_t addresses[8], uint8_t protocol, uint16_t len)
{
	return fold((uint64_t)sum_addresses(addresses, 8) + protocol + len);
}

uint16_t frame_pseudo_sum_ipv6(const uint8_t addresses[32], uint8_t protocol, uint16_t len)
{
	return fold((uint64_t)sum_addresses(addresses, 32) + protocol + len);
}

void frame_swap_macs(struct packet *p)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(p->m, struct rte_ether_hdr *);
	struct rte_ether_addr client = eth->src_addr;
	eth->src_addr = eth->dst_addr;
	eth->dst_addr = client;
}

void frame_set_len(struct packet *p, uint16_t payload_len)
{
	p->m->data_len = (uint16_t)(p->l4 + payload_len);
	p->m->pkt_len = p->m->data_len;
}

// Everything of an IP header but the addresses, which are in place; whole words, because narrow
// stores that are soon read as wide ones stall the core.
static void ipv4_fill(uint8_t *ip, uint8_t protocol, uint16_t payload_len)
{
	const uint32_t version_ihl = 0x4500, flags = RTE_IPV4_HDR_DF_FLAG;
	const uint32_t total_len = FRAME_IPV4_LEN + (uint32_t)payload_len;
	const uint32_t ttl_protocol = (uint32_t)FRAME_TTL << 8 | protocol;
	uint16_t sum = fold((uint64_t)version_ihl + total_len + flags + ttl_protocol
			    + sum_addresses(ip + 12, 8));
	// Identification 0. No array of words and one copy: that would be just such a read.
	rte_be64_t front =
		rte_cpu_to_be_64((uint64_t)(version_ihl << 16 | total_len) << 32 | flags);
	rte_be32_t back = rte_cpu_to_be_32(ttl_protocol << 16 | (uint16_t)~sum);
	memcpy(ip, &front, sizeof(front));
	memcpy(ip + 8, &back, sizeof(back));
}

static void ipv6_fill(uint8_t *ip, uint8_t protocol, uint16_t payload_len)
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

void frame_turn_ip(struct packet *p, uint16_t payload_len)
{
	if (p->ip_version == 4) {
		strip_ipv4_options(p);
		uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l3);
		uint8_t client[4];
		memcpy(client, ip + 12, 4);
		memcpy(ip + 12, ip + 16, 4);
		memcpy(ip + 16, client, 4);
		ipv4_fill(ip, ip[9], payload_len);
	} else {
		uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l3);
		uint8_t client[16];
		memcpy(client, ip + 8, 16);
		memcpy(ip + 8, ip + 24, 16);
		memcpy(ip + 24, client, 16);
		ipv6_fill(ip, ip[6], payload_len);
	}
}

// The UDP header at `udp`, addresses in the IP header before it. A sum of 0 is sent as 0xffff: 0
// would say that there is no checksum (RFC 768).
static void udp_fill(uint8_t *udp, unsigned ip_version, rte_be16_t src, rte_be16_t dst,
	uint16_t dns_len, uint16_t dns_sum, bool zero_csum)
{
	struct rte_udp_hdr *h = (struct rte_udp_hdr *)udp;
	uint16_t len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	h->src_port = src;
	h->dst_port = dst;
	h->dgram_len = rte_cpu_to_be_16(len);
	h->dgram_cksum = 0;
	if (zero_csum)
		return;
	uint16_t pseudo = ip_version == 4 ? frame_pseudo_sum_ipv4(udp - 8, IPPROTO_UDP, len)
					  : frame_pseudo_sum_ipv6(udp - 32, IPPROTO_UDP, len);
	uint16_t sum = fold(
		(uint32_t)pseudo + rte_be_to_cpu_16(src) + rte_be_to_cpu_16(dst) + len + dns_sum);
	h->dgram_cksum = rte_cpu_to_be_16(sum == 0xffff ? 0xffff : (uint16_t)~sum);
}

void frame_reply(struct packet *p, uint16_t dns_len, uint16_t dns_sum)
{
	uint16_t udp_len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	frame_swap_macs(p);
	frame_turn_ip(p, udp_len);
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod_offset(p->m, struct rte_udp_hdr *, p->l4);
	udp_fill((uint8_t *)udp, p->ip_version, udp->dst_port, udp->src_port, dns_len, dns_sum,
		p->zero_csum);
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
		.vlan_tci = p->vlan_tci,
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
	if (path->ip_version == 4) {
		memcpy(ip + 12, path->service_ip, 4);
		memcpy(ip + 16, path->client_ip, 4);
		ipv4_fill(ip, IPPROTO_UDP, udp_len);
		ip += FRAME_IPV4_LEN;
	} else {
		memcpy(ip + 8, path->service_ip, 16);
		memcpy(ip + 24, path->client_ip, 16);
		ipv6_fill(ip, IPPROTO_UDP, udp_len);
		ip += FRAME_IPV6_LEN;
	}
	udp_fill(ip, path->ip_version, path->service_udp, path->client_udp, dns_len, dns_sum,
		path->zero_csum);
}
