// SPDX-License-Identifier: BSD-3-Clause
// Metrics of memory: bytes by subsystem, the unaccounted rest, and the growth.

#include "metrics.h"

#include <weir/shm_region.h>

void metrics_accounts(struct metrics_text *t, const struct mem_reading *r)
{
	if (r->process.rss == 0)
		return;
	metrics_family(t, METRICS_GAUGE, "weir_memory_account_bytes",
		"Heap of the control plane by subsystem, sampled every ten seconds.");
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		metrics_count(
			t, METRICS_LABELS({"account", mem_account_names[i]}), r->account[i].bytes);
	metrics_one(t, METRICS_GAUGE, "weir_memory_allocated_bytes",
		"Bytes that the allocator has handed out.", r->process.allocated);
	metrics_one(t, METRICS_GAUGE, "weir_memory_unexplained_bytes",
		"Allocated bytes that are in no account.", r->unexplained);
	metrics_one(t, METRICS_GAUGE, "weir_memory_unexplained_alarm",
		"Whether the bytes in no account are over the threshold.", r->alarming);
}

enum slope_of { SLOPE, SLOPE_MARGIN, SLOPE_PER_MILLION };

static double slope_value(const struct memory_report *r, const struct trend *t, enum slope_of what)
{
	if (what == SLOPE_PER_MILLION)
		return t->slope / r->query_rate * 1e6;
	return what == SLOPE_MARGIN ? t->half : t->slope;
}

static void slopes_put(struct metrics_text *t, const struct memory_report *r, enum slope_of what)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct memory_slope *s = &r->slope[i];
		if (s->kind == MEMORY_BYTES && s->trend.known)
			metrics_real(t, METRICS_LABELS({"of", s->name}),
				slope_value(r, &s->trend, what));
	}
}

void metrics_growth(struct metrics_text *t, const struct memory_report *r)
{
	if (r->samples == 0)
		return;
	metrics_family(t, METRICS_GAUGE, "weir_memory_growth_bytes_per_second",
		"Slope of memory over the last half hour, of the control plane unless the label "
		"names the data plane.");
	slopes_put(t, r, SLOPE);
	metrics_family(t, METRICS_GAUGE, "weir_memory_growth_margin_bytes_per_second",
		"Half of the 95 %% interval of the slope.");
	slopes_put(t, r, SLOPE_MARGIN);
	if (r->query_rate > 0) {
		metrics_family(t, METRICS_GAUGE, "weir_memory_growth_bytes_per_million_queries",
			"Slope of memory per million queries of the last half hour.");
		slopes_put(t, r, SLOPE_PER_MILLION);
	}
	metrics_one(t, METRICS_GAUGE, "weir_memory_steady",
		"Whether no table was filling, so that the slope is meaningful.", r->steady);
	metrics_one(t, METRICS_GAUGE, "weir_memory_growth_alarm",
		"Whether there is an alarm of memory.", r->alarm);
	metrics_one(t, METRICS_COUNTER, "weir_memory_growth_alarms_total",
		"Times that an alarm of memory was raised.", r->alarms);
}

void metrics_alarms(struct metrics_text *t, const struct judge_status *s)
{
	metrics_family(t, METRICS_GAUGE, "weir_memory_alarm",
		"What grows without an explanation, each for as long as it does.");
	for (unsigned i = 0; i < s->count; i++) {
		const struct judge_alarm *a = &s->alarm[i];
		metrics_count(t,
			METRICS_LABELS({"process", judge_process_texts[a->process]},
				{"kind", judge_kind_texts[a->kind]}, {"name", a->name}),
			1);
	}
	metrics_one(t, METRICS_COUNTER, "weir_memory_alarms_total",
		"Times that an alarm of memory was raised.", s->raised);
}

static void ends_put(struct metrics_text *t, const char *process, const struct memory_lives *lives)
{
	uint64_t ended[MEMORY_ENDS] = {0};
	const struct memory_life *life;
	for (unsigned back = 0; (life = memory_life_get(lives, back)); back++)
		ended[life->end < MEMORY_ENDS ? life->end : MEMORY_UNSEEN]++;
	for (unsigned e = MEMORY_RUNS + 1; e < MEMORY_ENDS; e++)
		metrics_count(t, METRICS_LABELS({"process", process}, {"end", memory_end_text(e)}),
			ended[e]);
}

void metrics_lives(struct metrics_text *t, const struct memory_meter *m)
{
	metrics_family(t, METRICS_COUNTER, "weir_process_lives_total",
		"Starts of a process since its history began.");
	for (unsigned p = 0; p < MEMORY_PROCESSES; p++) {
		const struct memory_life *now = memory_life_get(memory_meter_lives(m, p), 0);
		metrics_count(t, METRICS_LABELS({"process", judge_process_texts[p]}),
			now ? now->number : 0);
	}
	metrics_family(t, METRICS_GAUGE, "weir_process_ends",
		"The last 64 runs of a process, by how they ended.");
	for (unsigned p = 0; p < MEMORY_PROCESSES; p++)
		ends_put(t, judge_process_texts[p], memory_meter_lives(m, p));
}

// Metrics of mappings and descriptors by kind, of both processes.

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
