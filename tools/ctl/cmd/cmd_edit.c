// SPDX-License-Identifier: BSD-3-Clause
// Commands that change what is in force without the operator's file: lists, local records, clients
// of groups and upstream servers, in the managed part of the configuration, each with the command
// that undoes it; `allow` and `deny`, whose entries may have an end and a reason; toggles; and
// `drops`, sources whose frames the ports drop.

#include "lib/figure.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "lib/view.h"
#include "terminal/term_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/known.h>
#include <weir/text.h>

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
		  "take it back: weirctl list remove {name:q}\n");
	restart_print(root);
}

static int cmd_list_add(struct ctl *c)
{
	const char *place = c->type ? c->type : known_list(c->operand);
	char names[256];
	known_list_names(names, sizeof(names));
	if (!place) {
		fprintf(stderr, "weirctl: name a URL or a path as well, or one of: %s\n", names);
		return CTL_USAGE;
	}
	const struct http_param params[] = {{"name", c->operand}, {"place", place},
		{"format", c->format}, {"allow", c->allow ? "1" : NULL}, {"why", c->reason},
		{NULL, NULL}};
	return edit(c, "/lists/add", params, list_added_print);
}

static void list_removed_print(const struct json_node *root)
{
	say(root, "list {name} removed\n");
}

static int cmd_list_remove(struct ctl *c)
{
	return list_edit(c, "/lists/remove", list_removed_print);
}

static void list_disabled_print(const struct json_node *root)
{
	say(root, "list {name} disabled\ntake it back: weirctl list enable {name:q}\n");
}

static int cmd_list_disable(struct ctl *c)
{
	return list_edit(c, "/lists/disable", list_disabled_print);
}

static void list_enabled_print(const struct json_node *root)
{
	say(root, "list {name} in use again\n");
}

static int cmd_list_enable(struct ctl *c)
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

static int cmd_list_show(struct ctl *c)
{
	return show_call(c, false, "/lists", NULL, HTTP_SHORT_MS, lists_print);
}

static void record_added_print(const struct json_node *root)
{
	say(root, "{name:d} {type} {value} added\n"
		  "take it back: weirctl local remove {name:q} {type} {value:q}\n");
}

static int cmd_local_add(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {"type", c->type},
		{"value", c->third}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, "/local/add", params, record_added_print);
}

static void record_removed_print(const struct json_node *root)
{
	say(root, json_count(root, "removed") == 1
			  ? "removed 1 local record of {name:d}\n"
			  : "removed {removed:n} local records of {name:d}\n");
}

static int cmd_local_remove(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {"type", c->type},
		{"value", c->third}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, "/local/remove", params, record_removed_print);
}

static void member_added_print(const struct json_node *root)
{
	say(root, "{client} is in group {group}");
	if (say_if(root, "before", ", no longer in {before}"))
		say(root, "\ntake it back: weirctl group move {client:q} {before:q}\n");
	else
		say(root, "\ntake it back: weirctl group remove {client:q}\n");
}

static int member_edit(struct ctl *c, const char *path, void (*print)(const struct json_node *root))
{
	const struct http_param params[] = {
		{"client", c->operand}, {"group", c->type}, {"why", c->reason}, {NULL, NULL}};
	return edit(c, path, params, print);
}

static int cmd_group_add(struct ctl *c)
{
	return member_edit(c, "/groups/add", member_added_print);
}

static int cmd_group_move(struct ctl *c)
{
	return member_edit(c, "/groups/move", member_added_print);
}

static void member_removed_print(const struct json_node *root)
{
	say(root, "{client} is no longer in group {before}\n"
		  "take it back: weirctl group add {client:q} {before:q}\n");
}

static int cmd_group_remove(struct ctl *c)
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
		  "take it back: weirctl upstream remove {server:q}\n");
}

// A name of `setup` stands for the resolver's servers, which it adds one by one.
static int cmd_upstream_add(struct ctl *c)
{
	const char *const *server = known_resolver(c->operand, false);
	int rc = CTL_OK;
	if (!server)
		return server_edit(c, "/upstreams/add", server_added_print);
	for (; rc == CTL_OK && *server; server++) {
		c->operand = *server;
		rc = server_edit(c, "/upstreams/add", server_added_print);
	}
	return rc;
}

static void server_removed_print(const struct json_node *root)
{
	say(root, "{server} is no upstream server any more\n"
		  "take it back: weirctl upstream add {server:q}\n");
}

static int cmd_upstream_remove(struct ctl *c)
{
	return server_edit(c, "/upstreams/remove", server_removed_print);
}

enum { NAME_SHOWN_MAX = 4 * CONFIG_PATTERN_MAX };

// Prints the end as local day and time.
static void end_print(uint64_t unix_s)
{
	char text[CELL_TIME_MAX];
	printf(" until %s", cell_time_text((int64_t)unix_s, "-", text));
}

static void who_print(const struct json_node *root)
{
	if (!say_if(root, "group", " for group {group}"))
		printf(" for all clients");
}

static void entry_added_print(const struct json_node *root)
{
	const bool is_allow = strcmp(json_text(root, "verdict"), "allow") == 0;
	const uint64_t until = json_count(root, "until_unix_s");
	char name[NAME_SHOWN_MAX];
	term_text(json_text(root, "name"), name, sizeof(name));
	say(root, json_flag(root, "invert") ? "every name but {name:d} " : "{name:d} ");
	printf("%s%s", is_allow ? "allowed" : "denied",
		*json_text(root, "name") == '/' ? "" : ", with all names below it,");
	say_if(root, "type", " for type {type},");
	say_if(root, "reply", " with {reply},");
	who_print(root);
	if (until)
		end_print(until);
	printf("%s\n", json_flag(root, "replaced") ? ", in place of the entry before" : "");
	if (until && json_flag(root, "replaced_permanent"))
		printf("the entry before had no end; it does not come back when this one ends\n");
	printf("take it back: weirctl %s --remove %s", is_allow ? "allow" : "deny",
		TEXT_QUOTE(name));
	say_if(root, "group", " --group {group:q}");
	printf("\n");
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

static void entry_removed_print(const struct json_node *root)
{
	say(root, "{verdict} entry {name:d} removed");
	who_print(root);
	printf("\n");
}

static int entry_remove(struct ctl *c, const char *verdict)
{
	const struct http_param params[] = {{"name", c->operand}, {"verdict", verdict},
		{"group", c->group}, {"why", c->reason}, {NULL, NULL}};
	static const struct {
		uint64_t option;
		const char *name;
	} adds[] = {{CTL_OPT_FOR, "--for"}, {CTL_OPT_TYPE, "--type"}, {CTL_OPT_REPLY, "--reply"},
		{CTL_OPT_INVERT, "--invert"}};
	for (size_t i = 0; i < ARRAY_LEN(adds); i++)
		if (c->given & adds[i].option) {
			fprintf(stderr, "weirctl: %s --remove takes no %s\n", verdict,
				adds[i].name);
			return CTL_USAGE;
		}
	return show_change(c, "/entries/remove", params, entry_removed_print);
}

static int entry_add(struct ctl *c, const char *verdict)
{
	char seconds[24];
	const uint64_t lasts = c->purpose ? figure_seconds(c->purpose) : 0;
	snprintf(seconds, sizeof(seconds), "%" PRIu64, lasts);
	const struct http_param params[] = {{"name", c->operand}, {"verdict", verdict},
		{"group", c->group}, {"invert", c->invert ? "1" : NULL}, {"type", c->type},
		{"reply", c->reply}, {"seconds", c->purpose ? seconds : NULL}, {"why", c->reason},
		{NULL, NULL}};
	if (c->purpose && !lasts) {
		fprintf(stderr, "weirctl: --for takes 1s to 366d: 90s, 15m, 2h, 7d\n");
		return CTL_USAGE;
	}
	return show_change(c, "/entries/add", params, entry_added_print);
}

static int cmd_allow(struct ctl *c)
{
	return c->remove ? entry_remove(c, "allow") : entry_add(c, "allow");
}

static int cmd_deny(struct ctl *c)
{
	return c->remove ? entry_remove(c, "deny") : entry_add(c, "deny");
}

static void entry_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%s%s", json_flag(n, "invert") ? "all but " : "", json_text(n, key));
}

static void group_cell(struct table *t, const struct json_node *n, const char *key)
{
	const char *group = json_text(n, key);
	table_cell(t, "%s", *group ? group : "everyone");
}

static void left_cell(struct table *t, const struct json_node *n, const char *key)
{
	char left[FIGURE_MAX];
	if (!json_count(n, "until_unix_s"))
		table_cell(t, "no end");
	else if (json_flag(n, "ended"))
		table_cell(t, "ended");
	else
		table_cell(t, "%s", figure_duration(1000 * json_count(n, key), left));
}

static void entries_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"entry", "name", entry_cell},
		{"verdict", "verdict", cell_text}, {"types", "type", cell_text},
		{"reply", "reply", cell_text}, {"clients", "group", group_cell},
		{"left", "left_s", left_cell}, {"until", "until", cell_text},
		{"why", "why", cell_text}};
	cell_rows_print(json_get(root, "entries"), columns, ARRAY_LEN(columns));
}

static int cmd_entries(struct ctl *c)
{
	return show_call(c, false, "/entries", NULL, HTTP_SHORT_MS, entries_print);
}

static void value_cell(struct table *t, const struct json_node *n, const char *key)
{
	uint64_t value = json_count(n, key);
	if (json_count(n, "usual") > 1)
		table_cell_count(t, value);
	else
		table_cell(t, "%s", value ? "on" : "off");
}

static void toggles_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"toggle", "name", cell_text},
		{">now", "value", value_cell}, {">usually", "usual", value_cell},
		{"", "help", cell_text}};
	cell_rows_print(json_get(root, "toggles"), columns, ARRAY_LEN(columns));
}

static int cmd_toggles(struct ctl *c)
{
	return show_call(c, false, "/toggles", NULL, HTTP_SHORT_MS, toggles_print);
}

static int cmd_set(struct ctl *c)
{
	const struct http_param params[] = {
		{"toggle", c->operand}, {"value", c->type}, {NULL, NULL}};
	return show_call(c, true, "/set", params, HTTP_BUILD_MS, NULL);
}

static void drop_added_print(const struct json_node *root)
{
	(void)show_warning(root);
	say(root, "{source} for {left_ms:t}; weirctl drops list says whether a port does it\n");
}

static int cmd_drops_add(struct ctl *c)
{
	const struct http_param params[] = {
		{"source", c->operand}, {"minutes", c->type}, {NULL, NULL}};
	return show_call(c, true, "/drops/add", params, HTTP_SHORT_MS, drop_added_print);
}

static void drop_removed_print(const struct json_node *root)
{
	say(root, "drop rule of {source} removed\n");
}

static int cmd_drops_remove(struct ctl *c)
{
	const struct http_param params[] = {{"source", c->operand}, {NULL, NULL}};
	return show_change(c, "/drops/remove", params, drop_removed_print);
}

static void drops_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {
		{"source", "source", cell_text}, {">left", "left_ms", cell_duration}};
	cell_rows_print(json_get(root, "drops"), columns, ARRAY_LEN(columns));
}

// Prints how many drop rules are in force on ports.
static void ports_print(const struct ctl *c)
{
	char why[SHM_WHY_MAX];
	enum process_state state;
	struct stats_copy *s = calloc(1, sizeof(*s));
	if (s && view_stats(c, true, &state, s, why))
		printf("in force on a port: %u, of which in part: %u (a port refused the rule, or "
		       "the "
		       "one for tagged frames); refused by all ports since start: %u\n",
			s->drops_in_force, s->drops_partial, s->drops_refused);
	free(s);
}

static int cmd_drops_list(struct ctl *c)
{
	int rc = show_call(c, false, "/drops", NULL, HTTP_SHORT_MS, drops_print);
	if (rc == CTL_OK && !c->json && !c->remote_options.host)
		ports_print(c);
	return rc;
}

CTL_COMMANDS = {
	{"drops", "list", 0, 0, 0, cmd_drops_list, "",
		"List the drop rules, and how many of them a port has in force."},
	{"drops", "add", 2, 2, 0, cmd_drops_add, "SOURCE MINUTES",
		"Drop all frames from SOURCE (IP or prefix) at the ports that can, for up to 1440 "
		"minutes. An operator over the network may drop /16 at most, /32 of IPv6, for up "
		"to 60 minutes, and no place of an admin."},
	{"drops", "remove", 1, 1, 0, cmd_drops_remove, "SOURCE", "Remove a drop rule."},
	{"allow", NULL, 1, 1,
		CTL_OPT_GROUP | CTL_OPT_INVERT | CTL_OPT_TYPE | CTL_OPT_FOR | CTL_OPT_WHY
			| CTL_OPT_REMOVE,
		cmd_allow,
		"NAME|/PATTERN/ [--group G] [--invert] [--type T] [--for T] [--why TEXT] | "
		"--remove NAME [--group G]",
		"Allow NAME and all names below it, for all clients or for group G, for all query "
		"types or those of --type (AAAA,HTTPS), for T (90s, 15m, 2h, 7d); --invert: every "
		"name but those that match /PATTERN/; --remove: end that."},
	{"deny", NULL, 1, 1,
		CTL_OPT_GROUP | CTL_OPT_INVERT | CTL_OPT_TYPE | CTL_OPT_REPLY | CTL_OPT_FOR
			| CTL_OPT_WHY | CTL_OPT_REMOVE,
		cmd_deny,
		"NAME|/PATTERN/ [--group G] [--invert] [--type T] [--reply R] [--for T] "
		"[--why TEXT] | --remove NAME [--group G]",
		"Block NAME and all names below it, with the options of allow; --reply: not as "
		"`blocking.mode` says.",
		.alias = "block"},
	{"entries", NULL, 0, 0, 0, cmd_entries, "",
		"List the entries of allow and deny: end, reason; also `entries` in the files."},
	{"list", "show", 0, 0, 0, cmd_list_show, "",
		"List the block and allow lists: in use or disabled, and where they come from."},
	{"list", "add", 1, 2, CTL_OPT_ALLOW | CTL_OPT_FORMAT | CTL_OPT_WHY, cmd_list_add,
		"NAME [URL|PATH] [--allow] [--format F] [--why TEXT]",
		"Add a block list; --allow: an allow list. Without a place NAME is one that setup "
		"knows: oisd-small."},
	{"list", "remove", 1, 1, CTL_OPT_WHY, cmd_list_remove, "LIST [--why TEXT]",
		"Remove a list that list add made."},
	{"list", "disable", 1, 1, CTL_OPT_WHY, cmd_list_disable, "LIST [--why TEXT]",
		"Take a list out of use; it stays defined."},
	{"list", "enable", 1, 1, CTL_OPT_WHY, cmd_list_enable, "LIST [--why TEXT]",
		"Use a disabled list again."},
	{"local", "add", 3, 3, CTL_OPT_WHY, cmd_local_add, "NAME TYPE DATA [--why TEXT]",
		"Add a local record."},
	{"local", "remove", 1, 3, CTL_OPT_WHY, cmd_local_remove, "NAME [TYPE [DATA]] [--why TEXT]",
		"Remove the local records of NAME that local add made: all, those of TYPE, or the "
		"one with DATA."},
	{"group", "add", 2, 2, CTL_OPT_WHY, cmd_group_add, "CLIENT GROUP [--why TEXT]",
		"Add a client (address, prefix, MAC, name) to a group."},
	{"group", "remove", 1, 2, CTL_OPT_WHY, cmd_group_remove, "CLIENT [GROUP] [--why TEXT]",
		"Take a client out of a group: the one that group add put it into."},
	{"group", "move", 2, 2, CTL_OPT_WHY, cmd_group_move, "CLIENT GROUP [--why TEXT]",
		"Put a client into another group."},
	{"upstream", "add", 1, 1, CTL_OPT_WHY, cmd_upstream_add, "SERVER [--why TEXT]",
		"Ask an upstream server too: 9.9.9.9, tls://NAME@ADDRESS, "
		"https://NAME@ADDRESS/PATH, or those of quad9, cloudflare or google over TLS."},
	{"upstream", "remove", 1, 1, CTL_OPT_WHY, cmd_upstream_remove, "SERVER [--why TEXT]",
		"Stop the use of a server that upstream add added."},
	{"toggles", NULL, 0, 0, 0, cmd_toggles, "",
		"List the runtime toggles of the control plane, with their values."},
	{"set", NULL, 2, 2, 0, cmd_set, "TOGGLE on|off|N|default",
		"Set a runtime toggle until the control plane ends."},
};
