// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the update notice, where updates.check is true.
#include "metrics.h"

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
