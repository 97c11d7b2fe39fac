// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/bytes.h>

static uint32_t sum_words(const uint8_t *p, size_t words)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < words; i++)
		sum += get_u16(p + 2 * i);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

uint16_t frame_pseudo_sum_ipv4(const uint8_t addresses[8], uint8_t protocol, uint16_t len)
{
	return fold(sum_words(addresses, 4) + protocol + len);
}

uint16_t frame_pseudo_sum_ipv6(const uint8_t addresses[32], uint8_t protocol, uint16_t len)
{
	return fold(sum_words(addresses, 16) + protocol + len);
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

// Everything of an IPv4 header but the addresses, which are in place and take part in the checksum.
static void ipv4_fill(struct rte_ipv4_hdr *ip, uint8_t protocol, uint16_t payload_len)
{
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->type_of_service = 0;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(FRAME_IPV4_LEN + payload_len));
	ip->packet_id = 0;
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	ip->time_to_live = FRAME_TTL;
	ip->next_proto_id = protocol;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void ipv6_fill(struct rte_ipv6_hdr *ip, uint8_t protocol, uint16_t payload_len)
{
	ip->vtc_flow = RTE_BE32(UINT32_C(6) << 28);
	ip->payload_len = rte_cpu_to_be_16(payload_len);
	ip->proto = protocol;
	ip->hop_limits = FRAME_TTL;
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
		struct rte_ipv4_hdr *ip =
			rte_pktmbuf_mtod_offset(p->m, struct rte_ipv4_hdr *, p->l3);
		rte_be32_t client = ip->src_addr;
		ip->src_addr = ip->dst_addr;
		ip->dst_addr = client;
		ipv4_fill(ip, ip->next_proto_id, payload_len);
	} else {
		struct rte_ipv6_hdr *ip =
			rte_pktmbuf_mtod_offset(p->m, struct rte_ipv6_hdr *, p->l3);
		uint8_t client[16];
		memcpy(client, ip->src_addr, 16);
		memcpy(ip->src_addr, ip->dst_addr, 16);
		memcpy(ip->dst_addr, client, 16);
		ipv6_fill(ip, ip->proto, payload_len);
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
		ipv4_fill((struct rte_ipv4_hdr *)ip, IPPROTO_UDP, udp_len);
		ip += FRAME_IPV4_LEN;
	} else {
		memcpy(ip + 8, path->service_ip, 16);
		memcpy(ip + 24, path->client_ip, 16);
		ipv6_fill((struct rte_ipv6_hdr *)ip, IPPROTO_UDP, udp_len);
		ip += FRAME_IPV6_LEN;
	}
	udp_fill(ip, path->ip_version, path->service_udp, path->client_udp, dns_len, dns_sum,
		path->zero_csum);
}
