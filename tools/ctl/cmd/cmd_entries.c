// SPDX-License-Identifier: BSD-3-Clause

// `weirctl allow`, `deny` and `entries`: entries of the operator that may have an end and a reason.

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/shell_quote.h"
#include "lib/show.h"
#include "terminal/term_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LASTS_MAX_S = 366 * 86400, NAME_SHOWN_MAX = 4 * CONFIG_PATTERN_MAX };

// "90s", "15m", "2h", "7d" as seconds; 0: it is none of these.
static uint64_t lasts_parse(const char *text)
{
	static const char units[] = "smhd";
	static const unsigned seconds[] = {1, 60, 3600, 86400};
	const size_t digits = strspn(text, "0123456789");
	const char *unit =
		digits && digits < 9 && text[digits] ? strchr(units, text[digits]) : NULL;
	uint64_t n = 0;
	if (!unit || text[digits + 1])
		return 0;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	n *= seconds[unit - units];
	return n <= LASTS_MAX_S ? n : 0;
}

// Of the local clock.
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

static void added_print(const struct json_node *root)
{
	const bool is_allow = strcmp(json_text(root, "verdict"), "allow") == 0;
	const uint64_t until = json_count(root, "until_unix_s");
	char name[NAME_SHOWN_MAX];
	term_text(json_text(root, "name"), name, sizeof(name));
	printf("%s %s%s", name, is_allow ? "allowed" : "denied",
		*json_text(root, "name") == '/' ? "" : ", with all names below it,");
	who_print(root);
	if (until)
		end_print(until);
	printf("%s\n", json_flag(root, "replaced") ? ", in place of the entry before" : "");
	if (until && json_flag(root, "replaced_permanent"))
		printf("the entry before had no end; it does not come back when this one ends\n");
	printf("take it back: weirctl %s --remove %s", is_allow ? "allow" : "deny",
		SHELL_QUOTE(name));
	say_if(root, "group", " --group {group}");
	printf("\n");
	say_if(root, "needs_restart", "needs a restart: {needs_restart}\n");
}

static void removed_print(const struct json_node *root)
{
	say(root, "{verdict} entry {name} removed");
	who_print(root);
	printf("\n");
}

static int entry_remove(struct ctl *c, const char *verdict)
{
	const struct http_param params[] = {{"name", c->operand}, {"verdict", verdict},
		{"group", c->group}, {"why", c->reason}, {NULL, NULL}};
	if (c->given & CTL_OPT_FOR) {
		fprintf(stderr, "weirctl: %s --remove takes no --for\n", verdict);
		return CTL_USAGE;
	}
	return show_change(c, "/entries/remove", params, removed_print);
}

static int entry_add(struct ctl *c, const char *verdict)
{
	char seconds[24];
	const uint64_t lasts = c->purpose ? lasts_parse(c->purpose) : 0;
	snprintf(seconds, sizeof(seconds), "%" PRIu64, lasts);
	const struct http_param params[] = {{"name", c->operand}, {"verdict", verdict},
		{"group", c->group}, {"seconds", c->purpose ? seconds : NULL}, {"why", c->reason},
		{NULL, NULL}};
	if (c->purpose && !lasts) {
		fprintf(stderr, "weirctl: --for takes 1s to 366d: 90s, 15m, 2h, 7d\n");
		return CTL_USAGE;
	}
	return show_change(c, "/entries/add", params, added_print);
}

int cmd_allow(struct ctl *c)
{
	return c->remove ? entry_remove(c, "allow") : entry_add(c, "allow");
}

int cmd_deny(struct ctl *c)
{
	return c->remove ? entry_remove(c, "deny") : entry_add(c, "deny");
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
	static const struct cell_column columns[] = {{"entry", "name", cell_text},
		{"verdict", "verdict", cell_text}, {"clients", "group", group_cell},
		{"left", "left_s", left_cell}, {"until", "until", cell_text},
		{"why", "why", cell_text}};
	cell_rows_print(json_get(root, "entries"), columns, ARRAY_LEN(columns));
}

int cmd_entries(struct ctl *c)
{
	return show_call(c, false, "/entries", NULL, HTTP_SHORT_MS, entries_print);
}
