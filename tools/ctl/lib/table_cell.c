// SPDX-License-Identifier: BSD-3-Clause
#include "table_cell.h"

#include "terminal/term_names.h"
#include "terminal/term_text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct table {
	unsigned columns, rows, column; // column: where the next cell goes
	uint64_t left_out;
	bool right[TABLE_COLUMNS_MAX], headed;
	char (*cells)[TABLE_CELL_MAX]; // row by row; row 0 is the titles
};

static char *table_at(struct table *t, unsigned row, unsigned column)
{
	return t->cells[row * t->columns + column];
}

struct table *table_new(const char *const heads[])
{
	struct table *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	while (t->columns < TABLE_COLUMNS_MAX && heads[t->columns])
		t->columns++;
	assert(!heads[t->columns]); // or a column would be silently missing
	t->cells = calloc((size_t)t->columns * (TABLE_ROWS_MAX + 1), sizeof(*t->cells));
	if (!t->cells) {
		free(t);
		return NULL;
	}
	for (unsigned i = 0; i < t->columns; i++) {
		t->right[i] = heads[i][0] == '>';
		const char *title = heads[i] + (t->right[i] ? 1 : 0);
		t->headed |= *title != '\0';
		snprintf(table_at(t, 0, i), TABLE_CELL_MAX, "%s", title);
	}
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	if (!t || t->rows == TABLE_ROWS_MAX || t->column == t->columns)
		return;
	char text[4 * TABLE_CELL_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	char escaped[16 * TABLE_CELL_MAX], *cell = table_at(t, t->rows + 1, t->column++);
	// A look-alike must not fill the cell without its A-labels.
	if (strlen(term_names(text, escaped, sizeof(escaped))) >= TABLE_CELL_MAX)
		term_text(text, escaped, sizeof(escaped));
	bool is_cut = strlen(escaped) >= TABLE_CELL_MAX;
	size_t len = term_cut(escaped, TABLE_CELL_MAX - (is_cut ? 4 : 1));
	snprintf(cell, TABLE_CELL_MAX, "%.*s%s", (int)len, escaped, is_cut ? "..." : "");
}

void table_cell_count(struct table *t, uint64_t n)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", figure_count(n, text));
}

void table_row_end(struct table *t)
{
	if (!t)
		return;
	if (t->rows == TABLE_ROWS_MAX)
		t->left_out++;
	else
		t->rows++;
	t->column = 0;
}

static int column_width(struct table *t, unsigned column)
{
	size_t width = 0;
	for (unsigned row = 0; row <= t->rows; row++) {
		size_t of_cell = term_width(table_at(t, row, column));
		if (of_cell > width)
			width = of_cell;
	}
	return (int)width;
}

// Cuts the widest column of text, one character at a time, until a line fits the terminal.
static void widths_fit(const struct table *t, int width[])
{
	const int most = (int)term_columns();
	int all = 2 + 3 * ((int)t->columns - 1);
	for (unsigned i = 0; i < t->columns; i++)
		all += width[i];
	for (; most > 0 && all > most; all--) {
		int *widest = NULL;
		for (unsigned i = 0; i < t->columns; i++)
			if (!t->right[i] && width[i] > TABLE_WIDTH_MIN
				&& (!widest || width[i] > *widest))
				widest = &width[i];
		if (!widest)
			return;
		--*widest;
	}
}

static void cell_print(const char *cell, int width, bool is_right, bool is_last)
{
	char text[TABLE_CELL_MAX + 3];
	const bool is_cut = (int)term_width(cell) > width;
	const size_t len = is_cut ? term_cut_width(cell, (size_t)width - 3) : strlen(cell);
	snprintf(text, sizeof(text), "%.*s%s", (int)len, cell, is_cut ? "..." : "");
	const int pad = width - (int)term_width(text);
	printf("%*s%s%*s", is_right ? pad : 0, "", text, is_right || is_last ? 0 : pad, "");
}

void table_print_some(struct table *t, unsigned rows, const char *more)
{
	int width[TABLE_COLUMNS_MAX];
	if (!t)
		return;
	if (term_columns() > 0 && t->rows > rows) {
		t->left_out += t->rows - rows;
		t->rows = rows;
	}
	for (unsigned i = 0; i < t->columns; i++)
		width[i] = column_width(t, i);
	widths_fit(t, width);
	for (unsigned row = t->headed ? 0 : 1; row <= t->rows; row++) {
		for (unsigned i = 0; i < t->columns; i++) {
			fputs(i == 0 ? "  " : "   ", stdout);
			cell_print(table_at(t, row, i), width[i], t->right[i], i + 1 == t->columns);
		}
		putchar('\n');
	}
	if (t->left_out)
		printf("  (%llu more%s%s)\n", (unsigned long long)t->left_out, *more ? ": " : "",
			more);
	free(t->cells);
	free(t);
}

void table_print(struct table *t)
{
	table_print_some(t, TABLE_ROWS_MAX, "");
}

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
