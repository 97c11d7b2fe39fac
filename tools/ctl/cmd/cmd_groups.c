// SPDX-License-Identifier: BSD-3-Clause
// Groups of clients, what applies to them now, and services that can be blocked by name.

#include "lib/cell.h"
#include "lib/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 256 };

// A moment within a week: day and minute of local time.
static void moment_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[32] = "-";
	time_t at = (time_t)json_count(n, key);
	struct tm tm;
	if (at && localtime_r(&at, &tm))
		strftime(text, sizeof(text), "%a %H:%M", &tm);
	table_cell(t, "%s", text);
}

static void safe_cell(struct table *t, const struct json_node *g, const char *key)
{
	char text[TEXT_MAX] = "";
	size_t n = 0;
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		const char *level = json_text(json_get(g, key), safe_engine_word(i));
		if (*level && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", n ? " " : "",
				safe_engine_word(i),
				strcmp(level, "moderate") == 0 ? "(moderate)" : "");
	}
	table_cell(t, "%s", n ? text : "-");
}

// What is so now: paused by whom, or which schedules.
static void now_cell(struct table *t, const struct json_node *g, const char *key)
{
	const struct json_node *schedules = json_get(g, key);
	char text[TEXT_MAX] = "", left[FIGURE_MAX];
	size_t n = 0;
	if (json_count(g, "pause_left_s"))
		n += (size_t)snprintf(text, sizeof(text), "paused for %s",
			figure_duration(1000 * json_count(g, "pause_left_s"), left));
	for (size_t i = 0; i < json_length(schedules) && n < sizeof(text); i++) {
		const struct json_node *s = json_at(schedules, i);
		if (json_flag(s, "active"))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "",
				json_text(s, "name"));
	}
	table_cell(t, "%s", n ? text : "-");
}

static void block_cell(struct table *t, const struct json_node *g, const char *key)
{
	table_cell(t, "%s", json_flag(g, "blocking") ? json_text(json_get(g, key), "mode") : "-");
}

static void groups_print(const struct json_node *groups)
{
	static const struct cell_column columns[] = {{"group", "name", cell_text},
		{">prefixes", "prefixes", cell_count}, {">MACs", "macs", cell_count},
		{">VLANs", "vlan_count", cell_count}, {">names", "client_name_count", cell_count},
		{"lists", "lists", cell_group_lists}, {">allow", "allow", cell_count},
		{">deny", "deny", cell_count}, {"services", "services", cell_items},
		{"safe search", "safe_search", safe_cell}, {"blocked gets", "block", block_cell},
		{"now", "schedules", now_cell}, {"next change", "next_change_unix_s", moment_cell}};
	cell_rows_print(groups, columns, ARRAY_LEN(columns));
}

// "lists adult; services tiktok; 3 domains".
static void effect_cell(struct table *t, const struct json_node *s, const char *)
{
	static const char *const kinds[] = {"lists", "services"};
	char text[TEXT_MAX] = "";
	size_t n = 0;
	if (json_flag(s, "pause"))
		n += (size_t)snprintf(text, sizeof(text), "pause; ");
	if (json_flag(s, "block_all"))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "block all; ");
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const struct json_node *list = json_get(s, kinds[k]);
		for (size_t i = 0; i < json_length(list) && n < sizeof(text); i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s",
				i ? " " : kinds[k], i ? "" : " ", json_item_text(list, i));
		if (json_length(list) && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "; ");
	}
	if (json_count(s, "domains") && n < sizeof(text))
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%llu domains; ", json_count(s, "domains"));
	size_t end = strlen(text);
	if (end >= 2 && strcmp(text + end - 2, "; ") == 0)
		text[end - 2] = '\0';
	table_cell(t, "%s", text);
}

static void days_cell(struct table *t, const struct json_node *s, const char *key)
{
	if (json_length(json_get(s, key)) == 7)
		table_cell(t, "daily");
	else
		cell_items(t, s, key);
}

static void active_cell(struct table *t, const struct json_node *s, const char *key)
{
	table_cell(t, json_flag(s, key) ? "on" : "-");
}

static void schedules_print(const struct json_node *groups)
{
	static const char *const heads[] = {
		"group", "schedule", "days", "from", "to", "brings", "now", "changes", NULL};
	static const struct cell_column columns[] = {{"", "name", cell_text},
		{"", "days", days_cell}, {"", "from", cell_text}, {"", "to", cell_text},
		{"", "", effect_cell}, {"", "active", active_cell},
		{"", "changes_unix_s", moment_cell}};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *g = json_at(groups, i), *list = json_get(g, "schedules");
		for (size_t k = 0; k < json_length(list); k++) {
			cell_text(t, g, "name");
			cell_row(t, json_at(list, k), columns, ARRAY_LEN(columns));
			table_row_end(t);
		}
	}
	printf("\n");
	table_print(t);
}

static void all_print(const struct json_node *root)
{
	const struct json_node *groups = json_get(root, "groups");
	bool any = false;
	groups_print(groups);
	for (size_t i = 0; i < json_length(groups); i++)
		any |= json_length(json_get(json_at(groups, i), "schedules")) > 0;
	if (any)
		schedules_print(groups);
}

static void domains_cell(struct table *t, const struct json_node *s, const char *key)
{
	table_cell_count(t, json_length(json_get(s, key)));
}

static void example_cell(struct table *t, const struct json_node *s, const char *key)
{
	table_cell(t, "%s", json_item_text(json_get(s, key), 0));
}

static void services_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"service", "name", cell_text},
		{">domains", "domains", domains_cell}, {"such as", "domains", example_cell}};
	cell_rows_print(json_get(root, "services"), columns, ARRAY_LEN(columns));
}

int cmd_groups(struct ctl *c)
{
	return show_call(c, false, "/groups", NULL, HTTP_SHORT_MS, all_print);
}

int cmd_services(struct ctl *c)
{
	return show_call(c, false, "/services", NULL, HTTP_SHORT_MS, services_print);
}
