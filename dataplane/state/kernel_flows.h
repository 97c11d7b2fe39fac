// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The kernel's conversations by the exception port, so that its own connections and questions are
// distinguished from traffic that anyone may send. docs/explanation/floods.md says which frames
// count.
//
// One table for all workers: 4,096 sets of one line, eight words in each: the tag of a conversation
// and the time of the kernel's last frame. Any worker reads and writes, no lock: a word is always
// consistent, and replaces only the word that the worker has read. A worker that loses that race
// tries once more, and then leaves it to the conversation's next frame. 256 KiB in all; one cache
// line for a frame to or from the kernel, none for others. The counts are each worker's own.

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
