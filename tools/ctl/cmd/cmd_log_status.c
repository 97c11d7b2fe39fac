// SPDX-License-Identifier: BSD-3-Clause

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <stdio.h>

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

// What the control plane before this one took along when it was killed.
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

int cmd_log_status(struct ctl *c)
{
	return show_call(c, false, "/log", NULL, HTTP_SHORT_MS, log_print);
}
