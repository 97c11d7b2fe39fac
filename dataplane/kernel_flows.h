// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whom the kernel talks to by the exception port, so that its own connections and questions are
// told from what anybody may send it.
//
// What the kernel sends is noted by protocol, both addresses and both ports: TCP that opens or
// closes a connection or has data, hence no RST, SYN with ACK or bare ACK, which strangers get as
// well; and UDP. A frame of the same two ends belongs to that: UDP for 2 to 4 s, as the ports that
// a resolver asked from in a minute are most that there are. Who gets in here has answered to the
// address that it gave, or was asked by us, or was sent a reply by some other service over UDP,
// which may go to a forged address; to get in by guessing takes the ports of a conversation that is
// under way.
//
// 4,096 sets of four 32-bit tags, the one that was sent to longest ago goes; keyed by a secret of
// this life, so that nobody can aim at a set. A look finds another conversation's by one chance in
// 2^29. Nothing is taken out: what is over is pushed out, 64 KiB in all. Another worker's are not
// seen: the kernel answers by the queue that a conversation came in by. Worker-local; a line of
// memory or two for a frame that goes to the kernel or comes from there, none for others.

#include <rte_mbuf.h>

#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

enum { KERNEL_FLOW_SETS = 4096, KERNEL_FLOW_WAYS = 4 };

struct kernel_flows {
	alignas(CACHE_LINE) uint32_t tag[KERNEL_FLOW_SETS][KERNEL_FLOW_WAYS]; // 0: free
	struct keyhash_secret secret;
	uint64_t evicted;
	uint32_t used;
};

// Behind an IP header: where that and the ports are, all within the first segment.
struct kernel_flow_at {
	const uint8_t *ip, *ports;
	uint8_t version, protocol;
};

// A frame that the kernel sends.
void kernel_flows_saw(struct kernel_flows *f, const struct rte_mbuf *m, uint64_t now_ms);

// Is this, from a client's port, of something that the kernel takes part in?
bool kernel_flows_has(
	const struct kernel_flows *f, const struct kernel_flow_at *at, uint64_t now_ms);
