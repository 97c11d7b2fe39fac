// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whom the kernel talks to by the exception port, so that its own connections and questions are
// told from what anybody may send it.
//
// What the kernel sends is noted by protocol, both addresses and both ports: TCP that opens or
// closes a connection or has data, hence no RST, SYN with ACK or bare ACK, which strangers get as
// well; and UDP. A frame of the same two ends belongs to that: UDP for 2 s, after which no client
// is told an upstream's reply any more, as the ports that a resolver asked from in a minute are
// most that there are. Who gets in here has answered to the address that it gave, or was asked by
// us, or was sent a reply by some other service over UDP, which may go to a forged address; to get
// in by guessing takes the ports of a conversation that is under way.
//
// One table for all workers: a question leaves by the queue that the kernel picks and its reply
// comes to the one that the NIC picks. 4,096 sets of one line, eight words in each: of the tag of a
// conversation and when the kernel last said something in it. A look finds another conversation's
// by one chance in 2^35; keyed by a secret of this life, so that nobody can aim at a set. Nothing
// is taken out: a new one takes a place that is free or of UDP that is over, else that of the one
// that was sent to longest ago. 256 KiB in all.
//
// Any worker reads and writes, no lock: a word is whole at any time, and is put in place of the one
// that was seen there or not at all, so that what two workers count is right. Who loses that race
// looks once more, and then leaves it to the conversation's next frame; two that put the same one
// in at once leave it there twice, which does no harm. A line for a frame that goes to the kernel
// or comes from there, none for others; a conversation's word is written eight times a second at
// most. The counts are each worker's own.

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
	_Atomic uint64_t evicted; // what was pushed out before it was over
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
