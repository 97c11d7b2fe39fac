// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds the missing buffers of a packet pool by going through all its buffers, and who had each
// last (state/mbuf_owner.h). Main lcore, while the worker runs; only when the pool's count says
// that a buffer may be missing.
//
// The walk notes the mark of each buffer, then looks at the pool's free buffers again and again for
// some seconds. Missing is a buffer with a mark that no look found free, and whose mark has not
// changed: a buffer in use gets another mark each second, and a free one is found by one of the
// looks, though the worker moves buffers under the walk's hands. Buffers in receive rings have no
// mark if the port's driver clears it (rte_pktmbuf_alloc), as all but those of PCI devices do; what
// ports keep of sent frames is the caller's to subtract.
//
// The notes are in a field of the buffers' second cache line, two bytes that nobody else writes. A
// look costs the main lcore a few ns for each free buffer (8191: 0.1 ms); nothing is allocated.

#include <rte_mempool.h>

#include <weir/attr.h>
#include <weir/shm_stats.h>

// Reserves the field, once in a process; later calls find it. -errno: no walks.
ATTR_MUST_CHECK int mbuf_walk_init(void);

void mbuf_walk_begin(struct rte_mempool *pool);
void mbuf_walk_look(const struct rte_mempool *pool);
// Counts the missing buffers by owner.
void mbuf_walk_end(struct rte_mempool *pool, uint32_t missing[MBUF_OWNERS]);
