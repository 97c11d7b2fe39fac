// SPDX-License-Identifier: BSD-3-Clause
// From batches to sinks, and what a sink is owed that did not take one.

#include "querylog_internal.h"

#include <weir/clock.h>
#include <weir/log.h>

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void store(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, n, memory_order_relaxed);
}

static void taken(struct querylog_sink_slot *s, const struct querylog_batch *b, uint64_t owed)
{
	querylog_count(&s->rows, b->count);
	querylog_count(&s->weight, b->weight + owed);
	s->recent_rows[0] += b->count;
	s->recent_weight[0] += b->weight + owed;
	if (!owed)
		return;
	querylog_count(&s->folded_rows, load(&s->owed_rows));
	querylog_count(&s->folded_weight, owed);
	store(&s->owed_rows, 0);
	store(&s->owed_weight, 0);
}

static void refused(struct querylog_sink_slot *s, const struct querylog_batch *b)
{
	if (s->sink.fold && !load(&s->owed_weight))
		s->owed_ms = clock_mono_ms();
	querylog_count(s->sink.fold ? &s->owed_rows : &s->dropped_rows, b->count);
	querylog_count(s->sink.fold ? &s->owed_weight : &s->dropped_weight, b->weight);
}

static void give_up(struct querylog_sink_slot *s)
{
	querylog_count(&s->dropped_rows, load(&s->owed_rows));
	querylog_count(&s->dropped_weight, load(&s->owed_weight));
	store(&s->owed_rows, 0);
	store(&s->owed_weight, 0);
}

void querylog_feed(struct querylog *q, const struct querylog_batch *b)
{
	for (unsigned i = 0; i < q->sinks; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		uint64_t owed = load(&s->owed_weight);
		bool took = s->sink.fold ? s->sink.fold(s->sink.arg, b, owed)
					 : s->sink.take(s->sink.arg, b);
		s->was_offered = true;
		if (took)
			taken(s, b, owed);
		else
			refused(s, b);
	}
	querylog_hand_write(q);
}

// A batch whose one row stands for what the sink is owed, and for nothing else.
static bool pay(struct querylog *q, struct querylog_sink_slot *s)
{
	struct querylog_batch *b = querylog_pool_take(q->pool, q->settings.box, q->batches + 1);
	if (!b)
		return false;
	q->batches++;
	uint64_t now_us = clock_mono_us() + (uint64_t)q->wall_us;
	bool took = querylog_row_rest(b, now_us, load(&s->owed_weight))
		    && s->sink.fold(s->sink.arg, b, 0);
	if (took) {
		querylog_count(&s->rows, 1);
		taken(s, &(struct querylog_batch){.count = 0}, load(&s->owed_weight));
	}
	querylog_release(b);
	return took;
}

void querylog_forgive(struct querylog *q)
{
	for (unsigned i = 0; i < q->sinks; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		unsigned long long owed = load(&s->owed_weight);
		if (!owed)
			continue;
		log_warning("query log: %s did not take %llu queries before shutdown", s->sink.name,
			owed);
		give_up(s);
	}
}

bool querylog_settle(struct querylog *q, uint64_t now_ms)
{
	bool all = true;
	for (unsigned i = 0; i < q->sinks; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		if (load(&s->owed_weight) && (s->was_offered || !pay(q, s))) {
			// The debt may be younger than now_ms: rings were read since.
			if (now_ms >= s->owed_ms + QUERYLOG_OWED_MS)
				give_up(s);
			all &= !load(&s->owed_weight);
		}
		s->was_offered = false;
	}
	return all;
}
