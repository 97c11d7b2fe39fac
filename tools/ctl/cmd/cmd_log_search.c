// SPDX-License-Identifier: BSD-3-Clause

#include "lib/cell.h"
#include "lib/log_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

// Fetches pages until there are enough rows, but not for longer than this.
enum { LIMIT = 50, LIMIT_MAX = 500, SEARCH_MS = 30000 };

// "2026-11-20 10:00:30.123", of the local clock.
static void time_cell(struct table *t, const struct json_node *r, const char *key)
{
	int64_t us = json_signed(r, key);
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[32];
	if (us < 0 || !localtime_r(&s, &tm) || !strftime(text, sizeof(text), "%F %T", &tm))
		table_cell(t, "-");
	else
		table_cell(t, "%s.%03d", text, (int)(us / 1000 % 1000));
}

static void client_cell(struct table *t, const struct json_node *r, const char *key)
{
	const char *name = json_text(r, "client_name");
	table_cell(t, "%s%s%s%s", json_text(r, key), *name ? " (" : "", name, *name ? ")" : "");
}

static void by_cell(struct table *t, const struct json_node *r, const char *)
{
	table_cell(t, "%s%s", json_text(r, "list"), json_text(r, "upstream"));
}

static void rcode_cell(struct table *t, const struct json_node *r, const char *key)
{
	const char *text = json_text(r, "rcode_text");
	if (!json_flag(r, "answered"))
		table_cell(t, "-");
	else if (!*text || strcmp(text, "RCODE") == 0)
		cell_count(t, r, key);
	else
		table_cell(t, "%s", text);
}

static bool limit_take(const struct ctl *c, unsigned *out)
{
	char *end;
	unsigned long n = c->limit ? strtoul(c->limit, &end, 10) : LIMIT;
	if (c->limit && (*c->limit < '0' || *c->limit > '9' || *end || n < 1 || n > LIMIT_MAX))
		return false;
	*out = (unsigned)n;
	return true;
}

// The rows of all pages into `list`. CTL_OK or CTL_FAILED (said).
static int rows_collect(struct log_pages *p, unsigned limit, struct json_node *list)
{
	uint64_t start_ms = clock_mono_ms();
	while (!p->complete && json_length(list) < limit
		&& clock_mono_ms() - start_ms < SEARCH_MS) {
		struct json_doc *page = log_pages_next(p, limit - (unsigned)json_length(list));
		if (!page)
			return CTL_FAILED;
		const struct json_node *rows = json_get(json_doc_root(page), "rows");
		for (size_t i = 0; i < json_length(rows); i++)
			json_put_copy(list, json_at(rows, i));
		json_doc_free(page);
	}
	return CTL_OK;
}

static void rows_print(const struct log_pages *p, const struct json_node *list, unsigned limit)
{
	static const struct cell_column columns[] = {{"time", "time_us", time_cell},
		{"client", "client", client_cell}, {"name", "qname", cell_text},
		{"type", "qtype", cell_text}, {"verdict", "verdict", cell_text},
		{"validation", "validation", cell_text}, {"list, upstream", "", by_cell},
		{"rcode", "rcode", rcode_cell}, {">us", "total_us", cell_count},
		{">queries", "weight", cell_count}};
	cell_rows_print(list, columns, ARRAY_LEN(columns));
	if (!p->complete && json_length(list) < limit)
		printf("search stopped after %d s; narrow it with --since and --until\n",
			SEARCH_MS / 1000);
}

int cmd_log_search(struct ctl *c)
{
	struct log_pages p;
	unsigned limit;
	if (!limit_take(c, &limit)) {
		(void)ctl_fail(c, "--limit takes 1 to %d", LIMIT_MAX);
		return CTL_USAGE;
	}
	int rc = log_pages_start(&p, c, false);
	if (rc == CTL_OK)
		rc = ctl_open(c);
	struct json_doc *doc = rc == CTL_OK ? json_doc_new() : NULL;
	if (!doc) {
		(void)log_pages_end(&p);
		return rc == CTL_OK ? CTL_FAILED : rc;
	}
	struct json_node *list = json_put_array(json_doc_root(doc), "rows");
	rc = rows_collect(&p, limit, list);
	if (rc == CTL_OK && c->json) {
		json_put_bool(json_doc_root(doc), "complete", p.complete);
		json_put_count(json_doc_root(doc), "unreadable_files", p.unreadable_files);
		json_put_all(json_doc_root(doc), json_doc_root(p.unreadable));
		json_doc_print(doc);
	} else if (rc == CTL_OK) {
		rows_print(&p, list, limit);
	}
	json_doc_free(doc);
	int end = log_pages_end(&p);
	return rc == CTL_OK ? end : rc;
}
