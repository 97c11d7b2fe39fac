// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Plain queries, in line: UDP/53 to a service address over IPv4 without options or IPv6 without
// extension headers, whole, in one segment, with right checksums. Nearly all are like that;
// stage_net examines all others step by step. Each test here is one of stage_net's, and stage_net
// would accept the same frames with the same result.
//
// Headers are read in words as they are in memory and tested in place. The caller knows the
// EtherType and has no tag, or one, in front of it.

#include "address.h"
#include "frame.h"

#include <rte_ether.h>

#include <netinet/in.h>
#include <weir/csum.h>

// The length of the shortest plain frame, which has no tag.
enum { NET_FAST_LEAST = FRAME_ETHER_LEN + FRAME_IPV4_LEN + FRAME_UDP_LEN + DNS_HEADER_LEN };

ATTR_INLINE uint64_t net_fast_8(const uint8_t *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

ATTR_INLINE uint32_t net_fast_4(const uint8_t *p)
{
	uint32_t w;
	memcpy(&w, p, sizeof(w));
	return w;
}

// address_macs_fit, from the two words that hold both.
ATTR_INLINE bool net_fast_macs_fit(const uint8_t *frame)
{
	uint64_t source = net_fast_8(frame + 4) >> 16;
	return !((frame[0] | source) & 1) && source != 0;
}

// The UDP header, ports included, and the message behind it. `addresses`: their wide sum;
// `l4_len`: bytes behind the IP header, by that. All of them are in the frame.
ATTR_INLINE bool net_fast_udp(const struct batch *b, struct packet *p, const uint8_t *udp,
	uint32_t l4_len, uint64_t addresses)
{
	const uint64_t w = net_fast_8(udp); // ports, length, checksum
	const uint32_t len = rte_be_to_cpu_16((uint16_t)(w >> 32));
	if (unlikely_((uint16_t)(w >> 16) != RTE_BE16(FRAME_DNS_PORT)
		      || rte_be_to_cpu_16((uint16_t)w) <= FRAME_DNS_PORT || w >> 48 == 0
		      || len > l4_len || len < FRAME_UDP_LEN + DNS_HEADER_LEN))
		return false;
	p->dns_len = (uint16_t)(len - FRAME_UDP_LEN);
	uint64_t sum = csum_wide_add(addresses, (w >> 32 & 0xffff) + RTE_BE16(IPPROTO_UDP));
	if (unlikely_((p->m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD
		      || frame_csum_is_partial(b->port, (uint16_t)(w >> 48), sum))) {
		p->rest_sum = 0;
		return true;
	}
	const uint8_t *dns = udp + FRAME_UDP_LEN;
	uint64_t rest = csum_wide(dns + DNS_HEADER_LEN, len - FRAME_UDP_LEN - DNS_HEADER_LEN);
	p->rest_sum = rest;
	sum = csum_wide_add(csum_wide_add(sum, w), csum_wide_add(rest, net_fast_4(dns + 8)));
	return csum_wide_is_whole(csum_wide_add(sum, net_fast_8(dns)));
}

ATTR_INLINE void net_fast_shape(
	struct packet *p, unsigned ip_version, unsigned l3, unsigned header_len)
{
	const unsigned l4 = l3 + header_len;
	packet_set_shape(p, packet_shape(ip_version, l3 != FRAME_ETHER_LEN, l3, l4));
	p->dns = (uint16_t)(l4 + FRAME_UDP_LEN);
}

// `len`: the bytes of the frame, which is one segment. `l3`: a constant of the caller.
ATTR_INLINE bool net_fast_ipv4(
	const struct batch *b, struct packet *p, const uint8_t *frame, uint32_t len, unsigned l3)
{
	const struct worker_service *s = b->w->service;
	const uint8_t *ip = frame + l3;
	if (unlikely_(len < l3 + FRAME_IPV4_LEN + FRAME_UDP_LEN + DNS_HEADER_LEN))
		return false;
	// Version and header length, total length, no fragment; protocol; then the addresses.
	const uint64_t first = net_fast_8(ip), second = net_fast_8(ip + 8);
	const uint32_t to = net_fast_4(ip + 16), from = (uint32_t)(second >> 32);
	const uint32_t total_len = rte_be_to_cpu_16((uint16_t)(first >> 16));
	if (unlikely_((first & 0xff3f0000000000ff) != 0x45 || (second & 0xff00) != IPPROTO_UDP << 8
		      || l3 + total_len > len || total_len < FRAME_IPV4_LEN
		      || !address_is_ours_ipv4(s, to) || !address_can_ask_ipv4(s, from)
		      || !net_fast_macs_fit(frame)))
		return false;
	if (unlikely_(!csum_wide_is_whole(csum_wide_add(csum_wide_add(first, second), to))))
		return false;
	net_fast_shape(p, 4, l3, FRAME_IPV4_LEN);
	return net_fast_udp(
		b, p, ip + FRAME_IPV4_LEN, total_len - FRAME_IPV4_LEN, (uint64_t)from + to);
}

ATTR_INLINE bool net_fast_ipv6(
	const struct batch *b, struct packet *p, const uint8_t *frame, uint32_t len, unsigned l3)
{
	const struct worker_service *s = b->w->service;
	const uint8_t *ip = frame + l3;
	if (unlikely_(len < l3 + FRAME_IPV6_LEN + FRAME_UDP_LEN + DNS_HEADER_LEN))
		return false;
	const uint64_t first = net_fast_8(ip); // version, payload length, next header
	const uint32_t l4_len = rte_be_to_cpu_16((uint16_t)(first >> 32));
	if (unlikely_((first & 0x00ff0000000000f0) != ((uint64_t)IPPROTO_UDP << 48 | 0x60)
		      || l3 + FRAME_IPV6_LEN + l4_len > len || !address_is_ours_ipv6(s, ip + 24)
		      || !address_can_ask_ipv6(s, ip + 8) || !net_fast_macs_fit(frame)))
		return false;
	net_fast_shape(p, 6, l3, FRAME_IPV6_LEN);
	uint64_t addresses = csum_wide_add(csum_wide_add(net_fast_8(ip + 8), net_fast_8(ip + 16)),
		csum_wide_add(net_fast_8(ip + 24), net_fast_8(ip + 32)));
	return net_fast_udp(b, p, ip + FRAME_IPV6_LEN, l4_len, addresses);
}

ATTR_INLINE bool net_fast_ip(const struct batch *b, struct packet *p, const uint8_t *frame,
	uint32_t len, unsigned l3, uint16_t ether_type)
{
	if (likely_(ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		return net_fast_ipv4(b, p, frame, len, l3);
	return ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && net_fast_ipv6(b, p, frame, len, l3);
}

// False: not plain, and what was set of *p means nothing.
ATTR_INLINE bool net_fast(const struct batch *b, struct packet *p)
{
	const struct rte_mbuf *m = p->m;
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint32_t len = m->data_len;
	if (unlikely_(m->nb_segs != 1 || m->pkt_len != len || len < NET_FAST_LEAST))
		return false;
	const uint32_t types = net_fast_4(frame + 12); // a tag puts both types four bytes later
	if (unlikely_((uint16_t)types == RTE_BE16(RTE_ETHER_TYPE_VLAN)))
		return net_fast_ip(b, p, frame, len, FRAME_ETHER_LEN + FRAME_VLAN_LEN,
			(uint16_t)(net_fast_4(frame + 14) >> 16));
	return net_fast_ip(b, p, frame, len, FRAME_ETHER_LEN, (uint16_t)types);
}
