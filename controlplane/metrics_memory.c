// SPDX-License-Identifier: BSD-3-Clause
// Metrics of memory: what each subsystem holds, what nobody explains, and how fast it all grows.

#include "metrics.h"

void metrics_accounts(struct metrics_text *t, const struct mem_reading *r)
{
	if (r->process.rss == 0)
		return;
	metrics_family(t, METRICS_GAUGE, "weir_memory_account_bytes",
		"Heap of the control plane by subsystem, at a look each ten seconds.");
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		metrics_count(
			t, METRICS_LABELS({"account", mem_account_names[i]}), r->account[i].bytes);
	metrics_family(t, METRICS_GAUGE, "weir_memory_allocated_bytes",
		"What the allocator has handed out.");
	metrics_count(t, NULL, r->process.allocated);
	metrics_family(t, METRICS_GAUGE, "weir_memory_unexplained_bytes",
		"Of that, what is in no account.");
	metrics_count(t, NULL, r->unexplained);
	metrics_family(
		t, METRICS_GAUGE, "weir_memory_unexplained_alarm", "Whether that is too much.");
	metrics_count(t, NULL, r->alarming);
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
		"Slope of the control plane's memory over the last half hour, where it is known.");
	slopes_put(t, r, SLOPE);
	metrics_family(t, METRICS_GAUGE, "weir_memory_growth_margin_bytes_per_second",
		"Half of its interval of 95 %%.");
	slopes_put(t, r, SLOPE_MARGIN);
	if (r->query_rate > 0) {
		metrics_family(t, METRICS_GAUGE, "weir_memory_growth_bytes_per_million_queries",
			"The same slope by the queries of that half hour, while there were any.");
		slopes_put(t, r, SLOPE_PER_MILLION);
	}
	metrics_family(t, METRICS_GAUGE, "weir_memory_steady",
		"Whether no table was filling, so that growth means something.");
	metrics_count(t, NULL, r->steady);
	metrics_family(t, METRICS_GAUGE, "weir_memory_growth_alarm",
		"Whether something grows for sure by over 1 MiB an hour.");
	metrics_count(t, NULL, r->alarm);
	metrics_family(
		t, METRICS_COUNTER, "weir_memory_growth_alarms_total", "Times that it began to.");
	metrics_count(t, NULL, r->alarms);
}
