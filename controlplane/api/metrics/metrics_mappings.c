// SPDX-License-Identifier: BSD-3-Clause
// Metrics of mappings and descriptors by kind, of both processes.

#include "metrics.h"

#include <weir/shm_region.h>

enum deleted_field { FILES, BYTES, STALE };

static void mappings_put(
	struct metrics_text *t, const char *process, const struct mem_kinds *k, bool bytes)
{
	for (unsigned i = 0; k && i < MEM_MAPS; i++)
		metrics_count(t, METRICS_LABELS({"process", process}, {"kind", mem_map_names[i]}),
			bytes ? k->bytes[i] : k->maps[i]);
}

static void deleted_put(struct metrics_text *t, const char *process, const struct mem_kinds *k,
	enum deleted_field field)
{
	for (unsigned i = 0; k && i < REGION_KINDS; i++) {
		const struct mem_deleted *d = &k->deleted[i];
		metrics_count(t,
			METRICS_LABELS({"process", process}, {"region", region_kind_names[i]}),
			field == FILES   ? d->files
			: field == BYTES ? d->bytes
					 : d->stale);
	}
}

static void descriptors_put(struct metrics_text *t, const char *process, const struct mem_kinds *k)
{
	for (unsigned i = 0; k && i < MEM_FDS; i++)
		metrics_count(t, METRICS_LABELS({"process", process}, {"kind", mem_fd_names[i]}),
			k->descriptors[i]);
}

void metrics_mappings(struct metrics_text *t, const struct mem_kinds *controlplane,
	const struct mem_kinds *dataplane)
{
	static const char cp[] = "controlplane", dp[] = "dataplane";
	metrics_family(t, METRICS_GAUGE, "weir_process_mappings",
		"Mappings of a process by kind, sampled each 4 to 10 seconds, as the next five.");
	mappings_put(t, cp, controlplane, false);
	mappings_put(t, dp, dataplane, false);
	metrics_family(t, METRICS_GAUGE, "weir_process_mappings_bytes",
		"Address space of these mappings.");
	mappings_put(t, cp, controlplane, true);
	mappings_put(t, dp, dataplane, true);
	metrics_family(t, METRICS_GAUGE, "weir_process_deleted_mappings",
		"Shared mappings of deleted files, by region.");
	deleted_put(t, cp, controlplane, FILES);
	deleted_put(t, dp, dataplane, FILES);
	metrics_family(t, METRICS_GAUGE, "weir_process_deleted_mappings_bytes",
		"Address space of mappings of deleted files.");
	deleted_put(t, cp, controlplane, BYTES);
	deleted_put(t, dp, dataplane, BYTES);
	metrics_family(t, METRICS_GAUGE, "weir_process_stale_mappings",
		"Mappings of deleted regions, two generations or more behind the newest one.");
	deleted_put(t, cp, controlplane, STALE);
	deleted_put(t, dp, dataplane, STALE);
	metrics_family(t, METRICS_GAUGE, "weir_process_descriptors",
		"Open descriptors of a process by kind.");
	descriptors_put(t, cp, controlplane);
	descriptors_put(t, dp, dataplane);
}
