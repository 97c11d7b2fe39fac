// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the ClickHouse sink.

#include "metrics.h"

#define SENDER(kind, field, metric, text) \
	METRICS_FIELD(                    \
		kind, struct clickhouse_sender_status, field, "weir_clickhouse_" metric, text, 0)
static const struct metrics_field of_sender[] = {
	SENDER(METRICS_COUNTER, rows, "rows_total", "Rows that ClickHouse has accepted."),
	SENDER(METRICS_COUNTER, weight, "queries_total", "Queries that these rows stand for."),
	SENDER(METRICS_COUNTER, chunks, "inserts_total", "Chunks that ClickHouse has accepted."),
	SENDER(METRICS_COUNTER, found_chunks, "found_inserts_total",
		"Of these, chunks that weir found there and did not send again."),
	SENDER(METRICS_COUNTER, failures, "failures_total",
		"Attempts to send a chunk that failed."),
	SENDER(METRICS_COUNTER, unclear, "unclear_ends_total",
		"Of these, attempts after which the server may have the chunk."),
	SENDER(METRICS_COUNTER, refused_rows, "refused_rows_total",
		"Rows that the server refused."),
	SENDER(METRICS_COUNTER, refused_weight, "refused_queries_total",
		"Queries that these rows stand for."),
	SENDER(METRICS_COUNTER, too_large_rows, "too_large_rows_total",
		"Refused rows that were too large on their own."),
	SENDER(METRICS_COUNTER, cut_chunks, "cut_chunks_total",
		"Chunks that were too large and that weir sent in two parts."),
	SENDER(METRICS_COUNTER, recoded_chunks, "recoded_chunks_total",
		"Chunks compressed again for an older server."),
	SENDER(METRICS_COUNTER, partial_rows, "partial_rows_total",
		"Rows missing from chunks that the server has in part."),
	SENDER(METRICS_COUNTER, partial_weight, "partial_queries_total",
		"Queries that these rows stand for, at most."),
	SENDER(METRICS_COUNTER, repeated_chunks, "repeated_inserts_total",
		"Chunks sent again because the server had only some of their rows."),
	SENDER(METRICS_COUNTER, failovers, "failovers_total",
		"Chunks that another URL accepted than the chunk before."),
	SENDER(METRICS_COUNTER, uncertain_rows, "uncertain_rows_total",
		"Rows that two servers may have, a possible overcount."),
	SENDER(METRICS_COUNTER, uncertain_weight, "uncertain_queries_total",
		"Queries that these rows stand for."),
	SENDER(METRICS_GAUGE, sent_unix_s, "sent_timestamp_seconds",
		"When the server last took a chunk; 0: never."),
	SENDER(METRICS_GAUGE, table_bytes, "table_bytes",
		"Bytes of the table on the server's disk."),
	SENDER(METRICS_COUNTER, dropped_partitions, "dropped_partitions_total",
		"Partitions dropped, oldest first."),
	SENDER(METRICS_GAUGE, clock_ahead_s, "clock_ahead_seconds",
		"How far both clocks are ahead of the newest rows; 0: weir trusts the clocks."),
	SENDER(METRICS_COUNTER, tidy_failures, "tidy_failures_total",
		"Attempts to drop partitions that failed."),
};

#define OUTBOX(kind, field, metric, text) \
	METRICS_FIELD(                    \
		kind, struct clickhouse_outbox_counts, field, "weir_clickhouse_" metric, text, 0)
static const struct metrics_field of_outbox[] = {
	OUTBOX(METRICS_GAUGE, chunks, "waiting_chunks", "Chunks that wait in memory."),
	OUTBOX(METRICS_GAUGE, bytes, "waiting_bytes", "Bytes of the chunks in memory."),
	OUTBOX(METRICS_GAUGE, spooled, "spool_files", "Chunks that wait on disk."),
	OUTBOX(METRICS_GAUGE, spool_bytes, "spool_bytes", "Bytes of the chunks on disk."),
	OUTBOX(METRICS_GAUGE, spool_max_bytes, "spool_cap_bytes",
		"Most bytes that the spool may have."),
	OUTBOX(METRICS_COUNTER, unreadable, "unreadable_files_total",
		"Spool files that weir could not read or could not send."),
	OUTBOX(METRICS_GAUGE, aside, "aside_files", "Unreadable spool files that weir keeps."),
	OUTBOX(METRICS_GAUGE, aside_bytes, "aside_bytes", "Bytes of these files."),
	OUTBOX(METRICS_COUNTER, dropped_rows, "dropped_rows_total",
		"Rows dropped because the spool was full."),
	OUTBOX(METRICS_COUNTER, dropped_weight, "dropped_queries_total",
		"Queries that these rows stand for."),
};

#define MAKER(kind, field, metric, text) \
	METRICS_FIELD(kind, struct clickhouse_status, field, "weir_clickhouse_" metric, text, 0)
static const struct metrics_field of_maker[] = {
	MAKER(METRICS_COUNTER, raw_bytes, "made_bytes_total", "Bytes of rows before compression."),
	MAKER(METRICS_COUNTER, packed_bytes, "packed_bytes_total",
		"Bytes of rows after compression."),
	MAKER(METRICS_GAUGE, buffer_bytes, "buffer_bytes",
		"Bytes of the buffer in which weir makes chunks."),
	MAKER(METRICS_GAUGE, rows_max, "rows_max", "Rows that a chunk may have."),
	MAKER(METRICS_GAUGE, queued, "queued", "Batches that wait to be made into chunks."),
	MAKER(METRICS_COUNTER, refused, "refused_batches_total",
		"Batches refused because the queue was full."),
};

void metrics_clickhouse(struct metrics_text *t, const struct clickhouse_status *s)
{
	metrics_fields(t, &s->sender, of_sender, ARRAY_LEN(of_sender));
	metrics_fields(t, &s->outbox, of_outbox, ARRAY_LEN(of_outbox));
	metrics_fields(t, s, of_maker, ARRAY_LEN(of_maker));
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
	metrics_one(t, METRICS_GAUGE, "weir_clickhouse_behind",
		"Whether the server accepts rows more slowly than they arrive.", s->is_behind);
}
