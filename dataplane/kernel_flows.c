// SPDX-License-Identifier: BSD-3-Clause
#include "kernel_flows.h"

#include "frame.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>

enum { PORTS_LEN = 4, SPAN_MS = 2048 };

// `sent`: by the kernel, so that the far end is the destination. `span`: of UDP alone, when.
static uint64_t hash_of(
	const struct kernel_flows *f, const struct kernel_flow_at *at, bool sent, uint64_t span)
{
	const bool v4 = at->version == 4;
	const unsigned len = v4 ? 4 : 16;
	const uint8_t *addresses = at->ip + (v4 ? 12 : 8);
	const uint8_t *far = addresses + (sent ? len : 0), *near = addresses + (sent ? 0 : len);
	struct {
		uint8_t far[16], near[16];
		uint64_t span;
		uint32_t ports, protocol;
	} key = {.span = span, .protocol = at->protocol};
	static_assert(sizeof key == 48); // no holes
	memcpy(key.far, far, len);
	memcpy(key.near, near, len);
	memcpy(&key.ports, at->ports, sizeof key.ports);
	if (sent)
		key.ports = key.ports << 16 | key.ports >> 16;
	return keyhash(&f->secret, &key, sizeof key);
}

static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

// `tells`: puts it in; else it is renewed where it is in already.
static void note(struct kernel_flows *f, uint64_t hash, bool tells)
{
	uint32_t *way = f->tag[hash % KERNEL_FLOW_SETS], tag = tag_of(hash);
	unsigned i = 0;
	while (i < KERNEL_FLOW_WAYS - 1 && way[i] && way[i] != tag)
		i++;
	if (way[i] != tag && !tells)
		return;
	if (way[i] == 0)
		f->used++;
	else if (way[i] != tag)
		f->evicted++;
	for (; i; i--)
		way[i] = way[i - 1];
	way[0] = tag;
}

// `len`: of the segment. A bare ACK tells nothing: a half-open connection gets one, too, when
// something else than its ACK comes (RFC 9293 3.10.7.4).
static bool tcp_tells(const struct rte_tcp_hdr *tcp, unsigned len)
{
	enum { OPENS = RTE_TCP_SYN_FLAG, BOTH = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG };
	if (tcp->tcp_flags & RTE_TCP_RST_FLAG || (tcp->tcp_flags & BOTH) == BOTH)
		return false;
	return tcp->tcp_flags & (OPENS | RTE_TCP_FIN_FLAG)
	       || len > (unsigned)(tcp->data_off >> 4) * sizeof(uint32_t);
}

static uint64_t span_of(const struct kernel_flow_at *at, uint64_t now_ms)
{
	return at->protocol == IPPROTO_UDP ? now_ms / SPAN_MS + 1 : 0;
}

void kernel_flows_saw(struct kernel_flows *f, const struct rte_mbuf *m, uint64_t now_ms)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const unsigned len = rte_pktmbuf_data_len(m);
	unsigned l3 = FRAME_ETHER_LEN;
	if (len >= FRAME_ETHER_LEN + FRAME_VLAN_LEN && frame[12] == 0x81 && frame[13] == 0)
		l3 += FRAME_VLAN_LEN;
	if (len < l3 + FRAME_IPV4_LEN)
		return;
	const unsigned ether_type = (unsigned)frame[l3 - 2] << 8 | frame[l3 - 1];
	struct kernel_flow_at at = {.ip = frame + l3};
	unsigned l4, end;
	if (ether_type == RTE_ETHER_TYPE_IPV4) {
		const struct rte_ipv4_hdr *ip = (const void *)at.ip;
		if (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK))
			return;
		at.version = 4;
		at.protocol = ip->next_proto_id;
		end = l3 + rte_be_to_cpu_16(ip->total_length);
		l4 = l3 + (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	} else if (ether_type == RTE_ETHER_TYPE_IPV6 && len >= l3 + FRAME_IPV6_LEN) {
		const struct rte_ipv6_hdr *ip = (const void *)at.ip;
		at.version = 6;
		at.protocol = ip->proto;
		l4 = l3 + FRAME_IPV6_LEN;
		end = l4 + rte_be_to_cpu_16(ip->payload_len);
	} else {
		return;
	}
	at.ports = frame + l4;
	if (at.protocol == IPPROTO_UDP && len >= l4 + PORTS_LEN)
		note(f, hash_of(f, &at, true, span_of(&at, now_ms)), true);
	else if (at.protocol == IPPROTO_TCP && len >= l4 + sizeof(struct rte_tcp_hdr) && end > l4)
		note(f, hash_of(f, &at, true, 0), tcp_tells((const void *)at.ports, end - l4));
}

static bool has(const struct kernel_flows *f, uint64_t hash)
{
	const uint32_t *way = f->tag[hash % KERNEL_FLOW_SETS], tag = tag_of(hash);
	bool found = false;
	for (unsigned i = 0; i < KERNEL_FLOW_WAYS; i++)
		found |= way[i] == tag;
	return found;
}

bool kernel_flows_has(
	const struct kernel_flows *f, const struct kernel_flow_at *at, uint64_t now_ms)
{
	const uint64_t span = span_of(at, now_ms);
	return has(f, hash_of(f, at, false, span))
	       || (span && has(f, hash_of(f, at, false, span - 1)));
}
