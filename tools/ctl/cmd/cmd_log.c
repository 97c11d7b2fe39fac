// SPDX-License-Identifier: BSD-3-Clause
// `weirctl log`: the state of the query log's outputs, new rows as they come, and rows of the query
// store, as a table (`search`) or as a file (`export`).

#include "lib/http_get.h"
#include "lib/log_page.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "lib/trace_out.h"
#include "terminal/term_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

static const struct cell_counter counts[] = {
	{"weight", "queries (sum of the weights of the rows)"},
	{"rows", "rows"},
	{"unlogged", "queries without their own row: sampling, full rings"},
	{"excluded_weight", "queries excluded by the configuration (sum of the weights)"},
	{"excluded_rows", "records excluded by the configuration"},
	{"bad", "invalid records"},
	{"carried_weight", "weight of valid records whose timestamp is implausible"},
	{"ring_anomalies", "bytes of a ring that are no record"},
	{"starved", "polls of the rings without a free batch"},
};

static void sinks_print(const struct json_node *sinks)
{
	static const struct cell_column columns[] = {{"sink", "name", cell_text},
		{">rows", "rows", cell_count}, {">queries", "weight", cell_count},
		{">of these without a row", "folded_weight", cell_count},
		{">owed", "owed_weight", cell_count}, {">in memory", "held_rows", cell_count},
		{">rows lost", "lost_rows", cell_count},
		{">queries lost", "lost_weight", cell_count}, {"server", "server", cell_text}};
	printf("\n");
	cell_rows_print(sinks, columns, ARRAY_LEN(columns));
}

// Prints the rows that were lost when the previous control plane was killed.
static void before_print(const struct json_node *sinks)
{
	for (size_t i = 0; i < json_length(sinks); i++)
		say_if(json_at(sinks, i), "lost_by_kill_rows",
			"\nthe previous control plane was killed: up to {lost_by_kill_rows:n} rows "
			"({lost_by_kill_weight:n} queries) in the memory of {name} are lost\n");
}

static void outputs_print(const struct json_node *outputs)
{
	static const struct cell_column columns[] = {{"output", "name", cell_text},
		{"state", "state", cell_text}, {">written", "written", cell_count},
		{">without messages", "without_messages", cell_count},
		{">lost", "lost", cell_count}, {">refused batches", "refused", cell_count},
		{">failures", "failures", cell_count}, {">untrusted", "untrusted", cell_count},
		{"target", "target", cell_text}, {"last failure", "why", cell_text}};
	if (json_length(outputs) == 0)
		return;
	printf("\n");
	cell_rows_print(outputs, columns, ARRAY_LEN(columns));
}

static void log_print(const struct json_node *root)
{
	printf("query log     %s", json_flag(root, "enabled") ? "on" : "off");
	say(root, ", one record for {sample:n} queries\n"
		  "batches       {batches:n} of {batches_cap:n}\n\n");
	cell_counters_print(root, counts, ARRAY_LEN(counts));
	sinks_print(json_get(root, "sinks"));
	before_print(json_get(root, "sinks"));
	outputs_print(json_get(root, "outputs"));
}

static int cmd_log_status(struct ctl *c)
{
	return show_call(c, false, "/log", NULL, HTTP_SHORT_MS, log_print);
}

// Prints the local time, without the day: the row has just come.
static void time_print(int64_t us)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[16] = "-";
	if (us >= 0 && localtime_r(&s, &tm))
		(void)strftime(text, sizeof(text), "%T", &tm);
	printf("%s.%03d ", text, (int)(us / 1000 % 1000));
}

static void row_print(const struct json_node *n)
{
	const char *by = *json_text(n, "list") ? "list" : "upstream";
	time_print(json_signed(n, "time_us"));
	trace_word_print(n, *json_text(n, "client_name") ? "client_name" : "client", " ");
	trace_word_print(n, "qname", " ");
	trace_word_print(n, "qtype", " ");
	trace_word_print(n, "verdict", " ");
	trace_word_print(n, by, " ");
	say(n, "{total_us:n} us");
	if (json_count(n, "weight") > 1)
		say(n, " x{weight:n}");
	printf("\n");
}

// False: a write failed; main() says so.
static bool on_line(void *arg, const struct json_node *root)
{
	const struct ctl *c = arg;
	if (c->json)
		json_print_line(root);
	else if (!say_if(root, "missed", "... {missed:n} more, too fast to show; a filter helps\n"))
		row_print(root);
	return fflush(stdout) == 0 && !ferror(stdout);
}

static int cmd_log_tail(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->name}, {"client", c->client},
		{"verdict", c->verdict}, {"validation", c->validation}, {"group", c->group},
		{NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	// No query may come for days.
	return http_stream(c, "/log/tail", params, 0, on_line, c);
}

// A search fetches pages until it has enough rows, but for at most SEARCH_MS.
enum { LIMIT = 50, LIMIT_MAX = 500, SEARCH_MS = 30000 };

// The local time, such as "2026-11-20 10:00:30.123".
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

static bool limit_parse(const struct ctl *c, unsigned *out)
{
	char *end;
	unsigned long n = c->limit ? strtoul(c->limit, &end, 10) : LIMIT;
	if (c->limit && (*c->limit < '0' || *c->limit > '9' || *end || n < 1 || n > LIMIT_MAX))
		return false;
	*out = (unsigned)n;
	return true;
}

// Adds the rows of all pages to `list`. CTL_FAILED: the error is printed.
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

static int cmd_log_search(struct ctl *c)
{
	struct log_pages p;
	unsigned limit;
	if (!limit_parse(c, &limit)) {
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

// Columns of a CSV line, with the names of the keys of JSON lines.
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

// Puts an apostrophe before a text that a spreadsheet would take for a formula: clients choose the
// names that they query. Rows of weir have printable ASCII alone, shorter than CSV_TEXT_MAX;
// another box may send anything.
static void csv_text(const char *raw)
{
	enum { CSV_TEXT_MAX = 8192 };
	char shown[CSV_TEXT_MAX];
	const char *text = term_text(raw, shown, sizeof(shown));
	putchar('"');
	if (*text && strchr("=+-@|%", *text))
		putchar('\'');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

// Writes a row as RFC 4180 says, except for the line end, which is that of Unix.
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

static bool format_parse(const struct ctl *c, bool *csv)
{
	*csv = c->format && strcmp(c->format, "csv") == 0;
	return !c->format || *csv || strcmp(c->format, "jsonl") == 0;
}

static int cmd_log_export(struct ctl *c)
{
	struct log_pages p;
	bool csv;
	if (!format_parse(c, &csv)) {
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

CTL_COMMANDS = {
	{"log", "search", 0, 0,
		CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_PART | CTL_OPT_GROUP | CTL_OPT_VALIDATION
			| CTL_OPT_SINCE | CTL_OPT_UNTIL | CTL_OPT_LIMIT,
		cmd_log_search,
		"[--name N] [--part TEXT] [--client C] [--group G] [--verdict V] [--rcode R] "
		"[--validation W] [--since T] [--until T] [--limit N]",
		"Search the stored queries, newest first. TEXT: a part of a name. R: NXDOMAIN or "
		"a number. T: 90s, 15m, 2h, 7d ago, or 2026-11-20T10:00. W: none, secure, "
		"insecure or bogus."},
	{"log", "export", 0, 0,
		CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_PART | CTL_OPT_GROUP | CTL_OPT_VALIDATION
			| CTL_OPT_SINCE | CTL_OPT_UNTIL | CTL_OPT_FORMAT,
		cmd_log_export,
		"[--format csv|jsonl] [--name N] [--part TEXT] [--client C] [--group G] "
		"[--verdict V] [--rcode R] [--validation W] [--since T] [--until T]",
		"Export all stored queries that match, oldest first."},
	{"log", "tail", 0, 0, CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_VALIDATION | CTL_OPT_GROUP,
		cmd_log_tail, "[--name N] [--client C] [--verdict V] [--validation W] [--group G]",
		"Print queries as they arrive, until interrupted; --json: one line each."},
	{"log", "status", 0, 0, 0, cmd_log_status, "",
		"Show the query log: its rows, the queries they represent, and the counts of each "
		"sink."},
};
