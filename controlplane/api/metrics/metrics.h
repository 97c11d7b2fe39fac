// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The families of /metrics by subject; docs/reference/metrics.md lists them. Each function writes
// from copies that the caller took, so no lock is held and nothing waits.
//
// Bounds: labels are verdicts, codes, types and names of the configuration, whose numbers are
// capped; nothing comes from a packet. All families together are under METRICS_TEXT_MAX bytes with
// every table of the configuration full.

#include "base/table_registry.h"
#include "events/events.h"
#include "frontend/frontends.h"
#include "memory/mem_watch.h"
#include "memory/memory_meter.h"
#include "metrics_text.h"
#include "querylog/clickhouse/clickhouse.h"
#include "querylog/querylog.h"
#include "querylog/store/query_store.h"
#include "resolver/resolver.h"
#include "rules/rules.h"
#include "sync/sync.h"
#include "updates/updates.h"

#include <weir/stats_read.h>

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
