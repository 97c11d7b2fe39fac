// SPDX-License-Identifier: BSD-3-Clause
// Rows that each sink has in memory, and rows that it lost: for the status, for the log, and for
// the control plane that starts after a kill.

#include "querylog_internal.h"

#include <stdio.h>
#include <string.h>
#include <weir/log.h>

enum { TELL_AGAIN_MS = 60000 };

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void held_take(const struct querylog_sink_slot *s, struct querylog_held *out)
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
		held_take(s, &held);
		out[i] = (struct querylog_sink_counts){
			.name = s->sink.name,
			.rows = load(&s->rows),
			.weight = load(&s->weight),
			.folded_rows = load(&s->folded_rows),
			.folded_weight = load(&s->folded_weight),
			.owed_rows = load(&s->owed_rows),
			.owed_weight = load(&s->owed_weight),
			.dropped_rows = load(&s->dropped_rows),
			.dropped_weight = load(&s->dropped_weight),
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

void querylog_before_take(struct querylog *q)
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

// A sink's own figures may be as old as the last beat but one. So all rows that it took since then
// count as in memory. The rows of the batch being filled are on their way to every sink.
void querylog_hand_write(struct querylog *q)
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
		held_take(s, &held);
		*to = (struct querylog_hand_rows){
			.rows = held.rows + s->recent_rows[0] + s->recent_rows[1] + filling_rows,
			.weight = held.weight + s->recent_weight[0] + s->recent_weight[1]
				  + load(&s->owed_weight) + filling_weight};
		snprintf(to->name, sizeof(to->name), "%s", s->sink.name);
	}
	querylog_hand_put(&q->hand, rows, n);
}

static void loss_tell(
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

void querylog_losses_beat(struct querylog *q, uint64_t now_ms)
{
	struct querylog_sink_counts counts[QUERYLOG_SINKS_MAX];
	unsigned n = querylog_sinks(q, counts);
	for (unsigned i = 0; i < n; i++) {
		struct querylog_sink_slot *s = &q->sink[i];
		if (s->sink.held)
			loss_tell(s, &counts[i], now_ms);
		s->recent_rows[1] = s->recent_rows[0];
		s->recent_weight[1] = s->recent_weight[0];
		s->recent_rows[0] = s->recent_weight[0] = 0;
	}
	querylog_hand_write(q);
}
