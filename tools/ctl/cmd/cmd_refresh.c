// SPDX-License-Identifier: BSD-3-Clause

#include "lib/show.h"
#include "lib/table_out.h"

#include <stdio.h>

enum { ROWS = 15 }; // minutes that people are shown; programs get an hour

static const char *const columns[] = {
	"asked", "done", "failed", "dropped", "held_back", "used", "hot_stale", "hot_missed", NULL};

static void counts_row(struct table *t, const struct json_node *n)
{
	for (unsigned i = 0; columns[i]; i++)
		table_cell_count(t, json_count(n, columns[i]));
	table_cell(t, "%.1f", (double)json_count(n, "late_ms") / 1000);
	table_row_end(t);
}

static void now_print(const struct json_node *root)
{
	if (!json_flag(root, "enabled")) {
		printf("refresh-ahead is off\n");
		return;
	}
	printf("hot from %llu, warm from %llu hits a minute; renewed at %llu %% and %llu %% of the "
	       "TTL\n",
		(unsigned long long)json_count(root, "hot_per_minute"),
		(unsigned long long)json_count(root, "warm_per_minute"),
		(unsigned long long)json_count(root, "hot_ttl_percent"),
		(unsigned long long)json_count(root, "warm_ttl_percent"));
	printf("under way %llu of %llu, planned %llu of %llu, held back %llu, last sweep took %llu "
	       "ms\n",
		(unsigned long long)json_count(root, "inflight"),
		(unsigned long long)json_count(root, "inflight_cap"),
		(unsigned long long)json_count(root, "planned"),
		(unsigned long long)json_count(root, "planned_cap"),
		(unsigned long long)json_count(root, "held_back_now"),
		(unsigned long long)json_count(root, "sweep_took_ms"));
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
	counts_row(t, json_get(root, "day"));
	for (size_t i = 0; i < json_length(minutes); i++) {
		const struct json_node *n = json_at(minutes, i);
		if (json_count(n, "ago") >= ROWS)
			break;
		table_cell(t, "%llu min ago", (unsigned long long)json_count(n, "ago"));
		counts_row(t, n);
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
