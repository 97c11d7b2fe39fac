// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the ClickHouse sink.

#include "metrics.h"

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
