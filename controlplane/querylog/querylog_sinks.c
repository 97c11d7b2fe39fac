// SPDX-License-Identifier: BSD-3-Clause
// Passes batches to sinks; counts what a sink is owed that did not accept a batch, rows that each
// sink has in memory, and rows that it lost.

#include "querylog_state.h"

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { TELL_AGAIN_MS = 60000 };

static void store(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, n, memory_order_relaxed);
}

static void held_read(const struct querylog_sink_slot *s, struct querylog_held *out)
{
	*out = (struct querylog_held){0};
	if (s->sink.held)
		s->sink.held(s->sink.arg, out);
}

unsigned querylog_sinks(struct querylog *q, struct querylog_sink_counts out[QUERYLOG_SINKS_MAX])
{
	for (unsigned i = 0; i < q->sinks; i++) {
		const struct querylog_sink_slot *s = &q->sink[i];
		struct querylog_held held;
		held_read(s, &held);
		out[i] = (struct querylog_sink_counts){
			.name = s->sink.name,
			.rows = querylog_load(&s->rows),
			.weight = querylog_load(&s->weight),
			.folded_rows = querylog_load(&s->folded_rows),
			.folded_weight = querylog_load(&s->folded_weight),
			.owed_rows = querylog_load(&s->owed_rows),
			.owed_weight = querylog_load(&s->owed_weight),
			.dropped_rows = querylog_load(&s->dropped_rows),
			.dropped_weight = querylog_load(&s->dropped_weight),
			.held_rows = held.rows,
			.held_weight = held.weight,
			.before_rows = s->before_rows,
			.before_weight = s->before_weight,
		};
		out[i].lost_rows = out[i].dropped_rows + held.lost_rows;
		out[i].lost_weight = out[i].dropped_weight + held.lost_weight;
		out[i].without_messages = held.without_messages;
	}
	return q->sinks;
}

void querylog_sinks_restore(struct querylog *q)
{
	for (unsigned i = 0; i < q->hand.was_count; i++) {
		const struct querylog_hand_rows *was = &q->hand.was[i];
		log_warning("query log: the previous control plane was killed with up to %llu rows "
			    "(%llu queries) of %s in memory; they are lost",
			(unsigned long long)was->rows, (unsigned long long)was->weight, was->name);
		for (unsigned k = 0; k < q->sinks; k++) {
			struct querylog_sink_slot *s = &q->sink[k];
			if (strcmp(s->sink.name, was->name) != 0)
				continue;
			s->before_rows = was->rows;
			s->before_weight = was->weight;
		}
	}
	querylog_hand_begin(&q->hand);
}

// A sink's own figures may date from the last beat but one, so all rows that it took after that
// beat count as in memory. The rows of the batch being filled count for every sink.
void querylog_sinks_save(struct querylog *q)
{
	struct querylog_hand_rows rows[QUERYLOG_SINKS_MAX];
	const struct querylog_batch *b = q->filling;
	uint64_t filling_rows = b ? b->count : 0, filling_weight = (b ? b->weight : 0) + q->carried;
	unsigned n = 0;
	if (q->hand.fd < 0)
		return;
	for (unsigned i = 0; i < q->sinks; i++) {
		const struct querylog_sink_slot *s = &q->sink[i];
		if (!s->sink.held)
			continue;
		struct querylog_held held;
		struct querylog_hand_rows *to = &rows[n++];
		held_read(s, &held);
		*to = (struct querylog_hand_rows){
			.rows = held.rows + s->recent_rows[0] + s->recent_rows[1] + filling_rows,
			.weight = held.weight + s->recent_weight[0] + s->recent_weight[1]
				  + querylog_load(&s->owed_weight) + filling_weight};
		snprintf(to->name, sizeof(to->name), "%s", s->sink.name);
	}
	querylog_hand_put(&q->hand, rows, n);
}

static void loss_log(
	struct querylog_sink_slot *s, const struct querylog_sink_counts *c, uint64_t now_ms)
{
	if (c->lost_rows <= s->told_rows || (s->told_ms && now_ms < s->told_ms + TELL_AGAIN_MS))
		return;
	log_warning("query log: %s lost %llu rows (%llu queries); %llu (%llu) since the start",
		c->name, (unsigned long long)(c->lost_rows - s->told_rows),
		(unsigned long long)(c->lost_weight - s->told_weight),
		(unsigned long long)c->lost_rows, (unsigned long long)c->lost_weight);
	s->told_rows = c->lost_rows;
	s->told_weight = c->lost_weight;
	s->told_ms = now_ms;
}

void querylog_sinks_beat(struct querylog *q, uint64_t now_ms)
{
	struct querylog_sink_counts counts[QUERYLOG_SINKS_MAX];
	unsigned n = querylog_sinks(q, counts);
	for (unsigned i = 0; i < n; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		if (s->sink.held)
			loss_log(s, &counts[i], now_ms);
		s->recent_rows[1] = s->recent_rows[0];
		s->recent_weight[1] = s->recent_weight[0];
		s->recent_rows[0] = s->recent_weight[0] = 0;
	}
	querylog_sinks_save(q);
}

static void accepted_count(
	struct querylog_sink_slot *s, const struct querylog_batch *b, uint64_t owed)
{
	querylog_count(&s->rows, b->count);
	querylog_count(&s->weight, b->weight + owed);
	s->recent_rows[0] += b->count;
	s->recent_weight[0] += b->weight + owed;
	if (!owed)
		return;
	querylog_count(&s->folded_rows, querylog_load(&s->owed_rows));
	querylog_count(&s->folded_weight, owed);
	store(&s->owed_rows, 0);
	store(&s->owed_weight, 0);
}

static void refused_count(struct querylog_sink_slot *s, const struct querylog_batch *b)
{
	if (s->sink.fold && !querylog_load(&s->owed_weight))
		s->owed_ms = clock_mono_ms();
	querylog_count(s->sink.fold ? &s->owed_rows : &s->dropped_rows, b->count);
	querylog_count(s->sink.fold ? &s->owed_weight : &s->dropped_weight, b->weight);
}

static void debt_drop(struct querylog_sink_slot *s)
{
	querylog_count(&s->dropped_rows, querylog_load(&s->owed_rows));
	querylog_count(&s->dropped_weight, querylog_load(&s->owed_weight));
	store(&s->owed_rows, 0);
	store(&s->owed_weight, 0);
}

void querylog_feed(struct querylog *q, const struct querylog_batch *b)
{
	for (unsigned i = 0; i < q->sinks; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		uint64_t owed = querylog_load(&s->owed_weight);
		bool took = s->sink.fold ? s->sink.fold(s->sink.arg, b, owed)
					 : s->sink.take(s->sink.arg, b);
		s->was_offered = true;
		if (took)
			accepted_count(s, b, owed);
		else
			refused_count(s, b);
	}
	querylog_sinks_save(q);
}

// Gives the sink a batch whose one row stands for the debt alone.
static bool debt_pay(struct querylog *q, struct querylog_sink_slot *s)
{
	struct querylog_batch *b = querylog_pool_take(q->pool, q->box, q->batches + 1);
	if (!b)
		return false;
	q->batches++;
	uint64_t now_us = clock_mono_us() + (uint64_t)q->wall_us;
	bool took = querylog_row_rest(b, now_us, querylog_load(&s->owed_weight))
		    && s->sink.fold(s->sink.arg, b, 0);
	if (took) {
		querylog_count(&s->rows, 1);
		accepted_count(
			s, &(struct querylog_batch){.count = 0}, querylog_load(&s->owed_weight));
	}
	querylog_release(b);
	return took;
}

void querylog_sinks_forgive(struct querylog *q)
{
	for (unsigned i = 0; i < q->sinks; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		unsigned long long owed = querylog_load(&s->owed_weight);
		if (!owed)
			continue;
		log_warning("query log: %s did not take %llu queries before shutdown", s->sink.name,
			owed);
		debt_drop(s);
	}
}

bool querylog_sinks_settle(struct querylog *q, uint64_t now_ms)
{
	bool all = true;
	for (unsigned i = 0; i < q->sinks; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		if (querylog_load(&s->owed_weight) && (s->was_offered || !debt_pay(q, s))) {
			// owed_ms may be later than now_ms, because rings were read since.
			if (now_ms >= s->owed_ms + QUERYLOG_OWED_MS)
				debt_drop(s);
			all &= !querylog_load(&s->owed_weight);
		}
		s->was_offered = false;
	}
	return all;
}
