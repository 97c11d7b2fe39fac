// SPDX-License-Identifier: BSD-3-Clause

#include "count_rows.h"

#include "table_out.h"

void count_rows_print(const struct json_node *root, const struct count_row *rows, size_t count)
{
	static const char *const heads[] = {">", "", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < count; i++) {
		table_cell_count(t, json_count(root, rows[i].key));
		table_cell(t, "%s", rows[i].text);
		table_row_end(t);
	}
	table_print(t);
}
