// SPDX-License-Identifier: BSD-3-Clause
// Mappings and descriptors of both processes by kind, as each has counted its own.

#include "lib/cell.h"
#include "lib/show.h"
#include "mem_doc.h"

#include <stdio.h>

static const struct {
	const char *key, *name; // of the object in the document; for people
} processes[] = {{NULL, "control plane"}, {"dataplane", "data plane"}};

static void rows_add(struct table *t, const struct json_node *root, const char *list,
	const struct cell_column *columns, size_t count)
{
	for (size_t p = 0; p < ARRAY_LEN(processes); p++) {
		const struct json_node *of =
			processes[p].key ? json_get(root, processes[p].key) : root;
		const struct json_node *rows = of ? json_get(of, list) : NULL;
		for (size_t i = 0; i < json_length(rows); i++) {
			table_cell(t, "%s", processes[p].name);
			cell_row(t, json_at(rows, i), columns, count);
			table_row_end(t);
		}
	}
}

static void kinds_print(const struct json_node *root)
{
	static const char *const map_heads[] = {
		"process", "mappings", ">maps", ">address space", NULL};
	static const struct cell_column maps[] = {
		{"", "name", cell_text}, {"", "maps", cell_count}, {"", "bytes", cell_bytes}};
	static const char *const deleted_heads[] = {"process", "deleted, still mapped", ">files",
		">address space", ">stale", ">stale bytes", ">generations behind", NULL};
	static const struct cell_column deleted[] = {{"", "name", cell_text},
		{"", "files", cell_count}, {"", "bytes", cell_bytes}, {"", "stale", cell_count},
		{"", "stale_bytes", cell_bytes}, {"", "behind", cell_count}};
	static const char *const fd_heads[] = {"process", "descriptors", ">open", NULL};
	static const struct cell_column fds[] = {{"", "name", cell_text}, {"", "open", cell_count}};

	struct table *t = table_new(map_heads);
	rows_add(t, root, "mappings", maps, ARRAY_LEN(maps));
	table_print(t);
	printf("\n");
	t = table_new(deleted_heads);
	rows_add(t, root, "deleted_mappings", deleted, ARRAY_LEN(deleted));
	table_print(t);
	printf("\n");
	t = table_new(fd_heads);
	rows_add(t, root, "descriptors", fds, ARRAY_LEN(fds));
	table_print(t);
}

int cmd_mem_kinds(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return show_doc(c, mem_doc_take(c), kinds_print);
}
