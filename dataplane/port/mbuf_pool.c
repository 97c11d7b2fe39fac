// SPDX-License-Identifier: BSD-3-Clause

#include "mbuf_pool.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>

#include <errno.h>
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

static void zone_free(struct rte_mempool_memhdr *, void *zone)
{
	(void)rte_memzone_free(zone);
}

// All in one piece of memory, side by side: where pages have 4 KiB, a pool populated by mempool's
// default has a page for each buffer. Addresses of DMA are virtual ones (--iova-mode=va), so a
// buffer may lie in two pages.
static int populate(struct rte_mempool *pool)
{
	const size_t size = pool->header_size + pool->elt_size + pool->trailer_size;
	const struct rte_memzone *zone = rte_memzone_reserve_aligned(pool->name, pool->size * size,
		pool->socket_id, RTE_MEMZONE_IOVA_CONTIG, RTE_MEMPOOL_ALIGN);
	if (!zone)
		return -rte_errno;
	const int n = rte_mempool_populate_iova(
		pool, zone->addr, zone->iova, zone->len, zone_free, (void *)(uintptr_t)zone);
	if (n <= 0)
		(void)rte_memzone_free(zone);
	return n == (int)pool->size ? 0 : n < 0 ? n : -ENOMEM;
}

static int create(struct rte_mempool **out, const char *name, unsigned mbufs, uint16_t room,
	int socket, enum mbuf_pool_layout layout)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = room};
	struct rte_mempool *pool = rte_mempool_create_empty(name, mbufs,
		(unsigned)sizeof(struct rte_mbuf) + room, MBUF_POOL_CACHE, sizeof(private), socket,
		layout == MBUF_POOL_DENSE ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0);
	if (!pool)
		return -rte_errno;
	int rc = rte_mempool_set_ops_byname(pool, "ring_sp_sc", NULL);
	if (rc == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		rc = layout == MBUF_POOL_DENSE ? populate(pool)
					       : rte_mempool_populate_default(pool);
	}
	if (rc < 0) {
		rte_mempool_free(pool);
		return rc;
	}
	(void)rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	*out = pool;
	return 0;
}

int mbuf_pool_create(struct rte_mempool **out, unsigned worker, unsigned lcore, unsigned mbufs,
	unsigned udp_reply_size, enum mbuf_pool_layout layout, char why[MBUF_POOL_WHY_MAX])
{
	char name[RTE_MEMPOOL_NAMESIZE];
	snprintf(name, sizeof(name), "weir-worker%u", worker);
	const uint16_t room = mbuf_pool_room(udp_reply_size);
	int rc = create(out, name, mbufs, room, (int)rte_lcore_to_socket_id(lcore), layout);
	if (rc)
		snprintf(why, MBUF_POOL_WHY_MAX,
			"packet pool of worker %u: %u buffers of %u bytes: %s (dataplane.mbufs, "
			"dataplane.memory_mb)",
			worker, mbufs, room, rte_strerror(-rc));
	return rc;
}

void mbuf_pool_settle(struct rte_mempool *pool)
{
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
	if (cache)
		rte_mempool_cache_flush(cache, pool);
}
