// SPDX-License-Identifier: BSD-3-Clause

#include "table_out.h"

#include "terminal/term_text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct table {
	unsigned columns, rows, column; // column: of the next cell
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
	assert(!heads[t->columns]); // or a column would be missing, unsaid
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

// Takes columns of a line away from the widest column of text, one by one.
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
