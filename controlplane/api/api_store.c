// SPDX-License-Identifier: BSD-3-Clause
// How the query store is, in the status and the statistics.

#include "api_internal.h"

void api_store_out(struct json_out *o, struct json_node *root, struct table_registry *tables,
	const struct api *a)
{
	struct query_store_status s;
	if (!a->deps.store)
		return;
	query_store_status(a->deps.store, &s);
	if (tables)
		query_store_tables(&s, tables);
	struct json_node *n = json_out_object(o, root, "query_store");
	json_out_text(o, n, "state", s.failing ? "failing" : "up");
	json_out_text(o, n, "why", s.why);
	json_out_count(o, n, "retry_in_ms", s.retry_in_ms);
	json_out_text(o, n, "directory", s.folder);
	JSON_COUNTS(o, n, &s, files, bytes, max_bytes, hours);
	json_out_signed(o, n, "oldest_unix_s", s.oldest_unix_s);
	json_out_count(o, n, "dropped_files", s.dropped_files);
	json_out_signed(o, n, "clock_ahead_s", s.clock_ahead_s);
	JSON_COUNTS(o, n, &s, rows, weight);
	json_out_count(o, n, "merged_rows", s.merged);
	json_out_count(o, n, "keeps_one_in", s.keep_one_in);
	JSON_COUNTS(o, n, &s, lost_rows, lost_weight);
	json_out_count(o, n, "held_rows", s.open_rows);
	json_out_count(o, n, "held_weight", s.open_weight);
	json_out_count(o, n, "failures", s.failures);
	json_out_count(o, n, "damaged_files", s.damaged);
	JSON_COUNTS(o, n, &s, queued, queue_cap);
	json_out_count(o, n, "refused_batches", s.refused);
}
