// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Aligned tables for people. A cell is a text; columns of numbers are right-aligned. A cell that is
// too long ends in "..."; rows over TABLE_ROWS_MAX are only counted, in a last line. On a terminal
// (term_columns) the widest columns of text are cut until a line fits, but no column of numbers.

#include "figure.h"
#include "json_doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	TABLE_COLUMNS_MAX = 16,
	TABLE_ROWS_MAX = 512,
	TABLE_CELL_MAX = 96,
	TABLE_WIDTH_MIN = 8, // a column is not cut below this
};

struct table;

// `heads`: titles, NULL at the end; '>' at the beginning of a title makes its column right-aligned.
// If all titles are empty there is no title line. NULL: out of memory; the functions below accept
// it.
struct table *table_new(const char *const heads[]);
void table_cell(struct table *t, const char *fmt, ...) ATTR_PRINTF(2, 3);
void table_cell_count(struct table *t, uint64_t n); // 1,234,567
void table_row_end(struct table *t);
void table_print(struct table *t); // prints on stdout and frees
// Prints at most `rows` rows on a terminal, and frees; `more` names the command that shows all
// rows.
void table_print_some(struct table *t, unsigned rows, const char *more);

// Tables of JSON on stdout, for people: a list has a row for each of its objects; counters have a
// row for each key of an object. A missing key counts as 0.

struct cell_column {
	const char *head, *key; // title as of table_new(); key in the objects
	void (*cell)(struct table *t, const struct json_node *n, const char *key);
};

void cell_text(struct table *t, const struct json_node *n, const char *key);
void cell_count(struct table *t, const struct json_node *n, const char *key); // 1,234
void cell_bytes(struct table *t, const struct json_node *n, const char *key); // "64.0 MiB"
void cell_duration(
	struct table *t, const struct json_node *n, const char *key); // milliseconds: "12.3 s"
void cell_time(struct table *t, const struct json_node *n,
	const char *key); // Unix seconds as a time, or "-"
// The items of a list, separated by blanks, or "-".
void cell_items(struct table *t, const struct json_node *n, const char *key);
// The lists of a group, separated by blanks; "all", or "none".
void cell_group_lists(struct table *t, const struct json_node *n, const char *key);

enum { CELL_TIME_MAX = 32 };
// Writes "2026-11-20 10:00:00" of the local clock; `none` if the time is not after 1970 or cannot
// be shown.
const char *cell_time_text(int64_t unix_s, const char *none, char out[CELL_TIME_MAX]);

// Makes a table with these columns, at most TABLE_COLUMNS_MAX, without a row.
struct table *cell_table(const struct cell_column *columns, size_t count);
// Adds the cells of one row; the caller ends the row.
void cell_row(struct table *t, const struct json_node *n, const struct cell_column *columns,
	size_t count);
// Prints a list as a table.
void cell_rows_print(const struct json_node *list, const struct cell_column *columns, size_t count);

struct cell_counter {
	const char *key, *text; // key in the object, text for people
};

// Prints each counter with its text.
void cell_counters_print(
	const struct json_node *n, const struct cell_counter *counters, size_t count);
// Prints each counter that is not 0, after its key.
void cell_keys_print(
	const char *head, const struct json_node *n, const char *const keys[], size_t count);
