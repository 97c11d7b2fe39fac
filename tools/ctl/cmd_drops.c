// SPDX-License-Identifier: BSD-3-Clause

// `weirctl drops`: sources whose frames the ports drop by themselves. The control plane has the
// list, the data plane's statistics say how much of it is in force.

#include "http_get.h"
#include "table_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/stats_read.h>
#include <weir/text.h>

static int change(struct ctl *c, const char *path, const struct http_param *params, bool added)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, true, path, params, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *root = json_doc_root(doc);
	char source[128], left[COUNT_TEXT_MAX];
	text_escape(json_text(root, "source"), source, sizeof source);
	if (c->json)
		json_doc_print(doc);
	else if (added)
		printf("%s for %s; weirctl drops list says whether a port does it\n", source,
			duration_text(json_count(root, "left_ms"), left));
	else
		printf("%s is not dropped any more\n", source);
	json_doc_free(doc);
	return CTL_OK;
}

int cmd_drops_add(struct ctl *c)
{
	const struct http_param params[] = {
		{"source", c->operand}, {"minutes", c->type}, {NULL, NULL}};
	return change(c, "/drops/add", params, true);
}

int cmd_drops_remove(struct ctl *c)
{
	const struct http_param params[] = {{"source", c->operand}, {NULL, NULL}};
	return change(c, "/drops/remove", params, false);
}

static void list_print(const struct json_node *list)
{
	static const char *const heads[] = {"source", ">left", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		char source[128], left[COUNT_TEXT_MAX];
		table_cell(t, "%s", text_escape(json_text(n, "source"), source, sizeof source));
		table_cell(t, "%s", duration_text(json_count(n, "left_ms"), left));
		table_row_end(t);
	}
	table_print(t);
}

// How it stands with the ports.
static void ports_print(const struct ctl *c)
{
	char why[SHM_WHY_MAX];
	struct stats_copy *s = calloc(1, sizeof *s);
	if (s && stats_read(&c->paths, s, why) == 0)
		printf("in force on a port: %u; refused by all ports since start: %u\n",
			s->drops_in_force, s->drops_refused);
	free(s);
}

int cmd_drops_list(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, false, "/drops", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	if (c->json) {
		json_doc_print(doc);
	} else {
		list_print(json_get(json_doc_root(doc), "drops"));
		ports_print(c);
	}
	json_doc_free(doc);
	return CTL_OK;
}
