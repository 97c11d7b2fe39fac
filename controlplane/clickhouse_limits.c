// SPDX-License-Identifier: BSD-3-Clause
// Whose limits hold for a table that several boxes write: the widest ones.

#include "clickhouse_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { QUOTED_MAX = 1024, FORGET_S = 30 * 86400 };

static enum clickhouse_end table_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"CREATE TABLE IF NOT EXISTS `%s`.`%s_limits` (box String, hours UInt32,"
		" max_bytes UInt64, rollup_days UInt32, seen DateTime('UTC'))"
		" ENGINE = ReplacingMergeTree(seen) ORDER BY box",
		s->settings.database, s->settings.table);
	return clickhouse_ask(c, q.text, out);
}

static enum clickhouse_end own_put(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *box, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"INSERT INTO `%s`.`%s_limits` (box, hours, max_bytes, rollup_days, seen)"
		" SELECT %s, %u, %" PRIu64 ", %u, now()",
		s->settings.database, s->settings.table, box, s->settings.hours,
		s->settings.max_bytes, s->settings.rollup_days);
	return clickhouse_ask(c, q.text, out);
}

static enum clickhouse_end others_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *box, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"SELECT count(), max(h), min(m), max(m), max(r), argMax(box, h) FROM (SELECT box,"
		" argMax(hours, seen) AS h, argMax(max_bytes, seen) AS m,"
		" argMax(rollup_days, seen) AS r FROM `%s`.`%s_limits`"
		" WHERE box != %s AND seen > now() - %d GROUP BY box)",
		s->settings.database, s->settings.table, box, FORGET_S);
	return clickhouse_ask(c, q.text, out);
}

// 0, no limit of bytes, is the widest limit.
static void widen(struct clickhouse_schema *s, const char *text)
{
	unsigned boxes = 0, hours = 0, days = 0;
	uint64_t bytes_least = 0, bytes_most = 0;
	char box[CLICKHOUSE_BOX_TEXT] = "";
	struct clickhouse_limits *l = &s->limits;
	*l = (struct clickhouse_limits){.are_known = true,
		.boxes = 1,
		.hours = s->settings.hours,
		.max_bytes = s->settings.max_bytes,
		.rollup_days = s->settings.rollup_days};
	if (sscanf(text, "%u %u %" SCNu64 " %" SCNu64 " %u %63[^\n]", &boxes, &hours, &bytes_least,
		    &bytes_most, &days,
		    box) < 5
		|| !boxes)
		return;
	l->boxes += boxes;
	if (hours > l->hours) {
		l->hours = hours;
		snprintf(l->box, sizeof l->box, "%s", box);
	}
	if (!bytes_least)
		l->max_bytes = 0;
	else if (l->max_bytes && bytes_most > l->max_bytes)
		l->max_bytes = bytes_most;
	if (days > l->rollup_days)
		l->rollup_days = days;
}

enum clickhouse_end clickhouse_limits_agree(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	char box[QUOTED_MAX];
	s->limits.are_known = false;
	if (!clickhouse_quote(s->box, box, sizeof box))
		box[0] = '\0';
	enum clickhouse_end end = table_make(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = own_put(s, c, box, out);
	if (end == CLICKHOUSE_DONE)
		end = others_ask(s, c, box, out);
	if (end == CLICKHOUSE_DONE)
		widen(s, out->text);
	return end;
}
