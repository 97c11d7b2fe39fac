// SPDX-License-Identifier: BSD-3-Clause

#include "cell.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

void cell_text(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%s", json_text(n, key));
}

void cell_count(struct table *t, const struct json_node *n, const char *key)
{
	table_cell_count(t, json_count(n, key));
}

void cell_bytes(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", figure_bytes(json_count(n, key), text));
}

void cell_duration(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", figure_duration(json_count(n, key), text));
}

const char *cell_time_text(int64_t unix_s, const char *none, char out[CELL_TIME_MAX])
{
	const time_t at = (time_t)unix_s;
	struct tm tm;
	if (unix_s <= 0 || !localtime_r(&at, &tm) || !strftime(out, CELL_TIME_MAX, "%F %T", &tm))
		snprintf(out, CELL_TIME_MAX, "%s", none);
	return out;
}

void cell_time(struct table *t, const struct json_node *n, const char *key)
{
	char text[CELL_TIME_MAX];
	table_cell(t, "%s", cell_time_text(json_signed(n, key), "-", text));
}

static void items_cell(struct table *t, const struct json_node *list, const char *none)
{
	char text[256] = "";
	size_t n = 0;
	for (size_t i = 0; i < json_length(list) && n < sizeof(text); i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "%s%s", i ? " " : "", json_item_text(list, i));
	table_cell(t, "%s", n ? text : none);
}

void cell_items(struct table *t, const struct json_node *n, const char *key)
{
	items_cell(t, json_get(n, key), "-");
}

void cell_group_lists(struct table *t, const struct json_node *n, const char *key)
{
	if (json_flag(n, "all_lists"))
		table_cell(t, "all");
	else
		items_cell(t, json_get(n, key), "none");
}

struct table *cell_table(const struct cell_column *columns, size_t count)
{
	const char *heads[TABLE_COLUMNS_MAX + 1] = {0};
	assert(count <= TABLE_COLUMNS_MAX);
	for (size_t i = 0; i < count; i++)
		heads[i] = columns[i].head;
	return table_new(heads);
}

void cell_row(
	struct table *t, const struct json_node *n, const struct cell_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		columns[i].cell(t, n, columns[i].key);
}

void cell_rows_print(const struct json_node *list, const struct cell_column *columns, size_t count)
{
	struct table *t = cell_table(columns, count);
	for (size_t i = 0; i < json_length(list); i++) {
		cell_row(t, json_at(list, i), columns, count);
		table_row_end(t);
	}
	table_print(t);
}

void cell_counters_print(
	const struct json_node *n, const struct cell_counter *counters, size_t count)
{
	struct table *t = table_new((const char *const[]){">", "", NULL});
	for (size_t i = 0; i < count; i++) {
		cell_count(t, n, counters[i].key);
		table_cell(t, "%s", counters[i].text);
		table_row_end(t);
	}
	table_print(t);
}

void cell_keys_print(
	const char *head, const struct json_node *n, const char *const keys[], size_t count)
{
	struct table *t = table_new((const char *const[]){head, ">total", NULL});
	for (size_t i = 0; i < count; i++) {
		if (json_count(n, keys[i]) == 0)
			continue;
		table_cell(t, "%s", keys[i]);
		cell_count(t, n, keys[i]);
		table_row_end(t);
	}
	table_print(t);
}
