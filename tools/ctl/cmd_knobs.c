// SPDX-License-Identifier: BSD-3-Clause
// Knobs of the control plane.

#include "http_get.h"
#include "table_out.h"

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

int cmd_knobs(struct ctl *c)
{
	static const char *const heads[] = {"knob", ">now", ">usually", "", NULL};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, false, "/knobs", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *list = json_get(json_doc_root(doc), "knobs");
	struct table *t = c->json ? NULL : table_new(heads);
	for (size_t i = 0; t && i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		table_cell(t, "%s", json_text(n, "name"));
		value_cell(t, n, "value");
		value_cell(t, n, "usual");
		table_cell(t, "%s", json_text(n, "help"));
		table_row_end(t);
	}
	if (t)
		table_print(t);
	else
		json_doc_print(doc);
	json_doc_free(doc);
	return CTL_OK;
}

int cmd_set(struct ctl *c)
{
	const struct http_param params[] = {{"knob", c->operand}, {"value", c->type}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, true, "/set", params, HTTP_BUILD_MS);
	if (!doc)
		return CTL_FAILED;
	if (c->json)
		json_doc_print(doc);
	json_doc_free(doc);
	return CTL_OK;
}
