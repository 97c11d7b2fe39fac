// SPDX-License-Identifier: BSD-3-Clause
// Whether the box serves, and what went wrong lately.

#include "lib/show.h"
#include "lib/table_out.h"
#include "lib/term_text.h"

#include <stdio.h>
#include <time.h>

static void texts_print(const struct json_node *list, const char *before)
{
	char shown[512];
	for (size_t i = 0; i < json_length(list); i++)
		printf("%s%s\n", before, term_text(json_item_text(list, i), shown, sizeof shown));
}

// A refusal has the same document, with what is in the way.
int cmd_ready(struct ctl *c)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const struct http_param strict[] = {{"strict", "1"}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	enum http_outcome outcome =
		http_call(c, false, "/ready", c->strict ? strict : NULL, HTTP_SHORT_MS, &doc, why);
	const struct json_node *root = json_doc_root(doc);
	bool is_ready = outcome == HTTP_OK && json_flag(root, "ready");
	if (c->json && doc)
		json_doc_print(doc);
	else if (!c->json)
		printf("%s\n", is_ready                   ? "ready"
			       : json_flag(root, "ready") ? "degraded"
							  : "not ready");
	if (!c->json && doc) {
		texts_print(json_get(root, "why"), "  ");
		texts_print(json_get(root, "degraded"), "  but: ");
	}
	if (outcome != HTTP_OK && (!doc || !json_get(root, "ready")))
		http_fail(c, outcome, why);
	json_doc_free(doc);
	return is_ready ? CTL_OK : CTL_FAILED;
}

static void when_print(int64_t unix_ms, char *out, size_t cap)
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;
	if (!localtime_r(&s, &tm) || strftime(out, cap, "%F %T", &tm) == 0)
		snprintf(out, cap, "-");
}

static void errors_print(const struct json_node *root)
{
	const struct json_node *list = json_get(root, "errors");
	if (json_length(list) == 0) {
		printf("no errors or warnings since the start of both processes\n");
		return;
	}
	static const char *const heads[] = {"id", "process", ">times", "last", "text", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		char when[32], shown[1024];
		when_print(json_signed(n, "last_unix_ms"), when, sizeof when);
		table_cell(t, "%s", json_text(n, "id"));
		table_cell(t, "%s", json_text(n, "process"));
		table_cell_count(t, json_count(n, "count"));
		table_cell(t, "%s", when);
		table_cell(t, "%s", term_text(json_text(n, "text"), shown, sizeof shown));
		table_row_end(t);
	}
	table_print(t);
}

int cmd_errors(struct ctl *c)
{
	return show_call(c, false, "/errors", NULL, HTTP_SHORT_MS, errors_print);
}
