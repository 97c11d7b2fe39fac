// SPDX-License-Identifier: BSD-3-Clause
// Groups of clients, what applies to them now, and services that can be blocked by name.

#include "lib/show.h"
#include "lib/table_out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 256 };

// Items separated by blanks, or `none`.
static void items_cell(struct table *t, const struct json_node *list, const char *none)
{
	char text[TEXT_MAX] = "";
	size_t n = 0;
	for (size_t i = 0; i < json_length(list) && n < sizeof text; i++)
		n += (size_t)snprintf(
			text + n, sizeof text - n, "%s%s", i ? " " : "", json_item_text(list, i));
	table_cell(t, "%s", n ? text : none);
}

// A moment within a week: day and minute of local time.
static void moment_cell(struct table *t, uint64_t unix_s)
{
	char text[32] = "-";
	time_t at = (time_t)unix_s;
	struct tm tm;
	if (unix_s && localtime_r(&at, &tm))
		strftime(text, sizeof text, "%a %H:%M", &tm);
	table_cell(t, "%s", text);
}

static void safe_cell(struct table *t, const struct json_node *safe)
{
	char text[TEXT_MAX] = "";
	size_t n = 0;
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		const char *level = json_text(safe, safe_engine_word(i));
		if (*level && n < sizeof text)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s", n ? " " : "",
				safe_engine_word(i),
				strcmp(level, "moderate") == 0 ? "(moderate)" : "");
	}
	table_cell(t, "%s", n ? text : "-");
}

// What is so now: paused by whom, or which schedules.
static void now_cell(struct table *t, const struct json_node *g)
{
	const struct json_node *schedules = json_get(g, "schedules");
	char text[TEXT_MAX] = "", left[COUNT_TEXT_MAX];
	size_t n = 0;
	if (json_count(g, "pause_left_s"))
		n += (size_t)snprintf(text, sizeof text, "paused for %s",
			duration_text(1000 * json_count(g, "pause_left_s"), left));
	for (size_t i = 0; i < json_length(schedules) && n < sizeof text; i++) {
		const struct json_node *s = json_at(schedules, i);
		if (json_flag(s, "active"))
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "",
				json_text(s, "name"));
	}
	table_cell(t, "%s", n ? text : "-");
}

static void groups_print(const struct json_node *groups)
{
	static const char *const heads[] = {"group", ">prefixes", ">MACs", ">VLANs", "lists",
		">allow", ">deny", "services", "safe search", "blocked gets", "now", "next change",
		NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *g = json_at(groups, i);
		const struct json_node *block = json_get(g, "block");
		table_cell(t, "%s", json_text(g, "name"));
		table_cell_count(t, json_count(g, "prefixes"));
		table_cell_count(t, json_count(g, "macs"));
		table_cell_count(t, json_count(g, "vlan_count"));
		if (json_flag(g, "all_lists"))
			table_cell(t, "all");
		else
			items_cell(t, json_get(g, "lists"), "none");
		table_cell_count(t, json_count(g, "allow"));
		table_cell_count(t, json_count(g, "deny"));
		items_cell(t, json_get(g, "services"), "-");
		safe_cell(t, json_get(g, "safe_search"));
		table_cell(t, "%s", json_flag(g, "blocking") ? json_text(block, "mode") : "-");
		now_cell(t, g);
		moment_cell(t, json_count(g, "next_change_unix_s"));
		table_row_end(t);
	}
	table_print(t);
}

// "lists adult; services tiktok; 3 domains".
static void effect_cell(struct table *t, const struct json_node *s)
{
	static const char *const kinds[] = {"lists", "services"};
	char text[TEXT_MAX] = "";
	size_t n = 0;
	if (json_flag(s, "pause"))
		n += (size_t)snprintf(text, sizeof text, "pause; ");
	if (json_flag(s, "block_all"))
		n += (size_t)snprintf(text + n, sizeof text - n, "block all; ");
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		const struct json_node *list = json_get(s, kinds[k]);
		for (size_t i = 0; i < json_length(list) && n < sizeof text; i++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s",
				i ? " " : kinds[k], i ? "" : " ", json_item_text(list, i));
		if (json_length(list) && n < sizeof text)
			n += (size_t)snprintf(text + n, sizeof text - n, "; ");
	}
	if (json_count(s, "domains") && n < sizeof text)
		n += (size_t)snprintf(text + n, sizeof text - n, "%llu domains; ",
			(unsigned long long)json_count(s, "domains"));
	size_t end = strlen(text);
	if (end >= 2 && strcmp(text + end - 2, "; ") == 0)
		text[end - 2] = '\0';
	table_cell(t, "%s", text);
}

static void schedules_print(const struct json_node *groups)
{
	static const char *const heads[] = {
		"group", "schedule", "days", "from", "to", "brings", "now", "changes", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(groups); i++) {
		const struct json_node *g = json_at(groups, i);
		const struct json_node *schedules = json_get(g, "schedules");
		for (size_t k = 0; k < json_length(schedules); k++) {
			const struct json_node *s = json_at(schedules, k);
			const struct json_node *days = json_get(s, "days");
			table_cell(t, "%s", json_text(g, "name"));
			table_cell(t, "%s", json_text(s, "name"));
			if (json_length(days) == 7)
				table_cell(t, "daily");
			else
				items_cell(t, days, "-");
			table_cell(t, "%s", json_text(s, "from"));
			table_cell(t, "%s", json_text(s, "to"));
			effect_cell(t, s);
			table_cell(t, json_flag(s, "active") ? "on" : "-");
			moment_cell(t, json_count(s, "changes_unix_s"));
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

static void services_print(const struct json_node *root)
{
	static const char *const heads[] = {"service", ">domains", "such as", NULL};
	const struct json_node *services = json_get(root, "services");
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(services); i++) {
		const struct json_node *s = json_at(services, i);
		table_cell(t, "%s", json_text(s, "name"));
		table_cell_count(t, json_length(json_get(s, "domains")));
		table_cell(t, "%s", json_item_text(json_get(s, "domains"), 0));
		table_row_end(t);
	}
	table_print(t);
}

int cmd_groups(struct ctl *c)
{
	return show_call(c, false, "/groups", NULL, HTTP_SHORT_MS, all_print);
}

int cmd_services(struct ctl *c)
{
	return show_call(c, false, "/services", NULL, HTTP_SHORT_MS, services_print);
}
