// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include "frame_fast.h"

#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/bytes.h>
#include <weir/csum.h>

uint16_t frame_pseudo_sum_ipv6(const uint8_t *addresses, uint8_t protocol, uint16_t len)
{
	return csum_fold(
		csum_wide_add(csum_wide(addresses, 32), frame_fast_pseudo_rest(protocol, len)));
}

bool frame_udp_csum_fits(const struct worker_port *port, const struct packet *p, uint16_t len)
{
	if ((p->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	const uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3);
	const uint8_t *udp = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l4);
	uint64_t sum = p->ip_version == 4 ? csum_wide(ip + 12, 8) : csum_wide(ip + 8, 32);
	sum = csum_wide_add(sum, (uint64_t)RTE_BE16(IPPROTO_UDP) + rte_cpu_to_be_16(len));
	return frame_csum_is_partial(port, ((const struct rte_udp_hdr *)udp)->dgram_cksum, sum)
	       || csum_fold(csum_wide_add(sum, csum_wide(udp, len))) == 0xffff;
}

void frame_set_len(struct packet *p, uint16_t payload_len)
{
	frame_fast_set_len(p, payload_len);
}

void frame_turn_ip(struct packet *p, uint16_t payload_len)
{
	(void)frame_fast_turn_ip(p, payload_len);
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
	       + (return_path_version(path) == 4 ? FRAME_IPV4_LEN : FRAME_IPV6_LEN) + FRAME_UDP_LEN;
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
	put_u16(out, return_path_version(path) == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	return out + 2;
}

void frame_build(uint8_t *frame, const struct return_path *path, uint16_t dns_len, uint16_t dns_sum)
{
	const bool is_via = path->via.ip_version != 0;
	const uint8_t *to = is_via ? path->via.ip : path->client_ip;
	const uint16_t to_udp = is_via ? path->via.udp : path->client_udp;
	uint8_t *ip = build_ether(frame, path);
	uint16_t udp_len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	uint64_t addresses;
	if (return_path_version(path) == 4) {
		memcpy(ip + 12, path->service_ip, 4);
		memcpy(ip + 16, to, 4);
		addresses = csum_wide(ip + 12, 8);
		frame_fast_ipv4_fill(ip, IPPROTO_UDP, udp_len, addresses);
		ip += FRAME_IPV4_LEN;
	} else {
		memcpy(ip + 8, path->service_ip, 16);
		memcpy(ip + 24, to, 16);
		addresses = csum_wide(ip + 8, 32);
		frame_fast_ipv6_fill(ip, IPPROTO_UDP, udp_len);
		ip += FRAME_IPV6_LEN;
	}
	uint32_t ports = (uint32_t)to_udp << 16 | path->service_udp;
	frame_fast_udp_fill(ip, ports, dns_len, addresses, csum_widen(dns_sum), path->zero_csum);
}
