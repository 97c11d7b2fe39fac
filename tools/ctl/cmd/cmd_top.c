// SPDX-License-Identifier: BSD-3-Clause

#include "cmd_top_watch.h"
#include "lib/log_page.h"
#include "lib/say.h"
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
	{"lists", "lists that blocked"},
	{"rules", "rules that blocked"},
	{"groups", "groups"},
};

// A client with its name, a rule with its list.
static void item_cell(struct table *t, const struct json_node *item)
{
	const char *text = json_text(item, "text"), *name = json_text(item, "client_name");
	if (json_get(item, "list"))
		table_cell(t, "%s (%s)", *text ? text : "by a pattern or the answer",
			json_text(item, "list"));
	else
		table_cell(t, *name ? "%s (%s)" : "%s", text, name);
}

static void kind_print(const struct json_node *root, const char *key, const char *title)
{
	const struct json_node *n = json_get(root, key), *items = json_get(n, "items");
	const char *const sketch[] = {
		">queries", ">possible overcount", ">% of these", title, NULL};
	const char *const stored[] = {">queries", ">blocked", ">% of these", title, NULL};
	const bool is_sketch = json_get(json_at(items, 0), "error");
	uint64_t all = json_count(n, "queries");
	if (json_length(items) == 0)
		return;
	struct table *t = table_new(is_sketch ? sketch : stored);
	for (size_t i = 0; i < json_length(items); i++) {
		const struct json_node *item = json_at(items, i);
		uint64_t queries = json_count(item, "queries");
		table_cell_count(t, queries);
		table_cell_count(t, json_count(item, is_sketch ? "error" : "blocked"));
		table_cell(t, "%.1f", all ? 100.0 * (double)queries / (double)all : 0.0);
		item_cell(t, item);
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

static void stored_print(const struct json_node *root)
{
	char a[FIGURE_MAX], b[FIGURE_MAX];
	(void)say_if(root, "unknown_client", "{unknown_client}\n");
	printf("the last %s: %s queries\n",
		figure_duration(json_count(root, "covered_s") * 1000, a),
		figure_count(json_count(json_get(root, "names"), "queries"), b));
	if (!json_flag(root, "complete"))
		printf("%s\n", LOG_PAGE_TIME_OVER);
	if (json_count(root, "left_out"))
		printf("%s queries of rare names are in no line below\n",
			figure_count(json_count(root, "left_out"), a));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kind_print(root, kinds[i].key, kinds[i].title);
}

// Of the query store, which reaches as far back as it is kept.
static int top_since(struct ctl *c)
{
	char seconds[LOG_PAGE_SPAN_MAX];
	if (!log_page_span(c, seconds))
		return CTL_USAGE;
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "10"},
		{"seconds", seconds}, {c->client ? "client" : NULL, c->client}, {NULL, NULL}};
	return show_call(c, false, "/log/top", params, HTTP_FLUSH_MS, stored_print);
}

int cmd_top(struct ctl *c)
{
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "10"}, {NULL, NULL}};
	if (c->watch)
		return top_watch(c);
	if (c->since || c->client)
		return top_since(c);
	return show_call(c, false, "/top", params, HTTP_SHORT_MS, top_print);
}
