// SPDX-License-Identifier: BSD-3-Clause
// The limits of a table that several boxes write: the widest ones.

#include "clickhouse_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/log.h>

enum { QUOTED_MAX = 1024, FORGET_S = 30 * 86400, TWIN_S = 2 * 3600, INSTANCE_LEN = 16 };

// A statement about TABLE_limits: the text before its name, and behind it.
static enum clickhouse_end limits_ask(const struct clickhouse_schema *s,
	struct clickhouse_client *c, struct clickhouse_answer *out, const char *verb,
	const char *rest)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(
		&q, "%s `%s`.`%s_limits` %s", verb, s->settings.database, s->settings.table, rest);
	return clickhouse_ask(c, q.text, out);
}

static enum clickhouse_end table_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	return limits_ask(s, c, out, "CREATE TABLE IF NOT EXISTS",
		"(box String, hours UInt32, max_bytes UInt64, rollup_days UInt32,"
		" seen DateTime('UTC')) ENGINE = ReplacingMergeTree(seen) ORDER BY box");
}

static enum clickhouse_end own_put(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *key, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"(box, hours, max_bytes, rollup_days, seen) SELECT %s, %u, %" PRIu64 ", %u, now()",
		key, s->settings.hours, s->settings.max_bytes, s->settings.rollup_days);
	return limits_ask(s, c, out, "INSERT INTO", q.text);
}

// Without what an older build of this box left under its name alone. A twin has this one's name and
// another instance.
static enum clickhouse_end others_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *key, const char *box, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q, "WHERE box NOT IN (%s, %s) AND seen > now() - %d GROUP BY box)", key,
		box, FORGET_S);
	struct clickhouse_sql verb = {.len = 0};
	clickhouse_sql_add(&verb,
		"SELECT count(), max(h), min(m), max(m), max(r), countIf(t > now() - %d AND"
		" length(box) = length(%s) + %d AND substring(box, 1, length(%s) + 1) ="
		" concat(%s, '#')), argMax(box, h) FROM (SELECT box, argMax(hours, seen) AS h,"
		" argMax(max_bytes, seen) AS m, argMax(rollup_days, seen) AS r, max(seen) AS t"
		" FROM",
		TWIN_S, box, INSTANCE_LEN + 1, box, box);
	return limits_ask(s, c, out, verb.text, q.text);
}

// "BOX#INSTANCE" without the instance.
static void instance_cut(char *key)
{
	size_t len = strlen(key);
	if (len > INSTANCE_LEN && key[len - INSTANCE_LEN - 1] == '#'
		&& strspn(key + len - INSTANCE_LEN, "0123456789abcdef") == INSTANCE_LEN)
		key[len - INSTANCE_LEN - 1] = '\0';
}

// 0, no limit of bytes, is the widest limit.
static void widen(struct clickhouse_schema *s, const char *text)
{
	unsigned boxes = 0, hours = 0, days = 0, twins = 0;
	uint64_t bytes_least = 0, bytes_most = 0;
	char box[CLICKHOUSE_BOX_TEXT + INSTANCE_LEN] = "";
	struct clickhouse_limits *l = &s->limits;
	*l = (struct clickhouse_limits){.are_known = true,
		.boxes = 1,
		.hours = s->settings.hours,
		.max_bytes = s->settings.max_bytes,
		.rollup_days = s->settings.rollup_days};
	if (sscanf(text, "%u %u %" SCNu64 " %" SCNu64 " %u %u %79[^\n]", &boxes, &hours,
		    &bytes_least, &bytes_most, &days, &twins,
		    box) < 6
		|| !boxes)
		return;
	instance_cut(box);
	l->twins = twins;
	l->boxes += boxes;
	if (hours > l->hours) {
		l->hours = hours;
		snprintf(l->box, sizeof(l->box), "%.*s", CLICKHOUSE_BOX_TEXT - 1, box);
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
	char box[QUOTED_MAX] = "''", key[QUOTED_MAX] = "''", plain[QUOTED_MAX / 2];
	bool had_twins = s->limits.twins > 0;
	snprintf(plain, sizeof(plain), "%s%s%s", s->box, *s->instance ? "#" : "", s->instance);
	s->limits.are_known = false;
	if (!clickhouse_quote(s->box, box, sizeof(box))
		|| !clickhouse_quote(plain, key, sizeof(key)))
		strcpy(box, "''"), strcpy(key, "''");
	enum clickhouse_end end = table_make(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = own_put(s, c, key, out);
	if (end == CLICKHOUSE_DONE)
		end = others_ask(s, c, key, box, out);
	if (end == CLICKHOUSE_DONE)
		widen(s, out->text);
	if (s->limits.twins && !had_twins)
		log_warning("clickhouse: another box writes the table under the name \"%s\";"
			    " give each box a query_log.box of its own",
			s->box);
	return end;
}
