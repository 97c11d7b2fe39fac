// SPDX-License-Identifier: BSD-3-Clause
// Drops partitions that are too old or too large, one at a time, the oldest first.

#include "clickhouse_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

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
	int64_t now_s;                // ages count from then
	char newest[PARTITION_TEXT];  // of the present: stays; "": no such partition
	char present[PARTITION_TEXT]; // partitions of a later name lie in the future (retention.h)
	bool future_first;            // these go first where rows take too many bytes
};

// The start of a partition of weir: YYYYMMDD or YYYYMMDDHH. 0: another form.
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

// The last hour of the present. The name of a day's partition is less than that of its first hour.
static void present_name(int64_t clock_s, char out[PARTITION_TEXT])
{
	const time_t last_s = clock_s + RETENTION_FUTURE_S;
	struct tm tm;
	if (!gmtime_r(&last_s, &tm)
		|| strftime(out, PARTITION_TEXT, "%Y%m%d%H", &tm) != HOUR_DIGITS)
		strcpy(out, "0");
}

// "now TAB partition" a line, the newest first: the server's clock, and what the table has of the
// present. Both clocks must agree before rows go: the earlier one counts.
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
		if (sscanf(line, "%" SCNd64 " %15s", &server_s, partition) != 2)
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

// Partitions of the future are left out: many of them would hide those of the present.
static enum clickhouse_end age_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t clock_s, struct table_age *age, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], present[PARTITION_TEXT];
	struct clickhouse_sql q = {.len = 0};
	present_name(clock_s, present);
	clickhouse_sql_add(&q,
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
	const struct table_age *age, bool future, char reply[HTTP_POST_KEPT],
	struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
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

// Of the present or of the future, which never is too old.
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
		end = drop(s, c, s->settings.table, partition, out);
		if (end == CLICKHOUSE_DONE)
			s->bytes -= bytes < s->bytes ? bytes : s->bytes;
	}
	return end;
}

static enum clickhouse_end rollups_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t now_s, struct clickhouse_answer *out)
{
	char reply[HTTP_POST_KEPT], *rest = reply, *line;
	struct clickhouse_sql q = {.len = 0};
	time_t oldest = now_s - (int64_t)s->limits.rollup_days * DAY_S;
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
	snprintf(reply, sizeof(reply), "%s", out->text);
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

static enum clickhouse_end limits_due(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	uint64_t now_ms = clock_mono_ms();
	if (s->limits.are_known && !s->limits_at_ms)
		s->limits_at_ms = now_ms + LIMITS_MS;
	if (s->limits.are_known && now_ms < s->limits_at_ms)
		return CLICKHOUSE_DONE;
	s->limits_at_ms = now_ms + LIMITS_MS;
	return clickhouse_limits_agree(s, c, out);
}

enum clickhouse_end clickhouse_schema_tidy(struct clickhouse_schema *s, struct clickhouse_client *c,
	int64_t unix_s, struct clickhouse_answer *out)
{
	struct table_age age;
	if (s->is_distributed)
		return CLICKHOUSE_DONE;
	enum clickhouse_end end = limits_due(s, c, out);
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
