// SPDX-License-Identifier: BSD-3-Clause
// Metrics of each secondary that has polled this primary for LASTING_MS, at most SYNC_BOXES_MAX of
// them. Boxes with one name differ by their address.
#include "metrics.h"

#include <string.h>
#include <weir/clock.h>

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
