// SPDX-License-Identifier: BSD-3-Clause
#include "kernel_flows.h"

#include "frame_size.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>
#include <weir/shm_stats.h>

enum {
	PORTS_LEN = 4,
	TICK_MS = 128,
	UDP_TICKS = 16,  // 2,048 ms at least
	SKEW_TICKS = 16, // how far another worker's clock may be ahead
};

// A word of the table, from the top: of the hash, whether it is UDP, one that is always set, the
// tick in which the kernel last sent. The set is of lower bits of the hash than the tag.
#define TICK_MASK UINT64_C(0xffffff)
#define IS_USED   UINT64_C(0x1000000)
#define IS_UDP    UINT64_C(0x2000000)
static_assert(KERNEL_FLOW_SETS - 1 <= TICK_MASK);

// `sent`: by the kernel, so that the far end is the destination.
static uint64_t hash_of(
	const struct kernel_flow_table *t, const struct kernel_flow_at *at, bool sent)
{
	const bool v4 = at->version == 4;
	const unsigned len = v4 ? 4 : 16;
	const uint8_t *addresses = at->ip + (v4 ? 12 : 8);
	const uint8_t *far = addresses + (sent ? len : 0), *near = addresses + (sent ? 0 : len);
	struct {
		uint8_t far[16], near[16];
		uint32_t ports, protocol;
	} key = {.protocol = at->protocol};
	static_assert(sizeof(key) == 40); // no holes
	memcpy(key.far, far, len);
	memcpy(key.near, near, len);
	memcpy(&key.ports, at->ports, sizeof(key.ports));
	if (sent)
		key.ports = key.ports << 16 | key.ports >> 16;
	return keyhash(&t->secret, &key, sizeof(key));
}

static uint64_t tag_of(uint64_t hash, uint8_t protocol)
{
	uint64_t tag = hash & ~(TICK_MASK | IS_UDP);
	return tag | IS_USED | (protocol == IPPROTO_UDP ? IS_UDP : 0);
}

static bool is_of(uint64_t word, uint64_t tag)
{
	return (word & ~TICK_MASK) == tag;
}

// The age of a word in ticks, and SKEW_TICKS more. Ticks come round in 24 days.
static uint64_t age_of(uint64_t word, uint64_t now_ms)
{
	return (now_ms / TICK_MS + SKEW_TICKS - word) & TICK_MASK;
}

static bool is_over(uint64_t word, uint64_t now_ms)
{
	return word & IS_UDP && age_of(word, now_ms) > UDP_TICKS + SKEW_TICKS;
}

// How well a word can be spared: a full set replaces the one with most of this.
static uint64_t spare(uint64_t word, uint64_t now_ms)
{
	if (word == 0)
		return UINT64_MAX;
	return age_of(word, now_ms) + (is_over(word, now_ms) ? TICK_MASK + 1 : 0);
}

struct place {
	_Atomic uint64_t *way;
	uint64_t was;
	bool is_in;
};

static struct place place_of(struct kernel_flow_set *set, uint64_t tag, uint64_t now_ms)
{
	struct place best = {0};
	uint64_t most = 0;
	for (unsigned i = 0; i < KERNEL_FLOW_WAYS; i++) {
		const uint64_t word = atomic_load_explicit(&set->way[i], memory_order_relaxed);
		const bool is_in = is_of(word, tag);
		const uint64_t gives = spare(word, now_ms);
		if (i && !is_in && gives <= most)
			continue;
		best = (struct place){&set->way[i], word, is_in};
		most = gives;
		if (is_in)
			break;
	}
	return best;
}

// False: another worker was there first. `tells`: adds it; else only renews an existing one.
static bool note(
	struct kernel_flows *f, uint64_t hash, uint8_t protocol, bool tells, uint64_t now_ms)
{
	const uint64_t tag = tag_of(hash, protocol), word = tag | (now_ms / TICK_MS & TICK_MASK);
	const struct place p = place_of(&f->table->set[hash % KERNEL_FLOW_SETS], tag, now_ms);
	uint64_t was = p.was;
	if (was == word || !(p.is_in || tells))
		return true;
	if (!atomic_compare_exchange_strong_explicit(
		    p.way, &was, word, memory_order_relaxed, memory_order_relaxed))
		return false;
	stats_add(&f->taken, p.was == 0);
	stats_add(&f->evicted, p.was && !p.is_in && !is_over(p.was, now_ms));
	return true;
}

// `len`: of the segment. A bare ACK proves nothing: a half-open connection gets one too, when
// another segment than its ACK comes (RFC 9293 3.10.7.4).
static bool tcp_tells(const struct rte_tcp_hdr *tcp, unsigned len)
{
	enum { OPENS = RTE_TCP_SYN_FLAG, BOTH = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG };
	if (tcp->tcp_flags & RTE_TCP_RST_FLAG || (tcp->tcp_flags & BOTH) == BOTH)
		return false;
	return tcp->tcp_flags & (OPENS | RTE_TCP_FIN_FLAG)
	       || len > (unsigned)(tcp->data_off >> 4) * sizeof(uint32_t);
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
	bool tells = true;
	if (at.protocol == IPPROTO_TCP && len >= l4 + sizeof(struct rte_tcp_hdr) && end > l4)
		tells = tcp_tells((const void *)at.ports, end - l4);
	else if (at.protocol != IPPROTO_UDP || len < l4 + PORTS_LEN)
		return;
	const uint64_t hash = hash_of(f->table, &at, true);
	if (!note(f, hash, at.protocol, tells, now_ms))
		(void)note(f, hash, at.protocol, tells, now_ms);
}

bool kernel_flows_has(
	const struct kernel_flows *f, const struct kernel_flow_at *at, uint64_t now_ms)
{
	const uint64_t hash = hash_of(f->table, at, false), tag = tag_of(hash, at->protocol);
	const _Atomic uint64_t *way = f->table->set[hash % KERNEL_FLOW_SETS].way;
	bool found = false;
	for (unsigned i = 0; i < KERNEL_FLOW_WAYS; i++) {
		const uint64_t word = atomic_load_explicit(&way[i], memory_order_relaxed);
		found |= is_of(word, tag) && !is_over(word, now_ms);
	}
	return found;
}
