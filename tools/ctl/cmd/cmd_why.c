// SPDX-License-Identifier: BSD-3-Clause
// `weirctl why`: a headline, the steps of the decision, then every rule for the name or a parent of
// it.

#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/term_names.h"
#include "terminal/term_text.h"

#include <stdio.h>

enum { SHOWN_MAX = 2200 }; // the longest text, with every byte escaped

static void steps_print(const struct json_node *steps)
{
	char step[64], text[SHOWN_MAX];
	for (size_t i = 0; i < json_length(steps); i++) {
		const struct json_node *s = json_at(steps, i);
		printf("%c %-10s %s\n", json_flag(s, "decides") ? '*' : ' ',
			term_text(json_text(s, "step"), step, sizeof(step)),
			term_names(json_text(s, "text"), text, sizeof(text)));
	}
}

// The rule's text in its source, else what the rule image has of it.
static void rule_cell(struct table *t, const struct json_node *r, const char *key)
{
	const char *line = json_text(json_at(json_get(r, key), 0), "text");
	const char *texts[] = {
		line, json_text(r, "name"), json_text(r, "pattern"), json_text(r, "address"), ""};
	unsigned i = 0;
	while (i + 1 < ARRAY_LEN(texts) && !*texts[i])
		i++;
	table_cell(t, "%s", texts[i]);
}

// Line numbers, such as "4711", "4711, 4800" or "12, 15, 90 ...".
static void lines_cell(struct table *t, const struct json_node *r, const char *key)
{
	char out[64] = "";
	size_t len = 0;
	const struct json_node *lines = json_get(r, key);
	for (size_t i = 0; i < json_length(lines) && len < sizeof(out); i++) {
		uint64_t line = json_count(json_at(lines, i), "line");
		if (line && i < 3)
			len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%llu",
				len ? ", " : "", (unsigned long long)line);
		else if (i == 3)
			snprintf(out + len, sizeof(out) - len, " ...");
	}
	table_cell(t, "%s", out);
}

static void rules_print(const struct json_node *rules)
{
	static const struct cell_column columns[] = {{"list", "list", cell_text},
		{"class", "class", cell_text}, {"rule", "lines", rule_cell},
		{">line", "lines", lines_cell}, {"", "why", cell_text}};
	if (json_length(rules) == 0)
		return;
	printf("\n");
	cell_rows_print(rules, columns, ARRAY_LEN(columns));
}

static void notes_print(const struct json_node *root)
{
	char list[300], note[600];
	const struct json_node *sources = json_get(root, "sources");
	for (size_t i = 0; i < json_length(sources); i++) {
		const struct json_node *s = json_at(sources, i);
		if (*json_text(s, "note"))
			printf("%s: %s\n", term_text(json_text(s, "list"), list, sizeof(list)),
				term_text(json_text(s, "note"), note, sizeof(note)));
	}
	if (!json_flag(root, "complete"))
		printf("more rules match than are shown: the verdict may differ\n");
}

static void why_print(const struct json_node *root)
{
	char text[SHOWN_MAX];
	printf("%s\n\n", term_names(json_text(root, "headline"), text, sizeof(text)));
	steps_print(json_get(root, "steps"));
	rules_print(json_get(root, "rules"));
	notes_print(root);
}

static int cmd_why(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {"client", c->client},
		{"mac", c->mac}, {"vlan", c->vlan}, {"group", c->group}, {"type", c->type},
		{NULL, NULL}};
	return show_call(c, false, "/why", params, HTTP_FLUSH_MS, why_print);
}

CTL_COMMANDS = {
	{"why", NULL, 1, 1, CTL_OPT_CLIENT | CTL_OPT_MAC | CTL_OPT_GROUP | CTL_OPT_TYPE, cmd_why,
		"NAME [--client C] [--mac MAC] [--vlan N] [--group G] [--type T]",
		"Explain what the client gets for NAME, type T (A): its group, the rules with "
		"their lines, the "
		"reply."},
};
