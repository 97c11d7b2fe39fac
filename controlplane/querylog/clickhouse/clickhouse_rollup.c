// SPDX-License-Identifier: BSD-3-Clause
// Sums by minute, filled by the server itself with every insert.

#include "clickhouse_sql.h"

// Words, in the order by which rows of a minute are one.
#define MINUTE_WORDS "minute, box, verdict, tier, transport, client_group, qtype, rcode, blocked"

static enum clickhouse_end table(struct clickhouse_client *c, struct clickhouse_answer *out,
	const struct clickhouse_schema *s, const char *name, const char *definition)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q, "CREATE TABLE IF NOT EXISTS `%s`.`%s_%s` %s", s->settings.database,
		s->settings.table, name, definition);
	return clickhouse_ask(c, q.text, out);
}

static enum clickhouse_end feed(struct clickhouse_client *c, struct clickhouse_answer *out,
	const struct clickhouse_schema *s, const char *name, const char *select, const char *from)
{
	struct clickhouse_sql q = {.len = 0};
	const char *db = s->settings.database, *table = s->settings.table;
	clickhouse_sql_add(&q,
		"CREATE MATERIALIZED VIEW IF NOT EXISTS `%s`.`%s_%s_feed` TO `%s`.`%s_%s` AS"
		" SELECT %s FROM `%s`.`%s` %s",
		db, table, name, db, table, name, select, db, table, from);
	return clickhouse_ask(c, q.text, out);
}

enum clickhouse_end clickhouse_rollups_make(const struct clickhouse_schema *s,
	struct clickhouse_client *c, struct clickhouse_answer *out)
{
	enum clickhouse_end end = table(c, out, s, "minute",
		"(minute DateTime('UTC'), box String, verdict String, tier String,"
		" transport String, client_group String, qtype UInt16, rcode UInt16, blocked UInt8,"
		" queries UInt64, spent_us UInt64, query_octets UInt64, reply_octets UInt64)"
		" ENGINE = SummingMergeTree((queries, spent_us, query_octets, reply_octets))"
		" PARTITION BY toYYYYMM(minute) ORDER BY (" MINUTE_WORDS ")");
	if (end == CLICKHOUSE_DONE)
		end = table(c, out, s, "latency",
			"(minute DateTime('UTC'), box String, tier String, bucket UInt8,"
			" queries UInt64) ENGINE = SummingMergeTree((queries))"
			" PARTITION BY toYYYYMM(minute) ORDER BY (minute, box, tier, bucket)");
	if (end == CLICKHOUSE_DONE)
		end = feed(c, out, s, "minute",
			"toStartOfMinute(time) AS minute, box, verdict, tier, transport,"
			" client_group, qtype, rcode, blocked, sum(weight) AS queries,"
			" sum(total_us * weight) AS spent_us,"
			" sum(query_len * weight) AS query_octets,"
			" sum(reply_len * weight) AS reply_octets",
			"GROUP BY " MINUTE_WORDS);
	if (end == CLICKHOUSE_DONE)
		end = feed(c, out, s, "latency",
			"toStartOfMinute(time) AS minute, box, tier,"
			" toUInt8(floor(log2(total_us + 1) * 2)) AS bucket, sum(weight) AS queries",
			"WHERE answered = 1 GROUP BY minute, box, tier, bucket");
	return end;
}
