// SPDX-License-Identifier: BSD-3-Clause
#include "server_hear.h"

#include "frame.h"

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/csum.h>

enum { ICMP_UNREACHABLE = 3, ICMPV6_UNREACHABLE = 1, ICMP_HEADER_LEN = 8, IPV6_FRAGMENT_LEN = 8 };

// Both ends of a conversation with a server, as its headers have them.
struct ends {
	unsigned ip_version;
	const uint8_t *server, *local; // addresses
	uint16_t server_port, local_port;
};

// The bytes behind the IP header, all of them in the first segment; `at` NULL: not of one.
struct payload {
	const uint8_t *at;
	unsigned len;
	uint8_t protocol;
	bool is_begin; // a first fragment: neither length nor checksum can be checked
};

static bool is_first_ipv4(const struct rte_ipv4_hdr *ip)
{
	return !(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK));
}

static bool is_whole_ipv4(const struct rte_ipv4_hdr *ip)
{
	return !(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK));
}

static const uint8_t *packet_at(const struct packet *p, unsigned offset)
{
	return rte_pktmbuf_mtod_offset(p->m, const uint8_t *, offset);
}

// The first fragment of a datagram has UDP right behind its fragment header (RFC 8200 4.5). The
// header with which nothing is to come (an atomic fragment, RFC 6946) counts too: senders have no
// reason for it.
static bool is_first_ipv6(const struct packet *p, unsigned at, unsigned len)
{
	if (len < IPV6_FRAGMENT_LEN || rte_pktmbuf_data_len(p->m) < at + IPV6_FRAGMENT_LEN)
		return false;
	const uint8_t *header = packet_at(p, at);
	return header[0] == IPPROTO_UDP && header[2] == 0 && (header[3] & 0xf8) == 0;
}

// The length by the IP header, which stage_net has checked against the frame.
static struct payload payload_of(const struct packet *p, uint16_t ether_type)
{
	struct payload out = {0};
	unsigned l4;
	if (ether_type == RTE_ETHER_TYPE_IPV4) {
		const struct rte_ipv4_hdr *ip = (const void *)packet_at(p, p->l3);
		out.is_begin = !is_whole_ipv4(ip);
		if (out.is_begin && (!is_first_ipv4(ip) || ip->next_proto_id != IPPROTO_UDP))
			return out;
		l4 = p->l3 + rte_ipv4_hdr_len(ip);
		out.len = rte_be_to_cpu_16(ip->total_length) - rte_ipv4_hdr_len(ip);
		out.protocol = ip->next_proto_id;
	} else if (ether_type == RTE_ETHER_TYPE_IPV6) {
		const struct rte_ipv6_hdr *ip = (const void *)packet_at(p, p->l3);
		l4 = p->l3 + FRAME_IPV6_LEN;
		out.len = rte_be_to_cpu_16(ip->payload_len);
		out.protocol = ip->proto;
		out.is_begin = ip->proto == IPPROTO_FRAGMENT;
		if (out.is_begin) {
			if (!is_first_ipv6(p, l4, out.len))
				return out;
			l4 += IPV6_FRAGMENT_LEN;
			out.len -= IPV6_FRAGMENT_LEN;
			out.protocol = IPPROTO_UDP;
		}
	} else {
		return out;
	}
	if (out.len >= FRAME_UDP_LEN && rte_pktmbuf_data_len(p->m) >= l4 + FRAME_UDP_LEN)
		out.at = packet_at(p, l4);
	return out;
}

static bool is_source(const struct hops_reader *r, unsigned ip_version, const uint8_t *address)
{
	if (ip_version == 4)
		return r->has_v4 && memcmp(address, r->source_v4, 4) == 0;
	return r->has_v6 && memcmp(address, r->source_v6, 16) == 0;
}

// Are they those of a query that left of late? Uses up one of its replies.
static bool is_asked(const struct batch *b, const struct ends *e)
{
	const struct hops_reader *r = &b->tables->hops;
	uint8_t ip[16] = {0};
	if (!is_source(r, e->ip_version, e->local) || !hops_port_is_ours(r, e->local_port))
		return false;
	memcpy(ip, e->server, e->ip_version == 4 ? 4 : 16);
	return hops_server_find(r, e->ip_version, ip, e->server_port)
	       && asked_ports_take(b->w->asked_ports, e->local_port, b->now_ms);
}

bool server_tell(
	struct worker *w, unsigned resolver, const struct msg_heard *head, const uint8_t *dns)
{
	if (resolver >= w->resolvers)
		return false;
	struct msg_heard *msg =
		ring_reserve(&w->miss[resolver], MSG_HEARD, (uint32_t)sizeof(*msg) + head->dns_len);
	if (!msg)
		return false;
	*msg = *head;
	if (head->dns_len) {
		memcpy(msg + 1, dns, head->dns_len);
		msg->sum = csum_partial(dns, head->dns_len);
	}
	return true;
}

static bool tell(struct batch *b, const struct ends *e, struct msg_heard *head, const uint8_t *dns,
	unsigned dns_len)
{
	head->dp_incarnation = b->w->dp_incarnation;
	head->arrival_ms = b->now_ms;
	head->server_port = e->server_port;
	head->local_port = e->local_port;
	head->ip_version = (uint8_t)e->ip_version;
	head->dns_len = (uint16_t)RTE_MIN(dns_len, (unsigned)MSG_DNS_MAX);
	head->is_cut |= dns_len > MSG_DNS_MAX;
	memcpy(head->server_ip, e->server, e->ip_version == 4 ? 4 : 16);
	const unsigned resolver = hops_resolver_of(&b->tables->hops, e->local_port);
	if (!server_tell(b->w, resolver, head, dns))
		return false;
	b->asked |= (uint8_t)(1u << resolver);
	return true;
}

static enum verdict take_reply(
	struct batch *b, const struct packet *p, const struct ends *e, const struct payload *udp)
{
	const struct rte_udp_hdr *head = (const void *)udp->at;
	const unsigned len = udp->is_begin ? udp->len : rte_be_to_cpu_16(head->dgram_len);
	if (p->m->nb_segs != 1)
		return VERDICT_drop_chained;
	if (len < FRAME_UDP_LEN || len > udp->len)
		return VERDICT_drop_udp_header;
	if (!udp->is_begin
		&& (head->dgram_cksum == 0 ? e->ip_version == 6
					   : !frame_udp_csum_fits(b->port, p, (uint16_t)len)))
		return VERDICT_drop_udp_csum;
	if (len < FRAME_UDP_LEN + DNS_HEADER_LEN)
		return VERDICT_drop_dns_short;
	struct msg_heard heard = {.kind = HEARD_REPLY, .is_cut = udp->is_begin};
	return tell(b, e, &heard, udp->at + FRAME_UDP_LEN, len - FRAME_UDP_LEN)
		       ? VERDICT_upstream_reply
		       : VERDICT_upstream_reply_ring_full;
}

static bool hear_reply(
	struct batch *b, struct packet *p, unsigned ip_version, const struct payload *udp)
{
	const struct rte_udp_hdr *head = (const void *)udp->at;
	const uint8_t *ip = packet_at(p, p->l3);
	const struct ends e = {
		.ip_version = ip_version,
		.server = ip + (ip_version == 4 ? 12 : 8),
		.local = ip + (ip_version == 4 ? 16 : 24),
		.server_port = rte_be_to_cpu_16(head->src_port),
		.local_port = rte_be_to_cpu_16(head->dst_port),
	};
	if (!is_asked(b, &e))
		return false;
	batch_drop(b, p, take_reply(b, p, &e, udp));
	return true;
}

// The message's own checksum; of ICMPv6 with a pseudo header (RFC 4443 2.3).
static bool icmp_csum_fits(const struct packet *p, unsigned ip_version, const struct payload *icmp)
{
	uint16_t sum = csum_partial(icmp->at, icmp->len);
	if (ip_version == 6)
		sum = csum_add(sum, frame_pseudo_sum_ipv6(packet_at(p, p->l3 + 8), IPPROTO_ICMPV6,
					    (uint16_t)icmp->len));
	return sum == 0xffff;
}

// The headers that an ICMP message quotes, `len` bytes; bytes up to those of DNS. 0: no UDP.
static unsigned quoted_ends(const uint8_t *ip, unsigned len, unsigned ip_version, struct ends *out)
{
	unsigned l4 = FRAME_IPV6_LEN;
	if (ip_version == 4) {
		const struct rte_ipv4_hdr *v4 = (const void *)ip;
		if (len < FRAME_IPV4_LEN || v4->next_proto_id != IPPROTO_UDP || !is_whole_ipv4(v4))
			return 0;
		l4 = rte_ipv4_hdr_len(v4);
		if (v4->version_ihl >> 4 != 4 || l4 < FRAME_IPV4_LEN)
			return 0;
	} else if (len < FRAME_IPV6_LEN || ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP) {
		return 0;
	}
	if (len < l4 + FRAME_UDP_LEN)
		return 0;
	const struct rte_udp_hdr *udp = (const void *)(ip + l4);
	*out = (struct ends){
		.ip_version = ip_version,
		.local = ip + (ip_version == 4 ? 12 : 8),
		.server = ip + (ip_version == 4 ? 16 : 24),
		.local_port = rte_be_to_cpu_16(udp->src_port),
		.server_port = rte_be_to_cpu_16(udp->dst_port),
	};
	return l4 + FRAME_UDP_LEN;
}

static void hear_icmp(
	struct batch *b, const struct packet *p, unsigned ip_version, const struct payload *icmp)
{
	const uint8_t *to = packet_at(p, p->l3 + (ip_version == 4 ? 16 : 24));
	if (icmp->at[0] != (ip_version == 4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE)
		|| !is_source(&b->tables->hops, ip_version, to)
		|| icmp->at + icmp->len > packet_at(p, rte_pktmbuf_data_len(p->m))
		|| !icmp_csum_fits(p, ip_version, icmp))
		return;
	const uint8_t *quoted = icmp->at + ICMP_HEADER_LEN;
	const unsigned quoted_len = icmp->len - ICMP_HEADER_LEN;
	struct ends e;
	const unsigned dns = quoted_ends(quoted, quoted_len, ip_version, &e);
	if (dns == 0 || !is_asked(b, &e))
		return;
	struct msg_heard heard = {.kind = HEARD_UNREACHABLE, .code = icmp->at[1]};
	if (tell(b, &e, &heard, quoted + dns, quoted_len - dns))
		batch_count(b, COUNTER_upstream_unreachable, 1);
}

bool server_hear(struct batch *b, struct packet *p, uint16_t ether_type)
{
	const struct payload payload = payload_of(p, ether_type);
	const unsigned ip_version = ether_type == RTE_ETHER_TYPE_IPV4 ? 4 : 6;
	if (!payload.at)
		return false;
	if (payload.protocol == IPPROTO_UDP)
		return hear_reply(b, p, ip_version, &payload);
	if (payload.protocol == (ip_version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		hear_icmp(b, p, ip_version, &payload);
	return false;
}
