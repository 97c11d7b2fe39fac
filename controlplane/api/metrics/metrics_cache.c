// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the two cache tiers.

#include "metrics.h"

static void redis_state_out(struct metrics_text *t, const char *state)
{
	static const char *const states[] = {
		"off", "connecting", "up", "partial", "refusing", "away"};
	metrics_family(t, METRICS_GAUGE, "weir_redis_state",
		"State of Redis: 1 for the label that is true.");
	for (unsigned i = 0; i < ARRAY_LEN(states); i++)
		metrics_count(t, METRICS_LABELS({"state", states[i]}),
			state && __builtin_strcmp(state, states[i]) == 0);
}

void metrics_cache(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_counts(t, l0_rows(), &s->l0);
	metrics_family(t, METRICS_GAUGE, "weir_l0_bytes", "Bytes of L0, shared and private.");
	metrics_count(t, METRICS_LABELS({"part", "shared"}), s->l0_bytes);
	metrics_count(t, METRICS_LABELS({"part", "private"}), s->l0_private_bytes);
	metrics_counts(t, l1_rows(), &s->l1);
	metrics_counts(t, redis_rows(), &s->l1.redis);
	metrics_one(t, METRICS_GAUGE, "weir_redis_refused_writes",
		"Writes that Redis refused since it last accepted one.", s->l1.refused_in_a_row);
	metrics_counts(t, l1_sweep_rows(), &s->l1_sweep);
	metrics_counts(t, flush_rows(), &s->flush);
	redis_state_out(t, s->l1.redis.state);
}
