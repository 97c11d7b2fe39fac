// SPDX-License-Identifier: BSD-3-Clause
// How the ClickHouse sink is, in the status and the statistics.

#include "api_server.h"

#include <stdio.h>

// A server that takes no rows is not up, even if it answers other queries.
static const char *clickhouse_state_text(const struct clickhouse_sender_status *s)
{
	if (s->is_failing)
		return "failing";
	if (s->refused_in_a_row > 0)
		return "refusing";
	return s->is_up ? "up" : "starting";
}

static const char *why_text(const struct clickhouse_sender_status *s)
{
	return !s->is_failing && s->refused_in_a_row > 0 ? s->refused_why : s->why;
}

static void clickhouse_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	const struct api *a = l->api;
	struct clickhouse_status s;
	if (!a->deps.clickhouse)
		return;
	clickhouse_status(a->deps.clickhouse, &s);
	if (s.sender.is_failing || s.sender.refused_in_a_row > 0)
		api_reason_add(reasons, API_REASON_clickhouse, "", "ClickHouse takes no rows: %s",
			why_text(&s.sender));
	if (*s.sender.tidy_why)
		api_reason_add(reasons, API_REASON_clickhouse_tidy, "",
			"ClickHouse drops no old rows: %s", s.sender.tidy_why);
	if (s.sender.limits.twins)
		api_reason_add(reasons, API_REASON_clickhouse_twin, "",
			"another box writes to ClickHouse under this box's name (query_log.box)");
}

static void sender_out(
	struct json_out *o, struct json_node *n, const struct clickhouse_sender_status *s)
{
	char version[24] = "";
	if (s->version)
		snprintf(version, sizeof(version), "%u.%u", s->version / 100, s->version % 100);
	json_out_text(o, n, "state", clickhouse_state_text(s));
	json_out_text(o, n, "why", why_text(s));
	json_out_text(o, n, "url", s->url);
	json_out_text(o, n, "server_version", version);
	counts_json(o, n, "", clickhouse_sender_rows(), s);
	json_out_text(o, n, "tidy_why", s->tidy_why);
	struct json_node *limits = json_out_object(o, n, "table_limits");
	json_out_bool(o, limits, "known", s->limits.are_known);
	json_out_count(o, limits, "boxes", s->limits.boxes);
	json_out_count(o, limits, "same_name", s->limits.twins);
	json_out_count(o, limits, "hours", s->limits.hours);
	json_out_text(o, limits, "hours_of_box", s->limits.box);
	JSON_COUNTS(o, limits, &s->limits, max_bytes, rollup_days);
}

static void clickhouse_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct api *a = l->api;
	struct clickhouse_status s;
	if (!a->deps.clickhouse)
		return;
	clickhouse_status(a->deps.clickhouse, &s);
	struct json_node *n = json_out_object(o, root, "clickhouse");
	sender_out(o, n, &s.sender);
	counts_json(o, n, "", clickhouse_outbox_rows(), &s.outbox);
	json_out_signed(o, n, "spool_error", s.outbox.spool_err);
	counts_json(o, n, "", clickhouse_rows(), &s);
	json_out_count(o, n, "lost_rows", s.lost_rows + s.outbox.lost_rows);
	json_out_count(o, n, "lost_weight", s.lost_weight + s.outbox.lost_weight);
	JSON_COUNTS_AS(o, n, "held_", &s.all, rows, weight);
	JSON_COUNTS_AS(o, n, "all_", &s.all, lost_rows, lost_weight);
}

static void tables_add(struct api *a, struct table_registry *tables)
{
	struct clickhouse_status s;
	if (!a->deps.clickhouse)
		return;
	clickhouse_status(a->deps.clickhouse, &s);
	clickhouse_tables(&s, tables);
}

const struct api_part api_clickhouse_part = {.status = clickhouse_out,
	.stats = clickhouse_out,
	.degraded = clickhouse_degraded,
	.tables = tables_add};
