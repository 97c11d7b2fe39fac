// SPDX-License-Identifier: BSD-3-Clause
#include "mbuf_pool.h"

#include "state/mbuf_owner.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static int field = -1; // offset in rte_mbuf, in bytes

int mbuf_walk_init(void)
{
	static const struct rte_mbuf_dynfield noted = {
		.name = "weir_walk", .size = sizeof(uint16_t), .align = alignof(uint16_t)};
	field = rte_mbuf_dynfield_register(&noted);
	return field < 0 ? -(rte_errno ? rte_errno : ENOSPC) : 0;
}

// The mark that a buffer had as the walk began; 0: it had none, or was found free since.
static uint16_t *noted(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, field, uint16_t *);
}

static uint16_t mark_of(const struct rte_mbuf *m)
{
	return __atomic_load_n(&m->vlan_tci_outer, __ATOMIC_RELAXED);
}

static void note(struct rte_mempool *, void *, void *buffer, unsigned)
{
	struct rte_mbuf *m = buffer;
	*noted(m) = mark_of(m);
}

void mbuf_walk_begin(struct rte_mempool *pool)
{
	(void)rte_mempool_obj_iter(pool, note, NULL);
}

// DPDK writes its rings and caches without atomics: a load is whole all the same, and what it
// misses is found at the next look.
#define BESIDE_WRITER __attribute__((no_sanitize("thread")))

BESIDE_WRITER static void found_free(void *const *slot)
{
	struct rte_mbuf *m = __atomic_load_n(slot, __ATOMIC_RELAXED);
	if (m && *noted(m))
		*noted(m) = 0;
}

// Slots that the worker empties or fills meanwhile hold buffers of this pool in any case.
BESIDE_WRITER static void look_at_ring(const struct rte_ring *r)
{
	void *const *slots = (void *const *)(const void *)(r + 1);
	uint32_t head = __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t count = __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE) - head;
	if (count > r->capacity)
		return; // the worker went on between the two loads
	for (uint32_t i = 0; i < count; i++)
		found_free(&slots[(head + i) & r->mask]);
}

BESIDE_WRITER static void look_at_cache(const struct rte_mempool_cache *c)
{
	uint32_t count = __atomic_load_n(&c->len, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < count && i < RTE_DIM(c->objs); i++)
		found_free(&c->objs[i]);
}

void mbuf_walk_look(const struct rte_mempool *pool)
{
	look_at_ring(pool->pool_data); // mbuf_pool.c makes pools of rings only
	for (unsigned i = 0; pool->cache_size && i < RTE_MAX_LCORE; i++)
		look_at_cache(&pool->local_cache[i]);
}

static void count_missing(struct rte_mempool *, void *missing, void *buffer, unsigned)
{
	struct rte_mbuf *m = buffer;
	uint16_t mark = *noted(m);
	unsigned owner = mbuf_mark_owner(mark);
	if (mark && mark == mark_of(m) && owner < MBUF_OWNERS)
		((uint32_t *)missing)[owner]++;
}

void mbuf_walk_end(struct rte_mempool *pool, uint32_t missing[MBUF_OWNERS])
{
	memset(missing, 0, MBUF_OWNERS * sizeof(missing[0]));
	(void)rte_mempool_obj_iter(pool, count_missing, missing);
}

void mbuf_audit_sample(struct mbuf_audit *audit, uint32_t in_use)
{
	if (audit->samples++ == 0 || in_use < audit->floor)
		audit->floor = in_use;
}

enum mbuf_breach mbuf_audit_check(struct mbuf_audit *audit, bool quiet)
{
	if (audit->samples == 0)
		return MBUF_SOUND;
	audit->samples = 0;
	uint64_t most = (uint64_t)audit->base + audit->tx_hold + (quiet ? 0 : audit->in_flight);
	if (audit->floor > most)
		return MBUF_LEAK;
	if (quiet && (uint64_t)audit->floor + audit->rx_vary < audit->base)
		return MBUF_DOUBLE_FREE;
	return MBUF_SOUND;
}

// The fate of the frame of each verdict.
enum fate { SENT, TO_KERNEL, FREED };

static enum fate fate_of(enum verdict v)
{
	static const char *const freed[] = {"drop_", "miss"};
	if (v == VERDICT_to_kernel)
		return TO_KERNEL;
	for (unsigned i = 0; i < ARRAY_LEN(freed); i++)
		if (strncmp(verdict_names[v], freed[i], strlen(freed[i])) == 0)
			return FREED;
	return SENT;
}

static uint64_t get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

void mbuf_flows_read(struct mbuf_flows *out, const struct stats_worker *s)
{
	// Inputs are read first, outputs last: the worker goes on meanwhile, and no frame of
	// that time may look lost.
	*out = (struct mbuf_flows){
		.received = get(&s->counter[COUNTER_rx_frames]),
		.to_send = get(&s->counter[COUNTER_answers]) + get(&s->counter[COUNTER_kernel_rx]),
	};
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		uint64_t n = get(&s->verdict[v]);
		out->settled += n;
		switch (fate_of((enum verdict)v)) {
		case SENT:
			out->to_send += n;
			break;
		case TO_KERNEL:
			out->to_kernel += n;
			break;
		case FREED:
			out->dropped[v] = n;
			break;
		}
	}
	out->sent = get(&s->counter[COUNTER_tx_frames]) + get(&s->counter[COUNTER_tx_full]);
	out->kernel = get(&s->counter[COUNTER_kernel_tx]);
}

// Frames that went in and never came out.
static uint64_t kept(uint64_t in, uint64_t out)
{
	return in > out ? in - out : 0;
}

unsigned mbuf_suspect(
	const struct mbuf_flows *before, const struct mbuf_flows *after, uint32_t lost)
{
	unsigned owner = MBUF_OWNER_port, found = 0;

	if (kept(after->received, after->settled) >= lost)
		return MBUF_OWNER_rx;
	if (kept(after->to_send, after->sent) >= lost)
		return MBUF_OWNER_tx;
	if (kept(after->to_kernel, after->kernel) >= lost)
		return MBUF_OWNER_kernel_tx;
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		if (after->dropped[v] - before->dropped[v] < lost)
			continue;
		owner = MBUF_OWNER_VERDICTS + v;
		found++;
	}
	return found == 1 ? owner : MBUF_OWNER_port;
}
