// SPDX-License-Identifier: BSD-3-Clause

// The steering program of an AF_XDP port: DNS over UDP to a service address goes to the socket of
// the queue that it came in on, everything else to the kernel as if nobody were here.
//
// It takes exactly what stage_net.c would take from a port of its own: IPv4 with options, IPv6 with
// extension headers, at most one 802.1Q tag, first fragments (which the data plane drops and
// counts); later fragments show no port and stay with the kernel. Where no data plane works (the
// gate is shut), the frame is for another host, or a queue has no socket, the kernel gets the
// query, at once and without anyone's help: that is what makes kill -9 harmless. Nothing is ever
// dropped or changed here.

#include "weir/steer_abi.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

enum {
	VLAN_LEN = 4,
	EXTENSIONS_MAX = 8,
	EXTENSION_UNIT = 8,
	FRAGMENT_OFFSET = 0x1fff,
	FRAGMENT_OFFSET_IPV6 = 0xfff8,
};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_ADDRESSES_MAX);
	__type(key, struct steer_address);
	__type(value, __u32);
} weir_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} weir_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_gate);
} weir_gate SEC(".maps");

static __always_inline int counted(int action, enum steer_counter why)
{
	__u32 key = why;
	__u64 *count = bpf_map_lookup_elem(&weir_counters, &key);
	if (count)
		++*count; // this CPU's own
	return action;
}

static __always_inline bool udp_is_dns(const void *at, const void *end)
{
	const struct udphdr *udp = at;
	return (const void *)(udp + 1) <= end && udp->dest == bpf_htons(STEER_DNS_PORT);
}

static __always_inline bool ipv4_is_dns(const void *at, const void *end, struct steer_address *to)
{
	const struct iphdr *ip = at;
	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5
		|| ip->protocol != IPPROTO_UDP || (ip->frag_off & bpf_htons(FRAGMENT_OFFSET)))
		return false;
	*to = (struct steer_address){{0, 0, bpf_htonl(0xffff), ip->daddr}};
	return udp_is_dns(at + ip->ihl * 4, end);
}

// Extension headers (RFC 8200 4) are passed over as far as the data plane would.
static __always_inline bool ipv6_is_dns(const void *at, const void *end, struct steer_address *to)
{
	const struct ipv6hdr *ip = at;
	if ((const void *)(ip + 1) > end || ip->version != 6)
		return false;
	__builtin_memcpy(to, &ip->daddr, sizeof(*to));
	__u8 next = ip->nexthdr;
	at = ip + 1;
	for (int i = 0; i < EXTENSIONS_MAX && next != IPPROTO_UDP; i++) {
		const __u8 *header = at;
		if (at + EXTENSION_UNIT > end)
			return false;
		if (next == IPPROTO_FRAGMENT) {
			if (*(const __be16 *)(at + 2) & bpf_htons(FRAGMENT_OFFSET_IPV6))
				return false;
			at += EXTENSION_UNIT;
		} else if (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING
			   || next == IPPROTO_DSTOPTS) {
			at += (header[1] + 1) * EXTENSION_UNIT;
		} else {
			return false;
		}
		next = header[0];
	}
	return next == IPPROTO_UDP && udp_is_dns(at, end);
}

static __always_inline bool frame_is_dns(const void *at, const void *end, struct steer_address *to)
{
	const struct ethhdr *ether = at;
	if ((const void *)(ether + 1) > end)
		return false;
	__be16 type = ether->h_proto;
	at = ether + 1;
	if (type == bpf_htons(ETH_P_8021Q)) {
		if (at + VLAN_LEN > end)
			return false;
		type = *(const __be16 *)(at + 2);
		at += VLAN_LEN;
	}
	if (type == bpf_htons(ETH_P_IP))
		return ipv4_is_dns(at, end, to);
	return type == bpf_htons(ETH_P_IPV6) && ipv6_is_dns(at, end, to);
}

static __always_inline bool gate_is_open(const struct steer_gate *gate)
{
	return gate && bpf_ktime_get_coarse_ns() < gate->until_ns;
}

// To the interface, or to a group, which the data plane drops and counts. frame_is_dns has seen
// that the header is there.
static __always_inline bool is_for_us(
	const void *frame, const void *end, const struct steer_gate *gate)
{
	const struct ethhdr *ether = frame;
	if ((const void *)(ether + 1) > end || !gate)
		return false;
	if (ether->h_dest[0] & 1)
		return true;
	__u64 to = *(const __u32 *)&ether->h_dest[0]
		   | (__u64) * (const __u16 *)&ether->h_dest[4] << 32;
	for (int i = 0; i < STEER_MACS_MAX; i++) {
		if (gate->mac[i] == to)
			return true;
	}
	return false;
}

SEC("xdp")
int weir_steer(struct xdp_md *ctx)
{
	const void *frame = (const void *)(long)ctx->data;
	const void *end = (const void *)(long)ctx->data_end;
	struct steer_address to;
	if (!frame_is_dns(frame, end, &to) || !bpf_map_lookup_elem(&weir_addresses, &to))
		return counted(XDP_PASS, STEER_passed);
	__u32 zero = 0;
	const struct steer_gate *gate = bpf_map_lookup_elem(&weir_gate, &zero);
	if (!gate_is_open(gate))
		return counted(XDP_PASS, STEER_gate_shut);
	if (!is_for_us(frame, end, gate))
		return counted(XDP_PASS, STEER_other_host);
	// XDP_PASS is what comes back where the queue has no socket.
	int action = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
	return counted(action, action == XDP_PASS ? STEER_no_socket : STEER_steered);
}

// bpf_redirect_map and the clock are for everyone; nothing here needs the kernel's licence.
const char steer_license[] SEC("license") = "BSD";
