// SPDX-License-Identifier: BSD-3-Clause

// Rings of resolvers that this process does not have. After a restart with fewer resolvers the
// workers put misses there until they have activated the new cache. The first resolver takes these
// misses, and answers on its own rings.
#include "worker_rings_internal.h"

bool rings_activated(const struct worker_rings *l)
{
	struct publish_status now;

	publish_status(l->publisher, &now);
	for (unsigned i = 0; i < l->count; i++) {
		const struct rings *r = &l->rings[i];
		const struct rings_dp_page *dp = rings_dp(l->resolver ? &r->first : &r->region);
		if (atomic_load_explicit(&dp->activated_l0, memory_order_acquire)
			!= now.l0_generation)
			return false;
	}
	return true;
}

// -ENOENT: there is no such ring; 1: it may hold more; 0: it is empty.
static int left_take(struct worker_rings *l, unsigned worker, unsigned resolver)
{
	struct rings left = {.owner = l, .index = worker, .bell_fd = -1};
	char why[SHM_WHY_MAX];

	int rc = rings_map_of(&left, resolver, l->incarnation, why);
	if (rc < 0)
		return rc;
	bool more = rings_take(&left);
	l->anomalies_before += left.misses.anomalies;
	rings_unmap(&left);
	return more;
}

bool rings_left_take(struct worker_rings *l)
{
	// First: what a worker sent before it activated the cache is found below.
	bool done = rings_activated(l);

	for (unsigned r = publisher_resolvers(l->publisher); r < SHM_RESOLVERS_MAX; r++)
		for (unsigned i = 0; i < l->count; i++) {
			int rc = left_take(l, i, r);
			if (rc < 0)
				return done; // they are made one resolver after the other
			done &= rc == 0;
		}
	return done;
}
