// SPDX-License-Identifier: BSD-3-Clause
// Metrics of boxes with one configuration (sync/sync.h).
#include "metrics.h"

#include <weir/clock.h>

static void secondary_write(struct metrics_text *t, const struct sync_status *s)
{
	metrics_one(t, METRICS_GAUGE, "weir_sync_silent_seconds",
		"Seconds since the last good poll of the primary, or since this box is a "
		"secondary.",
		s->silent_ms / 1000);
	metrics_family(t, METRICS_GAUGE, "weir_sync_result",
		"1: the state of the primary's version on this box.");
	for (unsigned i = 0; i < SYNC_RESULTS; i++)
		metrics_count(t, METRICS_LABELS({"result", sync_result_names[i]}), i == s->result);
	metrics_family(t, METRICS_COUNTER, "weir_sync_polls_total",
		"Polls of the primary, by what came of them.");
	for (unsigned i = 0; i < SYNC_POLL_ENDS; i++)
		metrics_count(t, METRICS_LABELS({"result", sync_poll_names[i]}), s->polls[i]);
	metrics_family(t, METRICS_COUNTER, "weir_sync_versions_total",
		"Versions of the primary, by what came of them.");
	metrics_count(t, METRICS_LABELS({"result", "held"}), s->taken);
	metrics_count(t, METRICS_LABELS({"result", "refused"}), s->refused);
	metrics_count(t, METRICS_LABELS({"result", "taken_back"}), s->taken_back);
}

static void primary_write(struct metrics_text *t, const struct sync_boxes *b)
{
	const uint64_t now_ms = clock_mono_ms();
	uint64_t away = 0, refused = 0;
	for (unsigned i = 0; i < b->count; i++) {
		const enum sync_result result = b->box[i].report.result;
		away += sync_box_is_away(&b->box[i], now_ms);
		refused += result == SYNC_refused || result == SYNC_taken_back;
	}
	metrics_one(t, METRICS_GAUGE, "weir_sync_boxes",
		"Secondaries that polled this box in the last seven days.", b->count);
	metrics_one(t, METRICS_GAUGE, "weir_sync_boxes_away",
		"Of these, those without a poll for 90 seconds.", away);
	metrics_one(t, METRICS_GAUGE, "weir_sync_boxes_refused",
		"Of these, those that refused a version or took it back.", refused);
}

static void rollout_write(struct metrics_text *t, const struct sync_waves_status *s)
{
	metrics_family(
		t, METRICS_GAUGE, "weir_sync_rollout_state", "1: the state of the roll-out.");
	for (unsigned i = 0; i < SYNC_ROLLOUT_STATES; i++)
		metrics_count(t, METRICS_LABELS({"state", sync_rollout_state_names[i]}),
			i == s->kept->state);
	metrics_one(t, METRICS_GAUGE, "weir_sync_rollout_wave", "The wave of the roll-out, from 1.",
		s->kept->wave);
	metrics_one(t, METRICS_GAUGE, "weir_sync_rollout_boxes",
		"Boxes that poll and may have the version in this wave.", s->n.released);
	metrics_one(t, METRICS_GAUGE, "weir_sync_rollout_boxes_held",
		"Of these, those that hold it.", s->n.held);
	metrics_family(
		t, METRICS_COUNTER, "weir_sync_rollouts_total", "Roll-outs, by what came of them.");
	metrics_count(t, METRICS_LABELS({"result", "done"}), s->ended);
	metrics_count(t, METRICS_LABELS({"result", "stopped"}), s->stopped);
	metrics_count(t, METRICS_LABELS({"result", "taken_back"}), s->back);
}

void metrics_sync(
	struct metrics_text *t, const struct sync_status *s, const struct sync_boxes *boxes)
{
	if (s->is_secondary || boxes)
		metrics_one(t, METRICS_GAUGE, "weir_sync_epoch",
			"The epoch, which each promotion raises.", s->epoch);
	if (s->is_secondary)
		secondary_write(t, s);
	if (boxes)
		primary_write(t, boxes);
	if (boxes && !s->is_secondary)
		rollout_write(t, &s->rollout);
}
