// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the events and of who reads them.
#include "metrics.h"

void metrics_events(struct metrics_text *t, const struct events *e, uint64_t readers_cut)
{
	struct events_counts c;
	events_counts(e, &c);
	metrics_family(t, METRICS_COUNTER, "weir_events_total", "Events by kind.");
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"kind", event_kind_names[i]}), c.of_kind[i]);
	metrics_one(t, METRICS_COUNTER, "weir_events_overwritten_total",
		"Events that newer ones have overwritten.", c.overwritten);
	metrics_one(t, METRICS_COUNTER, "weir_event_conditions_left_out_total",
		"Alarms and servers that are down for which no event is added: over 96 at once.",
		c.left_out);
	metrics_one(t, METRICS_COUNTER, "weir_event_readers_cut_total",
		"Readers of events that were closed because they read nothing for 2 s.",
		readers_cut);
}
