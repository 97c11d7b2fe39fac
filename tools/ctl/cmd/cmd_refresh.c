// SPDX-License-Identifier: BSD-3-Clause

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <stdio.h>

enum { ROWS = 15 }; // minutes that people are shown; programs get an hour

static void late_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.1f", (double)json_count(n, key) / 1000);
}

static const struct cell_column columns[] = {{">asked", "asked", cell_count},
	{">done", "done", cell_count}, {">failed", "failed", cell_count},
	{">dropped", "dropped", cell_count}, {">held back", "held_back", cell_count},
	{">used", "used", cell_count}, {">hot stale", "hot_stale", cell_count},
	{">hot missed", "hot_missed", cell_count}, {">late s", "late_ms", late_cell}};

static void now_print(const struct json_node *root)
{
	if (!json_flag(root, "enabled")) {
		printf("refresh-ahead is off\n");
		return;
	}
	say(root, "hot from {hot_per_minute:u}, warm from {warm_per_minute:u} hits a minute; "
		  "renewed at {hot_ttl_percent:u} % and {warm_ttl_percent:u} % of the TTL\n"
		  "under way {inflight:u} of {inflight_cap:u}, planned {planned:u} of "
		  "{planned_cap:u}, held back {held_back_now:u}, last sweep took "
		  "{sweep_took_ms:u} ms\n");
}

// Each refresh is one question to the upstreams; each that was used, at most one miss saved.
static void price_print(const struct json_node *day)
{
	uint64_t used = json_count(day, "used");
	uint64_t spent = json_count(day, "done") + json_count(day, "failed");

	if (used)
		printf("upstream questions for each miss saved: %.2f\n",
			(double)spent / (double)used);
}

static void tables_print(const struct json_node *root)
{
	static const char *const heads[] = {"", ">asked", ">done", ">failed", ">dropped",
		">held back", ">used", ">hot stale", ">hot missed", ">late s", NULL};
	struct table *t = table_new(heads);
	const struct json_node *minutes = json_get(root, "minutes");

	table_cell(t, "24 h");
	cell_row(t, json_get(root, "day"), columns, ARRAY_LEN(columns));
	table_row_end(t);
	for (size_t i = 0; i < json_length(minutes); i++) {
		const struct json_node *n = json_at(minutes, i);
		if (json_count(n, "ago") >= ROWS)
			break;
		table_cell(t, "%llu min ago", json_count(n, "ago"));
		cell_row(t, n, columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	table_print(t);
}

static void refresh_print(const struct json_node *root)
{
	now_print(root);
	price_print(json_get(root, "day"));
	tables_print(root);
}

int cmd_refresh_stats(struct ctl *c)
{
	return show_call(c, false, "/refresh", NULL, HTTP_SHORT_MS, refresh_print);
}
