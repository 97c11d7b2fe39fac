// SPDX-License-Identifier: BSD-3-Clause
// Metrics of events, of their readers and of the outputs that events are sent to.
#include "events/out/event_outs.h"
#include "metrics.h"
#include "querylog/sinks/sink_thread.h"

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

void metrics_event_outputs(struct metrics_text *t, const struct sink_status *s, unsigned count)
{
	if (count == 0)
		return;
	struct metrics_labels labels[EVENT_OUTS];
	for (unsigned i = 0; i < count; i++)
		labels[i] = METRICS_LABEL("output", s[i].name);
	metrics_counts_rows(t, sink_rows(), s, count, sizeof(s[0]), labels);
	metrics_family(t, METRICS_GAUGE, "weir_event_output_failing",
		"1: the last attempt of an output failed.");
	for (unsigned i = 0; i < count; i++)
		metrics_count(t, METRICS_LABELS({"output", s[i].name}), s[i].failing);
}

// Metrics of the update notice, where updates.check is true.

void metrics_updates(struct metrics_text *t, const struct updates_status *s)
{
	metrics_one(t, METRICS_GAUGE, "weir_update_available",
		"1: the last good file of updates.url names a newer version than this one.",
		s->available);
	metrics_one(t, METRICS_GAUGE, "weir_update_good_timestamp_seconds",
		"Unix time of the last good file of updates.url since the start; 0: none came.",
		(uint64_t)s->good_unix_s);
	metrics_family(t, METRICS_COUNTER, "weir_update_checks_total",
		"Fetches of the file of updates.url, by what came of them.");
	for (unsigned i = 0; i < UPDATE_FAULTS; i++)
		metrics_count(t, METRICS_LABELS({"result", update_fault_names[i]}), s->results[i]);
}
