// SPDX-License-Identifier: BSD-3-Clause
// The heartbeats of the resolvers. Each resolver's loop writes its own and looks at all others, so
// every loop that hangs is named as long as one runs. When none does, the data plane says so.
#include "publish_internal.h"

#include <weir/log.h>

// Several loops may see the same: one of them logs it.
static void hung_set(struct publisher_beat *b, unsigned resolver, bool hangs)
{
	if (atomic_exchange_explicit(&b->hangs, hangs, memory_order_relaxed) == hangs)
		return;
	if (hangs)
		log_error("resolver %u hangs: no heartbeat for %d ms; clients wait for answers "
			  "that it has to resolve; restart weir-controlplane if it stays so",
			resolver, PUBLISH_HUNG_MS);
	else
		log_info("resolver %u is back", resolver);
}

void publisher_resolver_beat(struct publisher *p, unsigned resolver, uint64_t now_ms)
{
	struct publisher_beat *own = &p->beat[resolver];
	const uint64_t before_ms = atomic_load_explicit(&own->at_ms, memory_order_relaxed);

	atomic_store_explicit(&own->at_ms, now_ms, memory_order_relaxed);
	// The process was stopped, or the machine suspended: the others need as long as we do for
	// their heartbeats. Half the time, because theirs may be a beat older than our own.
	if (now_ms > before_ms && now_ms - before_ms >= PUBLISH_HUNG_MS / 2)
		own->check_from_ms = now_ms + PUBLISH_HUNG_MS;
	if (now_ms < own->check_from_ms)
		return;
	for (unsigned i = 0; i < p->resolvers; i++) {
		const uint64_t at_ms =
			atomic_load_explicit(&p->beat[i].at_ms, memory_order_relaxed);
		// 0: it has not begun.
		hung_set(&p->beat[i], i,
			at_ms != 0 && now_ms > at_ms && now_ms - at_ms > PUBLISH_HUNG_MS);
	}
}

unsigned publish_resolvers_hung(const struct publisher *p)
{
	unsigned hung = 0;
	for (unsigned i = 0; i < p->resolvers; i++)
		hung += atomic_load_explicit(&p->beat[i].hangs, memory_order_relaxed);
	return hung;
}
