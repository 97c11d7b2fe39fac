// SPDX-License-Identifier: BSD-3-Clause
// Metrics of lists and rules, of the query log, its sinks and its store, and of tables.

#include "metrics.h"

#define RULES(kind, field, metric, text, scale) \
	METRICS_FIELD(kind, struct rules_status, field, "weir_rules_" metric, text, scale)
static const struct metrics_field of_rules[] = {
	RULES(METRICS_GAUGE, names, "names", "Names in the current rule image.", 0),
	RULES(METRICS_GAUGE, image_bytes, "image_bytes", "Bytes of the rule image.", 0),
	RULES(METRICS_GAUGE, peak_bytes, "build_peak_bytes",
		"Peak memory of the last build of a rule image.", 0),
	RULES(METRICS_GAUGE, build_ms, "build_seconds",
		"Time of the last build of a rule image, pauses included.", 1e-3),
	RULES(METRICS_GAUGE, building, "building", "Whether a rule image is being built.", 0),
	RULES(METRICS_GAUGE, held, "held", "Whether the rule image in use comes from a rollback.",
		0),
	RULES(METRICS_GAUGE, list_count, "lists", "Configured lists.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct rules_status, kept_bytes, "weir_list_copies_bytes",
		"Bytes of the copies of lists in the state directory.", 0),
	RULES(METRICS_GAUGE, loaded_unix_s, "loaded_timestamp_seconds",
		"When the current rule image was activated.", 0),
	RULES(METRICS_GAUGE, pause_until_unix_s, "paused_until_timestamp_seconds",
		"When the pause of blocking ends; 0: blocking is not paused.", 0),
	RULES(METRICS_COUNTER, builds, "builds_total", "Rule images built.", 0),
	RULES(METRICS_COUNTER, unchanged, "unchanged_total", "Reloads that changed nothing.", 0),
	RULES(METRICS_COUNTER, failed, "failed_total", "Reloads that failed.", 0),
};

#define LIST(kind, field, metric, text) \
	METRICS_FIELD(kind, struct rules_list_status, field, "weir_list_" metric, text, 0)
static const struct metrics_field of_lists[] = {
	LIST(METRICS_GAUGE, allow, "allow", "Whether the list is an allow list."),
	LIST(METRICS_GAUGE, names, "names", "Names that the list gave."),
	LIST(METRICS_GAUGE, lines, "lines", "Lines read from the list."),
	LIST(METRICS_GAUGE, rejected, "rejected", "Lines and names of the list that gave no rule."),
	LIST(METRICS_GAUGE, duplicates, "duplicates", "Names that the list has more than once."),
	LIST(METRICS_GAUGE, bytes, "bytes", "Bytes of the list."),
	LIST(METRICS_GAUGE, failures, "failures",
		"Failed attempts to fetch the list since the last success."),
	LIST(METRICS_GAUGE, last_good_unix_s, "fetched_timestamp_seconds",
		"When the list was last fetched; 0: never, or a local file."),
};

static void metrics_fetches(struct metrics_text *t, const struct rules_status *r, unsigned count)
{
	metrics_family(t, METRICS_COUNTER, "weir_list_fetches_total",
		"Fetches of the list, by result; differences: by IXFR alone.");
	for (unsigned i = 0; i < count; i++) {
		const struct rules_list_status *l = &r->lists[i];
#define X(result, text) \
	metrics_count(t, METRICS_LABELS({"list", l->name}, {"result", #result}), l->fetches.result);
		if (l->url[0]) {
			LIST_FETCHES(X)
		}
#undef X
	}
	metrics_family(t, METRICS_COUNTER, "weir_list_notify_total",
		"NOTIFY messages for lists by zone transfer, by outcome.");
#define X(outcome, text) metrics_count(t, METRICS_LABELS({"outcome", #outcome}), r->notify.outcome);
	LIST_NOTIFY_OUTCOMES(X)
#undef X
}

void metrics_rules(struct metrics_text *t, const struct rules_status *r)
{
	const char *names[RULE_LISTS_MAX];
	unsigned count = r->list_count < RULE_LISTS_MAX ? r->list_count : RULE_LISTS_MAX;
	metrics_fields(t, r, of_rules, ARRAY_LEN(of_rules));
	for (unsigned i = 0; i < count; i++)
		names[i] = r->lists[i].name;
	metrics_field_rows(t, of_lists, ARRAY_LEN(of_lists), r->lists, count, sizeof(r->lists[0]),
		"list", names);
	metrics_family(t, METRICS_GAUGE, "weir_list_failing",
		"Whether weir cannot read the list or its last download failed.");
	for (unsigned i = 0; i < count; i++)
		metrics_count(
			t, METRICS_LABELS({"list", names[i]}), rules_list_failing(&r->lists[i]));
	metrics_fetches(t, r, count);
}

#define LOG(kind, field, metric, text) \
	METRICS_FIELD(kind, struct querylog_status, field, "weir_log_" metric, text, 0)
static const struct metrics_field of_log[] = {
	LOG(METRICS_COUNTER, rows, "rows_total", "Rows of the query log."),
	LOG(METRICS_COUNTER, weight, "queries_total", "Queries that these rows stand for."),
	LOG(METRICS_COUNTER, unlogged, "unlogged_total",
		"Of these, queries without a row of their own."),
	LOG(METRICS_COUNTER, excluded_rows, "excluded_rows_total",
		"Rows left out because of query_log.exclude_domains or exclude_clients."),
	LOG(METRICS_COUNTER, excluded_weight, "excluded_queries_total",
		"Queries that the rows left out stood for."),
	LOG(METRICS_COUNTER, bad, "bad_records_total",
		"Records of a log ring that were implausible."),
	LOG(METRICS_COUNTER, carried_weight, "carried_queries_total",
		"Queries of bad records that later rows stand for, because only the time was "
		"implausible."),
	LOG(METRICS_COUNTER, anomalies, "ring_anomalies_total",
		"Implausible values read from log rings."),
	LOG(METRICS_COUNTER, starved, "starved_total",
		"Times that no batch was free to read a log ring."),
	LOG(METRICS_GAUGE, sources, "sources", "Log rings that weir reads."),
	LOG(METRICS_GAUGE, batches, "batches", "Batches of rows in use."),
	LOG(METRICS_GAUGE, batch_bytes, "batch_bytes", "Bytes of the batches in use."),
};

#define SINK(kind, field, metric, text) \
	METRICS_FIELD(kind, struct querylog_sink_counts, field, "weir_log_sink_" metric, text, 0)
static const struct metrics_field of_sinks[] = {
	SINK(METRICS_COUNTER, rows, "rows_total", "Rows that a sink of the query log accepted."),
	SINK(METRICS_COUNTER, weight, "queries_total", "Queries that these rows stand for."),
	SINK(METRICS_COUNTER, folded_rows, "folded_rows_total",
		"Rows that the sink did not accept, whose queries its other rows stand for."),
	SINK(METRICS_COUNTER, folded_weight, "folded_queries_total",
		"Queries that these rows stand for."),
	SINK(METRICS_GAUGE, owed_rows, "owed_rows",
		"Rows that the sink did not accept, whose queries no row stands for yet."),
	SINK(METRICS_GAUGE, owed_weight, "owed_queries",
		"Queries of these rows, which the sink gets with the next rows it accepts."),
	SINK(METRICS_COUNTER, dropped_rows, "dropped_rows_total",
		"Rows that the sink did not accept, and whose queries are lost."),
	SINK(METRICS_COUNTER, dropped_weight, "dropped_queries_total",
		"Queries that these rows stand for."),
	SINK(METRICS_COUNTER, lost_rows, "lost_rows_total",
		"Rows that the sink lost, before or after it accepted them."),
	SINK(METRICS_COUNTER, lost_weight, "lost_queries_total",
		"Queries that these rows stand for."),
	SINK(METRICS_COUNTER, without_messages, "rows_without_messages_total",
		"Rows that dnstap sent without the DNS messages."),
	SINK(METRICS_GAUGE, held_rows, "held_rows",
		"Rows in the sink's memory, which a kill loses."),
	SINK(METRICS_GAUGE, before_rows, "lost_by_kill_rows",
		"Most rows in the sink's memory when the previous control plane was killed."),
	SINK(METRICS_GAUGE, before_weight, "lost_by_kill_queries",
		"Queries that these rows stand for."),
};

void metrics_log(struct metrics_text *t, const struct querylog_status *s)
{
	const char *names[QUERYLOG_SINKS_MAX];
	metrics_fields(t, s, of_log, ARRAY_LEN(of_log));
	for (unsigned i = 0; i < s->sink_count; i++)
		names[i] = s->sink[i].name;
	metrics_field_rows(t, of_sinks, ARRAY_LEN(of_sinks), s->sink, s->sink_count,
		sizeof(s->sink[0]), "sink", names);
}

#define STORE(kind, field, metric, text) \
	METRICS_FIELD(kind, struct query_store_status, field, "weir_store_" metric, text, 0)
static const struct metrics_field of_store[] = {
	STORE(METRICS_GAUGE, failing, "failing", "Whether the query store cannot write."),
	STORE(METRICS_COUNTER, rows, "rows_total", "Rows that the query store committed."),
	STORE(METRICS_COUNTER, weight, "queries_total", "Queries that these rows stand for."),
	STORE(METRICS_COUNTER, merged, "merged_rows_total", "Rows merged into other rows."),
	STORE(METRICS_COUNTER, lost_rows, "lost_rows_total",
		"Rows that the query store accepted and did not commit."),
	STORE(METRICS_COUNTER, lost_weight, "lost_queries_total",
		"Queries that these rows stand for."),
	STORE(METRICS_COUNTER, failures, "failures_total",
		"Writes of the query store that failed."),
	STORE(METRICS_GAUGE, files, "files", "Files of the query store, one an hour."),
	STORE(METRICS_GAUGE, bytes, "bytes", "Bytes of the files of the query store."),
	STORE(METRICS_GAUGE, max_bytes, "cap_bytes", "Most bytes that the query store may have."),
	STORE(METRICS_COUNTER, dropped_files, "dropped_files_total",
		"Files that the query store deleted, oldest first."),
	STORE(METRICS_GAUGE, clock_ahead_s, "clock_ahead_seconds",
		"How far the clock is ahead of the newest rows; 0: weir trusts the clock."),
	STORE(METRICS_GAUGE, queued, "queued", "Batches that wait for the query store."),
	STORE(METRICS_COUNTER, refused, "refused_batches_total",
		"Batches that the query store refused."),
};

void metrics_store(struct metrics_text *t, const struct query_store_status *s)
{
	metrics_fields(t, s, of_store, ARRAY_LEN(of_store));
}

#define TABLE(kind, field, metric, text) \
	METRICS_FIELD(kind, struct table_info, field, "weir_table_" metric, text, 0)
static const struct metrics_field of_tables[] = {
	TABLE(METRICS_GAUGE, used, "used",
		"Entries in a table; a name with dp_ is of the data plane, all workers."),
	TABLE(METRICS_GAUGE, cap, "cap", "Most entries that the table can have."),
	TABLE(METRICS_GAUGE, high, "high", "Most entries that the table has had."),
	TABLE(METRICS_GAUGE, bytes, "bytes", "Bytes that the table takes."),
	TABLE(METRICS_COUNTER, evicted, "evicted_total", "Entries evicted to make room."),
	TABLE(METRICS_COUNTER, refused, "refused_total",
		"Entries refused because the table was full."),
	METRICS_FIELD(METRICS_GAUGE, struct table_info, oldest_ms, "weir_table_oldest_seconds",
		"Age of the oldest entry; 0: the table is empty, or has no ages.", 1e-3),
	TABLE(METRICS_COUNTER, grown, "grown_total", "Times that the buffers of the table grew."),
	METRICS_FIELD(METRICS_GAUGE, struct table_info, fullest_used, "weir_table_fullest_used",
		"Entries in the fullest worker's table; 0: workers have no such table.", 0),
	TABLE(METRICS_COUNTER, shrunk, "shrunk_total",
		"Times that the buffers of the table shrank."),
};

void metrics_tables(struct metrics_text *t, const struct table_registry *r)
{
	const char *names[TABLES_MAX];
	for (unsigned i = 0; i < r->count; i++)
		names[i] = r->table[i].name;
	metrics_one(t, METRICS_GAUGE, "weir_tables_dropped",
		"Tables that the registry had no room for.", r->dropped);
	metrics_field_rows(t, of_tables, ARRAY_LEN(of_tables), r->table, r->count,
		sizeof(r->table[0]), "table", names);
}
