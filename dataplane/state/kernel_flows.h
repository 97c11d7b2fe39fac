// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The kernel's conversations by the exception port, so that its own connections and questions are
// distinguished from traffic that anyone may send.
//
// Frames of the kernel are recorded by protocol, both addresses and both ports: TCP that opens or
// closes a connection or has data, hence no RST, SYN with ACK or bare ACK, which strangers get as
// well; and UDP. A frame of the same two ends belongs to that: UDP for 2 s, after which no client
// waits for an upstream's reply any more: the source ports that a resolver used in a minute are
// most of all ports. A peer in this table has answered from its address, or the kernel asked it, or
// another UDP service replied to it, which may be to a forged address. To get in by guessing takes
// the ports of a live conversation.
//
// One table for all workers: a question leaves by the queue that the kernel picks and its reply
// comes to the one that the NIC picks. 4,096 sets of one line, eight words in each: the tag of a
// conversation and the time of the kernel's last frame. A lookup finds another conversation by one
// chance in 2^35; the hash has a secret key of this run, so that an attacker cannot aim at a set.
// No entry is removed: a new one takes a free place or that of an expired UDP conversation, else
// that of the one with the oldest frame. 256 KiB in all.
//
// Any worker reads and writes, no lock: a word is always consistent, and replaces only the word
// that the worker has read, so the counts of two workers are right. A worker that loses that race
// tries once more, and then leaves it to the conversation's next frame; two that add the same one
// at once leave it there twice, which does no harm. One cache line for a frame to or from the
// kernel, none for others; a conversation's word is written eight times a second at most. The
// counts are each worker's own.

#include <rte_mbuf.h>

#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

enum { KERNEL_FLOW_SETS = 4096, KERNEL_FLOW_WAYS = 8 };

struct kernel_flow_set {
	alignas(CACHE_LINE) _Atomic uint64_t way[KERNEL_FLOW_WAYS]; // 0: free
};

struct kernel_flow_table {
	struct kernel_flow_set set[KERNEL_FLOW_SETS];
	struct keyhash_secret secret; // constant once workers run
};

// A worker's hold of it.
struct kernel_flows {
	struct kernel_flow_table *table;
	_Atomic uint64_t taken;   // places that were free; read by the main lcore, as is
	_Atomic uint64_t evicted; // conversations evicted before they were over
};

// Behind an IP header: where that and the ports are, all within the first segment.
struct kernel_flow_at {
	const uint8_t *ip, *ports;
	uint8_t version, protocol;
};

// A frame that the kernel sends.
void kernel_flows_saw(struct kernel_flows *f, const struct rte_mbuf *m, uint64_t now_ms);

// Is this, from a client's port, of something that the kernel takes part in? `now_ms` may be up to
// 2 s behind that of the worker that saw it.
bool kernel_flows_has(
	const struct kernel_flows *f, const struct kernel_flow_at *at, uint64_t now_ms);
