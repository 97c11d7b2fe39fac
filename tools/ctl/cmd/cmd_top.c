// SPDX-License-Identifier: BSD-3-Clause

#include "lib/show.h"
#include "lib/table_out.h"

#include <stdio.h>

static const struct {
	const char *key, *title;
} kinds[] = {
	{"names", "names"},
	{"clients", "clients"},
	{"blocked", "blocked names"},
	{"nxdomain", "names that do not exist"},
	{"slow", "slow names"},
};

static void kind_print(const struct json_node *root, const char *key, const char *title)
{
	const struct json_node *n = json_get(root, key), *items = json_get(n, "items");
	const char *const heads[] = {">queries", ">possible overcount", ">% of these", title, NULL};
	uint64_t all = json_count(n, "queries");
	if (json_length(items) == 0)
		return;
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(items); i++) {
		const struct json_node *item = json_at(items, i);
		uint64_t queries = json_count(item, "queries");
		table_cell_count(t, queries);
		table_cell_count(t, json_count(item, "error"));
		table_cell(t, "%.1f", all ? 100.0 * (double)queries / (double)all : 0.0);
		table_cell(t, "%s", json_text(item, "text"));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void top_print(const struct json_node *root)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], c[FIGURE_MAX];
	printf("the last %s: %s queries by name; slow: over %s\n",
		figure_duration(json_count(root, "for_ms"), a),
		figure_count(json_count(json_get(root, "names"), "queries"), b),
		figure_duration(json_count(root, "slow_us") / 1000, c));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kind_print(root, kinds[i].key, kinds[i].title);
}

int cmd_top(struct ctl *c)
{
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "10"}, {NULL, NULL}};
	return show_call(c, false, "/top", params, HTTP_SHORT_MS, top_print);
}
