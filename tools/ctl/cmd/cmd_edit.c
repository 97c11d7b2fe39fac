// SPDX-License-Identifier: BSD-3-Clause

// Commands that edit the managed part of the configuration: lists, local records, clients of
// groups, upstream servers. Each says how to take it back.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/shell_quote.h"
#include "lib/show.h"
#include "terminal/term_text.h"

#include <stdio.h>

static void restart_print(const struct json_node *root)
{
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

static int edit(struct ctl *c, const char *path, const struct http_param *params,
	void (*print)(const struct json_node *root))
{
	return show_change(c, path, params, print);
}

static int list_edit(struct ctl *c, const char *path, void (*print)(const struct json_node *root))
{
	const struct http_param params[] = {{"name", c->operand}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, path, params, print);
}

static void list_added_print(const struct json_node *root)
{
	say(root, "list {name} added; weirctl blocklist status says when it is fetched\n"
		  "take it back: weirctl list remove {name}\n");
	restart_print(root);
}

int cmd_list_add(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {"place", c->type},
		{"format", c->format}, {"allow", c->allow ? "1" : NULL}, {"why", c->reason},
		{NULL, NULL}};
	return edit(c, "/lists/add", params, list_added_print);
}

static void list_removed_print(const struct json_node *root)
{
	say(root, "list {name} removed\n");
}

int cmd_list_remove(struct ctl *c)
{
	return list_edit(c, "/lists/remove", list_removed_print);
}

static void list_disabled_print(const struct json_node *root)
{
	say(root, "list {name} disabled\ntake it back: weirctl list enable {name}\n");
}

int cmd_list_disable(struct ctl *c)
{
	return list_edit(c, "/lists/disable", list_disabled_print);
}

static void list_enabled_print(const struct json_node *root)
{
	say(root, "list {name} in use again\n");
}

int cmd_list_enable(struct ctl *c)
{
	return list_edit(c, "/lists/enable", list_enabled_print);
}

static void kind_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, json_flag(n, key) ? "allow" : "block");
}

static void use_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, json_flag(n, key) ? "in use" : "disabled");
}

static void lists_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"list", "name", cell_text},
		{"kind", "allow", kind_cell}, {"state", "enabled", use_cell},
		{"source", "source", cell_text}};
	cell_rows_print(json_get(root, "lists"), columns, ARRAY_LEN(columns));
}

int cmd_list_show(struct ctl *c)
{
	return show_call(c, false, "/lists", NULL, HTTP_SHORT_MS, lists_print);
}

static void record_added_print(const struct json_node *root)
{
	char value[SHELL_QUOTE_MAX];
	term_text(json_text(root, "value"), value, sizeof(value));
	say(root, "{name} {type} {value} added\n"
		  "take it back: weirctl local remove {name} {type} ");
	printf("%s\n", SHELL_QUOTE(value));
}

int cmd_local_add(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {"type", c->type},
		{"value", c->third}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, "/local/add", params, record_added_print);
}

static void record_removed_print(const struct json_node *root)
{
	say(root, json_count(root, "removed") == 1
			  ? "removed 1 local record of {name}\n"
			  : "removed {removed:n} local records of {name}\n");
}

int cmd_local_remove(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {"type", c->type},
		{"value", c->third}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, "/local/remove", params, record_removed_print);
}

static void member_added_print(const struct json_node *root)
{
	say(root, "{client} is in group {group}");
	if (say_if(root, "before", ", no longer in {before}"))
		say(root, "\ntake it back: weirctl group move {client} {before}\n");
	else
		say(root, "\ntake it back: weirctl group remove {client}\n");
}

static int member_edit(struct ctl *c, const char *path, void (*print)(const struct json_node *root))
{
	const struct http_param params[] = {
		{"client", c->operand}, {"group", c->type}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, path, params, print);
}

int cmd_group_add(struct ctl *c)
{
	return member_edit(c, "/groups/add", member_added_print);
}

int cmd_group_move(struct ctl *c)
{
	return member_edit(c, "/groups/move", member_added_print);
}

static void member_removed_print(const struct json_node *root)
{
	say(root, "{client} is no longer in group {before}\n"
		  "take it back: weirctl group add {client} {before}\n");
}

int cmd_group_remove(struct ctl *c)
{
	return member_edit(c, "/groups/remove", member_removed_print);
}

static int server_edit(struct ctl *c, const char *path, void (*print)(const struct json_node *root))
{
	const struct http_param params[] = {
		{"server", c->operand}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, path, params, print);
}

static void server_added_print(const struct json_node *root)
{
	say(root, "{server} is an upstream server; weirctl upstreams shows its state\n"
		  "take it back: weirctl upstream remove {server}\n");
}

int cmd_upstream_add(struct ctl *c)
{
	return server_edit(c, "/upstreams/add", server_added_print);
}

static void server_removed_print(const struct json_node *root)
{
	say(root, "{server} is no upstream server any more\n"
		  "take it back: weirctl upstream add {server}\n");
}

int cmd_upstream_remove(struct ctl *c)
{
	return server_edit(c, "/upstreams/remove", server_removed_print);
}
