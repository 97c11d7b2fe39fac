// SPDX-License-Identifier: BSD-3-Clause
// Where the memory of the control plane is, as it says itself.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"
#include "mem_dataplane.h"
#include "mem_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <weir/heap_site.h>

static int mem_show(struct ctl *c, void (*print)(const struct json_node *root))
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return show_doc(c, mem_doc_take(c), print);
}

// Of a table that each worker has: of the fullest, as one that is full says more than the mean.
static void fill_cell(struct table *t, const struct json_node *n, const char *)
{
	bool parts = json_get(n, "workers") != NULL;
	uint64_t used = json_count(n, parts ? "fullest_used" : "used");
	uint64_t cap = json_count(n, parts ? "fullest_cap" : "cap");
	if (cap)
		table_cell(t, "%.1f", 100.0 * (double)used / (double)cap);
	else
		table_cell(t, "%s", "");
}

// "-": that makes no sense for the table.
static void age_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (!json_get(n, key))
		table_cell(t, "%s", "-");
	else if (json_count(n, key))
		cell_duration(t, n, key);
	else
		table_cell(t, "%s", "");
}

static void notion_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_get(n, key))
		cell_count(t, n, key);
	else
		table_cell(t, "%s", "-");
}

static void tables_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"table", "name", cell_text},
		{"of", "owner", cell_text}, {">used", "used", cell_count},
		{">cap", "cap", cell_count}, {">fill %", "", fill_cell},
		{">most", "high", cell_count}, {">evicted", "evicted", notion_cell},
		{">refused", "refused", notion_cell}, {">bytes", "bytes", cell_bytes},
		{">oldest", "oldest_ms", age_cell}, {">grown", "grown", notion_cell},
		{">shrunk", "shrunk", notion_cell}, {"TTL", "lifetime", cell_text},
		{"when full", "eviction", cell_text}};
	cell_rows_print(json_get(root, "tables"), columns, ARRAY_LEN(columns));
	say_if(root, "tables_dropped",
		"{tables_dropped:u} tables more, for which the registry has no room\n");
}

int cmd_mem_tables(struct ctl *c)
{
	return mem_show(c, tables_print);
}

static void resident_print(const struct json_node *root)
{
	const struct json_node *p = json_get(root, "process"), *r = json_get(root, "resident");
	uint64_t rss = json_count(p, "rss"), unexplained = json_count(root, "unexplained");
	char text[96];

	printf("resident set\n");
	mem_doc_line("accounts", json_count(r, "accounts"), "what of their bytes has been touched");
	mem_doc_line("caches", json_count(r, "caches"), "freed blocks that threads keep");
	mem_doc_line("slack", json_count(r, "slack"), "the rest of pages that blocks are in");
	mem_doc_line("allocator", json_count(r, "allocator"), "its own, and pages without a block");
	mem_doc_line("regions", json_count(r, "regions"), "shared with the data plane");
	mem_doc_line("code", json_count(r, "code"), "programs and libraries, with their data");
	mem_doc_line("stacks", json_count(r, "stacks"), "of threads");
	mem_doc_line("other", json_count(r, "other"), "the kernel's");
	mem_doc_explained(json_count(r, "explained"), rss);
	mem_doc_line("in all", rss, "");
	mem_doc_line("huge pages", json_count(p, "huge"), "not in the resident set");
	mem_doc_line("swapped", json_count(p, "swapped"), "");
	printf("\nallocator\n");
	mem_doc_line("accounts", json_count(root, "accounted"), "as above");
	snprintf(text, sizeof(text), "%.1f %% of the resident set%s",
		rss ? 100.0 * (double)unexplained / (double)rss : 0,
		json_flag(root, "alarm") ? "; ALARM: that is too much" : "");
	mem_doc_line("unexplained", unexplained, text);
	mem_doc_line("allocated", json_count(p, "allocated"), "");
	mem_doc_line("held", json_count(p, "held"), "from the kernel, for that");
	mem_doc_line("untouched", mem_doc_above(json_count(p, "held"), json_count(p, "rss_heap")),
		"reserved, and never written so far");
	say(p, "\n{maps:u} mappings, {threads:u} threads, {files:u} open files\n");
}

// What is active and not allocated is lost between blocks; what is resident and not active is free.
static void arenas_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"arena", "number", cell_count},
		{">threads", "threads", cell_count}, {">allocated", "allocated", cell_bytes},
		{">active", "active", cell_bytes}, {">resident", "resident", cell_bytes},
		{">dirty", "dirty", cell_bytes}};
	if (json_length(json_get(root, "arenas")) == 0)
		return;
	printf("\n");
	cell_rows_print(json_get(root, "arenas"), columns, ARRAY_LEN(columns));
}

static void accounts_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"account", "name", cell_text},
		{">bytes", "bytes", cell_bytes}, {">resident", "resident", cell_bytes},
		{">in tables", "in_tables", cell_bytes}, {">blocks", "blocks", cell_count},
		{">made", "made", cell_count}, {">bytes made", "made_bytes", cell_bytes},
		{"what", "text", cell_text}};
	cell_rows_print(json_get(root, "accounts"), columns, ARRAY_LEN(columns));
	printf("\n");
	resident_print(root);
	arenas_print(root);
	mem_dataplane_print(root);
}

int cmd_mem_accounts(struct ctl *c)
{
	return mem_show(c, accounts_print);
}

static int larger_first(const void *a, const void *b)
{
	const struct json_node *const *x = a, *const *y = b;
	uint64_t of_x = json_count(*x, "bytes"), of_y = json_count(*y, "bytes");
	return (of_x < of_y) - (of_x > of_y);
}

// The rows of the array `key`, those with the most bytes first.
static void largest_print(const struct json_node *root, const char *key, const char *head)
{
	const struct cell_column columns[] = {{head, "name", cell_text},
		{"account", "account", cell_text}, {">bytes", "bytes", cell_bytes},
		{">blocks", "blocks", cell_count}, {">made", "made", cell_count},
		{">bytes made", "made_bytes", cell_bytes}};
	const struct json_node *list = json_get(root, key), *row[HEAP_SITES_MAX];
	struct table *t = cell_table(columns, ARRAY_LEN(columns));
	size_t count = json_length(list) < HEAP_SITES_MAX ? json_length(list) : HEAP_SITES_MAX;

	for (size_t i = 0; i < count; i++)
		row[i] = json_at(list, i);
	qsort(row, count, sizeof(row[0]), larger_first);
	for (size_t i = 0; i < count; i++) {
		cell_row(t, row[i], columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	table_print(t);
}

static void files_print(const struct json_node *root)
{
	largest_print(root, "files", "file");
}

static void sites_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"data plane's site", "name", cell_text},
		{"memory", "account", cell_text}, {">bytes", "bytes", cell_bytes},
		{">blocks", "blocks", cell_count}};
	const struct json_node *list = json_get(json_get(root, "dataplane"), "sites");
	struct table *t = cell_table(columns, ARRAY_LEN(columns));

	largest_print(root, "sites", "site");
	for (size_t i = 0; i < json_length(list); i++) {
		cell_row(t, json_at(list, i), columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

int cmd_mem_files(struct ctl *c)
{
	return mem_show(c, files_print);
}

int cmd_mem_sites(struct ctl *c)
{
	return mem_show(c, sites_print);
}

static void pages_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%s", json_flag(n, key) ? "huge" : "4 KiB");
}

static void regions_print(const struct json_node *root)
{
	static const char *const heads[] = {
		"region", ">bytes", ">resident", "pages", "mapped by", NULL};
	static const struct cell_column columns[] = {{"", "name", cell_text},
		{"", "bytes", cell_bytes}, {"", "resident", cell_bytes}, {"", "huge", pages_cell}};
	static const char *const from[][2] = {
		{"regions", "control plane"}, {"dataplane_regions", "data plane"}};
	struct table *t = table_new(heads);

	for (size_t k = 0; k < ARRAY_LEN(from); k++) {
		const struct json_node *list = json_get(root, from[k][0]);
		for (size_t i = 0; i < json_length(list); i++) {
			cell_row(t, json_at(list, i), columns, ARRAY_LEN(columns));
			table_cell(t, "%s", from[k][1]);
			table_row_end(t);
		}
	}
	table_print(t);
}

int cmd_mem_regions(struct ctl *c)
{
	return mem_show(c, regions_print);
}
