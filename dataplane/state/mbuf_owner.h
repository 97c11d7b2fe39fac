// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The mark of a packet buffer: who had it last (shm_stats.h), and in which second.
//
// The worker writes it where a buffer changes hands, so that a buffer that is never given back says
// who lost it (port/mbuf_pool.h). It lies in vlan_tci_outer, which nothing else uses here (weir
// enables no QinQ offload): on the cache line that receiving and sending write in any case, and
// DPDK's allocation clears it, so that buffers in the receive rings of ports that allocate by
// rte_pktmbuf_alloc have none. Two stores a frame, which bench_path cannot see. The worker's own
// thread writes; the main lcore reads.

#include <rte_mbuf.h>

#include <weir/attr.h>
#include <weir/shm_stats.h>

enum { MBUF_MARK_OWNER_BITS = 7, MBUF_MARK_TICK_BITS = 10 }; // a tick: 1024 ms
static_assert((int)MBUF_OWNERS <= 1 << MBUF_MARK_OWNER_BITS);

// Not 0 for any owner but MBUF_OWNER_port.
ATTR_INLINE uint16_t mbuf_mark(unsigned owner, uint64_t now_ms)
{
	return (uint16_t)(now_ms >> MBUF_MARK_TICK_BITS << MBUF_MARK_OWNER_BITS | owner);
}

ATTR_INLINE void mbuf_own(struct rte_mbuf *m, uint16_t mark)
{
	__atomic_store_n(&m->vlan_tci_outer, mark, __ATOMIC_RELAXED); // a plain store's instruction
}

ATTR_INLINE unsigned mbuf_mark_owner(uint16_t mark)
{
	return mark & ((1U << MBUF_MARK_OWNER_BITS) - 1);
}
