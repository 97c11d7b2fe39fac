// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Packet pools: one per worker, on its socket, and only that worker allocates and frees there.
//
// So the pool's ring needs no atomic read-modify-write, and a per-lcore cache in front makes it
// last in, first out: a light load cycles through few buffers that stay in the CPU's cache. A
// buffer has room for a whole reply of limits.udp_reply_size. The main lcore touches a pool only
// while no worker runs (ports fill their rings from it at start and give back at stop).

#include <rte_mempool.h>

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/shm_stats.h>

enum { MBUF_POOL_CACHE = 256, MBUF_POOL_WHY_MAX = 256 };

// Bytes of data room (headroom included) for replies of `udp_reply_size` bytes of DNS.
uint16_t mbuf_pool_room(unsigned udp_reply_size);

// Bytes of DNS for which a buffer of that pool has room behind the longest headers.
unsigned mbuf_pool_dns_room(const struct rte_mempool *pool);

// DENSE: buffers lie side by side. PAGED: no buffer lies in two pages, as AF_XDP wants it for zero
// copy; each then takes one of 4 KiB, two thirds more memory to touch at start.
enum mbuf_pool_layout { MBUF_POOL_DENSE, MBUF_POOL_PAGED };

ATTR_MUST_CHECK int mbuf_pool_create(struct rte_mempool **out, unsigned worker, unsigned lcore,
	unsigned mbufs, unsigned udp_reply_size, enum mbuf_pool_layout layout,
	char why[MBUF_POOL_WHY_MAX]);

// Gives back what the calling lcore's cache holds; after the ports have started, before the worker.
void mbuf_pool_settle(struct rte_mempool *pool);

// The audit of a packet pool: every buffer that is not free must be accounted for.
//
// After the ports have started, `base` buffers are out: those posted in RX rings. From then on the
// worker may hold a few batches and the frames that wait for the kernel (exception.h), and ports
// that send by DMA may hold up to their TX rings; nothing else. The worker counts the buffers that
// are out ten times a second, at the top of its loop, where it holds none: to an outside observer a
// preempted worker would look like a leak of its burst. A window without a count has no verdict.
//
// In a second without any frame the least count must not exceed base + tx_hold, which is exact for
// ports that free the frames they send; while frames flow, base + tx_hold + in_flight. Fewer are
// found by a walk. Below base - rx_vary at rest, a buffer was freed twice. Pure
// arithmetic; the main lcore's.

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

// Reserves the field, once in a process; later calls find it. -errno: no walks.
ATTR_MUST_CHECK int mbuf_walk_init(void);

void mbuf_walk_begin(struct rte_mempool *pool);
void mbuf_walk_look(const struct rte_mempool *pool);
// Counts the missing buffers by owner.
void mbuf_walk_end(struct rte_mempool *pool, uint32_t missing[MBUF_OWNERS]);

struct mbuf_audit {
	uint32_t base;      // buffers in use at start
	uint32_t tx_hold;   // most that TX rings keep of sent frames
	uint32_t rx_vary;   // most that RX rings may be short of their posted buffers
	uint32_t in_flight; // more than a worker holds at once, by far
	uint32_t floor;     // least sample of this window
	uint32_t samples;
};

// Where the worker's frames went, in the whole of a life; at rest nothing is on its way, else no
// more than a worker holds at once.
struct mbuf_flows {
	uint64_t received, settled; // from the wire; with a verdict
	uint64_t to_send, sent; // replies, answers, frames of the kernel; what TX took or dropped
	uint64_t to_kernel, kernel; // frames by verdict; frames taken by the exception port
	uint64_t dropped[VERDICT_COUNT];
};

// Where a walk cannot tell: the owner that most likely lost `lost` buffers, by frames
// that went in and did not come out in the run up to `after`. Else, as only dropped frames are
// freed without a count of their own, the verdict that dropped as many between the two samples, if
// there is just one. MBUF_OWNER_port: not known. `lost` must exceed the frames that can be in
// flight at `after`.
unsigned mbuf_suspect(
	const struct mbuf_flows *before, const struct mbuf_flows *after, uint32_t lost);
void mbuf_flows_read(struct mbuf_flows *out, const struct stats_worker *s);

enum mbuf_breach { MBUF_SOUND, MBUF_LEAK, MBUF_DOUBLE_FREE };

void mbuf_audit_sample(struct mbuf_audit *audit, uint32_t in_use);
// Ends the window. `quiet`: the worker moved no frame in the whole of it.
enum mbuf_breach mbuf_audit_check(struct mbuf_audit *audit, bool quiet);
