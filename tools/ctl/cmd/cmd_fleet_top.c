// SPDX-License-Identifier: BSD-3-Clause
// `weirctl fleet top` shows the most frequent names and clients of all boxes, as ClickHouse has
// them.

#include "lib/figure.h"
#include "lib/http_get.h"
#include "lib/log_page.h"
#include "lib/show.h"
#include "lib/table_cell.h"

#include <stdio.h>

enum { FLEET_TOP_MS = 22000, BY_MAX = 512 };

static const struct {
	const char *key, *title;
} lists[] = {
	{"boxes", "box"}, {"names", "names"}, {"clients", "clients"}, {"blocked", "blocked names"}};

// The queries by box: "box1 1,234, box2 400".
static void by_box_cell(struct table *t, const struct json_node *by)
{
	char text[BY_MAX] = "", figure[FIGURE_MAX];
	size_t len = 0;
	for (size_t i = 0; i < json_length(by) && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s", i ? ", " : "",
			json_text(json_at(by, i), "box"),
			figure_count(json_count(json_at(by, i), "queries"), figure));
	table_cell(t, "%s", text);
}

static void list_print(const struct json_node *list, const char *title, bool is_of_boxes)
{
	const char *const heads[] = {
		">queries", ">blocked", title, is_of_boxes ? NULL : "by box", NULL};
	if (json_length(list) == 0)
		return;
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *item = json_at(list, i);
		const char *name = json_text(item, "name");
		table_cell_count(t, json_count(item, "queries"));
		table_cell_count(t, json_count(item, "blocked"));
		table_cell(t, *name ? "%s (%s)" : "%s", json_text(item, "text"), name);
		if (!is_of_boxes)
			by_box_cell(t, json_get(item, "by_box"));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void fleet_top_print(const struct json_node *root)
{
	char span[FIGURE_MAX];
	printf("the last %s, all boxes of the ClickHouse table\n",
		figure_duration(json_count(root, "seconds") * 1000, span));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_print(json_get(root, lists[i].key), lists[i].title, i == 0);
}

static int cmd_fleet_top(struct ctl *c)
{
	struct log_span span;
	if (!log_page_span(c, &span))
		return CTL_USAGE;
	const struct http_param params[] = {
		{"limit", c->limit ? c->limit : "10"}, {"seconds", span.seconds}, {NULL, NULL}};
	return show_call(c, false, "/fleet/top", params, FLEET_TOP_MS, fleet_top_print);
}

CTL_COMMANDS = {
	{"fleet", "top", 0, 0, CTL_OPT_LIMIT | CTL_OPT_SINCE, cmd_fleet_top,
		"[--since T] [--limit N]",
		"List the top names and clients of all boxes: the most queried and blocked names "
		"and the busiest clients of the ClickHouse table to which they log, with their "
		"queries by box, of the last 24 hours or since T."},
};
