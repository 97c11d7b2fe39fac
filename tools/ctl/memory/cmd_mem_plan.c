// SPDX-License-Identifier: BSD-3-Clause
// The memory that a configuration takes at most, before anything is started.
//
// The bill itself is mem_plan.h's, by which both processes refuse to start.

#include "lib/ctl.h"
#include "lib/json_doc.h"
#include "lib/table_out.h"

#include <stdio.h>
#include <weir/config_tools.h>
#include <weir/mem_plan.h>

static void bill_print(const struct mem_plan *b, uint64_t can)
{
	static const char *const heads[] = {"memory", "of", ">at most", "by", "tables", NULL};
	static const char *const of[] = {"control plane", "data plane"};
	struct table *t = table_new(heads);
	char text[FIGURE_MAX];

	for (unsigned i = 0; i < b->count; i++) {
		table_cell(t, "%s", b->line[i].what);
		table_cell(t, "%s", of[b->line[i].of]);
		table_cell(t, "%s", figure_bytes(b->line[i].bytes, text));
		table_cell(t, "%s", b->line[i].by);
		table_cell(t, "%s", b->line[i].tables);
		table_row_end(t);
	}
	table_cell(t, "%s", "in all");
	table_cell(t, "%s", "both");
	table_cell(t, "%s", figure_bytes(b->total, text));
	table_cell(t, "%s", "");
	table_cell(t, "%s", "");
	table_row_end(t);
	table_print(t);
	printf("to be had: %s\n", figure_bytes(can, text));
}

static void bill_print_json(const struct mem_plan *b, uint64_t can)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	struct json_node *list = json_put_array(root, "lines");
	for (unsigned i = 0; i < b->count; i++) {
		struct json_node *n = json_put_object(list, NULL);
		json_put_text(n, "name", b->line[i].what);
		json_put_text(n, "by", b->line[i].by);
		json_put_text(n, "tables", b->line[i].tables);
		json_put_text(n, "of",
			b->line[i].of == MEM_PLAN_DATAPLANE ? "dataplane" : "controlplane");
		json_put_count(n, "bytes", b->line[i].bytes);
	}
	json_put_count(root, "total", b->total);
	json_put_count(root, "controlplane", b->of[MEM_PLAN_CONTROLPLANE]);
	json_put_count(root, "dataplane", b->of[MEM_PLAN_DATAPLANE]);
	json_put_count(root, "available", can);
	json_put_bool(root, "fits", b->total <= can);
	json_doc_end(doc);
}

int cmd_mem_plan(struct ctl *c)
{
	char why[CONFIG_WHY_MAX] = "";
	struct mem_plan plan;
	struct mem_room room;
	mem_room_read(&room);

	if (config_load_public(c->operand ? c->operand : c->config_path, &c->config, why) < 0)
		return ctl_fail(c, "%s", why);
	mem_plan_make(&plan, c->config);
	uint64_t can = mem_room_all(&room);
	if (c->json)
		bill_print_json(&plan, can);
	else
		bill_print(&plan, can);
	if (plan.total <= can)
		return CTL_OK;
	if (!c->json)
		fprintf(stderr, "weirctl: it does not fit\n");
	return CTL_FAILED;
}
