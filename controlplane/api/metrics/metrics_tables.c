// SPDX-License-Identifier: BSD-3-Clause
// Metrics of lists and rules, of the query log, its sinks and its store, and of tables.

#include "metrics.h"

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
	struct metrics_labels labels[RULE_LISTS_MAX];
	unsigned count = r->list_count < RULE_LISTS_MAX ? r->list_count : RULE_LISTS_MAX;
	metrics_counts(t, rules_rows(), r);
	metrics_one(t, METRICS_GAUGE, "weir_rules_lists", "Configured lists.", r->list_count);
	metrics_one(t, METRICS_GAUGE, "weir_list_copies_bytes",
		"Bytes of the copies of lists in the state directory.", r->kept_bytes);
	for (unsigned i = 0; i < count; i++)
		labels[i] = METRICS_LABEL("list", r->lists[i].name);
	metrics_counts_rows(t, rules_list_rows(), r->lists, count, sizeof(r->lists[0]), labels);
	metrics_family(t, METRICS_GAUGE, "weir_list_failing",
		"Whether weir cannot read the list or its last download failed.");
	for (unsigned i = 0; i < count; i++)
		metrics_count(t, labels[i].label, rules_list_failing(&r->lists[i]));
	metrics_fetches(t, r, count);
}

void metrics_log(struct metrics_text *t, const struct querylog_status *s)
{
	struct metrics_labels labels[QUERYLOG_SINKS_MAX];
	metrics_counts(t, querylog_rows(), s);
	for (unsigned i = 0; i < s->sink_count; i++)
		labels[i] = METRICS_LABEL("sink", s->sink[i].name);
	metrics_counts_rows(
		t, querylog_sink_rows(), s->sink, s->sink_count, sizeof(s->sink[0]), labels);
}

// Metrics of the ClickHouse sink.

void metrics_clickhouse(struct metrics_text *t, const struct clickhouse_status *s)
{
	metrics_counts(t, clickhouse_sender_rows(), &s->sender);
	metrics_counts(t, clickhouse_outbox_rows(), &s->outbox);
	metrics_counts(t, clickhouse_rows(), s);
	metrics_one(t, METRICS_COUNTER, "weir_clickhouse_lost_rows_total",
		"Rows lost for lack of memory, at shutdown for lack of disk, or in a damaged "
		"file.",
		s->lost_rows + s->outbox.lost_rows);
	metrics_one(t, METRICS_COUNTER, "weir_clickhouse_lost_queries_total",
		"Queries that these rows stand for.", s->lost_weight + s->outbox.lost_weight);
	metrics_family(t, METRICS_GAUGE, "weir_clickhouse_url_info", "1, with the URL in use.");
	metrics_count(t, METRICS_LABELS({"url", s->sender.url}), 1);
	metrics_one(t, METRICS_GAUGE, "weir_clickhouse_failing",
		"Whether the server accepts no rows.",
		s->sender.is_failing || s->sender.refused_in_a_row > 0);
}

void metrics_store(struct metrics_text *t, const struct query_store_status *s)
{
	metrics_counts(t, query_store_rows(), s);
}

#define TABLE_COUNTS(X)                                                                         \
	X(FIRST, uint64_t, used, NONE, SAME,                                                    \
		"Entries in a table; a name with dp_ is of the data plane, all workers.")       \
	X(FIRST, uint64_t, cap, NONE, SAME, "Most entries that the table can have.")            \
	X(FIRST, uint64_t, high, NONE, SAME, "Most entries that the table has had.")            \
	X(FIRST, uint64_t, bytes, NONE, SAME, "Bytes that the table takes.")                    \
	X(FIRST, uint64_t, evicted, NONE, TOTAL, "Entries evicted to make room.")               \
	X(FIRST, uint64_t, refused, NONE, TOTAL, "Entries refused because the table was full.") \
	X(FIRST, uint64_t, oldest_ms, NONE, NAMED("oldest_seconds"),                            \
		"Age of the oldest entry; 0: the table is empty, or has no ages.")              \
	X(FIRST, uint64_t, grown, NONE, TOTAL, "Times that the buffers of the table grew.")     \
	X(FIRST, uint64_t, fullest_used, NONE, SAME,                                            \
		"Entries in the fullest worker's table; 0: workers have no such table.")        \
	X(FIRST, uint64_t, shrunk, NONE, TOTAL, "Times that the buffers of the table shrank.")
COUNTS(table_rows, struct table_info, "weir_table_", TABLE_COUNTS)

void metrics_tables(struct metrics_text *t, const struct table_registry *r)
{
	struct metrics_labels labels[TABLES_MAX];
	for (unsigned i = 0; i < r->count; i++)
		labels[i] = METRICS_LABEL("table", r->table[i].name);
	metrics_one(t, METRICS_GAUGE, "weir_tables_dropped",
		"Tables that the registry had no room for.", r->dropped);
	metrics_counts_rows(t, table_rows(), r->table, r->count, sizeof(r->table[0]), labels);
}
