// SPDX-License-Identifier: BSD-3-Clause
// Whether the box serves, and what went wrong lately.

#include "lib/cell.h"
#include "lib/show.h"

#include <stdio.h>
#include <time.h>

// A refusal has the same document, with what is in the way.
int cmd_ready(struct ctl *c)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const struct http_param params[] = {{"strict", c->strict ? "1" : NULL}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	enum http_outcome outcome = http_call(c, false, "/ready", params, HTTP_SHORT_MS, &doc, why);
	const struct json_node *root = json_doc_root(doc);
	bool is_ready = outcome == HTTP_OK && json_flag(root, "ready");
	if (c->json && doc)
		json_doc_print(doc);
	else if (!c->json)
		printf("%s\n", is_ready                   ? "ready"
			       : json_flag(root, "ready") ? "degraded"
							  : "not ready");
	if (!c->json && doc) {
		show_texts(json_get(root, "why"), "  ");
		show_texts(json_get(root, "degraded"), "  but: ");
	}
	if (outcome != HTTP_OK && (!doc || !json_get(root, "ready")))
		http_fail(c, outcome, why);
	json_doc_free(doc);
	return is_ready ? CTL_OK : CTL_FAILED;
}

static void when_cell(struct table *t, const struct json_node *n, const char *key)
{
	char when[32];
	time_t s = (time_t)(json_signed(n, key) / 1000);
	struct tm tm;
	bool known = localtime_r(&s, &tm) && strftime(when, sizeof(when), "%F %T", &tm);
	table_cell(t, "%s", known ? when : "-");
}

static void errors_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"id", "id", cell_text},
		{"process", "process", cell_text}, {">times", "count", cell_count},
		{"last", "last_unix_ms", when_cell}, {"text", "text", cell_text}};
	const struct json_node *list = json_get(root, "errors");
	if (json_length(list) == 0)
		printf("no errors or warnings since the start of both processes\n");
	else
		cell_rows_print(list, columns, ARRAY_LEN(columns));
}

int cmd_errors(struct ctl *c)
{
	return show_call(c, false, "/errors", NULL, HTTP_SHORT_MS, errors_print);
}
