// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the ClickHouse sink.

#include "metrics.h"

#define SENDER(kind, field, metric, text) \
	METRICS_FIELD(                    \
		kind, struct clickhouse_sender_status, field, "weir_clickhouse_" metric, text, 0)
static const struct metrics_field of_sender[] = {
	SENDER(METRICS_COUNTER, rows, "rows_total", "Rows that the server has."),
	SENDER(METRICS_COUNTER, weight, "queries_total", "Queries that they stand for."),
	SENDER(METRICS_COUNTER, chunks, "inserts_total", "Chunks that they came in."),
	SENDER(METRICS_COUNTER, found_chunks, "found_inserts_total",
		"Of these, found there instead of sent again."),
	SENDER(METRICS_COUNTER, failures, "failures_total", "Tries that failed."),
	SENDER(METRICS_COUNTER, unclear, "unclear_ends_total",
		"Of these, with the server perhaps having the chunk."),
	SENDER(METRICS_COUNTER, refused_rows, "refused_rows_total",
		"Rows that the server cannot read."),
	SENDER(METRICS_COUNTER, refused_weight, "refused_queries_total",
		"Queries that they stand for."),
	SENDER(METRICS_COUNTER, too_large_rows, "too_large_rows_total",
		"Of the refused rows, those that were too large alone."),
	SENDER(METRICS_COUNTER, cut_chunks, "cut_chunks_total",
		"Chunks that were too large and went in two."),
	SENDER(METRICS_COUNTER, recoded_chunks, "recoded_chunks_total",
		"Chunks compressed anew for an older server."),
	SENDER(METRICS_COUNTER, partial_rows, "partial_rows_total",
		"Rows missing of chunks that are there in part."),
	SENDER(METRICS_COUNTER, partial_weight, "partial_queries_total",
		"Queries that they stand for, at most."),
	SENDER(METRICS_COUNTER, repeated_chunks, "repeated_inserts_total",
		"Chunks sent again whole, as the server had some of their rows."),
	SENDER(METRICS_COUNTER, failovers, "failovers_total",
		"Chunks that another URL took than the one before."),
	SENDER(METRICS_COUNTER, uncertain_rows, "uncertain_rows_total",
		"Rows that two servers may have: possible overcount."),
	SENDER(METRICS_COUNTER, uncertain_weight, "uncertain_queries_total",
		"Queries that they stand for."),
	SENDER(METRICS_GAUGE, sent_unix_s, "sent_timestamp_seconds",
		"When the server last took a chunk; 0: never."),
	SENDER(METRICS_GAUGE, table_bytes, "table_bytes", "Octets of the table on its disk."),
	SENDER(METRICS_COUNTER, dropped_partitions, "dropped_partitions_total",
		"Partitions dropped, oldest first."),
	SENDER(METRICS_GAUGE, clock_ahead_s, "clock_ahead_seconds",
		"How far both clocks are ahead of the newest rows; 0: weir trusts them."),
	SENDER(METRICS_COUNTER, tidy_failures, "tidy_failures_total",
		"Tries to drop some that failed."),
};

#define OUTBOX(kind, field, metric, text) \
	METRICS_FIELD(                    \
		kind, struct clickhouse_outbox_counts, field, "weir_clickhouse_" metric, text, 0)
static const struct metrics_field of_outbox[] = {
	OUTBOX(METRICS_GAUGE, chunks, "waiting_chunks", "Chunks that wait in memory."),
	OUTBOX(METRICS_GAUGE, bytes, "waiting_bytes", "Octets of these."),
	OUTBOX(METRICS_GAUGE, spooled, "spool_files", "Chunks that wait on disk."),
	OUTBOX(METRICS_GAUGE, spool_bytes, "spool_bytes", "Octets of these."),
	OUTBOX(METRICS_GAUGE, spool_max_bytes, "spool_cap_bytes", "Most that there may be."),
	OUTBOX(METRICS_COUNTER, unreadable, "unreadable_files_total",
		"Files of the spool that could not be read, or sent as they are."),
	OUTBOX(METRICS_GAUGE, aside, "aside_files", "The last of these, kept aside."),
	OUTBOX(METRICS_GAUGE, aside_bytes, "aside_bytes", "Octets of these."),
	OUTBOX(METRICS_COUNTER, dropped_rows, "dropped_rows_total",
		"Rows that went as the spool was full."),
	OUTBOX(METRICS_COUNTER, dropped_weight, "dropped_queries_total",
		"Queries that they stand for."),
};

#define MAKER(kind, field, metric, text) \
	METRICS_FIELD(kind, struct clickhouse_status, field, "weir_clickhouse_" metric, text, 0)
static const struct metrics_field of_maker[] = {
	MAKER(METRICS_COUNTER, raw_bytes, "made_bytes_total", "Octets of rows made."),
	MAKER(METRICS_COUNTER, packed_bytes, "packed_bytes_total", "What was left, compressed."),
	MAKER(METRICS_GAUGE, buffer_bytes, "buffer_bytes", "Octets of the maker's buffer."),
	MAKER(METRICS_GAUGE, rows_max, "rows_max", "Rows that a chunk may have."),
	MAKER(METRICS_GAUGE, queued, "queued", "Batches that wait to be made into chunks."),
	MAKER(METRICS_COUNTER, refused, "refused_batches_total", "Batches that found it full."),
};

void metrics_clickhouse(struct metrics_text *t, const struct clickhouse_status *s)
{
	metrics_fields(t, &s->sender, of_sender, ARRAY_LEN(of_sender));
	metrics_fields(t, &s->outbox, of_outbox, ARRAY_LEN(of_outbox));
	metrics_fields(t, s, of_maker, ARRAY_LEN(of_maker));
	metrics_family(t, METRICS_COUNTER, "weir_clickhouse_lost_rows_total",
		"Rows lost for want of memory, or of a disk at the end, or in a damaged file.");
	metrics_count(t, NULL, s->lost_rows + s->outbox.lost_rows);
	metrics_family(t, METRICS_COUNTER, "weir_clickhouse_lost_queries_total",
		"Queries that they stand for.");
	metrics_count(t, NULL, s->lost_weight + s->outbox.lost_weight);
	metrics_family(t, METRICS_GAUGE, "weir_clickhouse_url_info", "The URL that is in use; 1.");
	metrics_count(t, METRICS_LABELS({"url", s->sender.url}), 1);
	metrics_family(t, METRICS_GAUGE, "weir_clickhouse_failing",
		"Whether the server does not take rows.");
	metrics_count(t, NULL, s->sender.is_failing || s->sender.refused_in_a_row > 0);
	metrics_family(t, METRICS_GAUGE, "weir_clickhouse_behind",
		"Whether it takes fewer rows than there are.");
	metrics_count(t, NULL, s->is_behind);
}
