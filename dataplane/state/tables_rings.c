// SPDX-License-Identifier: BSD-3-Clause

#include "tables.h"
#include "worker_rings.h"

#include <weir/log.h>

enum { AGAIN_MS = 1000 };

bool tables_take_rings(struct tables_set *set, const struct tables_source *src, uint64_t now_ms,
	uint64_t *again_ms)
{
	char why[SHM_WHY_MAX] = "";
	const unsigned had = set->t.l0.resolvers;

	if (had == set->resolvers)
		return false;
	int rc = worker_rings_grow(src->rings, &src->paths, src->worker, set->resolvers, why);
	const unsigned have = src->rings->resolvers;
	set->t.l0.resolvers = (uint8_t)(have < set->resolvers ? have : set->resolvers);
	if (rc < 0 && *again_ms == 0)
		log_error("rings for %u of %u resolvers only: %s; names of the others are answered "
			  "but not cached; weir tries again",
			have, set->resolvers, why);
	*again_ms = rc < 0 ? now_ms + AGAIN_MS : 0;
	return set->t.l0.resolvers != had;
}
