// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Aligned tables for people. A cell is a text; columns of numbers are right-aligned. A cell that is
// too long ends in "..."; rows over TABLE_ROWS_MAX are left out and counted in a last line. On a
// terminal (term_columns) the widest columns of text are cut until a line fits, numbers never.

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
	TABLE_WIDTH_MIN = 8, // what a column is cut to at most
};

struct table;

// `heads`: titles, the last one NULL; one that begins with '>' is a right-aligned column's. All
// titles empty: no title line. NULL: out of memory, and the functions below take that.
struct table *table_new(const char *const heads[]);
void table_cell(struct table *t, const char *fmt, ...) ATTR_PRINTF(2, 3);
void table_cell_count(struct table *t, uint64_t n); // 1,234,567
void table_row_end(struct table *t);
void table_print(struct table *t); // on stdout; frees
// The same with at most `rows` rows on a terminal; `more` names the command that has all of them.
void table_print_some(struct table *t, unsigned rows, const char *more);

// Tables of JSON on stdout, for people: a list with a row for each of its objects, or counters with
// a row for each key of an object. A key that is not there counts 0.

struct cell_column {
	const char *head, *key; // as of table_new(); in the objects
	void (*cell)(struct table *t, const struct json_node *n, const char *key);
};

void cell_text(struct table *t, const struct json_node *n, const char *key);
void cell_count(struct table *t, const struct json_node *n, const char *key);    // 1,234
void cell_bytes(struct table *t, const struct json_node *n, const char *key);    // "64.0 MiB"
void cell_duration(struct table *t, const struct json_node *n, const char *key); // of ms: "12.3 s"
void cell_time(struct table *t, const struct json_node *n, const char *key); // of Unix s, or "-"
// Items separated by blanks, or "-".
void cell_items(struct table *t, const struct json_node *n, const char *key);
// The same of a group, which may have all of them, or "none".
void cell_group_lists(struct table *t, const struct json_node *n, const char *key);

enum { CELL_TIME_MAX = 32 };
// "2026-11-20 10:00:00" of the local clock; `none` if it is not after 1970 or none that can be
// shown.
const char *cell_time_text(int64_t unix_s, const char *none, char out[CELL_TIME_MAX]);

// A table with these columns, at most TABLE_COLUMNS_MAX, and no row.
struct table *cell_table(const struct cell_column *columns, size_t count);
// The cells of one row, whose end is the caller's.
void cell_row(struct table *t, const struct json_node *n, const struct cell_column *columns,
	size_t count);
// The whole table.
void cell_rows_print(const struct json_node *list, const struct cell_column *columns, size_t count);

struct cell_counter {
	const char *key, *text; // for people
};

// Each counter, and beside it its text.
void cell_counters_print(
	const struct json_node *n, const struct cell_counter *counters, size_t count);
// Each counter that is not 0, behind its key.
void cell_keys_print(
	const char *head, const struct json_node *n, const char *const keys[], size_t count);
