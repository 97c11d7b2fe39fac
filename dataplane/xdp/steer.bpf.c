// SPDX-License-Identifier: BSD-3-Clause

// The steering program of an AF_XDP port. DNS over UDP to a service address, and what upstream
// servers send to the ports from which workers asked them, goes to the socket of the queue that
// received it. Every other frame goes to the kernel.
//
// It steers exactly the frames that stage_net.c would accept on a port of its own: IPv4 with
// options, IPv6 with extension headers, at most one 802.1Q tag, first fragments (which the data
// plane drops and counts). Later fragments show no port and go to the kernel. From upstream servers
// it steers what server_hear.c reads: replies, and ICMP unreachable (but not the message that tells
// the kernel a path's MTU). A reply is steered only if a worker sent from its port a short time
// ago, and only from that server to this host's source address: another program of this machine
// with that port keeps its datagrams. If no data plane works (the gate is shut), if the frame is
// for another host, or if a queue has no socket, the kernel gets the frame, without help from any
// process: that makes kill -9 harmless. The program neither drops nor changes a frame.

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
	ICMP_HEADER_LEN = 8, // RFC 792, RFC 4443; linux/icmp.h brings libc along
	ICMP_UNREACHABLE = 3,
	ICMP_TOO_LARGE = 4, // code of ICMP_UNREACHABLE
	ICMPV6_UNREACHABLE = 1,
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
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, STEER_SERVERS_MAX);
	__type(key, struct steer_server);
	__type(value, __u32);
} weir_servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_asked);
} weir_asked SEC(".maps");

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
		++*count; // each CPU has its own count
	return action;
}

// Both ends of a datagram. For the datagram that an ICMP message quotes, `from` is its destination.
// Ports in network byte order.
struct ends {
	struct steer_address from, to;
	__be16 from_port, to_port;
	bool is_quoted;
};

static __always_inline struct steer_address mapped(__be32 ipv4)
{
	return (struct steer_address){{0, 0, bpf_htonl(0xffff), ipv4}};
}

static __always_inline bool udp_ends(const void *at, const void *end, struct ends *out)
{
	const struct udphdr *udp = at;
	if ((const void *)(udp + 1) > end)
		return false;
	out->from_port = udp->source;
	out->to_port = udp->dest;
	out->is_quoted = false;
	return true;
}

// Reads the datagram of this host that an ICMP message quotes; its IP header has no options.
static __always_inline bool icmp_ends(const void *at, const void *end, struct ends *out)
{
	const __u8 *icmp = at;
	const struct iphdr *ip = at + ICMP_HEADER_LEN;
	const struct udphdr *udp = (const void *)(ip + 1);
	if ((const void *)(udp + 1) > end || icmp[0] != ICMP_UNREACHABLE
		|| icmp[1] == ICMP_TOO_LARGE || ip->version != 4 || ip->ihl != 5
		|| ip->protocol != IPPROTO_UDP)
		return false;
	*out = (struct ends){mapped(ip->daddr), mapped(ip->saddr), udp->dest, udp->source, true};
	return true;
}

static __always_inline bool icmpv6_ends(const void *at, const void *end, struct ends *out)
{
	const __u8 *icmp = at;
	const struct ipv6hdr *ip = at + ICMP_HEADER_LEN;
	const struct udphdr *udp = (const void *)(ip + 1);
	if ((const void *)(udp + 1) > end || icmp[0] != ICMPV6_UNREACHABLE || ip->version != 6
		|| ip->nexthdr != IPPROTO_UDP)
		return false;
	__builtin_memcpy(&out->from, &ip->daddr, sizeof(out->from));
	__builtin_memcpy(&out->to, &ip->saddr, sizeof(out->to));
	out->from_port = udp->dest;
	out->to_port = udp->source;
	out->is_quoted = true;
	return true;
}

static __always_inline bool ipv4_ends(const void *at, const void *end, struct ends *out)
{
	const struct iphdr *ip = at;
	if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5
		|| (ip->frag_off & bpf_htons(FRAGMENT_OFFSET)))
		return false;
	at += ip->ihl * 4;
	if (ip->protocol == IPPROTO_ICMP)
		return icmp_ends(at, end, out);
	out->from = mapped(ip->saddr);
	out->to = mapped(ip->daddr);
	return ip->protocol == IPPROTO_UDP && udp_ends(at, end, out);
}

// Skips as many extension headers (RFC 8200 4) as the data plane would.
static __always_inline bool ipv6_ends(const void *at, const void *end, struct ends *out)
{
	const struct ipv6hdr *ip = at;
	if ((const void *)(ip + 1) > end || ip->version != 6)
		return false;
	__builtin_memcpy(&out->from, &ip->saddr, sizeof(out->from));
	__builtin_memcpy(&out->to, &ip->daddr, sizeof(out->to));
	__u8 next = ip->nexthdr;
	at = ip + 1;
	if (next == IPPROTO_ICMPV6)
		return icmpv6_ends(at, end, out);
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
	return next == IPPROTO_UDP && udp_ends(at, end, out);
}

static __always_inline bool frame_ends(const void *at, const void *end, struct ends *out)
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
		return ipv4_ends(at, end, out);
	return type == bpf_htons(ETH_P_IPV6) && ipv6_ends(at, end, out);
}

// Did a worker send from that port a short time ago? For most of the kernel's own traffic the
// program ends here.
static __always_inline bool is_asked(const struct steer_gate *gate, __be16 port)
{
	__u32 zero = 0;
	const struct steer_asked *asked = bpf_map_lookup_elem(&weir_asked, &zero);
	if (!asked || !gate)
		return false;
	// The mask is for the verifier: clang 19 combines swapping and indexing into one shift, and
	// Linux 6.12 does not know that the lowest bit of its result is 0.
	__u32 at = bpf_ntohs(port);
	barrier_var(at);
	const __u16 was = asked->port[at & 0xffff];
	const __u32 age = (gate->asked_tick + STEER_ASKED_SKEW - (was >> STEER_ASKED_BITS))
			  & STEER_ASKED_AGE_MASK;
	return was % (1u << STEER_ASKED_BITS) != 0 && age <= STEER_ASKED_TICKS + STEER_ASKED_SKEW;
}

static __always_inline bool is_ours(const struct steer_gate *gate, const struct ends *e)
{
	if (!e->is_quoted && e->to_port == bpf_htons(STEER_DNS_PORT))
		return bpf_map_lookup_elem(&weir_addresses, &e->to);
	if (!is_asked(gate, e->to_port))
		return false;
	const struct steer_server s = {e->from, e->to, e->from_port};
	return bpf_map_lookup_elem(&weir_servers, &s);
}

static __always_inline bool gate_is_open(const struct steer_gate *gate)
{
	return gate && bpf_ktime_get_coarse_ns() < gate->until_ns;
}

// Is the frame for the interface, or for a group, which the data plane drops and counts? frame_ends
// has checked that the header is there.
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
	struct ends ends;
	__u32 zero = 0;
	const struct steer_gate *gate = bpf_map_lookup_elem(&weir_gate, &zero);
	if (!frame_ends(frame, end, &ends) || !is_ours(gate, &ends))
		return counted(XDP_PASS, STEER_passed);
	if (!gate_is_open(gate))
		return counted(XDP_PASS, STEER_gate_shut);
	if (!is_for_us(frame, end, gate))
		return counted(XDP_PASS, STEER_other_host);
	// If the queue has no socket, the function returns XDP_PASS.
	int action = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
	return counted(action, action == XDP_PASS ? STEER_no_socket : STEER_steered);
}

// No helper that the program calls needs a program under the GPL.
const char steer_license[] SEC("license") = "BSD";
