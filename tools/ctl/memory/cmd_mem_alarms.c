// SPDX-License-Identifier: BSD-3-Clause
// What grows without an explanation, as the control plane says.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void amount_cell(struct table *t, const struct json_node *n, const char *key)
{
	const char *unit = json_text(n, "unit");
	if (strcmp(unit, "bytes") == 0)
		table_cell(t, "%+.2f MiB", (double)json_signed(n, key) / 1048576);
	else
		table_cell(t, "%+" PRId64 " %s", json_signed(n, key), unit);
}

static void seconds_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	table_cell(t, "%s", figure_duration(1000 * json_count(n, key), text));
}

static void since_cell(struct table *t, const struct json_node *n, const char *key)
{
	char text[FIGURE_MAX];
	time_t at = (time_t)json_count(n, key), now = time(NULL);
	table_cell(t, "%s ago", figure_duration(now > at ? 1000 * (uint64_t)(now - at) : 0, text));
}

static void alarms_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"process", "process", cell_text},
		{"kind", "kind", cell_text}, {"name", "name", cell_text},
		{">an hour", "per_hour", amount_cell}, {">gained", "gained", amount_cell},
		{">in", "over_s", seconds_cell}, {"raised", "since", since_cell},
		{"by", "by", cell_text}};
	const struct json_node *list = json_get(root, "alarms");
	if (json_length(list))
		cell_rows_print(list, columns, ARRAY_LEN(columns));
	else
		say(root, "nothing grows without an explanation; checked for {judged_s:s}, alarms "
			  "since the start {raised:n}\n");
	say_if(root, "left_out", "{left_out:n} alarms more\n");
}

int cmd_mem_alarms(struct ctl *c)
{
	return show_call(c, false, "/mem/alarms", NULL, HTTP_SHORT_MS, alarms_print);
}
