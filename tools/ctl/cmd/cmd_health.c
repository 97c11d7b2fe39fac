// SPDX-License-Identifier: BSD-3-Clause
// Whether the box serves, and what went wrong lately.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <stdio.h>
#include <time.h>

static const char *time_text(const struct json_node *n, const char *key, char out[CELL_TIME_MAX])
{
	return cell_time_text(json_signed(n, key) / 1000, "-", out);
}

static void when_cell(struct table *t, const struct json_node *n, const char *key)
{
	char when[CELL_TIME_MAX];
	table_cell(t, "%s", time_text(n, key, when));
}

static void reason_print(const struct json_node *n)
{
	char when[CELL_TIME_MAX];
	say(n, "{severity}: {text}\n    ");
	say(n, *json_text(n, "about") ? "{id} {about}, since " : "{id}, since ");
	printf("%s", time_text(n, "begin_unix_ms", when));
	if (json_get(n, "end_unix_ms"))
		printf(", until %s", time_text(n, "end_unix_ms", when));
	printf("\n");
	if (!json_get(n, "end_unix_ms"))
		say_if(n, "advice", "    {advice}\n");
}

// For people: each reason with its begin and advice, and what ended lately.
static void reasons_print(const struct json_node *root)
{
	const struct json_node *reasons = json_get(root, "reasons"),
			       *ended = json_get(root, "ended");
	const struct json_node *hold = json_get(root, "anycast");
	for (size_t i = 0; i < json_length(reasons); i++)
		reason_print(json_at(reasons, i));
	if (json_length(ended))
		printf("over:\n");
	for (size_t i = 0; i < json_length(ended); i++)
		reason_print(json_at(ended, i));
	if (json_flag(hold, "announced"))
		printf("anycast: announced\n");
	else
		say(hold, "anycast: withdrawn, for {back_in_ms:t} more of answers\n");
}

static void ready_print(const struct json_node *root, bool is_ready)
{
	printf("%s\n", is_ready ? "ready" : json_flag(root, "ready") ? "degraded" : "not ready");
	if (json_get(root, "ended")) {
		reasons_print(root);
	} else if (root) {
		show_texts(json_get(root, "why"), "  ");
		show_texts(json_get(root, "degraded"), "  but: ");
	}
}

// A refusal has the same document, with what is in the way.
int cmd_ready(struct ctl *c)
{
	char why[HTTP_WHY_MAX];
	struct json_doc *doc = NULL;
	const struct http_param params[] = {
		{"strict", c->strict ? "1" : NULL}, {"for", c->purpose}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	enum http_outcome outcome = http_call(c, false, "/ready", params, HTTP_SHORT_MS, &doc, why);
	const struct json_node *root = json_doc_root(doc);
	const bool is_reply = json_get(root, "ready"),
		   is_ready = outcome == HTTP_OK && json_flag(root, "ready");
	if (c->json && doc)
		json_doc_print(doc);
	else if (!c->json && (is_reply || !doc))
		ready_print(root, is_ready);
	if (outcome != HTTP_OK && !is_reply)
		http_fail(c, outcome, why);
	json_doc_free(doc);
	return is_ready ? CTL_OK : CTL_FAILED;
}

static void drained_print(const struct json_node *root)
{
	printf(json_flag(root, "drained") ? "drained: /ready is 503; weirctl undrain ends it\n"
					  : "not drained\n");
}

int cmd_drain(struct ctl *c)
{
	return show_call(c, true, "/drain", NULL, HTTP_SHORT_MS, drained_print);
}

int cmd_undrain(struct ctl *c)
{
	return show_call(c, true, "/undrain", NULL, HTTP_SHORT_MS, drained_print);
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
