// SPDX-License-Identifier: BSD-3-Clause

#include "mbuf_walk.h"

#include "state/mbuf_owner.h"

#include <rte_errno.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>

#include <errno.h>
#include <string.h>

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

static void found_free(void *const *slot)
{
	struct rte_mbuf *m = __atomic_load_n(slot, __ATOMIC_RELAXED);
	if (m && *noted(m))
		*noted(m) = 0;
}

// Slots that the worker empties or fills meanwhile hold buffers of this pool in any case.
static void look_at_ring(const struct rte_ring *r)
{
	void *const *slots = (void *const *)(const void *)(r + 1);
	uint32_t head = __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t count = __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE) - head;
	if (count > r->capacity)
		return; // the worker went on between the two loads
	for (uint32_t i = 0; i < count; i++)
		found_free(&slots[(head + i) & r->mask]);
}

static void look_at_cache(const struct rte_mempool_cache *c)
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
