// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_schema.h"

#include "clickhouse_columns.h"
#include "clickhouse_sql.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *type;
	bool is_word;
} columns[] = {
#define X(name, type, is_word) {#name, type, is_word},
	CLICKHOUSE_COLUMN_LIST(X)
#undef X
};

void clickhouse_sql_add(struct clickhouse_sql *q, const char *fmt, ...)
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

static void type_add(struct clickhouse_sql *q, const struct clickhouse_schema *s, unsigned i)
{
	bool word = columns[i].is_word && s->version >= CLICKHOUSE_HAS_WORDS;
	clickhouse_sql_add(
		q, "%s%s%s", word ? "LowCardinality(" : "", columns[i].type, word ? ")" : "");
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
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(
		&q, "SELECT count() FROM system.databases WHERE name = '%s'", s->settings.database);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE || out->text[0] != '0')
		return end;
	q.len = 0;
	clickhouse_sql_add(&q, "CREATE DATABASE IF NOT EXISTS `%s`", s->settings.database);
	return clickhouse_ask(c, q.text, out);
}

static void ttl_add(struct clickhouse_sql *q, const struct clickhouse_schema *s)
{
	if (s->version >= CLICKHOUSE_HAS_TTL)
		clickhouse_sql_add(q, " TTL time + toIntervalHour(%u)",
			s->limits.are_known ? s->limits.hours : s->settings.hours);
}

// How a column lies on disk: times and numbers that count up by their differences.
static const char *codec_of(const char *name)
{
	bool counts = !strcmp(name, "time") || !strcmp(name, "run") || !strcmp(name, "chunk");
	return counts ? " CODEC(Delta, ZSTD(1))" : " CODEC(ZSTD(1))";
}

// Columns that the server derives from others: weir does not send them.
static void derived_add(struct clickhouse_sql *q)
{
	clickhouse_sql_add(q,
		", `at` DateTime64(6, 'UTC') ALIAS"
		" fromUnixTimestamp64Micro(toInt64(toUnixTimestamp(time)) * 1000000 + time_us,"
		" 'UTC')"
		", `client_ip` IPv6 MATERIALIZED toIPv6OrDefault(client) CODEC(ZSTD(1))"
		", INDEX by_client client TYPE bloom_filter(0.01) GRANULARITY 4"
		", INDEX by_client_name client_name TYPE bloom_filter(0.01) GRANULARITY 4"
		", INDEX by_client_ip client_ip TYPE bloom_filter(0.01) GRANULARITY 4"
		", INDEX by_name qname TYPE bloom_filter(0.01) GRANULARITY 4"
		", INDEX by_label qname TYPE tokenbf_v1(16384, 3, 0) GRANULARITY 4");
}

static void table_sql(const struct clickhouse_schema *s, struct clickhouse_sql *q)
{
	bool is_current = s->version >= CLICKHOUSE_HAS_TYPES;
	clickhouse_sql_add(q, "CREATE TABLE IF NOT EXISTS `%s`.`%s` (", s->settings.database,
		s->settings.table);
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++) {
		clickhouse_sql_add(q, "%s`%s` ", i ? ", " : "", columns[i].name);
		type_add(q, s, i);
		if (is_current)
			clickhouse_sql_add(q, "%s", codec_of(columns[i].name));
	}
	if (is_current)
		derived_add(q);
	clickhouse_sql_add(q, ") ENGINE = MergeTree PARTITION BY %s ORDER BY (time, qname)",
		s->settings.by_hour ? "toYYYYMMDD(time) * 100 + toHour(time)" : "toYYYYMMDD(time)");
	ttl_add(q, s);
	if (s->version >= CLICKHOUSE_HAS_WINDOW)
		clickhouse_sql_add(q, " SETTINGS non_replicated_deduplication_window = 1000,"
				      " ttl_only_drop_parts = 1");
}

static enum clickhouse_end table_make(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"SELECT engine FROM system.tables WHERE database = '%s' AND name = '%s'",
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
static void columns_sql(const struct clickhouse_schema *s, struct clickhouse_sql *q)
{
	clickhouse_sql_add(q,
		"SELECT name FROM system.columns WHERE database = '%s' AND table = '%s'"
		" AND name IN (",
		s->settings.database, s->settings.table);
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++)
		clickhouse_sql_add(q, "%s'%s'", i ? ", " : "", columns[i].name);
	clickhouse_sql_add(q, ")");
}

// Number `i` of a list of conditions: the column of that name has a type that takes the bytes of
// this one (a time of any zone, words of few or of any).
static void column_is(struct clickhouse_sql *q, unsigned i, const char *name, const char *type)
{
	const char *also = i ? " OR " : "";
	if (strncmp(type, "DateTime", 8) == 0)
		clickhouse_sql_add(q,
			"%s(name = '%s' AND substring(type, 1, 8) = 'DateTime' AND"
			" substring(type, 1, 10) != 'DateTime64')",
			also, name);
	else
		clickhouse_sql_add(q, "%s(name = '%s' AND type IN ('%s', 'LowCardinality(%s)'))",
			also, name, type, type);
}

// Columns that an older version did not have come behind the one that is before them here. Those of
// a Distributed table are no use before the tables behind it have them, which weir does not know.
static enum clickhouse_end columns_add(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	char there[HTTP_POST_KEPT];
	struct clickhouse_sql q = {.len = 0};
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
		clickhouse_sql_add(&q, "ALTER TABLE `%s`.`%s` ADD COLUMN `%s` ",
			s->settings.database, s->settings.table, columns[i].name);
		type_add(&q, s, i);
		if (i)
			clickhouse_sql_add(&q, " AFTER `%s`", columns[i - 1].name);
		end = clickhouse_ask(c, q.text, out);
	}
	return end;
}

// A column of another type would take a row's bytes for something else.
static enum clickhouse_end columns_check(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	columns_sql(s, &q);
	clickhouse_sql_add(&q, " AND NOT (");
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++)
		column_is(&q, i, columns[i].name, columns[i].type);
	clickhouse_sql_add(&q, ") LIMIT 1");
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE || !out->text[0])
		return end;
	snprintf(out->why, sizeof(out->why), "column %.*s has another type than weir's",
		(int)strcspn(out->text, "\n"), out->text);
	return CLICKHOUSE_REFUSED;
}

// Changes the TTL of a table that weir made; one that the operator made without stays so.
static enum clickhouse_end ttl_set(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"SELECT create_table_query LIKE '%%TTL time + toIntervalHour(%%' AND"
		" create_table_query NOT LIKE '%%toIntervalHour(%u)%%' FROM system.tables"
		" WHERE database = '%s' AND name = '%s'",
		s->limits.hours, s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE || out->text[0] != '1')
		return end;
	q.len = 0;
	clickhouse_sql_add(
		&q, "ALTER TABLE `%s`.`%s` MODIFY", s->settings.database, s->settings.table);
	ttl_add(&q, s);
	return clickhouse_ask(c, q.text, out);
}

// A user without rights on TABLE_limits still sends rows, but drops nothing.
static enum clickhouse_end limits_look(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	enum clickhouse_end end = clickhouse_limits_agree(s, c, out);
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
		end = clickhouse_dedup_look(s, c, out);
	if (end == CLICKHOUSE_DONE && !s->is_distributed)
		end = limits_look(s, c, out);
	if (end == CLICKHOUSE_DONE && s->limits.are_known && s->version >= CLICKHOUSE_HAS_TTL)
		end = ttl_set(s, c, out);
	if (end == CLICKHOUSE_DONE && s->settings.rollups && !s->is_distributed)
		end = clickhouse_rollups_make(s, c, out);
	return end;
}

enum clickhouse_coding clickhouse_schema_coding(const struct clickhouse_schema *s)
{
	return s->version >= CLICKHOUSE_HAS_ZSTD ? CLICKHOUSE_ZSTD : CLICKHOUSE_GZIP;
}

enum clickhouse_end clickhouse_schema_has(const struct clickhouse_schema *s,
	struct clickhouse_client *c, const struct clickhouse_layout *l, enum clickhouse_there *has,
	struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"SELECT count() FROM system.columns WHERE database = '%s' AND table = '%s' AND (",
		s->settings.database, s->settings.table);
	for (unsigned i = 0; i < l->count; i++)
		column_is(&q, i, l->column[i].name, clickhouse_type_names[l->column[i].type]);
	clickhouse_sql_add(&q, ")");
	*has = CLICKHOUSE_SOME_THERE;
	if (q.len + 1 == sizeof(q.text)) { // more than any build of weir has
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
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q, "INSERT INTO `%s`.`%s` (", s->settings.database, s->settings.table);
	for (unsigned i = 0; l && i < l->count; i++)
		clickhouse_sql_add(&q, "%s%s", i ? "," : "", l->column[i].name);
	clickhouse_sql_add(&q, "%s) FORMAT RowBinary", l ? "" : CLICKHOUSE_COLUMNS);
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
		s->version >= CLICKHOUSE_HAS_TOKEN ? "&async_insert=0&insert_deduplication_token="
						   : "",
		s->version >= CLICKHOUSE_HAS_TOKEN ? query_id : "");
}

// The time is what the table is ordered by: by it the server finds the few parts to look into.
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
