// SPDX-License-Identifier: BSD-3-Clause

#include "http_get.h"
#include "table_out.h"

#include <stdio.h>
#include <weir/text.h>

static void left_print(const char *what, int64_t left_ms)
{
	char text[COUNT_TEXT_MAX];
	if (left_ms >= 0)
		printf(", %s in %s", what, duration_text((uint64_t)left_ms, text));
	else
		printf(", past %s by %s", what, duration_text((uint64_t)-left_ms, text));
}

static void entry_print(const struct json_node *e)
{
	static const char *const heads[] = {"", "", "", "", NULL};
	char text[COUNT_TEXT_MAX], shown[64];
	printf("%s  %s", text_escape(json_text(e, "type"), shown, sizeof shown),
		json_text(e, "rcode"));
	if (json_flag(e, "do"))
		printf(" DO");
	if (json_flag(e, "cd"))
		printf(" CD");
	printf("  %s old", duration_text(json_count(e, "age_ms"), text));
	left_print("expires", json_signed(e, "soft_left_ms"));
	left_print("removed", json_signed(e, "hard_left_ms"));
	printf("\n  %llu hits a minute: %s", (unsigned long long)json_count(e, "hits_per_minute"),
		text_escape(json_text(e, "heat"), shown, sizeof shown));
	if (json_get(e, "refresh_left_ms"))
		left_print("renewed", json_signed(e, "refresh_left_ms"));
	printf("\n");
	struct table *t = table_new(heads);
	const struct json_node *records = json_get(e, "records");
	for (size_t i = 0; i < json_length(records); i++) {
		const struct json_node *r = json_at(records, i);
		table_cell(t, "%s", json_text(r, "name"));
		table_cell(t, "%llu", (unsigned long long)json_count(r, "ttl"));
		table_cell(t, "%s", json_text(r, "type"));
		table_cell(t, "%s", json_text(r, "data"));
		table_row_end(t);
	}
	table_print(t);
	if (!json_flag(e, "records_complete"))
		printf("  (more records than fit here)\n");
}

int cmd_cache_get(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const struct http_param params[] = {{"name", c->operand}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/cache", params, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *entries = json_get(json_doc_root(doc), "entries");
	size_t count = json_length(entries);
	if (c->json) {
		json_doc_print(doc);
	} else {
		for (size_t i = 0; i < count; i++)
			entry_print(json_at(entries, i));
		if (count == 0)
			printf("nothing is cached of that name\n");
	}
	json_doc_free(doc);
	return count ? CTL_OK : CTL_FAILED;
}

int cmd_cache_flush(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const struct http_param params[] = {
		{"name", c->operand}, {"subtree", c->subtree ? "1" : "0"}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, true, "/cache/flush", params, HTTP_FLUSH_MS);
	if (!doc)
		return CTL_FAILED;
	char text[COUNT_TEXT_MAX];
	if (c->json)
		json_doc_print(doc);
	else
		printf("%s answers removed\n",
			count_text(json_count(json_doc_root(doc), "deleted"), text));
	json_doc_free(doc);
	return CTL_OK;
}
