// SPDX-License-Identifier: BSD-3-Clause
// How fast memory grows, and its history.

#include "lib/show.h"
#include "lib/table_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLOPE_SECONDS = 3600 };

static const char *mib_per_hour(int64_t bytes, char out[COUNT_TEXT_MAX])
{
	snprintf(out, COUNT_TEXT_MAX, "%+.3f", (double)bytes / 1048576);
	return out;
}

static void bytes_print(const struct json_node *list)
{
	static const char *const heads[] = {
		"memory", ">MiB", ">MiB/h", ">+-", ">octets/Mquery", NULL};
	char text[COUNT_TEXT_MAX];
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		table_cell(t, "%s", json_text(n, "name"));
		table_cell(t, "%.2f", (double)json_count(n, "bytes") / 1048576);
		table_cell(t, "%s", mib_per_hour(json_signed(n, "per_hour"), text));
		if (json_flag(n, "known"))
			table_cell(t, "%.3f", (double)json_count(n, "plus_minus") / 1048576);
		else
			table_cell(t, "?");
		if (json_get(n, "per_million_queries"))
			table_cell(t, "%" PRId64, json_signed(n, "per_million_queries"));
		else
			table_cell(t, "-");
		table_row_end(t);
	}
	table_print(t);
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
		table_cell(t, "%s", json_text(n, "name"));
		table_cell_count(t, json_count(n, "used"));
		table_cell_count(t, json_count(n, "cap"));
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
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX], c[COUNT_TEXT_MAX];
	printf("%s of samples, one each %" PRIu64 " s, at %s queries a second\n",
		duration_text(json_count(root, "span_ms"), a), json_count(root, "sample_every_s"),
		count_text(json_count(root, "queries_per_s"), b));
	if (json_flag(root, "steady"))
		printf("steady: every table is full, or as full as it was\n");
	else
		printf("not-steady: table %s fills; growth says nothing until it is full\n",
			json_text(root, "filling"));
	if (json_flag(root, "alarm"))
		printf("ALARM: %s grows for half an hour (alarm %s)\n", json_text(root, "alarm_by"),
			count_text(json_count(root, "alarms"), c));
	printf("\n");
	bytes_print(json_get(root, "bytes"));
	fills_print(json_get(root, "tables"));
}

int cmd_mem_slope(struct ctl *c)
{
	char seconds[16];
	snprintf(seconds, sizeof seconds, "%u",
		c->given & CTL_OPT_SECONDS ? c->seconds : (unsigned)SLOPE_SECONDS);
	const struct http_param params[] = {{"seconds", seconds}, {NULL, NULL}};
	return show_call(c, false, "/memory/slope", params, HTTP_SHORT_MS, slope_print);
}

static const char *when_text(uint64_t unix_s, char out[COUNT_TEXT_MAX])
{
	time_t at = (time_t)unix_s;
	struct tm tm;
	if (!localtime_r(&at, &tm) || !strftime(out, COUNT_TEXT_MAX, "%F %T", &tm))
		snprintf(out, COUNT_TEXT_MAX, "%" PRIu64, unix_s);
	return out;
}

static void lives_print(const struct json_node *list)
{
	static const char *const heads[] = {
		">life", "began", ">lasted", ">MiB at its end", ">queries", "end", NULL};
	char text[COUNT_TEXT_MAX];
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		table_cell_count(t, json_count(n, "number"));
		table_cell(t, "%s", when_text(json_count(n, "started_unix_s"), text));
		table_cell(t, "%s", duration_text(json_count(n, "uptime_ms"), text));
		table_cell(t, "%.1f", (double)json_count(n, "rss") / 1048576);
		table_cell_count(t, json_count(n, "queries"));
		table_cell(t, "%s", json_text(n, "end"));
		table_row_end(t);
	}
	table_print(t);
}

// An hour is one line: its last minute.
static void minutes_print(const struct json_node *list)
{
	static const char *const heads[] = {"at", ">life", ">MiB", ">queries", NULL};
	char text[COUNT_TEXT_MAX];
	struct table *t = table_new(heads);
	uint64_t hour = UINT64_MAX;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		uint64_t at = json_count(n, "unix_s");
		if (at / 3600 == hour)
			continue;
		hour = at / 3600;
		table_cell(t, "%s", when_text(at, text));
		table_cell_count(t, json_count(n, "life"));
		table_cell(t, "%.2f", (double)json_count(n, "bytes") / 1048576);
		table_cell_count(t, json_count(n, "queries"));
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
