// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_schema.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

// A statement as it is put together.
struct sql {
	char text[CLICKHOUSE_SQL_MAX];
	size_t len;
};

// The first version of ClickHouse that has each of these.
enum {
	HAS_WORDS = 1904, // LowCardinality without asking for it
	HAS_TTL = 2003,
	HAS_ZSTD = 2100,
	HAS_WINDOW = 2109, // a MergeTree recognises blocks that it has
	HAS_TOKEN = 2203,  // the sender may give a block a token
	HAS_TYPES = 2303,  // IPv6 that takes any text, DateTime64, codecs, skip indexes
};

static const struct {
	const char *name, *type;
	bool is_word;
} columns[] = {
#define X(name, type, is_word) {#name, type, is_word},
	CLICKHOUSE_COLUMN_LIST(X)
#undef X
};

// The bounds of names make every statement fit; a longer one would be cut, and ClickHouse would
// refuse it.
ATTR_PRINTF(2, 3) static void sql_add(struct sql *q, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(q->text + q->len, sizeof(q->text) - q->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		q->len += (size_t)n;
	if (q->len >= sizeof(q->text))
		q->len = sizeof(q->text) - 1;
}

static void type_add(struct sql *q, const struct clickhouse_schema *s, unsigned i)
{
	bool word = columns[i].is_word && s->version >= HAS_WORDS;
	sql_add(q, "%s%s%s", word ? "LowCardinality(" : "", columns[i].type, word ? ")" : "");
}

static enum clickhouse_end version_read(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	unsigned major, minor;
	enum clickhouse_end end = clickhouse_ask(c, "SELECT version()", out);
	if (end != CLICKHOUSE_DONE)
		return end;
	if (sscanf(out->text, "%4u.%2u", &major, &minor) != 2) {
		snprintf(out->why, sizeof(out->why), "the server is not ClickHouse");
		return CLICKHOUSE_REFUSED;
	}
	s->version = major * 100 + minor;
	return end;
}

static enum clickhouse_end database_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q, "SELECT count() FROM system.databases WHERE name = '%s'", s->settings.database);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE || out->text[0] != '0')
		return end;
	q.len = 0;
	sql_add(&q, "CREATE DATABASE IF NOT EXISTS `%s`", s->settings.database);
	return clickhouse_ask(c, q.text, out);
}

static void ttl_add(struct sql *q, const struct clickhouse_schema *s)
{
	if (s->version >= HAS_TTL)
		sql_add(q, " TTL time + toIntervalHour(%u)",
			s->limits.are_known ? s->limits.hours : s->settings.hours);
}

// The codec of a column: differences for times and for numbers that count up.
static const char *codec_of(const char *name)
{
	bool counts = !strcmp(name, "time") || !strcmp(name, "run") || !strcmp(name, "chunk");
	return counts ? " CODEC(Delta, ZSTD(1))" : " CODEC(ZSTD(1))";
}

// Columns that the server derives from others: weir does not send them.
static void derived_add(struct sql *q)
{
	sql_add(q, ", `at` DateTime64(6, 'UTC') ALIAS"
		   " fromUnixTimestamp64Micro(toInt64(toUnixTimestamp(time)) * 1000000 + time_us,"
		   " 'UTC')"
		   ", `client_ip` IPv6 MATERIALIZED toIPv6OrDefault(client) CODEC(ZSTD(1))"
		   ", INDEX by_client client TYPE bloom_filter(0.01) GRANULARITY 4"
		   ", INDEX by_client_name client_name TYPE bloom_filter(0.01) GRANULARITY 4"
		   ", INDEX by_client_ip client_ip TYPE bloom_filter(0.01) GRANULARITY 4"
		   ", INDEX by_name qname TYPE bloom_filter(0.01) GRANULARITY 4"
		   ", INDEX by_label qname TYPE tokenbf_v1(16384, 3, 0) GRANULARITY 4");
}

static void table_sql(const struct clickhouse_schema *s, struct sql *q)
{
	bool is_current = s->version >= HAS_TYPES;
	sql_add(q, "CREATE TABLE IF NOT EXISTS `%s`.`%s` (", s->settings.database,
		s->settings.table);
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++) {
		sql_add(q, "%s`%s` ", i ? ", " : "", columns[i].name);
		type_add(q, s, i);
		if (is_current)
			sql_add(q, "%s", codec_of(columns[i].name));
	}
	if (is_current)
		derived_add(q);
	sql_add(q, ") ENGINE = MergeTree PARTITION BY %s ORDER BY (time, qname)",
		s->settings.by_hour ? "toYYYYMMDD(time) * 100 + toHour(time)" : "toYYYYMMDD(time)");
	ttl_add(q, s);
	if (s->version >= HAS_WINDOW)
		sql_add(q, " SETTINGS non_replicated_deduplication_window = 1000,"
			   " ttl_only_drop_parts = 1");
}

static enum clickhouse_end table_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q, "SELECT engine FROM system.tables WHERE database = '%s' AND name = '%s'",
		s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE)
		return end;
	s->is_distributed = strncmp(out->text, "Distributed", 11) == 0;
	if (out->text[0])
		return end;
	q.len = 0;
	table_sql(s, &q);
	return clickhouse_ask(c, q.text, out);
}

static bool has_line(const char *text, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = text; (at = strstr(at, word)); at += len)
		if ((at == text || at[-1] == '\n') && (at[len] == '\n' || !at[len]))
			return true;
	return false;
}

// The columns of this build that the table has, by name.
static void columns_sql(const struct clickhouse_schema *s, struct sql *q)
{
	sql_add(q,
		"SELECT name FROM system.columns WHERE database = '%s' AND table = '%s'"
		" AND name IN (",
		s->settings.database, s->settings.table);
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++)
		sql_add(q, "%s'%s'", i ? ", " : "", columns[i].name);
	sql_add(q, ")");
}

// Adds condition `i` of a list: the column `name` has a type that accepts the bytes of `type` (a
// DateTime of any zone, a String with or without LowCardinality).
static void column_is(struct sql *q, unsigned i, const char *name, const char *type)
{
	const char *also = i ? " OR " : "";
	if (strncmp(type, "DateTime", 8) == 0)
		sql_add(q,
			"%s(name = '%s' AND substring(type, 1, 8) = 'DateTime' AND"
			" substring(type, 1, 10) != 'DateTime64')",
			also, name);
	else
		sql_add(q, "%s(name = '%s' AND type IN ('%s', 'LowCardinality(%s)'))", also, name,
			type, type);
}

// Adds columns that an older version did not have, each behind its predecessor of this build. Not
// to a Distributed table: the tables behind it, which weir does not know, must have them first.
static enum clickhouse_end columns_add(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	char there[HTTP_POST_KEPT];
	struct sql q = {.len = 0};
	columns_sql(s, &q);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end == CLICKHOUSE_DONE)
		snprintf(there, sizeof(there), "%s", out->text);
	for (unsigned i = 0; end == CLICKHOUSE_DONE && i < ARRAY_LEN(columns); i++) {
		if (has_line(there, columns[i].name))
			continue;
		if (s->is_distributed) {
			snprintf(out->why, sizeof(out->why),
				"a Distributed table without column %s: add it as %s to the tables"
				" behind it, then to it",
				columns[i].name, columns[i].type);
			return CLICKHOUSE_REFUSED;
		}
		q.len = 0;
		sql_add(&q, "ALTER TABLE `%s`.`%s` ADD COLUMN `%s` ", s->settings.database,
			s->settings.table, columns[i].name);
		type_add(&q, s, i);
		if (i)
			sql_add(&q, " AFTER `%s`", columns[i - 1].name);
		end = clickhouse_ask(c, q.text, out);
	}
	return end;
}

// A column of another type would misread a row's bytes.
static enum clickhouse_end columns_check(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	columns_sql(s, &q);
	sql_add(&q, " AND NOT (");
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++)
		column_is(&q, i, columns[i].name, columns[i].type);
	sql_add(&q, ") LIMIT 1");
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE || !out->text[0])
		return end;
	snprintf(out->why, sizeof(out->why), "column %.*s has another type than weir's",
		(int)strcspn(out->text, "\n"), out->text);
	return CLICKHOUSE_REFUSED;
}

// Changes the TTL of a table; a table that the operator made without TTL gets none.
static enum clickhouse_end ttl_set(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q,
		"SELECT create_table_query LIKE '%%TTL time + toIntervalHour(%%' AND"
		" create_table_query NOT LIKE '%%toIntervalHour(%u)%%' FROM system.tables"
		" WHERE database = '%s' AND name = '%s'",
		s->limits.hours, s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE || out->text[0] != '1')
		return end;
	q.len = 0;
	sql_add(&q, "ALTER TABLE `%s`.`%s` MODIFY", s->settings.database, s->settings.table);
	ttl_add(&q, s);
	return clickhouse_ask(c, q.text, out);
}

// Whether a chunk may be sent again without harm: every table that holds its rows must know blocks
// by their tokens.

// SQL: whether the table of a row of system.tables recognises blocks that it has.
#define KNOWS_BLOCKS                     \
	"(engine LIKE 'Replicated%%' OR" \
	" match(create_table_query, 'non_replicated_deduplication_window = [1-9]'))"

struct local_table {
	char cluster[CLICKHOUSE_NAME_MAX], database[CLICKHOUSE_NAME_MAX], name[CLICKHOUSE_NAME_MAX];
};

// "Distributed('cluster', 'database', 'table', ...)", with or without backslashes before the
// quotes.
static bool engine_read(const char *text, struct local_table *out)
{
	char plain[512];
	size_t len = 0;
	for (; *text && *text != '\n' && len + 1 < sizeof(plain); text++)
		if (!strchr("'\\`", *text))
			plain[len++] = *text;
	plain[len] = '\0';
	return sscanf(plain, "Distributed(%63[^,], %63[^,], %63[^,)]", out->cluster, out->database,
		       out->name)
	       == 3;
}

static enum clickhouse_end distributed_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	struct clickhouse_answer *out, struct sql *q)
{
	struct local_table t;
	sql_add(q, "SELECT engine_full FROM system.tables WHERE database = '%s' AND name = '%s'",
		s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q->text, out);
	q->len = 0;
	q->text[0] = '\0';
	if (end == CLICKHOUSE_DONE && engine_read(out->text, &t))
		sql_add(q,
			"SELECT count() > 0 AND min(knows) = 1 FROM (SELECT " KNOWS_BLOCKS
			" AS knows FROM clusterAllReplicas('%s', system.tables)"
			" WHERE database = '%s' AND name = '%s')",
			t.cluster, t.database, t.name);
	return end;
}

// Replicas have one path in ZooKeeper or Keeper. Two clusters may have the same path: the node
// below it was made by one transaction, at one time.
static enum clickhouse_end replicated_ask(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	char path[CLICKHOUSE_REPLICATED_MAX / 2], quoted[CLICKHOUSE_REPLICATED_MAX + 4];
	struct sql q = {.len = 0};
	sql_add(&q,
		"SELECT zookeeper_path FROM system.replicas WHERE database = '%s' AND table = '%s'",
		s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	size_t len = end == CLICKHOUSE_DONE ? strcspn(out->text, "\n") : 0;
	if (!len || len >= sizeof(path) || memchr(out->text, '\\', len))
		return end;
	snprintf(path, sizeof(path), "%.*s", (int)len, out->text);
	if (!clickhouse_quote(path, quoted, sizeof(quoted)))
		return end;
	q.len = 0;
	sql_add(&q,
		"SELECT czxid, toUInt32(ctime) FROM system.zookeeper WHERE path = %s"
		" AND name = 'metadata'",
		quoted);
	end = clickhouse_ask(c, q.text, out);
	len = end == CLICKHOUSE_DONE ? strcspn(out->text, "\n") : 0;
	if (len)
		snprintf(s->replicated, sizeof(s->replicated), "%s %.*s", path,
			len < 100 ? (int)len : 100, out->text);
	return end;
}

// Finds out s->dedups; false if the user may not read system.tables.
static enum clickhouse_end dedup_read(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	enum clickhouse_end end = CLICKHOUSE_DONE;
	s->dedups = false;
	s->replicated[0] = '\0';
	if (s->version < HAS_TOKEN)
		return end;
	if (s->is_distributed)
		end = distributed_ask(s, c, out, &q);
	else
		sql_add(&q,
			"SELECT count() FROM system.tables WHERE database = '%s' AND name = '%s'"
			" AND " KNOWS_BLOCKS,
			s->settings.database, s->settings.table);
	if (end == CLICKHOUSE_DONE && q.len)
		end = clickhouse_ask(c, q.text, out);
	s->dedups = end == CLICKHOUSE_DONE && q.len && out->text[0] == '1';
	if (s->dedups && s->has_peers && !s->is_distributed)
		end = replicated_ask(s, c, out);
	return end == CLICKHOUSE_REFUSED && out->code ? CLICKHOUSE_DONE : end;
}

// The limits of a table that several boxes write: the widest ones.
//
// Each box writes its limits to TABLE_limits every hour, as "BOX#INSTANCE" so that boxes of one
// name do not overwrite each other's. The widest limits of any box within 30 days apply; without an
// answer a box drops nothing.

enum { QUOTED_MAX = 1024, FORGET_S = 30 * 86400, TWIN_S = 2 * 3600, INSTANCE_LEN = 16 };

// Runs a statement about TABLE_limits; `verb` is the text before the name, `rest` the text behind
// it.
static enum clickhouse_end limits_ask(const struct clickhouse_schema *s,
	struct clickhouse_client *c, struct clickhouse_answer *out, const char *verb,
	const char *rest)
{
	struct sql q = {.len = 0};
	sql_add(&q, "%s `%s`.`%s_limits` %s", verb, s->settings.database, s->settings.table, rest);
	return clickhouse_ask(c, q.text, out);
}

static enum clickhouse_end limits_table_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	return limits_ask(s, c, out, "CREATE TABLE IF NOT EXISTS",
		"(box String, hours UInt32, max_bytes UInt64, rollup_days UInt32,"
		" seen DateTime('UTC')) ENGINE = ReplacingMergeTree(seen) ORDER BY box");
}

static enum clickhouse_end limits_put(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *key, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q,
		"(box, hours, max_bytes, rollup_days, seen) SELECT %s, %u, %" PRIu64 ", %u, now()",
		key, s->settings.hours, s->settings.max_bytes, s->settings.rollup_days);
	return limits_ask(s, c, out, "INSERT INTO", q.text);
}

// Asks for the limits of all other boxes, without those that an older build of this box wrote under
// its name alone. A twin has this box's name and another instance.
static enum clickhouse_end others_limits_ask(struct clickhouse_schema *s,
	struct clickhouse_client *c, const char *key, const char *box,
	struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q, "WHERE box NOT IN (%s, %s) AND seen > now() - %d GROUP BY box)", key, box,
		FORGET_S);
	struct sql verb = {.len = 0};
	sql_add(&verb,
		"SELECT count(), max(h), min(m), max(m), max(r), countIf(t > now() - %d AND"
		" length(box) = length(%s) + %d AND substring(box, 1, length(%s) + 1) ="
		" concat(%s, '#')), argMax(box, h) FROM (SELECT box, argMax(hours, seen) AS h,"
		" argMax(max_bytes, seen) AS m, argMax(rollup_days, seen) AS r, max(seen) AS t"
		" FROM",
		TWIN_S, box, INSTANCE_LEN + 1, box, box);
	return limits_ask(s, c, out, verb.text, q.text);
}

// Removes the instance from "BOX#INSTANCE".
static void instance_cut(char *key)
{
	size_t len = strlen(key);
	if (len > INSTANCE_LEN && key[len - INSTANCE_LEN - 1] == '#'
		&& strspn(key + len - INSTANCE_LEN, "0123456789abcdef") == INSTANCE_LEN)
		key[len - INSTANCE_LEN - 1] = '\0';
}

// Applies the limits of other boxes in s->limits. 0, no limit of bytes, is the widest limit.
static void limits_widen(struct clickhouse_schema *s, const char *text)
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

// Leaves this box's limits in TABLE_limits and reads the widest of all boxes into s->limits.
static enum clickhouse_end limits_agree(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	char box[QUOTED_MAX] = "''", key[QUOTED_MAX] = "''", plain[QUOTED_MAX / 2];
	bool had_twins = s->limits.twins > 0;
	snprintf(plain, sizeof(plain), "%s%s%s", s->box, *s->instance ? "#" : "", s->instance);
	s->limits.are_known = false;
	if (!clickhouse_quote(s->box, box, sizeof(box))
		|| !clickhouse_quote(plain, key, sizeof(key)))
		strcpy(box, "''"), strcpy(key, "''");
	enum clickhouse_end end = limits_table_make(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = limits_put(s, c, key, out);
	if (end == CLICKHOUSE_DONE)
		end = others_limits_ask(s, c, key, box, out);
	if (end == CLICKHOUSE_DONE)
		limits_widen(s, out->text);
	if (s->limits.twins && !had_twins)
		log_warning("clickhouse: another box writes the table under the name \"%s\";"
			    " give each box a query_log.box of its own",
			s->box);
	return end;
}

// Sums by minute, filled by the server itself with every insert.

// Columns by which the server sums the rows of a minute.
#define MINUTE_WORDS "minute, box, verdict, tier, transport, client_group, qtype, rcode, blocked"

static enum clickhouse_end rollup_table(struct clickhouse_client *c, struct clickhouse_answer *out,
	const struct clickhouse_schema *s, const char *name, const char *definition)
{
	struct sql q = {.len = 0};
	sql_add(&q, "CREATE TABLE IF NOT EXISTS `%s`.`%s_%s` %s", s->settings.database,
		s->settings.table, name, definition);
	return clickhouse_ask(c, q.text, out);
}

static enum clickhouse_end rollup_feed(struct clickhouse_client *c, struct clickhouse_answer *out,
	const struct clickhouse_schema *s, const char *name, const char *select, const char *from)
{
	struct sql q = {.len = 0};
	const char *db = s->settings.database, *table = s->settings.table;
	sql_add(&q,
		"CREATE MATERIALIZED VIEW IF NOT EXISTS `%s`.`%s_%s_feed` TO `%s`.`%s_%s` AS"
		" SELECT %s FROM `%s`.`%s` %s",
		db, table, name, db, table, name, select, db, table, from);
	return clickhouse_ask(c, q.text, out);
}

// Makes the tables and views of TABLE_minute and TABLE_latency.
static enum clickhouse_end rollups_make(const struct clickhouse_schema *s,
	struct clickhouse_client *c, struct clickhouse_answer *out)
{
	enum clickhouse_end end = rollup_table(c, out, s, "minute",
		"(minute DateTime('UTC'), box String, verdict String, tier String,"
		" transport String, client_group String, qtype UInt16, rcode UInt16, blocked UInt8,"
		" queries UInt64, spent_us UInt64, query_octets UInt64, reply_octets UInt64)"
		" ENGINE = SummingMergeTree((queries, spent_us, query_octets, reply_octets))"
		" PARTITION BY toYYYYMM(minute) ORDER BY (" MINUTE_WORDS ")");
	if (end == CLICKHOUSE_DONE)
		end = rollup_table(c, out, s, "latency",
			"(minute DateTime('UTC'), box String, tier String, bucket UInt8,"
			" queries UInt64) ENGINE = SummingMergeTree((queries))"
			" PARTITION BY toYYYYMM(minute) ORDER BY (minute, box, tier, bucket)");
	if (end == CLICKHOUSE_DONE)
		end = rollup_feed(c, out, s, "minute",
			"toStartOfMinute(time) AS minute, box, verdict, tier, transport,"
			" client_group, qtype, rcode, blocked, sum(weight) AS queries,"
			" sum(total_us * weight) AS spent_us,"
			" sum(query_len * weight) AS query_octets,"
			" sum(reply_len * weight) AS reply_octets",
			"GROUP BY " MINUTE_WORDS);
	if (end == CLICKHOUSE_DONE)
		end = rollup_feed(c, out, s, "latency",
			"toStartOfMinute(time) AS minute, box, tier,"
			" toUInt8(floor(log2(total_us + 1) * 2)) AS bucket, sum(weight) AS queries",
			"WHERE answered = 1 GROUP BY minute, box, tier, bucket");
	return end;
}

// A user without rights on TABLE_limits still sends rows, but drops nothing.
static enum clickhouse_end limits_read(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	enum clickhouse_end end = limits_agree(s, c, out);
	s->limits_at_ms = 0;
	return end == CLICKHOUSE_REFUSED && out->code ? CLICKHOUSE_DONE : end;
}

enum clickhouse_end clickhouse_schema_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	enum clickhouse_end end = version_read(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = database_make(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = table_make(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = columns_add(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = columns_check(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = dedup_read(s, c, out);
	if (end == CLICKHOUSE_DONE && !s->is_distributed)
		end = limits_read(s, c, out);
	if (end == CLICKHOUSE_DONE && s->limits.are_known && s->version >= HAS_TTL)
		end = ttl_set(s, c, out);
	if (end == CLICKHOUSE_DONE && s->settings.rollups && !s->is_distributed)
		end = rollups_make(s, c, out);
	return end;
}

enum clickhouse_coding clickhouse_schema_coding(const struct clickhouse_schema *s)
{
	return s->version >= HAS_ZSTD ? CLICKHOUSE_ZSTD : CLICKHOUSE_GZIP;
}

enum clickhouse_end clickhouse_schema_has(const struct clickhouse_schema *s,
	struct clickhouse_client *c, const struct clickhouse_layout *l, enum clickhouse_there *has,
	struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q,
		"SELECT count() FROM system.columns WHERE database = '%s' AND table = '%s' AND (",
		s->settings.database, s->settings.table);
	for (unsigned i = 0; i < l->count; i++)
		column_is(&q, i, l->column[i].name, clickhouse_type_names[l->column[i].type]);
	sql_add(&q, ")");
	*has = CLICKHOUSE_SOME_THERE;
	if (q.len + 1 == sizeof(q.text)) { // more columns than any build of weir has
		*out = (struct clickhouse_answer){.status = 200, .text = ""};
		return CLICKHOUSE_DONE;
	}
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE)
		return end;
	unsigned long there = strtoul(out->text, NULL, 10);
	if (there == 0)
		*has = CLICKHOUSE_NONE_THERE;
	else if (there == l->count)
		*has = CLICKHOUSE_ALL_THERE;
	return end;
}

void clickhouse_schema_insert(const struct clickhouse_schema *s, const struct clickhouse_layout *l,
	char sql[CLICKHOUSE_SQL_MAX])
{
	struct sql q = {.len = 0};
	sql_add(&q, "INSERT INTO `%s`.`%s` (", s->settings.database, s->settings.table);
	for (unsigned i = 0; l && i < l->count; i++)
		sql_add(&q, "%s%s", i ? "," : "", l->column[i].name);
	sql_add(&q, "%s) FORMAT RowBinary", l ? "" : CLICKHOUSE_COLUMNS);
	memcpy(sql, q.text, q.len + 1);
}

// The settings of a server or a user may make it confirm an insert that is only in memory
// (async_insert), or take a block a second time (insert_deduplicate); these parameters override
// them.
void clickhouse_schema_parameters(
	const struct clickhouse_schema *s, const char *query_id, char *out, size_t cap)
{
	snprintf(out, cap, "&insert_deduplicate=1%s%s%s",
		s->is_distributed ? "&insert_distributed_sync=1" : "",
		s->version >= HAS_TOKEN ? "&async_insert=0&insert_deduplication_token=" : "",
		s->version >= HAS_TOKEN ? query_id : "");
}

// The table is ordered by time, so the server reads only the few parts of that time.
void clickhouse_schema_count(const struct clickhouse_schema *s, const char *box,
	const struct clickhouse_spooled *what, char sql[CLICKHOUSE_SQL_MAX])
{
	char quoted[CLICKHOUSE_SQL_MAX / 4];
	if (!clickhouse_quote(box, quoted, sizeof(quoted)))
		quoted[0] = '\0';
	snprintf(sql, CLICKHOUSE_SQL_MAX,
		"SELECT count() FROM `%s`.`%s` WHERE time >= toDateTime(%" PRIu64
		") AND time < toDateTime(%" PRIu64 ") AND box = %s AND run = %" PRIu64
		" AND chunk = %" PRIu64,
		s->settings.database, s->settings.table, what->hour * UINT64_C(3600),
		(what->hour + UINT64_C(1)) * 3600, quoted, what->chunk.run, what->chunk.number);
}

// Drops partitions that are too old or too large, one at a time, the oldest first.
//
// Ages count from the earlier of the server's clock and this box's, by the rules of retention.h.
// The newest partition of the present is never dropped. Partitions of the future are dropped only
// for max_bytes, before all others, once the clock has run without a step for a day.

enum {
	TIDY_PARTITIONS = 8,
	NEWEST_PARTITIONS = 48,
	DAY_S = 86400,
	HOUR_S = 3600,
	DAY_DIGITS = 8,
	HOUR_DIGITS = 10,
	PARTITION_TEXT = 16,
	LIMITS_MS = 3600000,
};

// The facts about a table that decide which partitions weir drops.
struct table_age {
	int64_t now_s;                // the time that ages count from
	char newest[PARTITION_TEXT];  // newest one of the present, always kept; "": no such one
	char present[PARTITION_TEXT]; // partitions of a later name lie in the future (retention.h)
	bool future_first; // partitions of the future go first when rows take too many bytes
};

// The start of the partition named `text`, YYYYMMDD or YYYYMMDDHH. 0: another form.
static int64_t partition_start(const char *text, int64_t *length_s)
{
	size_t digits = strspn(text, "0123456789");
	struct tm tm = {0};
	unsigned y, m, d, h = 0;
	if ((digits != DAY_DIGITS && digits != HOUR_DIGITS) || text[digits]
		|| sscanf(text, "%4u%2u%2u%2u", &y, &m, &d, &h) < 3)
		return 0;
	tm.tm_year = (int)y - 1900;
	tm.tm_mon = (int)m - 1;
	tm.tm_mday = (int)d;
	tm.tm_hour = (int)h;
	*length_s = digits == DAY_DIGITS ? DAY_S : HOUR_S;
	time_t start = timegm(&tm);
	return start > 0 ? start : 0;
}

static int64_t partition_end(const char *text)
{
	int64_t length_s, start_s = partition_start(text, &length_s);
	return start_s ? start_s + length_s : 0;
}

// Writes the name of the last hour of the present. The name of a day's partition sorts before that
// of its first hour.
static void present_name(int64_t clock_s, char out[PARTITION_TEXT])
{
	const time_t last_s = clock_s + RETENTION_FUTURE_S;
	struct tm tm;
	if (!gmtime_r(&last_s, &tm)
		|| strftime(out, PARTITION_TEXT, "%Y%m%d%H", &tm) != HOUR_DIGITS)
		strcpy(out, "0");
}

// Reads lines of "now TAB partition", the newest partition first. The earlier of the server's clock
// and this box's counts, so that no wrong clock alone makes weir drop rows.
static void age_read(
	struct clickhouse_schema *s, char *reply, int64_t clock_s, struct table_age *out)
{
	int64_t start_s[NEWEST_PARTITIONS], length_s = DAY_S;
	unsigned n = 0;
	char *line;
	*out = (struct table_age){.now_s = clock_s};
	present_name(clock_s, out->present);
	while (n < NEWEST_PARTITIONS && (line = strsep(&reply, "\n")) && *line) {
		int64_t server_s;
		char partition[PARTITION_TEXT];
		if (sscanf(line, "%" SCNd64 " %15s", &server_s, partition) != 2 || server_s <= 0)
			break;
		if (server_s < clock_s) {
			clock_s = server_s;
			present_name(clock_s, out->present);
		}
		if (strcmp(partition, out->present) > 0)
			continue;
		if (n == 0)
			memcpy(out->newest, partition, sizeof(out->newest));
		start_s[NEWEST_PARTITIONS - 1 - n] = partition_start(partition, &length_s);
		n++;
	}
	uint64_t mono_ms = clock_mono_ms();
	out->now_s = retention_now(
		&s->retention, clock_s, mono_ms, start_s + NEWEST_PARTITIONS - n, n, length_s);
	out->future_first = retention_is_steady(&s->retention, mono_ms);
	int64_t ahead_s = clock_s - out->now_s > DAY_S ? clock_s - out->now_s : 0;
	if (ahead_s && !s->clock_ahead_s)
		log_warning("clickhouse: the clock is %lld hours ahead of the newest rows; weir "
			    "drops no partition by age for a day",
			(long long)(ahead_s / HOUR_S));
	s->clock_ahead_s = ahead_s;
}

// Reads the age of the table. Leaves out partitions of the future, many of which would hide those
// of the present.
static enum clickhouse_end age_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t clock_s, struct table_age *age, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], present[PARTITION_TEXT];
	struct sql q = {.len = 0};
	present_name(clock_s, present);
	sql_add(&q,
		"SELECT toUInt32(now()), partition FROM system.parts WHERE active AND"
		" database = '%s' AND table = '%s' AND partition <= '%s' GROUP BY partition"
		" ORDER BY partition DESC LIMIT %d",
		s->settings.database, s->settings.table, present, NEWEST_PARTITIONS);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE)
		return end;
	snprintf(reply, sizeof(reply), "%s", out->text);
	age_read(s, reply, clock_s, age);
	return end;
}

static enum clickhouse_end partition_drop(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *table, const char *partition, struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q, "ALTER TABLE `%s`.`%s` DROP PARTITION %s", s->settings.database, table,
		partition);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	s->dropped_partitions += end == CLICKHOUSE_DONE;
	return end;
}

static enum clickhouse_end parts_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	const struct table_age *age, bool future, char reply[HTTP_POST_KEPT],
	struct clickhouse_answer *out)
{
	struct sql q = {.len = 0};
	sql_add(&q,
		"SELECT partition, sum(bytes_on_disk), (SELECT sum(bytes_on_disk) FROM system.parts"
		" WHERE active AND database = '%s' AND table = '%s') FROM system.parts WHERE active"
		" AND database = '%s' AND table = '%s' AND partition %s '%s' GROUP BY partition"
		" ORDER BY partition LIMIT %d",
		s->settings.database, s->settings.table, s->settings.database, s->settings.table,
		future ? ">" : "<=", age->present, TIDY_PARTITIONS);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end == CLICKHOUSE_DONE)
		snprintf(reply, HTTP_POST_KEPT, "%s", out->text);
	return end;
}

// Drops partitions of the present, or of the future, which is never too old.
static enum clickhouse_end rows_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	const struct table_age *age, bool future, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], *rest = reply;
	enum clickhouse_end end = parts_ask(s, c, age, future, reply, out);
	int64_t oldest = age->now_s - (int64_t)s->limits.hours * HOUR_S;
	uint64_t max_bytes = s->limits.max_bytes;
	for (unsigned i = 0; end == CLICKHOUSE_DONE && i < TIDY_PARTITIONS; i++) {
		char partition[PARTITION_TEXT], *line = strsep(&rest, "\n");
		uint64_t bytes, total;
		if (!line
			|| sscanf(line, "%15s %" SCNu64 " %" SCNu64, partition, &bytes, &total)
				   != 3)
			break;
		if (i == 0)
			s->bytes = total;
		int64_t ends = partition_end(partition);
		bool is_old = ends && ends <= oldest, is_much = max_bytes && s->bytes > max_bytes;
		if (!ends || (!is_old && !is_much) || strcmp(partition, age->newest) == 0
			|| future != (strcmp(partition, age->present) > 0))
			break;
		end = partition_drop(s, c, s->settings.table, partition, out);
		if (end == CLICKHOUSE_DONE)
			s->bytes -= bytes < s->bytes ? bytes : s->bytes;
	}
	return end;
}

static enum clickhouse_end rollups_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t now_s, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], *rest = reply, *line;
	struct sql q = {.len = 0};
	time_t oldest = now_s - (int64_t)s->limits.rollup_days * DAY_S;
	struct tm tm;
	gmtime_r(&oldest, &tm);
	sql_add(&q,
		"SELECT DISTINCT table, partition FROM system.parts WHERE active AND"
		" database = '%s' AND table IN ('%s_minute', '%s_latency') AND"
		" toUInt32OrZero(partition) < %d LIMIT %d",
		s->settings.database, s->settings.table, s->settings.table,
		(tm.tm_year + 1900) * 100 + tm.tm_mon + 1, TIDY_PARTITIONS);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE)
		return end;
	snprintf(reply, sizeof(reply), "%s", out->text);
	while (end == CLICKHOUSE_DONE && (line = strsep(&rest, "\n")) && *line) {
		char table[CLICKHOUSE_NAME_MAX + 16], partition[16];
		if (sscanf(line, "%79s %15[0-9]", table, partition) != 2
			|| strncmp(table, s->settings.table, strlen(s->settings.table)) != 0
			|| strcspn(table, "`\\") != strlen(table))
			break;
		end = partition_drop(s, c, table, partition, out);
	}
	return end;
}

static enum clickhouse_end limits_refresh(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	uint64_t now_ms = clock_mono_ms();
	if (s->limits.are_known && !s->limits_at_ms)
		s->limits_at_ms = now_ms + LIMITS_MS;
	if (s->limits.are_known && now_ms < s->limits_at_ms)
		return CLICKHOUSE_DONE;
	s->limits_at_ms = now_ms + LIMITS_MS;
	return limits_agree(s, c, out);
}

enum clickhouse_end clickhouse_schema_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t unix_s, struct clickhouse_answer *out)
{
	struct table_age age;
	if (s->is_distributed)
		return CLICKHOUSE_DONE;
	enum clickhouse_end end = limits_refresh(s, c, out);
	if (end == CLICKHOUSE_DONE)
		end = age_ask(s, c, unix_s, &age, out);
	// The age of a table without present rows, or with other partitions, is unknown.
	if (end != CLICKHOUSE_DONE || (age.newest[0] && !partition_end(age.newest)))
		return end;
	if (age.future_first && s->limits.max_bytes)
		end = rows_tidy(s, c, &age, true, out);
	if (!age.newest[0])
		return end;
	if (end == CLICKHOUSE_DONE)
		end = rows_tidy(s, c, &age, false, out);
	if (end == CLICKHOUSE_DONE && s->settings.rollups)
		end = rollups_tidy(s, c, age.now_s, out);
	return end;
}
