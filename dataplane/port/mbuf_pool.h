// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Packet pools: one per worker, on its socket, and only that worker allocates and frees there.
//
// So the pool's ring needs no atomic read-modify-write, and a per-lcore cache in front makes it
// last in, first out: a light load cycles through few buffers that stay in the CPU's cache. A
// buffer has room for a whole reply of limits.udp_reply_size. The main lcore touches a pool only
// while no worker runs (ports fill their rings from it at start and give back at stop).

#include <rte_mempool.h>

#include <weir/attr.h>

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
