// SPDX-License-Identifier: BSD-3-Clause
#include "exception.h"

#include "frame.h"

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>

enum { BURSTS_PER_S = 4 };

// Each class gets a fraction of limits.kernel_frames, and all places of the queue except those for
// other classes.
static const struct {
	uint8_t part;
	uint16_t places;
	enum counter over;
} classes[WORKER_EXCEPTION_CLASSES] = {
	[EXCEPTION_flow] = {1, EXCEPTION_WAITING - EXCEPTION_FOR_NEIGHBOURS,
		COUNTER_kernel_over_flow},
	[EXCEPTION_tcp] = {3, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS, COUNTER_kernel_over_tcp},
	[EXCEPTION_tcp_new] = {4, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS, COUNTER_kernel_over_syn},
	[EXCEPTION_answer] = {8, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS,
		COUNTER_kernel_over_answer},
	[EXCEPTION_udp] = {40, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS, COUNTER_kernel_over_udp},
	[EXCEPTION_other] = {40, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS,
		COUNTER_kernel_over_other},
	[EXCEPTION_icmp] = {80, EXCEPTION_WAITING - EXCEPTION_FOR_FLOWS, COUNTER_kernel_over_icmp},
	[EXCEPTION_neighbour] = {80, EXCEPTION_WAITING, COUNTER_kernel_over_neighbour},
	[EXCEPTION_asked] = {1, EXCEPTION_WAITING - EXCEPTION_FOR_NEIGHBOURS,
		COUNTER_kernel_over_flow},
};

static const uint8_t *l4_of(const struct packet *p, unsigned len)
{
	return rte_pktmbuf_data_len(p->m) >= p->l4 + len
		       ? rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l4)
		       : NULL;
}

static bool is_known(const struct exception_view *v, const struct packet *p, uint8_t protocol)
{
	const struct kernel_flow_at at = {
		.ip = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l3),
		.ports = rte_pktmbuf_mtod_offset(p->m, const uint8_t *, p->l4),
		.version = p->ip_version,
		.protocol = protocol,
	};
	return kernel_flows_has(v->flows, &at, v->now_ms);
}

static enum exception_class class_of_tcp(const struct exception_view *v, const struct packet *p)
{
	const struct rte_tcp_hdr *tcp = (const void *)l4_of(p, sizeof(struct rte_tcp_hdr));
	if (!tcp)
		return EXCEPTION_other;
	if ((tcp->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) == RTE_TCP_SYN_FLAG)
		return EXCEPTION_tcp_new;
	return is_known(v, p, IPPROTO_TCP) ? EXCEPTION_flow : EXCEPTION_tcp;
}

static enum exception_class class_of_udp(const struct exception_view *v, const struct packet *p)
{
	const struct rte_udp_hdr *udp = (const void *)l4_of(p, FRAME_UDP_LEN);
	if (!udp)
		return EXCEPTION_other;
	if (is_known(v, p, IPPROTO_UDP))
		return EXCEPTION_asked;
	return udp->src_port == RTE_BE16(FRAME_DNS_PORT) ? EXCEPTION_answer : EXCEPTION_udp;
}

// An advertisement says which box has an address, as ARP does, and never comes from another network
// (RFC 9568 5.1.1.3): without it a second box would take the address, too.
static bool is_vrrp(uint8_t protocol, uint8_t hop_limit)
{
	enum { VRRP = 112, VRRP_HOP_LIMIT = 255 };
	return protocol == VRRP && hop_limit == VRRP_HOP_LIMIT;
}

static enum exception_class class_of_ipv4(const struct exception_view *v, const struct packet *p)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_ipv4_hdr *, p->l3);
	if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
		return EXCEPTION_other; // it shows no ports
	if (ip->next_proto_id == IPPROTO_TCP)
		return class_of_tcp(v, p);
	if (ip->next_proto_id == IPPROTO_UDP)
		return class_of_udp(v, p);
	if (is_vrrp(ip->next_proto_id, ip->time_to_live))
		return EXCEPTION_neighbour;
	return ip->next_proto_id == IPPROTO_ICMP ? EXCEPTION_icmp : EXCEPTION_other;
}

// Neighbour discovery never comes from another network (RFC 4861 4), so only a host on this network
// can flood with it.
static enum exception_class class_of_icmpv6(const struct packet *p, const struct rte_ipv6_hdr *ip)
{
	enum { ROUTER_SOLICITATION = 133, REDIRECT = 137, ND_HOP_LIMIT = 255 };
	const uint8_t *type = l4_of(p, 1);
	if (!type || ip->hop_limits != ND_HOP_LIMIT)
		return EXCEPTION_icmp;
	return *type >= ROUTER_SOLICITATION && *type <= REDIRECT ? EXCEPTION_neighbour
								 : EXCEPTION_icmp;
}

// Frames with extension headers count as `other`: no host needs many of them.
static enum exception_class class_of_ipv6(const struct exception_view *v, const struct packet *p)
{
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(p->m, const struct rte_ipv6_hdr *, p->l3);
	if (ip->proto == IPPROTO_TCP)
		return class_of_tcp(v, p);
	if (ip->proto == IPPROTO_UDP)
		return class_of_udp(v, p);
	if (is_vrrp(ip->proto, ip->hop_limits))
		return EXCEPTION_neighbour;
	return ip->proto == IPPROTO_ICMPV6 ? class_of_icmpv6(p, ip) : EXCEPTION_other;
}

enum exception_class exception_class_of(
	const struct exception_view *v, const struct packet *p, uint16_t ether_type)
{
	switch (ether_type) {
	case RTE_ETHER_TYPE_IPV4:
		return class_of_ipv4(v, p);
	case RTE_ETHER_TYPE_IPV6:
		return class_of_ipv6(v, p);
	case RTE_ETHER_TYPE_ARP:
		return EXCEPTION_neighbour;
	default:
		return EXCEPTION_other;
	}
}

void exception_set(struct exception *p, uint32_t rate, uint64_t hz)
{
	p->rate = rate;
	memset(p->bucket, 0, sizeof(p->bucket));
	for (unsigned c = 0; rate && c < WORKER_EXCEPTION_CLASSES; c++) {
		uint64_t step = hz * classes[c].part / rate;
		uint64_t depth = rate / ((uint32_t)classes[c].part * BURSTS_PER_S);
		p->bucket[c].step = step;
		p->bucket[c].depth = step * (depth > WORKER_BATCH ? depth : WORKER_BATCH);
	}
}

bool exception_take(struct exception *p, enum exception_class c, uint64_t now)
{
	struct exception_bucket *k = &p->bucket[c];
	// Empty it is `depth` ahead at most; more says that the clock was set back (a guest moved
	// to another machine).
	if (k->full_at < now || k->full_at - now > k->depth)
		k->full_at = now;
	if (k->full_at - now + k->step > k->depth)
		return false;
	k->full_at += k->step;
	return true;
}

enum verdict exception_verdict(struct batch *b, const struct packet *p, uint16_t ether_type)
{
	struct exception *exception = &b->w->exception;
	const uint32_t rate = b->tables->config.kernel_hundreds * (uint32_t)DP_KERNEL_FRAMES_UNIT;
	if (unlikely_(exception->rate != rate))
		exception_set(exception, rate, rte_get_tsc_hz());
	const enum exception_class c = exception_class_of(
		&(struct exception_view){&b->w->kernel_flows, b->now_ms}, p, ether_type);
	if (exception_waiting(exception) + b->kernel_count >= classes[c].places)
		return VERDICT_drop_exception_full;
	if (rate == 0 || exception_take(exception, c, rte_rdtsc()))
		return VERDICT_to_kernel;
	batch_count(b, classes[c].over, 1);
	return VERDICT_drop_kernel_rate;
}
