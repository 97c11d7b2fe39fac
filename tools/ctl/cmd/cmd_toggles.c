// SPDX-License-Identifier: BSD-3-Clause
// Toggles of the control plane.

#include "lib/cell.h"
#include "lib/show.h"

static void value_cell(struct table *t, const struct json_node *n, const char *key)
{
	uint64_t value = json_count(n, key);
	if (json_count(n, "usual") > 1)
		table_cell_count(t, value);
	else
		table_cell(t, "%s", value ? "on" : "off");
}

static void toggles_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"toggle", "name", cell_text},
		{">now", "value", value_cell}, {">usually", "usual", value_cell},
		{"", "help", cell_text}};
	cell_rows_print(json_get(root, "toggles"), columns, ARRAY_LEN(columns));
}

int cmd_toggles(struct ctl *c)
{
	return show_call(c, false, "/toggles", NULL, HTTP_SHORT_MS, toggles_print);
}

int cmd_set(struct ctl *c)
{
	const struct http_param params[] = {
		{"toggle", c->operand}, {"value", c->type}, {NULL, NULL}};
	return show_call(c, true, "/set", params, HTTP_BUILD_MS, NULL);
}
