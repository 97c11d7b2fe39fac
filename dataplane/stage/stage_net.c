// SPDX-License-Identifier: BSD-3-Clause
#include "address.h"
#include "exception.h"
#include "frame.h"
#include "local_arp_nd.h"
#include "net_fast.h"
#include "server_hear.h"
#include "stages.h"
#include "state/dpdk_differs.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/sender.h>

// Frames that are not plain (net_fast.h). Each function below either settles the packet and returns
// false, or leaves a whole UDP/53 query to a service address, with its offsets filled in, and
// returns true.

static bool settle(struct batch *b, struct packet *p, enum verdict v)
{
	batch_drop(b, p, v);
	return false;
}

// Replies of upstream servers to resolvers' queries; then frames that the kernel should see, as
// many as there is time for. Where no exception port leads to it, only what a client needs to find
// and ping us is answered, by ourselves.
static bool net_not_ours(struct batch *b, struct packet *p, uint16_t ether_type)
{
	if (b->tables->hops.has_servers && server_hear(b, p, ether_type))
		return false;
	if (likely_(b->port->has_exception)) {
		enum verdict v = exception_verdict(b, p, ether_type);
		if (unlikely_(v != VERDICT_to_kernel))
			return settle(b, p, v);
		batch_to_kernel(b, p);
		return false;
	}
	enum verdict v = p->m->nb_segs == 1
				 ? local_answer(p, ether_type, &b->port->mac, b->w->service)
				 : VERDICT_drop_chained;
	if (v == VERDICT_arp_reply || v == VERDICT_ndp_reply || v == VERDICT_echo_reply)
		batch_tx(b, p, v);
	else
		batch_drop(b, p, v);
	return false;
}

static bool source_fits(const struct batch *b, const struct packet *p)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3);
	if (p->ip_version == 6)
		return address_can_ask_ipv6(b->w->service, ip + 8);
	rte_be32_t src;
	memcpy(&src, ip + 12, 4);
	return address_can_ask_ipv4(b->w->service, src);
}

// `l4_len`: bytes behind the IP header, by the IP header.
static bool net_udp(struct batch *b, struct packet *p, uint16_t l4_len, uint16_t ether_type)
{
	if (l4_len < FRAME_UDP_LEN)
		return settle(b, p, VERDICT_drop_udp_header);
	// Headers that cross the end of a segment cannot be parsed; weir's own ports never split a
	// frame that short.
	if (rte_pktmbuf_data_len(p->m) < p->l4 + FRAME_UDP_LEN)
		return settle(b, p, VERDICT_drop_chained);
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_udp_hdr *, p->l4);
	if (udp->dst_port != RTE_BE16(FRAME_DNS_PORT))
		return net_not_ours(b, p, ether_type);
	if (p->m->nb_segs != 1)
		return settle(b, p, VERDICT_drop_chained);
	uint16_t len = rte_be_to_cpu_16(udp->dgram_len);
	if (len < FRAME_UDP_LEN || len > l4_len || udp->src_port == 0)
		return settle(b, p, VERDICT_drop_udp_header);
	uint16_t source = rte_be_to_cpu_16(udp->src_port);
	if (unlikely_(source <= FRAME_DNS_PORT) && !source_port_fits(source))
		return settle(b, p, VERDICT_drop_source_port);
	if (!source_fits(b, p))
		return settle(b, p, VERDICT_drop_source);
	if (!address_macs_fit(rte_pktmbuf_mtod(p->m, const struct rte_ether_hdr *)))
		return settle(b, p, VERDICT_drop_mac);
	p->zero_csum = udp->dgram_cksum == 0;
	if (unlikely_(p->zero_csum)) {
		if (p->ip_version == 6) // RFC 8200 8.1
			return settle(b, p, VERDICT_drop_udp_csum);
		batch_count(b, COUNTER_csum_absent, 1);
	} else if (!frame_udp_csum_fits(b->port, p, len)) {
		return settle(b, p, VERDICT_drop_udp_csum);
	}
	p->dns = (uint16_t)(p->l4 + FRAME_UDP_LEN);
	p->dns_len = (uint16_t)(len - FRAME_UDP_LEN);
	p->rest_sum = 0;
	return true;
}

// A fragment of UDP to a service address. The first one, which has the port, is dropped if that is
// 53 or missing (RFC 9715: DNS needs no fragments); the kernel gets the others.
static bool net_fragment(
	struct batch *b, struct packet *p, bool first, uint16_t l4_len, uint16_t ether_type)
{
	if (!first)
		return net_not_ours(b, p, ether_type);
	if (l4_len < FRAME_UDP_LEN || rte_pktmbuf_data_len(p->m) < p->l4 + FRAME_UDP_LEN)
		return settle(b, p, VERDICT_drop_fragment);
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_udp_hdr *, p->l4);
	if (udp->dst_port == RTE_BE16(FRAME_DNS_PORT))
		return settle(b, p, VERDICT_drop_fragment);
	return net_not_ours(b, p, ether_type);
}

static bool net_ipv4(struct batch *b, struct packet *p)
{
	uint16_t len = rte_pktmbuf_data_len(p->m);
	if (len < p->l3 + FRAME_IPV4_LEN)
		return settle(b, p, VERDICT_drop_runt);
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_ipv4_hdr *, p->l3);
	uint16_t header_len = rte_ipv4_hdr_len(ip);
	uint16_t total_len = rte_be_to_cpu_16(ip->total_length);
	if (ip->version_ihl >> 4 != 4 || header_len < FRAME_IPV4_LEN || total_len < header_len
		|| p->l3 + (uint32_t)total_len > rte_pktmbuf_pkt_len(p->m))
		return settle(b, p, VERDICT_drop_ip_header);
	if (len < p->l3 + header_len)
		return settle(b, p, VERDICT_drop_chained);
	// A header of the usual length is summed without a loop.
	uint64_t sum = likely_(header_len == FRAME_IPV4_LEN) ? csum_wide(ip, FRAME_IPV4_LEN)
							     : csum_wide(ip, header_len);
	if (csum_fold(sum) != 0xffff)
		return settle(b, p, VERDICT_drop_ip_csum);
	p->ip_version = 4;
	p->l4 = (uint16_t)(p->l3 + header_len);
	if (ip->next_proto_id != IPPROTO_UDP || !address_is_ours_ipv4(b->w->service, ip->dst_addr))
		return net_not_ours(b, p, RTE_ETHER_TYPE_IPV4);
	uint16_t l4_len = (uint16_t)(total_len - header_len);
	uint16_t fragment = rte_be_to_cpu_16(ip->fragment_offset);
	if (unlikely_(fragment & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)))
		return net_fragment(b, p, (fragment & RTE_IPV4_HDR_OFFSET_MASK) == 0, l4_len,
			RTE_ETHER_TYPE_IPV4);
	return net_udp(b, p, l4_len, RTE_ETHER_TYPE_IPV4);
}

static bool is_extension(uint8_t next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_ROUTING
	       || next_header == IPPROTO_FRAGMENT || next_header == IPPROTO_DSTOPTS;
}

// UDP behind extension headers. No stub resolver sends any, and many networks drop them (RFC 7872),
// so a query behind them is not answered; but the kernel must not reply that the port is closed.
static bool net_extended_udp(struct batch *b, struct packet *p, uint16_t l4_len)
{
	if (l4_len < FRAME_UDP_LEN)
		return settle(b, p, VERDICT_drop_udp_header);
	if (rte_pktmbuf_data_len(p->m) < p->l4 + FRAME_UDP_LEN)
		return settle(b, p, VERDICT_drop_chained);
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_udp_hdr *, p->l4);
	if (udp->dst_port == RTE_BE16(FRAME_DNS_PORT))
		return settle(b, p, VERDICT_drop_ip_header);
	return net_not_ours(b, p, RTE_ETHER_TYPE_IPV6);
}

// Extension headers (RFC 8200 4) from l4 on, the first of type `next`. They are only passed over,
// to see whether a query to us is behind them; everything else is the kernel's business. A fragment
// header has its offset in the upper 13 bits of its third and fourth bytes (4.5).
static bool net_ipv6_extensions(struct batch *b, struct packet *p, uint8_t next, uint16_t left)
{
	enum { EXTENSIONS_MAX = 8, EXTENSION_UNIT = 8 };
	bool fragment = false;
	for (unsigned n = 0; is_extension(next); n++) {
		const uint8_t *header = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l4);
		bool whole = left >= EXTENSION_UNIT
			     && rte_pktmbuf_data_len(p->m) >= p->l4 + EXTENSION_UNIT;
		if (whole && next == IPPROTO_FRAGMENT) {
			if (header[2] != 0 || (header[3] & 0xf8) != 0)
				return net_not_ours(b, p, RTE_ETHER_TYPE_IPV6); // not the first
			fragment = true;
		}
		unsigned len = EXTENSION_UNIT;
		if (whole && next != IPPROTO_FRAGMENT)
			len += header[1] * (unsigned)EXTENSION_UNIT;
		whole = whole && len <= left && p->l4 + len <= rte_pktmbuf_data_len(p->m);
		if (!whole || n == EXTENSIONS_MAX)
			return settle(b, p,
				fragment || next == IPPROTO_FRAGMENT ? VERDICT_drop_fragment
								     : VERDICT_drop_ip_header);
		next = header[0];
		p->l4 += len;
		left -= len;
	}
	if (next != IPPROTO_UDP)
		return net_not_ours(b, p, RTE_ETHER_TYPE_IPV6);
	if (fragment)
		return net_fragment(b, p, true, left, RTE_ETHER_TYPE_IPV6);
	return net_extended_udp(b, p, left);
}

static bool net_ipv6(struct batch *b, struct packet *p)
{
	if (rte_pktmbuf_data_len(p->m) < p->l3 + FRAME_IPV6_LEN)
		return settle(b, p, VERDICT_drop_runt);
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_ipv6_hdr *, p->l3);
	uint16_t payload_len = rte_be_to_cpu_16(ip->payload_len);
	if (rte_be_to_cpu_32(ip->vtc_flow) >> 28 != 6
		|| p->l3 + FRAME_IPV6_LEN + (uint32_t)payload_len > rte_pktmbuf_pkt_len(p->m))
		return settle(b, p, VERDICT_drop_ip_header);
	p->ip_version = 6;
	p->l4 = (uint16_t)(p->l3 + FRAME_IPV6_LEN);
	if (!address_is_ours_ipv6(b->w->service, ipv6_dst(ip)))
		return net_not_ours(b, p, RTE_ETHER_TYPE_IPV6);
	if (likely_(ip->proto == IPPROTO_UDP))
		return net_udp(b, p, payload_len, RTE_ETHER_TYPE_IPV6);
	return net_ipv6_extensions(b, p, ip->proto, payload_len);
}

// Ethernet II with at most one 802.1Q tag; other frames are not for weir.
static bool net_ether(struct batch *b, struct packet *p)
{
	uint16_t len = rte_pktmbuf_data_len(p->m);
	if (len < FRAME_ETHER_LEN)
		return settle(b, p, VERDICT_drop_runt);
	const uint8_t *frame = rte_pktmbuf_mtod(p->m, const uint8_t *);
	uint16_t ether_type = get_u16(frame + 12);
	p->l3 = FRAME_ETHER_LEN;
	p->has_vlan = ether_type == RTE_ETHER_TYPE_VLAN;
	p->dns = 0;
	if (p->has_vlan) {
		if (len < FRAME_ETHER_LEN + FRAME_VLAN_LEN)
			return settle(b, p, VERDICT_drop_runt);
		ether_type = get_u16(frame + 16);
		p->l3 += FRAME_VLAN_LEN;
	}
	if (likely_(ether_type == RTE_ETHER_TYPE_IPV4))
		return net_ipv4(b, p);
	if (ether_type == RTE_ETHER_TYPE_IPV6)
		return net_ipv6(b, p);
	return net_not_ours(b, p, ether_type);
}

void stage_net(struct batch *b)
{
	unsigned kept = 0;
	if (unlikely_(b->port->is_screened))
		stage_screen(b);
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (likely_(net_fast(b, p)) || net_ether(b, p))
			b->pkt[kept++] = p;
	}
	b->count = kept;
	if (unlikely_(b->tables->has_balancers))
		stage_proxy(b);
}
