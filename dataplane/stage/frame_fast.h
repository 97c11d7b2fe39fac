// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The headers of a reply in line, for the hits and blocked queries that a worker mostly has;
// elsewhere frame.h's functions, which are these.
//
// Words as they lie in memory are loaded, turned in registers, stored and summed (csum.h) in one
// go, because narrow stores that are soon read as wide words stall the core.

#include "frame.h"

#include <rte_ip.h>

#include <netinet/in.h>
#include <weir/csum.h>
#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

// The sum of a pseudo header without its addresses.
ATTR_INLINE uint64_t frame_fast_pseudo_rest(uint8_t protocol, uint16_t len)
{
	return (uint64_t)rte_cpu_to_be_16(protocol) + rte_cpu_to_be_16(len);
}

#ifdef __SSSE3__
// One shuffle of the first 16 bytes, the last two of which belong to the next header and stay.
ATTR_INLINE void frame_fast_swap_macs(uint8_t *eth)
{
	__m128i *first = (__m128i *)(void *)eth;
	const __m128i turn = _mm_setr_epi8(6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 12, 13, 14, 15);
	_mm_storeu_si128(first, _mm_shuffle_epi8(_mm_loadu_si128(first), turn));
}
#else
// Two addresses of 48 bits as one word of 64 and one of 32, little-endian: the first address is the
// low six bytes of the first word.
ATTR_INLINE void frame_fast_swap_macs(uint8_t *eth)
{
	const unsigned mac_bits = 48;
	uint64_t front;
	uint32_t back;
	memcpy(&front, eth, sizeof(front));
	memcpy(&back, eth + 8, sizeof(back));
	uint64_t first = front & ((UINT64_C(1) << mac_bits) - 1);
	uint64_t second = front >> mac_bits | (uint64_t)back << (64 - mac_bits);
	front = second | first << mac_bits;
	back = (uint32_t)(first >> (64 - mac_bits));
	memcpy(eth, &front, sizeof(front));
	memcpy(eth + 8, &back, sizeof(back));
}
#endif

ATTR_INLINE void frame_fast_set_len(struct packet *p, uint16_t payload_len)
{
	p->m->data_len = (uint16_t)(p->l4 + payload_len);
	p->m->pkt_len = p->m->data_len;
}

// Everything of an IP header but the addresses, which are in place; `addresses` is their wide sum.
// Identification 0.
ATTR_INLINE void frame_fast_ipv4_fill(
	uint8_t *ip, uint8_t protocol, uint16_t payload_len, uint64_t addresses)
{
	const uint32_t version_ihl = 0x4500, flags = RTE_IPV4_HDR_DF_FLAG;
	const uint32_t total_len = FRAME_IPV4_LEN + (uint32_t)payload_len;
	rte_be64_t front =
		rte_cpu_to_be_64((uint64_t)(version_ihl << 16 | total_len) << 32 | flags);
	const uint32_t ttl_protocol = rte_cpu_to_be_16((uint16_t)(FRAME_TTL << 8 | protocol));
	// What comes last of `front` leaves room for a sum without a carry.
	uint64_t sum = csum_wide_add(addresses, front + ttl_protocol);
	rte_be32_t back = (uint32_t)(uint16_t)~csum_fold_wire(sum) << 16 | ttl_protocol;
	memcpy(ip, &front, sizeof(front));
	memcpy(ip + 8, &back, sizeof(back));
}

ATTR_INLINE void frame_fast_ipv6_fill(uint8_t *ip, uint8_t protocol, uint16_t payload_len)
{
	rte_be64_t front = rte_cpu_to_be_64(UINT64_C(6) << 60 | (uint64_t)payload_len << 16
					    | (uint64_t)protocol << 8 | FRAME_TTL);
	memcpy(ip, &front, sizeof(front));
}

ATTR_INLINE void frame_fast_strip_ipv4_options(struct packet *p)
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
ATTR_INLINE uint64_t frame_fast_turn_ipv4_addresses(uint8_t *addresses)
{
	uint64_t both;
	memcpy(&both, addresses, sizeof(both));
	both = both << 32 | both >> 32;
	memcpy(addresses, &both, sizeof(both));
	return both;
}

ATTR_INLINE uint64_t frame_fast_turn_ipv6_addresses(uint8_t *addresses)
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
ATTR_INLINE uint64_t frame_fast_turn_ip(struct packet *p, uint16_t payload_len)
{
	if (likely_(p->ip_version == 4)) {
		frame_fast_strip_ipv4_options(p);
		uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l3);
		uint64_t sum = frame_fast_turn_ipv4_addresses(ip + 12);
		frame_fast_ipv4_fill(ip, ip[9], payload_len, sum);
		return sum;
	}
	uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, uint8_t *, p->l3);
	uint64_t sum = frame_fast_turn_ipv6_addresses(ip + 8);
	frame_fast_ipv6_fill(ip, ip[6], payload_len);
	return sum;
}

// The UDP header at `udp`: `ports` as they lie in it, the wide sums of addresses and message.
ATTR_INLINE void frame_fast_udp_fill(uint8_t *udp, uint32_t ports, uint16_t dns_len,
	uint64_t addresses, uint64_t dns, bool zero_csum)
{
	const rte_be16_t len = rte_cpu_to_be_16((uint16_t)(FRAME_UDP_LEN + dns_len));
	uint64_t front = (uint64_t)len << 32 | ports;
	if (likely_(!zero_csum)) {
		const uint32_t rest = RTE_BE16(IPPROTO_UDP) + (uint32_t)len;
		uint64_t sum = csum_wide_add(csum_wide_add(addresses, dns), front + rest);
		front |= (uint64_t)csum_wide_send(sum) << 48;
	}
	memcpy(udp, &front, sizeof(front));
}

// The headers of a frame whose parts lie there. No options.
ATTR_INLINE void frame_fast_turn(struct rte_mbuf *m, uint8_t *frame, unsigned ip_version,
	unsigned l3, unsigned l4, bool zero_csum, uint16_t dns_len, uint64_t dns_sum)
{
	const uint16_t udp_len = (uint16_t)(FRAME_UDP_LEN + dns_len);
	const uint16_t len = (uint16_t)(l4 + udp_len);
	uint8_t *ip = frame + l3, *udp = frame + l4;
	uint32_t ports;
	memcpy(&ports, udp, sizeof(ports));
	ports = ports << 16 | ports >> 16;
	m->data_len = len;
	m->pkt_len = len;
	frame_fast_swap_macs(frame);
	uint64_t addresses;
	if (likely_(ip_version == 4)) {
		addresses = frame_fast_turn_ipv4_addresses(ip + 12);
		frame_fast_ipv4_fill(ip, IPPROTO_UDP, udp_len, addresses);
	} else {
		addresses = frame_fast_turn_ipv6_addresses(ip + 8);
		frame_fast_ipv6_fill(ip, IPPROTO_UDP, udp_len);
	}
	frame_fast_udp_fill(udp, ports, dns_len, addresses, dns_sum, zero_csum);
}

// The whole reply: `dns_len` bytes at msg, packet_dns(p), whose wide sum is `dns_sum`. Of most
// frames it is known where everything lies once their shape is; of the others it is read once, as
// compilers must load it again after each store into the frame.
ATTR_INLINE void frame_fast_reply(
	struct packet *p, uint8_t *msg, uint16_t dns_len, uint64_t dns_sum)
{
	enum { L3 = FRAME_ETHER_LEN, L4 = L3 + FRAME_IPV4_LEN, DNS = L4 + FRAME_UDP_LEN };
	struct rte_mbuf *m = p->m;
	if (likely_(packet_has_shape(p, packet_shape(4, false, L3, L4)))) {
		frame_fast_turn(m, msg - DNS, 4, L3, L4, false, dns_len, dns_sum);
		return;
	}
	if (likely_(p->ip_version == 4))
		frame_fast_strip_ipv4_options(p);
	frame_fast_turn(m, rte_pktmbuf_mtod(m, uint8_t *), p->ip_version, p->l3, p->l4,
		p->zero_csum, dns_len, dns_sum);
}
