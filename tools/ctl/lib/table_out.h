// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Aligned tables for people. A cell is a text; columns of numbers are right-aligned. A cell that is
// too long ends in "..."; rows over TABLE_ROWS_MAX are left out and counted in a last line. On a
// terminal (term_columns) the widest columns of text are cut until a line fits, numbers never.

#include "figure.h"

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
