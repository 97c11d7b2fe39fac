// SPDX-License-Identifier: BSD-3-Clause
// Metrics of boxes with one configuration (sync/sync.h).
#include "metrics.h"

#include <string.h>
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
	if (!boxes || s->is_secondary)
		return;
	primary_write(t, boxes);
	rollout_write(t, &s->rollout);
}

// Metrics of each secondary that has polled this primary for LASTING_MS, at most SYNC_BOXES_MAX of
// them. Boxes with one name differ by their address.

// A token may poll under any names: those that come once do not become series of Prometheus.
enum { LASTING_MS = 5 * 60 * 1000 };

static uint64_t version_of(const struct sync_box *b, const struct sync_offer *, uint64_t)
{
	return b->report.version;
}

static uint64_t is_current(const struct sync_box *b, const struct sync_offer *offer, uint64_t)
{
	return offer && b->report.result == SYNC_held
	       && strcmp(b->report.digest, offer->digest) == 0;
}

static uint64_t is_ready(const struct sync_box *b, const struct sync_offer *, uint64_t)
{
	return b->report.is_ready;
}

static uint64_t silent_s(const struct sync_box *b, const struct sync_offer *, uint64_t now_ms)
{
	return (now_ms - b->seen_ms) / 1000;
}

static bool is_lasting(const struct sync_box *b)
{
	return b->seen_ms - b->first_ms >= LASTING_MS;
}

void metrics_sync_boxes(
	struct metrics_text *t, const struct sync_boxes *boxes, const struct sync_offer *offer)
{
	static const struct {
		const char *name, *help;
		uint64_t (*of)(
			const struct sync_box *b, const struct sync_offer *o, uint64_t now_ms);
	} each[] = {
		{"weir_sync_box_version",
			"The last version of this primary that the box decided about.", version_of},
		{"weir_sync_box_current",
			"1: the box holds the version that this primary hands out.", is_current},
		{"weir_sync_box_ready", "1: clients of the box get answers.", is_ready},
		{"weir_sync_box_silent_seconds", "Seconds since the last poll of the box.",
			silent_s}};
	const uint64_t now_ms = clock_mono_ms();
	metrics_one(t, METRICS_GAUGE, "weir_sync_version",
		"The version that this primary hands out; 0: it hands out no version.",
		offer ? offer->version : 0);
	for (unsigned k = 0; k < ARRAY_LEN(each); k++) {
		metrics_family(t, METRICS_GAUGE, each[k].name, "%s", each[k].help);
		for (unsigned i = 0; i < boxes->count; i++) {
			const struct sync_box *b = &boxes->box[i];
			if (!is_lasting(b))
				continue;
			metrics_count(t,
				METRICS_LABELS({"box", b->report.box}, {"address", b->from}),
				each[k].of(b, offer, now_ms));
		}
	}
}
