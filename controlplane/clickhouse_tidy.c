// SPDX-License-Identifier: BSD-3-Clause
// What is too old or too much, a partition at a time, the oldest first.

#include "clickhouse_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIDY_PARTITIONS = 8, DAY_S = 86400, HOUR_S = 3600, DAY_DIGITS = 8, HOUR_DIGITS = 10 };

// When a partition of ours ends: YYYYMMDD or YYYYMMDDHH. 0: it is none.
static int64_t partition_end(const char *text)
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
	time_t start = timegm(&tm);
	return start > 0 ? start + (digits == DAY_DIGITS ? DAY_S : HOUR_S) : 0;
}

static enum clickhouse_end drop(struct clickhouse_schema *s, struct clickhouse_client *c,
	const char *table, const char *partition, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q, "ALTER TABLE `%s`.`%s` DROP PARTITION %s", s->settings.database,
		table, partition);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	s->dropped_partitions += end == CLICKHOUSE_DONE;
	return end;
}

static enum clickhouse_end parts_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	char reply[HTTP_POST_KEPT], struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"SELECT partition, sum(bytes_on_disk), (SELECT sum(bytes_on_disk) FROM system.parts"
		" WHERE active AND database = '%s' AND table = '%s') FROM system.parts WHERE active"
		" AND database = '%s' AND table = '%s' GROUP BY partition ORDER BY partition"
		" LIMIT %d",
		s->settings.database, s->settings.table, s->settings.database, s->settings.table,
		TIDY_PARTITIONS);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end == CLICKHOUSE_DONE)
		snprintf(reply, HTTP_POST_KEPT, "%s", out->text);
	return end;
}

static enum clickhouse_end rows_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t unix_s, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], *rest = reply;
	enum clickhouse_end end = parts_ask(s, c, reply, out);
	int64_t oldest = unix_s - (int64_t)s->settings.hours * HOUR_S;
	if (end == CLICKHOUSE_DONE && !*reply)
		s->bytes = 0;
	for (unsigned i = 0; end == CLICKHOUSE_DONE && i < TIDY_PARTITIONS; i++) {
		char partition[16], *line = strsep(&rest, "\n");
		uint64_t bytes, total;
		if (!line
			|| sscanf(line, "%15s %" SCNu64 " %" SCNu64, partition, &bytes, &total)
				   != 3)
			break;
		if (i == 0)
			s->bytes = total;
		int64_t ends = partition_end(partition);
		bool is_old = ends && ends <= oldest;
		// The newest one stays, however large: it is being filled.
		bool is_much = ends && s->settings.max_bytes && s->bytes > s->settings.max_bytes
			       && s->bytes > bytes;
		if (!is_old && !is_much)
			break;
		end = drop(s, c, s->settings.table, partition, out);
		if (end == CLICKHOUSE_DONE)
			s->bytes -= bytes < s->bytes ? bytes : s->bytes;
	}
	return end;
}

static enum clickhouse_end rollups_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t unix_s, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], *rest = reply, *line;
	struct clickhouse_sql q = {.len = 0};
	time_t oldest = unix_s - (int64_t)s->settings.rollup_days * DAY_S;
	struct tm tm;
	gmtime_r(&oldest, &tm);
	clickhouse_sql_add(&q,
		"SELECT DISTINCT table, partition FROM system.parts WHERE active AND"
		" database = '%s' AND table IN ('%s_minute', '%s_latency') AND"
		" toUInt32OrZero(partition) < %d LIMIT %d",
		s->settings.database, s->settings.table, s->settings.table,
		(tm.tm_year + 1900) * 100 + tm.tm_mon + 1, TIDY_PARTITIONS);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	if (end != CLICKHOUSE_DONE)
		return end;
	snprintf(reply, sizeof reply, "%s", out->text);
	while (end == CLICKHOUSE_DONE && (line = strsep(&rest, "\n")) && *line) {
		char table[CLICKHOUSE_NAME_MAX + 16], partition[16];
		if (sscanf(line, "%79s %15[0-9]", table, partition) != 2
			|| strncmp(table, s->settings.table, strlen(s->settings.table)) != 0
			|| strcspn(table, "`\\") != strlen(table))
			break;
		end = drop(s, c, table, partition, out);
	}
	return end;
}

enum clickhouse_end clickhouse_schema_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t unix_s, struct clickhouse_answer *out)
{
	if (s->is_distributed)
		return CLICKHOUSE_DONE;
	enum clickhouse_end end = rows_tidy(s, c, unix_s, out);
	if (end == CLICKHOUSE_DONE && s->settings.rollups)
		end = rollups_tidy(s, c, unix_s, out);
	return end;
}
