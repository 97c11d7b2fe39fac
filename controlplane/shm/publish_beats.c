// SPDX-License-Identifier: BSD-3-Clause
// The heartbeats of the resolvers and frontends. Each one's loop writes its own and looks at all
// others, so every loop that hangs is named as long as one runs. When none does, the data plane
// says so.
#include "publish_internal.h"

#include <weir/log.h>

static void hung_log(unsigned beat)
{
	if (beat < SHM_RESOLVERS_MAX)
		log_error("resolver %u hangs: no heartbeat for %d ms; clients wait for answers "
			  "that it has to resolve; restart weir-controlplane if it stays so",
			beat, PUBLISH_HUNG_MS);
	else
		log_error("frontend %u hangs: no heartbeat for %d ms; its clients over TCP wait, "
			  "and over UDP while no data plane runs; restart weir-controlplane if it "
			  "stays so",
			beat - SHM_RESOLVERS_MAX, PUBLISH_HUNG_MS);
}

static void back_log(unsigned beat)
{
	if (beat < SHM_RESOLVERS_MAX)
		log_info("resolver %u is back", beat);
	else
		log_info("frontend %u is back", beat - SHM_RESOLVERS_MAX);
}

// Several loops may see the same: one of them logs it.
static void hung_set(struct publisher *p, unsigned beat, bool hangs)
{
	if (atomic_exchange_explicit(&p->beat[beat].hangs, hangs, memory_order_relaxed) == hangs)
		return;
	if (hangs)
		hung_log(beat);
	else
		back_log(beat);
}

static void beat_look(struct publisher *p, unsigned own_beat, uint64_t now_ms)
{
	struct publisher_beat *own = &p->beat[own_beat];
	const uint64_t before_ms = atomic_load_explicit(&own->at_ms, memory_order_relaxed);

	atomic_store_explicit(&own->at_ms, now_ms, memory_order_relaxed);
	// The process was stopped, or the machine suspended: the others need as long as we do for
	// their heartbeats. Half the time, because theirs may be a beat older than our own.
	if (now_ms > before_ms && now_ms - before_ms >= PUBLISH_HUNG_MS / 2)
		own->check_from_ms = now_ms + PUBLISH_HUNG_MS;
	if (now_ms < own->check_from_ms)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(p->beat); i++) {
		const uint64_t at_ms =
			atomic_load_explicit(&p->beat[i].at_ms, memory_order_relaxed);
		// 0: it has not begun, or no thread has that number.
		hung_set(p, i, at_ms != 0 && now_ms > at_ms && now_ms - at_ms > PUBLISH_HUNG_MS);
	}
}

void publisher_resolver_beat(struct publisher *p, unsigned resolver, uint64_t now_ms)
{
	beat_look(p, resolver, now_ms);
}

void publisher_frontend_beat(struct publisher *p, unsigned frontend, uint64_t now_ms)
{
	beat_look(p, SHM_RESOLVERS_MAX + frontend, now_ms);
}

bool publisher_serves(const struct publisher *p, uint64_t since_ms, uint64_t now_ms)
{
	unsigned begun = 0, resolving = 0;
	for (unsigned i = 0; i < ARRAY_LEN(p->beat); i++) {
		const uint64_t at_ms =
			atomic_load_explicit(&p->beat[i].at_ms, memory_order_relaxed);
		if (at_ms != 0 && now_ms > at_ms && now_ms - at_ms > PUBLISH_LOST_MS)
			return false;
		if (i < SHM_RESOLVERS_MAX && at_ms != 0) {
			begun++;
			resolving += at_ms > since_ms;
		}
	}
	return begun == 0 || resolving > 0;
}

bool publisher_resolver_hangs(const struct publisher *p, unsigned resolver)
{
	return atomic_load_explicit(&p->beat[resolver].hangs, memory_order_relaxed);
}

bool publisher_frontend_hangs(const struct publisher *p, unsigned frontend)
{
	return atomic_load_explicit(
		&p->beat[SHM_RESOLVERS_MAX + frontend].hangs, memory_order_relaxed);
}

static unsigned hung_of(const struct publisher *p, unsigned first, unsigned count)
{
	unsigned hung = 0;
	for (unsigned i = first; i < first + count; i++)
		hung += atomic_load_explicit(&p->beat[i].hangs, memory_order_relaxed);
	return hung;
}

unsigned publish_resolvers_hung(const struct publisher *p)
{
	return hung_of(p, 0, p->resolvers);
}

unsigned publish_frontends_hung(const struct publisher *p)
{
	return hung_of(p, SHM_RESOLVERS_MAX, p->frontends);
}
