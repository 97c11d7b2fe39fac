// SPDX-License-Identifier: BSD-3-Clause

#include "http_get.h"

#include <stdio.h>
#include <string.h>
#include <weir/text.h>

static void why_print(const struct json_node *root)
{
	char name[1100], rule[1100], list[300];
	text_escape(json_text(root, "name"), name, sizeof name);
	text_escape(json_text(root, "rule"), rule, sizeof rule);
	bool block = strcmp(json_text(root, "action"), "block") == 0;
	if (!json_flag(root, "matched")) {
		printf("%s is not blocked: no rule names it or a parent of it\n", name);
		return;
	}
	printf("%s is %s\n", name, block ? "blocked" : "allowed");
	printf("  rule    %s%s\n", rule, strcmp(rule, name) == 0 ? "" : " and all names below it");
	const struct json_node *lists = json_get(root, "lists");
	for (size_t i = 0; i < json_length(lists); i++)
		printf("  list    %s\n", text_escape(json_item_text(lists, i), list, sizeof list));
	if (block && !json_flag(root, "blocking"))
		printf("  blocking is switched off (blocking.enabled), so it is answered\n");
}

int cmd_why(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const struct http_param params[] = {{"name", c->operand}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/why", params, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	if (c->json)
		json_doc_print(doc);
	else
		why_print(json_doc_root(doc));
	json_doc_free(doc);
	return CTL_OK;
}
