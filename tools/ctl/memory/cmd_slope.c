// SPDX-License-Identifier: BSD-3-Clause
// How fast memory grows, and its history.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLOPE_SECONDS = 3600 };

static void mib_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.2f", (double)json_count(n, key) / 1048576);
}

static void per_hour_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%+.3f", (double)json_signed(n, key) / 1048576);
}

static void error_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_flag(n, "known"))
		table_cell(t, "%.3f", (double)json_count(n, key) / 1048576);
	else
		table_cell(t, "?");
}

static void per_query_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_get(n, key))
		table_cell(t, "%" PRId64, json_signed(n, key));
	else
		table_cell(t, "-");
}

static void bytes_print(const struct json_node *list)
{
	static const struct cell_column columns[] = {{"memory", "name", cell_text},
		{">MiB", "bytes", mib_cell}, {">MiB/h", "per_hour", per_hour_cell},
		{">+-", "plus_minus", error_cell},
		{">bytes/Mquery", "per_million_queries", per_query_cell}};
	cell_rows_print(list, columns, ARRAY_LEN(columns));
}

static void fills_print(const struct json_node *list)
{
	static const char *const heads[] = {"fills", ">used", ">cap", ">%", ">% of cap/h", NULL};
	struct table *t = NULL;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		double cap = (double)json_count(n, "cap");
		if (!json_flag(n, "fills") || !(cap > 0))
			continue;
		if (!t)
			t = table_new(heads);
		cell_text(t, n, "name");
		cell_count(t, n, "used");
		cell_count(t, n, "cap");
		table_cell(t, "%.1f", 100 * (double)json_count(n, "used") / cap);
		table_cell(t, "%+.1f", 100 * (double)json_signed(n, "per_hour") / cap);
		table_row_end(t);
	}
	if (t) {
		printf("\n");
		table_print(t);
	}
}

static void slope_print(const struct json_node *root)
{
	say(root, "{span_ms:t} of samples, one each {sample_every_s:u} s, at {queries_per_s:n} "
		  "queries a second\n");
	if (json_flag(root, "steady"))
		printf("steady: every table is full, or as full as it was\n");
	else
		say(root, "not-steady: table {filling} fills; growth says nothing until it is "
			  "full\n");
	say_if(root, "alarm", "ALARM: {alarm_by} grows (weirctl mem alarms)\n");
	printf("\n");
	bytes_print(json_get(root, "bytes"));
	fills_print(json_get(root, "tables"));
}

int cmd_mem_slope(struct ctl *c)
{
	char seconds[16];
	snprintf(seconds, sizeof(seconds), "%u",
		c->given & CTL_OPT_SECONDS ? c->seconds : (unsigned)SLOPE_SECONDS);
	const struct http_param params[] = {{"seconds", seconds}, {NULL, NULL}};
	return show_call(c, false, "/memory/slope", params, HTTP_SHORT_MS, slope_print);
}

static const char *when_text(uint64_t unix_s, char out[FIGURE_MAX])
{
	time_t at = (time_t)unix_s;
	struct tm tm;
	if (!localtime_r(&at, &tm) || !strftime(out, FIGURE_MAX, "%F %T", &tm))
		snprintf(out, FIGURE_MAX, "%" PRIu64, unix_s);
	return out;
}

static void when_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", when_text(json_count(n, key), text));
}

static void rss_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.1f", (double)json_count(n, key) / 1048576);
}

static void lives_print(const struct json_node *list)
{
	static const struct cell_column columns[] = {{">life", "number", cell_count},
		{"began", "started_unix_s", when_cell}, {">lasted", "uptime_ms", cell_duration},
		{">MiB at its end", "rss", rss_cell}, {">queries", "queries", cell_count},
		{"end", "end", cell_text}};
	cell_rows_print(list, columns, ARRAY_LEN(columns));
}

// An hour is one line: its last minute.
static void minutes_print(const struct json_node *list)
{
	static const struct cell_column columns[] = {{"at", "unix_s", when_cell},
		{">life", "life", cell_count}, {">MiB", "bytes", mib_cell},
		{">queries", "queries", cell_count}};
	struct table *t = cell_table(columns, ARRAY_LEN(columns));
	uint64_t hour = UINT64_MAX;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		if (json_count(n, "unix_s") / 3600 == hour)
			continue;
		hour = json_count(n, "unix_s") / 3600;
		cell_row(t, n, columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void history_print(const struct json_node *root)
{
	printf("control plane\n");
	lives_print(json_get(root, "lives"));
	printf("\ndata plane\n");
	lives_print(json_get(root, "dataplane_lives"));
	minutes_print(json_get(root, "minutes"));
}

int cmd_mem_history(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand ? c->operand : ""}, {NULL, NULL}};
	return show_call(c, false, "/memory/history", params, HTTP_SHORT_MS, history_print);
}
