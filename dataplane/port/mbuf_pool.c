// SPDX-License-Identifier: BSD-3-Clause

#include "mbuf_pool.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <stdio.h>

enum {
	ROOM_MIN = 2048,         // a frame of 1500 bytes and its tags
	ROOM_HEADERS = 128,      // Ethernet, VLAN, IPv6, UDP: 66; rounded up to whole lines
	ROOM_DNS_LARGEST = 4096, // MSG_DNS_MAX
};

uint16_t mbuf_pool_room(unsigned udp_reply_size)
{
	unsigned dns = udp_reply_size < ROOM_DNS_LARGEST ? udp_reply_size : ROOM_DNS_LARGEST;
	unsigned room = dns + ROOM_HEADERS;
	if (room < ROOM_MIN)
		room = ROOM_MIN;
	return (uint16_t)(room + RTE_PKTMBUF_HEADROOM);
}

unsigned mbuf_pool_dns_room(const struct rte_mempool *pool)
{
	// The argument is not const there, but only read.
	struct rte_mempool *p = (struct rte_mempool *)(uintptr_t)pool;
	return rte_pktmbuf_data_room_size(p) - RTE_PKTMBUF_HEADROOM - ROOM_HEADERS;
}

int mbuf_pool_create(struct rte_mempool **out, unsigned worker, unsigned lcore, unsigned mbufs,
	unsigned udp_reply_size, char why[MBUF_POOL_WHY_MAX])
{
	char name[RTE_MEMPOOL_NAMESIZE];
	snprintf(name, sizeof(name), "weir-worker%u", worker);
	struct rte_mempool *pool = rte_pktmbuf_pool_create_by_ops(name, mbufs, MBUF_POOL_CACHE, 0,
		mbuf_pool_room(udp_reply_size), (int)rte_lcore_to_socket_id(lcore), "ring_sp_sc");
	if (!pool) {
		int rc = rte_errno ? -rte_errno : -ENOMEM;
		snprintf(why, MBUF_POOL_WHY_MAX,
			"packet pool of worker %u: %u buffers of %u bytes: %s (dataplane.mbufs, "
			"dataplane.memory_mb)",
			worker, mbufs, mbuf_pool_room(udp_reply_size), rte_strerror(-rc));
		return rc;
	}
	*out = pool;
	return 0;
}

void mbuf_pool_settle(struct rte_mempool *pool)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
	if (cache)
		rte_mempool_cache_flush(cache, pool);
}
