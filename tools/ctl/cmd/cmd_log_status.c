// SPDX-License-Identifier: BSD-3-Clause

#include "lib/count_rows.h"
#include "lib/show.h"
#include "lib/table_out.h"
#include "lib/term_text.h"

#include <stdio.h>

static const struct count_row counts[] = {
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
	static const char *const heads[] = {"sink", ">rows", ">queries", ">of these without a row",
		">owed", ">in memory", ">rows lost", ">queries lost", "server", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(sinks); i++) {
		const struct json_node *n = json_at(sinks, i);
		table_cell(t, "%s", json_text(n, "name"));
		table_cell_count(t, json_count(n, "rows"));
		table_cell_count(t, json_count(n, "weight"));
		table_cell_count(t, json_count(n, "folded_weight"));
		table_cell_count(t, json_count(n, "owed_weight"));
		table_cell_count(t, json_count(n, "held_rows"));
		table_cell_count(t, json_count(n, "lost_rows"));
		table_cell_count(t, json_count(n, "lost_weight"));
		table_cell(t, "%s", json_text(n, "server"));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

// What the control plane before this one took along when it was killed.
static void before_print(const struct json_node *sinks)
{
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX], name[64];
	for (size_t i = 0; i < json_length(sinks); i++) {
		const struct json_node *n = json_at(sinks, i);
		if (!json_count(n, "lost_by_kill_rows"))
			continue;
		printf("\nthe previous control plane was killed: up to %s rows (%s queries) in the "
		       "memory of %s are lost\n",
			count_text(json_count(n, "lost_by_kill_rows"), a),
			count_text(json_count(n, "lost_by_kill_weight"), b),
			term_text(json_text(n, "name"), name, sizeof name));
	}
}

static void outputs_print(const struct json_node *outputs)
{
	static const char *const heads[] = {"output", "state", ">written", ">without messages",
		">lost", ">refused batches", ">failures", ">untrusted", "target", "last failure",
		NULL};
	if (json_length(outputs) == 0)
		return;
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(outputs); i++) {
		const struct json_node *n = json_at(outputs, i);
		table_cell(t, "%s", json_text(n, "name"));
		table_cell(t, "%s", json_text(n, "state"));
		table_cell_count(t, json_count(n, "written"));
		table_cell_count(t, json_count(n, "without_messages"));
		table_cell_count(t, json_count(n, "lost"));
		table_cell_count(t, json_count(n, "refused"));
		table_cell_count(t, json_count(n, "failures"));
		table_cell_count(t, json_count(n, "untrusted"));
		table_cell(t, "%s", json_text(n, "target"));
		table_cell(t, "%s", json_text(n, "why"));
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void log_print(const struct json_node *root)
{
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX];
	printf("query log     %s, one record for %s queries\n",
		json_flag(root, "enabled") ? "on" : "off",
		count_text(json_count(root, "sample"), a));
	printf("batches       %s of %s\n\n", count_text(json_count(root, "batches"), a),
		count_text(json_count(root, "batches_cap"), b));
	count_rows_print(root, counts, ARRAY_LEN(counts));
	sinks_print(json_get(root, "sinks"));
	before_print(json_get(root, "sinks"));
	outputs_print(json_get(root, "outputs"));
}

int cmd_log_status(struct ctl *c)
{
	return show_call(c, false, "/log", NULL, HTTP_SHORT_MS, log_print);
}
