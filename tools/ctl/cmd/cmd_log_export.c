// SPDX-License-Identifier: BSD-3-Clause

#include "lib/log_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Columns of a CSV line; the same names as in JSON lines.
static const struct {
	const char *name;
	enum { TEXT, NUMBER, FLAG } kind;
} columns[] = {
	{"time_us", NUMBER},
	{"weight", NUMBER},
	{"box", TEXT},
	{"client", TEXT},
	{"client_port", NUMBER},
	{"client_name", TEXT},
	{"client_group", TEXT},
	{"qname", TEXT},
	{"qtype", TEXT},
	{"qclass", NUMBER},
	{"transport", TEXT},
	{"verdict", TEXT},
	{"tier", TEXT},
	{"answered", FLAG},
	{"blocked", FLAG},
	{"rcode", NUMBER},
	{"ede", NUMBER},
	{"list", TEXT},
	{"upstream", TEXT},
	{"dataplane_us", NUMBER},
	{"total_us", NUMBER},
	{"query_len", NUMBER},
	{"reply_len", NUMBER},
	{"validation", TEXT},
};

// A cell that a spreadsheet would take for a formula gets an apostrophe in front: names belong to
// the clients that choose them.
static void csv_text(const char *text)
{
	putchar('"');
	if (*text && strchr("=+-@\t\r|%", *text))
		putchar('\'');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

// RFC 4180, but for the line ends, which are those of Unix.
static void csv_row(const struct json_node *r)
{
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++) {
		if (i)
			putchar(',');
		if (columns[i].kind == TEXT)
			csv_text(json_text(r, columns[i].name));
		else if (columns[i].kind == FLAG)
			putchar(json_flag(r, columns[i].name) ? '1' : '0');
		else
			printf("%" PRId64, json_signed(r, columns[i].name));
	}
	putchar('\n');
}

static void csv_head(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++)
		printf("%s%s", i ? "," : "", columns[i].name);
	putchar('\n');
}

static bool format_take(const struct ctl *c, bool *csv)
{
	*csv = c->format && strcmp(c->format, "csv") == 0;
	return !c->format || *csv || strcmp(c->format, "jsonl") == 0;
}

int cmd_log_export(struct ctl *c)
{
	struct log_pages p;
	bool csv;
	if (!format_take(c, &csv)) {
		(void)ctl_fail(c, "--format takes csv or jsonl");
		return CTL_USAGE;
	}
	int rc = log_pages_start(&p, c, true);
	if (rc == CTL_OK)
		rc = ctl_open(c);
	if (rc != CTL_OK) {
		(void)log_pages_end(&p);
		return rc;
	}
	if (csv)
		csv_head();
	while (!p.complete && !ferror(stdout)) {
		struct json_doc *page = log_pages_next(&p, LOG_PAGE_ROWS);
		if (!page) {
			(void)log_pages_end(&p);
			return CTL_FAILED;
		}
		const struct json_node *rows = json_get(json_doc_root(page), "rows");
		for (size_t i = 0; i < json_length(rows); i++) {
			if (csv)
				csv_row(json_at(rows, i));
			else
				json_print_line(json_at(rows, i));
		}
		json_doc_free(page);
	}
	return log_pages_end(&p);
}
