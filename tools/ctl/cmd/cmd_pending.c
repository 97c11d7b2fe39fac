// SPDX-License-Identifier: BSD-3-Clause

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *step, *text;
} steps[] = {
	{"l1", "Redis"},
	{"udp", "a reply"},
	{"connection", "a TCP connection"},
	{"tcp", "a reply over TCP"},
	{"late", "a late reply; all tries are used up"},
};

static const char *step_text(const char *step)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (strcmp(steps[i].step, step) == 0)
			return steps[i].text;
	return step;
}

// Such as: a reply of quad9, try 2, for 120 ms.
static void wait_cell(struct table *t, const struct json_node *q)
{
	const char *server = json_text(q, "server");
	char text[400];
	int n = snprintf(text, sizeof(text), "%s%s%.200s", step_text(json_text(q, "step")),
		*server ? " of " : "", server);
	uint64_t attempts = json_count(q, "attempts"), waited_ms = json_count(q, "waited_ms");
	if (attempts && n > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", try %llu",
			(unsigned long long)attempts);
	if (waited_ms && n > 0)
		snprintf(text + n, sizeof(text) - (size_t)n, ", for %llu ms",
			(unsigned long long)waited_ms);
	table_cell(t, "%s", text);
}

static void questions_print(const struct json_node *root)
{
	static const char *const heads[] = {
		">age ms", "question", "type", ">clients", "waits for", NULL};
	const struct json_node *list = json_get(root, "questions");
	const uint64_t total = json_count(root, "questions_total");
	struct table *t = table_new(heads);

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *q = json_at(list, i);
		table_cell_count(t, json_count(q, "age_ms"));
		table_cell(t, "%s", json_text(q, "name"));
		table_cell(t, "%s%s", json_text(q, "type"),
			json_flag(q, "renewal") ? " (renewal)" : "");
		table_cell_count(t, json_count(q, "clients"));
		wait_cell(t, q);
		table_row_end(t);
	}
	if (json_length(list))
		table_print(t);
	if (total > json_length(list))
		printf("and %llu more\n", (unsigned long long)(total - json_length(list)));
	say(root, "{questions_total:n} questions in flight, {clients_total:n} clients wait\n");
}

static void jobs_print(const struct json_node *root)
{
	static const char *const heads[] = {">age ms", "job", "of", "waits for", NULL};
	const struct json_node *list = json_get(root, "jobs");
	struct table *t = table_new(heads);

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *j = json_at(list, i);
		table_cell_count(t, json_count(j, "age_ms"));
		table_cell(t, "%s", json_text(j, "kind"));
		table_cell(t, "%s", json_text(j, "what"));
		table_cell(t, "%s", json_text(j, "step"));
		table_row_end(t);
	}
	if (!json_length(list)) {
		printf("no jobs\n");
		return;
	}
	printf("\n");
	table_print(t);
}

static void pending_print(const struct json_node *root)
{
	questions_print(root);
	jobs_print(root);
	say(json_get(root, "tcp"), "tcp: {open:n} connections of {clients:n} clients, {pending:n} "
				   "questions without an answer, {buffered:b} in buffers\n");
}

int cmd_pending(struct ctl *c)
{
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "50"}, {NULL, NULL}};
	return show_call(c, false, "/pending", params, HTTP_SHORT_MS, pending_print);
}
