// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How full a ring is, as its producer sees it.

#include <weir/shm_ring.h>

static inline uint64_t ring_producer_used(const struct ring_producer *p) // units
{
	uint64_t used = p->next - atomic_load_explicit(&p->head->units, memory_order_relaxed);
	return used <= p->units ? used : p->units;
}
