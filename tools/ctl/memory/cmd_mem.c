// SPDX-License-Identifier: BSD-3-Clause
// Where the memory of the control plane is, as it says itself.

#include "lib/show.h"
#include "lib/table_out.h"
#include "lib/term_text.h"
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
static void fill_cell(struct table *t, const struct json_node *n)
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
static void age_cell(struct table *t, const struct json_node *n)
{
	char text[COUNT_TEXT_MAX];
	uint64_t ms = json_count(n, "oldest_ms");
	if (json_get(n, "oldest_ms"))
		table_cell(t, "%s", ms ? duration_text(ms, text) : "");
	else
		table_cell(t, "%s", "-");
}

static void notion_cell(struct table *t, const struct json_node *n, const char *key)
{
	if (json_get(n, key))
		table_cell_count(t, json_count(n, key));
	else
		table_cell(t, "%s", "-");
}

static void tables_print(const struct json_node *root)
{
	static const char *const heads[] = {"table", "of", ">used", ">cap", ">fill %", ">most",
		">evicted", ">refused", ">octets", ">oldest", ">grown", ">shrunk", "TTL",
		"when full", NULL};
	const struct json_node *list = json_get(root, "tables");
	struct table *t = table_new(heads);
	char text[COUNT_TEXT_MAX];

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		table_cell(t, "%s", json_text(n, "name"));
		table_cell(t, "%s", json_text(n, "owner"));
		table_cell_count(t, json_count(n, "used"));
		table_cell_count(t, json_count(n, "cap"));
		fill_cell(t, n);
		table_cell_count(t, json_count(n, "high"));
		notion_cell(t, n, "evicted");
		notion_cell(t, n, "refused");
		table_cell(t, "%s", octets_text(json_count(n, "bytes"), text));
		age_cell(t, n);
		notion_cell(t, n, "grown");
		notion_cell(t, n, "shrunk");
		table_cell(t, "%s", json_text(n, "lifetime"));
		table_cell(t, "%s", json_text(n, "eviction"));
		table_row_end(t);
	}
	table_print(t);
	if (json_count(root, "tables_dropped"))
		printf("%llu tables more, for which the registry has no room\n",
			(unsigned long long)json_count(root, "tables_dropped"));
}

int cmd_mem_tables(struct ctl *c)
{
	return mem_show(c, tables_print);
}

static void octets_line(const char *name, uint64_t octets, const char *text)
{
	char shown[COUNT_TEXT_MAX];
	printf("  %-24s %12s  %s\n", name, octets_text(octets, shown), text);
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void resident_print(const struct json_node *root)
{
	const struct json_node *p = json_get(root, "process");
	uint64_t rss = json_count(p, "rss"), unexplained = json_count(root, "unexplained");
	char text[96];

	printf("resident set\n");
	octets_line("allocator's pages", json_count(p, "rss_heap"), "accounts, and what is free");
	octets_line("code", json_count(p, "rss_code"), "programs and libraries, with their data");
	octets_line("regions", json_count(p, "rss_regions"), "shared with the data plane");
	octets_line("stacks", json_count(p, "rss_stacks"), "of threads");
	octets_line("other", json_count(p, "rss_other"), "the kernel's");
	octets_line("in all", rss, "");
	octets_line("huge pages", json_count(p, "huge"), "not in the resident set");
	octets_line("swapped", json_count(p, "swapped"), "");
	printf("\nallocator\n");
	octets_line("accounts", json_count(root, "accounted"), "as above");
	snprintf(text, sizeof text, "%.1f %% of the resident set%s",
		rss ? 100.0 * (double)unexplained / (double)rss : 0,
		json_flag(root, "alarm") ? "; ALARM: that is too much" : "");
	octets_line("unexplained", unexplained, text);
	octets_line("allocated", json_count(p, "allocated"), "");
	octets_line("held", json_count(p, "held"), "from the kernel, for that");
	octets_line("untouched", above(json_count(p, "held"), json_count(p, "rss_heap")),
		"reserved, and never written so far");
	printf("\n%llu mappings, %llu threads, %llu open files\n",
		(unsigned long long)json_count(p, "maps"),
		(unsigned long long)json_count(p, "threads"),
		(unsigned long long)json_count(p, "files"));
}

static void accounts_print(const struct json_node *root)
{
	static const char *const heads[] = {"account", ">octets", ">in tables", ">blocks", ">made",
		">octets made", "what", NULL};
	const struct json_node *list = json_get(root, "accounts");
	struct table *t = table_new(heads);
	char text[COUNT_TEXT_MAX];

	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		table_cell(t, "%s", json_text(n, "name"));
		table_cell(t, "%s", octets_text(json_count(n, "bytes"), text));
		table_cell(t, "%s", octets_text(json_count(n, "in_tables"), text));
		table_cell_count(t, json_count(n, "blocks"));
		table_cell_count(t, json_count(n, "made"));
		table_cell(t, "%s", octets_text(json_count(n, "made_bytes"), text));
		table_cell(t, "%s", json_text(n, "text"));
		table_row_end(t);
	}
	table_print(t);
	printf("\n");
	resident_print(root);
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

static void files_print(const struct json_node *root)
{
	static const char *const heads[] = {
		"file", "account", ">octets", ">blocks", ">made", ">octets made", NULL};
	const struct json_node *list = json_get(root, "files"), *file[HEAP_SITES_MAX];
	struct table *t = table_new(heads);
	char text[COUNT_TEXT_MAX];
	size_t count = json_length(list) < HEAP_SITES_MAX ? json_length(list) : HEAP_SITES_MAX;

	for (size_t i = 0; i < count; i++)
		file[i] = json_at(list, i);
	qsort(file, count, sizeof file[0], larger_first);
	for (size_t i = 0; i < count; i++) {
		const struct json_node *n = file[i];
		table_cell(t, "%s", json_text(n, "name"));
		table_cell(t, "%s", json_text(n, "account"));
		table_cell(t, "%s", octets_text(json_count(n, "bytes"), text));
		table_cell_count(t, json_count(n, "blocks"));
		table_cell_count(t, json_count(n, "made"));
		table_cell(t, "%s", octets_text(json_count(n, "made_bytes"), text));
		table_row_end(t);
	}
	table_print(t);
}

int cmd_mem_files(struct ctl *c)
{
	return mem_show(c, files_print);
}

static void regions_print(const struct json_node *root)
{
	static const char *const heads[] = {
		"region", ">octets", ">resident", "pages", "mapped by", NULL};
	static const char *const from[][2] = {
		{"regions", "control plane"}, {"dataplane_regions", "data plane"}};
	struct table *t = table_new(heads);
	char text[COUNT_TEXT_MAX], shown[128];

	for (size_t k = 0; k < ARRAY_LEN(from); k++) {
		const struct json_node *list = json_get(root, from[k][0]);
		for (size_t i = 0; i < json_length(list); i++) {
			const struct json_node *n = json_at(list, i);
			table_cell(t, "%s", term_text(json_text(n, "name"), shown, sizeof shown));
			table_cell(t, "%s", octets_text(json_count(n, "bytes"), text));
			table_cell(t, "%s", octets_text(json_count(n, "resident"), text));
			table_cell(t, "%s", json_flag(n, "huge") ? "huge" : "4 KiB");
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
