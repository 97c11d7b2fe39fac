// SPDX-License-Identifier: BSD-3-Clause

// `weirctl drops`: sources whose frames the ports drop by themselves. The control plane has the
// list, the data plane's statistics say how much of it is in force.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/stats_take.h"

#include <stdio.h>
#include <stdlib.h>

static void added_print(const struct json_node *root)
{
	(void)show_warning(root);
	say(root, "{source} for {left_ms:t}; weirctl drops list says whether a port does it\n");
}

int cmd_drops_add(struct ctl *c)
{
	const struct http_param params[] = {
		{"source", c->operand}, {"minutes", c->type}, {NULL, NULL}};
	return show_call(c, true, "/drops/add", params, HTTP_SHORT_MS, added_print);
}

static void removed_print(const struct json_node *root)
{
	say(root, "drop rule of {source} removed\n");
}

int cmd_drops_remove(struct ctl *c)
{
	const struct http_param params[] = {{"source", c->operand}, {NULL, NULL}};
	return show_call(c, true, "/drops/remove", params, HTTP_SHORT_MS, removed_print);
}

static void list_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {
		{"source", "source", cell_text}, {">left", "left_ms", cell_duration}};
	cell_rows_print(json_get(root, "drops"), columns, ARRAY_LEN(columns));
}

// How it stands with the ports.
static void ports_print(const struct ctl *c)
{
	char why[SHM_WHY_MAX];
	enum process_state state;
	struct stats_copy *s = calloc(1, sizeof(*s));
	if (s && stats_take(c, true, &state, s, why))
		printf("in force on a port: %u, of which in part: %u (a port refused the rule, or "
		       "the "
		       "one for tagged frames); refused by all ports since start: %u\n",
			s->drops_in_force, s->drops_partial, s->drops_refused);
	free(s);
}

int cmd_drops_list(struct ctl *c)
{
	int rc = show_call(c, false, "/drops", NULL, HTTP_SHORT_MS, list_print);
	if (rc == CTL_OK && !c->json && !c->remote_options.host)
		ports_print(c);
	return rc;
}
