// SPDX-License-Identifier: BSD-3-Clause
// Toggles of the control plane.

#include "lib/show.h"
#include "lib/table_out.h"

#include <inttypes.h>
#include <stdio.h>

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
	static const char *const heads[] = {"toggle", ">now", ">usually", "", NULL};
	const struct json_node *list = json_get(root, "toggles");
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		table_cell(t, "%s", json_text(n, "name"));
		value_cell(t, n, "value");
		value_cell(t, n, "usual");
		table_cell(t, "%s", json_text(n, "help"));
		table_row_end(t);
	}
	table_print(t);
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
