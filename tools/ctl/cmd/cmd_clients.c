// SPDX-License-Identifier: BSD-3-Clause
// Clients of the query store, and where their names come from.

#include "lib/cell.h"
#include "lib/log_page.h"
#include "lib/say.h"
#include "lib/show.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <time.h>

static void or_dash_cell(struct table *t, const struct json_node *n, const char *key)
{
	const char *text = json_text(n, key);
	table_cell(t, "%s", *text ? text : "-");
}

static void names_print(const struct json_node *root, const char *key, const char *title)
{
	const struct json_node *items = json_get(json_get(root, key), "items");
	const struct cell_column columns[] = {
		{">queries", "queries", cell_count}, {title, "text", cell_text}};
	if (json_length(items) == 0)
		return;
	printf("\n");
	cell_rows_print(items, columns, ARRAY_LEN(columns));
}

static void clients_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"name", "client_name", or_dash_cell},
		{"from", "name_from", or_dash_cell}, {"address", "address", cell_text},
		{"MAC", "mac", or_dash_cell}, {">queries", "queries", cell_count},
		{">blocked", "blocked", cell_count}, {"first seen", "first_unix_s", cell_time},
		{"last seen", "last_unix_s", cell_time}};
	const struct json_node *list = json_get(root, "clients");
	char span[FIGURE_MAX], unknown[512];
	if (*json_text(root, "unknown_client"))
		printf("%s\n",
			term_text(json_text(root, "unknown_client"), unknown, sizeof(unknown)));
	printf("%zu of %llu clients of the last %s\n", json_length(list),
		(unsigned long long)json_count(root, "client_count"),
		figure_duration(json_count(root, "covered_s") * 1000, span));
	if (!json_flag(root, "complete"))
		printf("%s\n", LOG_PAGE_TIME_OVER);
	cell_rows_print(list, columns, ARRAY_LEN(columns));
	names_print(root, "names", "names");
	names_print(root, "blocked", "blocked names");
	names_print(root, "lists", "lists that blocked");
}

int cmd_clients(struct ctl *c)
{
	char seconds[LOG_PAGE_SPAN_MAX];
	if (!log_page_span(c, seconds))
		return CTL_USAGE;
	const struct http_param params[] = {{"limit", c->limit ? c->limit : "50"},
		{"seconds", seconds}, {c->operand ? "client" : NULL, c->operand}, {NULL, NULL}};
	return show_call(c, false, "/clients", params, HTTP_FLUSH_MS, clients_print);
}

static void file_print(const struct json_node *f)
{
	char path[300], why[200];
	term_text(json_text(f, "file"), path, sizeof(path));
	if (*json_text(f, "why"))
		printf("%s: %s\n", path, term_text(json_text(f, "why"), why, sizeof(why)));
	else
		printf("%s: %llu names, %llu lines not understood\n", path,
			(unsigned long long)json_count(f, "names"),
			(unsigned long long)json_count(f, "bad_lines"));
}

static void sources_print(const struct json_node *root)
{
	const struct json_node *files = json_get(root, "files");
	say(root, "names of clients: {hosts:n} of hosts files, {lease:n} of leases, {ptr:n} of "
		  "PTR\n");
	say(root, "PTR: {ptr_servers:n} servers; {ptr_asked:n} asked, {ptr_answered:n} answered, "
		  "{ptr_failed:n} failed, {ptr_refused:n} not asked\n");
	for (size_t i = 0; i < json_length(files); i++)
		file_print(json_at(files, i));
}

int cmd_client_names(struct ctl *c)
{
	return show_call(c, false, "/clients/names", NULL, HTTP_SHORT_MS, sources_print);
}
