// SPDX-License-Identifier: BSD-3-Clause

#include "http_get.h"
#include "table_out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
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

static void lists_print(const struct json_node *lists)
{
	static const char *const heads[] = {
		"list", "kind", ">names", ">duplicates", ">rejected", ">size", "source", NULL};
	struct table *t = table_new(heads);
	char text[COUNT_TEXT_MAX];
	for (size_t i = 0; i < json_length(lists); i++) {
		const struct json_node *l = json_at(lists, i);
		const char *error = json_text(l, "error");
		table_cell(t, "%s", json_text(l, "name"));
		table_cell(t, json_flag(l, "allow") ? "allow" : "block");
		table_cell_count(t, json_count(l, "names"));
		table_cell_count(t, json_count(l, "duplicates"));
		table_cell_count(t, json_count(l, "rejected"));
		table_cell(t, "%s", octets_text(json_count(l, "bytes"), text));
		table_cell(t, "%s%s%s", json_text(l, "path"), *error ? ": " : "", error);
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void rules_print(const struct json_node *root)
{
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX], shown[1100], when[32] = "";
	time_t loaded = (time_t)json_count(root, "loaded_unix_s");
	struct tm tm;
	if (loaded > 0 && localtime_r(&loaded, &tm))
		strftime(when, sizeof when, ", of %Y-%m-%d %H:%M:%S", &tm);
	printf("image       %s names, %s%s%s\n", count_text(json_count(root, "names"), a),
		octets_text(json_count(root, "image_bytes"), b), when,
		json_flag(root, "from_disk") ? ", from disk" : "");
	printf("last reload %s%s%s%s\n", json_text(root, "outcome"),
		*json_text(root, "error") ? ": " : "",
		text_escape(json_text(root, "error"), shown, sizeof shown),
		json_flag(root, "building") ? "; building now" : "");
	printf("builds      %s, last took %s; %s unchanged\n",
		count_text(json_count(root, "builds"), a),
		duration_text(json_count(root, "build_ms"), b),
		count_text(json_count(root, "unchanged"), shown));
	lists_print(json_get(root, "lists"));
}

int cmd_blocklist_status(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, false, "/blocklist", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	if (c->json)
		json_doc_print(doc);
	else
		rules_print(json_doc_root(doc));
	json_doc_free(doc);
	return CTL_OK;
}

int cmd_blocklist_reload(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const struct http_param params[] = {{"force", c->force ? "1" : "0"}, {NULL, NULL}};
	struct json_doc *doc =
		http_call_or_fail(c, true, "/blocklist/reload", params, HTTP_BUILD_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *root = json_doc_root(doc);
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX];
	if (c->json)
		json_doc_print(doc);
	else if (strcmp(json_text(root, "outcome"), "unchanged") == 0)
		printf("nothing changed: %s names\n", count_text(json_count(root, "names"), a));
	else
		printf("published: %s names, built in %s\n",
			count_text(json_count(root, "names"), a),
			duration_text(json_count(root, "build_ms"), b));
	json_doc_free(doc);
	return CTL_OK;
}
