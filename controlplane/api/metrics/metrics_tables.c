// SPDX-License-Identifier: BSD-3-Clause
// Metrics of lists and rules, of the query log, its sinks and its store, and of tables.

#include "metrics.h"

#define RULES(kind, field, metric, text, scale) \
	METRICS_FIELD(kind, struct rules_status, field, "weir_rules_" metric, text, scale)
static const struct metrics_field of_rules[] = {
	RULES(METRICS_GAUGE, names, "names", "Names in the current rule image.", 0),
	RULES(METRICS_GAUGE, image_bytes, "image_bytes", "Octets of the image.", 0),
	RULES(METRICS_GAUGE, peak_bytes, "build_peak_bytes", "Most memory that its build took.", 0),
	RULES(METRICS_GAUGE, build_ms, "build_seconds", "Time of its build, with rests.", 1e-3),
	RULES(METRICS_GAUGE, building, "building", "Whether an image is being built.", 0),
	RULES(METRICS_GAUGE, held, "held", "Whether the image is that of a rollback.", 0),
	RULES(METRICS_GAUGE, list_count, "lists", "Lists.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct rules_status, kept_bytes, "weir_list_copies_bytes",
		"Bytes of the copies of lists in the state directory.", 0),
	RULES(METRICS_GAUGE, loaded_unix_s, "loaded_timestamp_seconds",
		"When the image became current.", 0),
	RULES(METRICS_GAUGE, pause_until_unix_s, "paused_until_timestamp_seconds",
		"When blocking goes on; 0: it is not paused.", 0),
	RULES(METRICS_COUNTER, builds, "builds_total", "Images built.", 0),
	RULES(METRICS_COUNTER, unchanged, "unchanged_total", "Reloads that changed nothing.", 0),
	RULES(METRICS_COUNTER, failed, "failed_total", "Reloads that failed.", 0),
};

#define LIST(kind, field, metric, text) \
	METRICS_FIELD(kind, struct rules_list_status, field, "weir_list_" metric, text, 0)
static const struct metrics_field of_lists[] = {
	LIST(METRICS_GAUGE, allow, "allow", "Whether the list allows, and does not block."),
	LIST(METRICS_GAUGE, names, "names", "Names taken from the list."),
	LIST(METRICS_GAUGE, lines, "lines", "Lines read."),
	LIST(METRICS_GAUGE, rejected, "rejected", "Lines and names that gave no rule."),
	LIST(METRICS_GAUGE, duplicates, "duplicates", "Names that the list has more than once."),
	LIST(METRICS_GAUGE, bytes, "bytes", "Octets of the list."),
	LIST(METRICS_GAUGE, failures, "failures", "Tries to fetch it that failed in a row."),
	LIST(METRICS_GAUGE, last_good_unix_s, "fetched_timestamp_seconds",
		"When it was last fetched; 0: never, or a local file."),
};

void metrics_rules(struct metrics_text *t, const struct rules_status *r)
{
	const char *names[RULE_LISTS_MAX];
	unsigned count = r->list_count < RULE_LISTS_MAX ? r->list_count : RULE_LISTS_MAX;
	metrics_fields(t, r, of_rules, ARRAY_LEN(of_rules));
	for (unsigned i = 0; i < count; i++)
		names[i] = r->lists[i].name;
	metrics_field_rows(t, of_lists, ARRAY_LEN(of_lists), r->lists, count, sizeof r->lists[0],
		"list", names);
	metrics_family(t, METRICS_GAUGE, "weir_list_failing",
		"Whether weir cannot read the list, or its last download failed.");
	for (unsigned i = 0; i < count; i++)
		metrics_count(
			t, METRICS_LABELS({"list", names[i]}), rules_list_failing(&r->lists[i]));
}

#define LOG(kind, field, metric, text) \
	METRICS_FIELD(kind, struct querylog_status, field, "weir_log_" metric, text, 0)
static const struct metrics_field of_log[] = {
	LOG(METRICS_COUNTER, rows, "rows_total", "Rows of the query log."),
	LOG(METRICS_COUNTER, weight, "queries_total", "Queries that they stand for."),
	LOG(METRICS_COUNTER, unlogged, "unlogged_total", "Of these, without a row of their own."),
	LOG(METRICS_COUNTER, excluded_rows, "excluded_rows_total", "Rows left out as configured."),
	LOG(METRICS_COUNTER, excluded_weight, "excluded_queries_total",
		"Queries that they stood for."),
	LOG(METRICS_COUNTER, bad, "bad_records_total", "Records that made no sense."),
	LOG(METRICS_COUNTER, carried_weight, "carried_queries_total",
		"Queries of these whose time alone made no sense, told by other rows."),
	LOG(METRICS_COUNTER, anomalies, "ring_anomalies_total", "Nonsense read from log rings."),
	LOG(METRICS_COUNTER, starved, "starved_total", "Looks at rings that found no batch free."),
	LOG(METRICS_GAUGE, sources, "sources", "Rings that are read."),
	LOG(METRICS_GAUGE, batches, "batches", "Batches that someone holds."),
	LOG(METRICS_GAUGE, batch_bytes, "batch_bytes", "Octets of batches."),
};

#define SINK(kind, field, metric, text) \
	METRICS_FIELD(kind, struct querylog_sink_counts, field, "weir_log_sink_" metric, text, 0)
static const struct metrics_field of_sinks[] = {
	SINK(METRICS_COUNTER, rows, "rows_total", "Rows that a sink of the query log took."),
	SINK(METRICS_COUNTER, weight, "queries_total", "Queries that they stand for."),
	SINK(METRICS_COUNTER, folded_rows, "folded_rows_total",
		"Rows that it did not take, and whose queries others of its rows stand for."),
	SINK(METRICS_COUNTER, folded_weight, "folded_queries_total",
		"Queries that they stand for."),
	SINK(METRICS_GAUGE, owed_rows, "owed_rows",
		"Rows that it did not take, whose queries no row of its tells yet."),
	SINK(METRICS_GAUGE, owed_weight, "owed_queries",
		"Queries that they stand for, which it gets with the next rows it takes."),
	SINK(METRICS_COUNTER, dropped_rows, "dropped_rows_total",
		"Rows that it did not take, nor their queries."),
	SINK(METRICS_COUNTER, dropped_weight, "dropped_queries_total",
		"Queries that they stand for."),
	SINK(METRICS_COUNTER, lost_rows, "lost_rows_total",
		"Rows that it lost: not taken, or taken and then lost."),
	SINK(METRICS_COUNTER, lost_weight, "lost_queries_total", "Queries that they stand for."),
	SINK(METRICS_COUNTER, without_messages, "rows_without_messages_total",
		"Rows that dnstap told without the messages that were on the wire."),
	SINK(METRICS_GAUGE, held_rows, "held_rows", "Rows in its memory, which a kill loses."),
	SINK(METRICS_GAUGE, before_rows, "lost_by_kill_rows",
		"Rows in its memory, at most, when the previous control plane was killed."),
	SINK(METRICS_GAUGE, before_weight, "lost_by_kill_queries", "Queries that they stand for."),
};

void metrics_log(struct metrics_text *t, const struct querylog_status *s)
{
	const char *names[QUERYLOG_SINKS_MAX];
	metrics_fields(t, s, of_log, ARRAY_LEN(of_log));
	for (unsigned i = 0; i < s->sink_count; i++)
		names[i] = s->sink[i].name;
	metrics_field_rows(t, of_sinks, ARRAY_LEN(of_sinks), s->sink, s->sink_count,
		sizeof s->sink[0], "sink", names);
}

#define STORE(kind, field, metric, text) \
	METRICS_FIELD(kind, struct query_store_status, field, "weir_store_" metric, text, 0)
static const struct metrics_field of_store[] = {
	STORE(METRICS_GAUGE, failing, "failing", "Whether the query store cannot write."),
	STORE(METRICS_COUNTER, rows, "rows_total", "Rows committed."),
	STORE(METRICS_COUNTER, weight, "queries_total", "Queries that they stand for."),
	STORE(METRICS_COUNTER, merged, "merged_rows_total", "Rows merged into others."),
	STORE(METRICS_COUNTER, lost_rows, "lost_rows_total", "Rows taken and not committed."),
	STORE(METRICS_COUNTER, lost_weight, "lost_queries_total", "Queries that they stand for."),
	STORE(METRICS_COUNTER, failures, "failures_total", "Writes that failed."),
	STORE(METRICS_GAUGE, files, "files", "Files, one an hour."),
	STORE(METRICS_GAUGE, bytes, "bytes", "Octets of these."),
	STORE(METRICS_GAUGE, max_bytes, "cap_bytes", "Most that there may be."),
	STORE(METRICS_COUNTER, dropped_files, "dropped_files_total",
		"Files dropped, oldest first."),
	STORE(METRICS_GAUGE, clock_ahead_s, "clock_ahead_seconds",
		"How far the clock is ahead of the newest rows; 0: weir trusts it."),
	STORE(METRICS_GAUGE, queued, "queued", "Batches that wait."),
	STORE(METRICS_COUNTER, refused, "refused_batches_total", "Batches refused."),
};

void metrics_store(struct metrics_text *t, const struct query_store_status *s)
{
	metrics_fields(t, s, of_store, ARRAY_LEN(of_store));
}

#define TABLE(kind, field, metric, text) \
	METRICS_FIELD(kind, struct table_info, field, "weir_table_" metric, text, 0)
static const struct metrics_field of_tables[] = {
	TABLE(METRICS_GAUGE, used, "used",
		"Entries in a table; dp_: of the data plane, all workers."),
	TABLE(METRICS_GAUGE, cap, "cap", "Most entries that it can have."),
	TABLE(METRICS_GAUGE, high, "high", "Most entries that there ever were."),
	TABLE(METRICS_GAUGE, bytes, "bytes", "Octets that it takes."),
	TABLE(METRICS_COUNTER, evicted, "evicted_total", "Entries that gave way to others."),
	TABLE(METRICS_COUNTER, refused, "refused_total", "Entries that found it full."),
	METRICS_FIELD(METRICS_GAUGE, struct table_info, oldest_ms, "weir_table_oldest_seconds",
		"Age of its oldest entry; 0: none, or it makes no sense.", 1e-3),
	TABLE(METRICS_COUNTER, grown, "grown_total", "Times that its buffers grew."),
	METRICS_FIELD(METRICS_GAUGE, struct table_info, fullest_used, "weir_table_fullest_used",
		"Entries in the table of the worker whose is the fullest; 0: no table of workers.",
		0),
	TABLE(METRICS_COUNTER, shrunk, "shrunk_total", "Times that they gave memory back."),
};

void metrics_tables(struct metrics_text *t, const struct table_registry *r)
{
	const char *names[TABLES_MAX];
	for (unsigned i = 0; i < r->count; i++)
		names[i] = r->table[i].name;
	metrics_family(t, METRICS_GAUGE, "weir_tables_dropped",
		"Tables for which the registry had no room.");
	metrics_count(t, NULL, r->dropped);
	metrics_field_rows(t, of_tables, ARRAY_LEN(of_tables), r->table, r->count,
		sizeof r->table[0], "table", names);
}
