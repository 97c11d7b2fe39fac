// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The families of /metrics by subject; docs/reference/metrics.md lists them. Each function writes
// from copies that the caller took, so no lock is held and nothing waits.
//
// Bounds: labels are verdicts, codes, types and names of the configuration, whose numbers are
// capped; nothing comes from a packet. All families together are under METRICS_TEXT_MAX bytes with
// every table of the configuration full.

#include "base/counts.h"
#include "base/table_registry.h"
#include "events/events.h"
#include "frontend/frontends.h"
#include "memory/mem_watch.h"
#include "memory/memory_meter.h"
#include "querylog/clickhouse/clickhouse.h"
#include "querylog/querylog.h"
#include "querylog/store/query_store.h"
#include "resolver/resolver.h"
#include "rules/rules.h"
#include "sync/sync.h"
#include "updates/updates.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/stats_read.h>

// Text in Prometheus' exposition format 0.0.4: families with help and type, samples with labels.
//
// Owned by one thread. The text grows up to METRICS_TEXT_MAX bytes; a sample without room is left
// out and counted, so the text is whole lines. Label values are escaped; names and help are
// constants. Floats are written with 17 digits at most, integers exactly.

enum { METRICS_TEXT_MAX = 4 << 20, METRICS_LABELS_MAX = 5, METRICS_NAME_MAX = 96 };

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_text {
	char *data; // malloced, with a NUL after `len` bytes; NULL: no text so far
	size_t len, cap;
	uint64_t samples;
	uint64_t left_out;             // samples that found no room
	char family[METRICS_NAME_MAX]; // family of the samples that follow
};

struct metrics_label {
	const char *name, *value;
};

// Begins a family: the samples that follow are of it. A family comes once in a text.
void metrics_family(struct metrics_text *t, enum metrics_type type, const char *name,
	const char *help, ...) ATTR_PRINTF(4, 5);
// `labels` ends with a NULL name, or is NULL.
void metrics_count(struct metrics_text *t, const struct metrics_label *labels, uint64_t value);
void metrics_real(struct metrics_text *t, const struct metrics_label *labels, double value);
// A family of one sample without labels.
void metrics_one(struct metrics_text *t, enum metrics_type type, const char *name, const char *help,
	uint64_t value);
// Adds the samples of a histogram. `bucket`: counts of each bucket alone. `bound`: upper bounds in
// the family's unit, of all buckets but the last, which has no bound.
void metrics_histogram(struct metrics_text *t, const struct metrics_label *labels,
	const uint64_t *bucket, const double *bound, unsigned buckets, double sum);

// An array of up to METRICS_LABELS_MAX labels.
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})

// Adds a family for each counter of `c` that has a metric: with one sample without labels, or with
// a sample for each of `rows` structs, `stride` bytes apart.
void metrics_counts(struct metrics_text *t, const struct counts *c, const void *from);
struct metrics_labels {
	struct metrics_label label[3]; // a NULL name ends them
};
// The labels of one row, with one label.
#define METRICS_LABEL(name, value) ((struct metrics_labels){{{name, value}}})
void metrics_counts_rows(struct metrics_text *t, const struct counts *c, const void *from,
	unsigned rows, size_t stride, const struct metrics_labels *labels);

// The data plane: sums over workers; each worker's rings, packet buffers and time; ports; groups.
void metrics_dataplane(struct metrics_text *t, const struct stats_copy *s);
void metrics_kinds(struct metrics_text *t, const struct stats_copy *s); // types, codes, times
void metrics_workers(struct metrics_text *t, const struct stats_copy *s);
void metrics_ports(struct metrics_text *t, const struct stats_copy *s);
void metrics_groups(struct metrics_text *t, const struct stats_copy *s, const struct config *c);

void metrics_resolver(struct metrics_text *t, const struct resolver_status *s);
void metrics_answers(struct metrics_text *t, const struct resolver_status *s); // times
void metrics_upstreams(struct metrics_text *t, const struct resolver_status *s);
void metrics_hosts(struct metrics_text *t); // host names of servers, if any
void metrics_cache(struct metrics_text *t, const struct resolver_status *s); // L0, L1, Redis
void metrics_frontends(struct metrics_text *t, const struct frontends_status *s);
void metrics_lag(struct metrics_text *t, const struct loop_lag_minute *resolver,
	const struct loop_lag_minute *frontend, const struct loop_lag_minute *service);

void metrics_rules(struct metrics_text *t, const struct rules_status *r);
void metrics_log(struct metrics_text *t, const struct querylog_status *s);
void metrics_clickhouse(struct metrics_text *t, const struct clickhouse_status *s);
void metrics_store(struct metrics_text *t, const struct query_store_status *s);
void metrics_tables(struct metrics_text *t, const struct table_registry *r);
void metrics_accounts(
	struct metrics_text *t, const struct mem_reading *r); // nothing before the first reading
// Mappings and descriptors of each process. NULL: leaves the process out.
void metrics_mappings(struct metrics_text *t, const struct mem_kinds *controlplane,
	const struct mem_kinds *dataplane);
void metrics_growth(struct metrics_text *t, const struct memory_report *r);
void metrics_alarms(struct metrics_text *t, const struct judge_status *s);
void metrics_updates(struct metrics_text *t, const struct updates_status *s);
// `boxes` NULL: no secondary polled this box.
void metrics_sync(
	struct metrics_text *t, const struct sync_status *s, const struct sync_boxes *boxes);
// `offer` NULL: this primary hands no version out.
void metrics_sync_boxes(
	struct metrics_text *t, const struct sync_boxes *boxes, const struct sync_offer *offer);
void metrics_events(struct metrics_text *t, const struct events *e, uint64_t readers_cut);
struct sink_status; // querylog/sinks/sink_thread.h
void metrics_event_outputs(struct metrics_text *t, const struct sink_status *s, unsigned count);
void metrics_lives(struct metrics_text *t, const struct memory_meter *m);

// Appends each family of a renamed metric a second time, under its former name, for one version
// (docs/reference/metrics.md, "Renamed"). Call it when all families are there.
void metrics_aliases(struct metrics_text *t);
