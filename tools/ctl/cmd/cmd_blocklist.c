// SPDX-License-Identifier: BSD-3-Clause
// `weirctl blocklist`: the lists in force, and their reload; and an operator's means against wrong
// blocking: the previous image, a pause, and the end of the pause.

#include "lib/figure.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "lib/view.h"
#include "terminal/term_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WHEN_TEXT_MAX = 32 };

// The local time, without the day if the day is today; "-" for 0.
static const char *when_text(uint64_t unix_s, char out[WHEN_TEXT_MAX])
{
	time_t at = (time_t)unix_s, now = time(NULL);
	struct tm tm, today;
	snprintf(out, WHEN_TEXT_MAX, "-");
	if (unix_s == 0 || !localtime_r(&at, &tm) || !localtime_r(&now, &today))
		return out;
	bool same_day = tm.tm_year == today.tm_year && tm.tm_yday == today.tm_yday;
	strftime(out, WHEN_TEXT_MAX, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	return out;
}

static void when_cell(struct table *t, const struct json_node *l, const char *key)
{
	char when[WHEN_TEXT_MAX];
	table_cell(t, "%s", when_text(json_count(l, key), when));
}

static void source_cell(struct table *t, const struct json_node *l, const char *key)
{
	cell_text(t, l, *json_text(l, key) ? key : "path");
}

static void lists_print(const struct json_node *lists)
{
	static const struct cell_column columns[] = {{"list", "name", cell_text},
		{"kind", "kind", cell_text}, {">lines", "lines", cell_count},
		{">names", "names", cell_count}, {">duplicates", "duplicates", cell_count},
		{">rejected", "rejected", cell_count}, {">blocked", "queries_blocked", cell_count},
		{">size", "bytes", cell_bytes}, {"last good", "last_good_unix_s", when_cell},
		{"next", "next_try_unix_s", when_cell}, {"source", "url", source_cell}};
	printf("\n");
	cell_rows_print(lists, columns, ARRAY_LEN(columns));
}

// Prints lines with the error of fetching a list, counts of rejected lines, and unknown clients.
static void list_notes_print(const struct json_node *l)
{
	char name[300], text[1100], count[FIGURE_MAX], when[WHEN_TEXT_MAX];
	const char *fetch = json_text(l, "fetch_error");
	term_text(json_text(l, "name"), name, sizeof(name));
	if (*fetch)
		printf("%s: last try at %s: %s\n", name,
			when_text(json_count(l, "last_try_unix_s"), when),
			term_text(fetch, text, sizeof(text)));
	const struct json_node *reasons = json_get(l, "rejected_by");
	for (size_t i = 0; i < json_length(reasons); i++) {
		const struct json_node *r = json_at(reasons, i);
		if (i == 0)
			printf("%s rejected: ", name);
		printf("%s%s %s", i ? ", " : "",
			term_text(json_text(r, "reason"), text, sizeof(text)),
			figure_count(json_count(r, "count"), count));
	}
	if (json_length(reasons))
		printf("\n");
	const struct json_node *unknown = json_get(l, "unknown_clients");
	for (size_t i = 0; i < json_length(unknown); i++) {
		printf("%s: ", name);
		say(json_at(unknown, i), "rules for client {client} decide nothing: {why}\n");
	}
}

// Prints counts of NOTIFY messages, if a server has ever sent one.
static void notify_print(const struct json_node *n)
{
	if (n
		&& (json_count(n, "taken") || json_count(n, "not_zone")
			|| json_count(n, "not_server") || json_count(n, "not_signed")))
		say(n, "NOTIFY      {taken:n} taken, {soon:n} too soon; refused: {not_server:n} "
		       "not "
		       "from the server, {not_signed:n} not signed, {not_zone:n} of other zones\n");
}

static void paused_print(const struct json_node *root)
{
	uint64_t until = json_count(root, "pause_until_unix_s");
	char when[WHEN_TEXT_MAX], left[FIGURE_MAX];
	time_t now = time(NULL);
	if (until > (uint64_t)now)
		printf("paused      blocking, until %s, for %s more%s\n", when_text(until, when),
			figure_duration(1000 * (until - (uint64_t)now), left),
			json_flag(root, "pause_lifts_block_all") ? ""
								 : "; block_all stays in force");
	say_each(json_get(root, "paused_groups"),
		"paused      group {group} for {pause_left_s:s} more\n");
	say_if(root, "held", "rolled back this image stays until weirctl blocklist reload\n");
}

static void rules_print(const struct json_node *root)
{
	char when[WHEN_TEXT_MAX];
	say(root, "image       {names:n} names, {image_bytes:b}, of ");
	printf("%s", when_text(json_count(root, "loaded_unix_s"), when));
	say_if(root, "from_disk", ", from disk");
	if (json_flag(root, "has_previous"))
		printf("; the one of %s is kept for a rollback",
			when_text(json_count(root, "previous_unix_s"), when));
	printf("\nfrom        ");
	view_print_kinds(root);
	say(root, "\nlast reload {outcome}");
	if (!say_if(root, "error", ": {error}"))
		say_if(root, "note", ": {note}");
	say_if(root, "building", "; building now");
	say(root,
		"\nbuilds      {builds:n}, last took {build_ms:t}; {unchanged:n} unchanged, "
		"{failed:n} failed\n"
		"copies      {copies_bytes:b} of lists, for builds that cannot read the source\n");
	notify_print(json_get(root, "notify"));
	paused_print(root);
	const struct json_node *lists = json_get(root, "lists");
	lists_print(lists);
	show_texts(json_get(root, "failing"), "NOT updated: ");
	for (size_t i = 0; i < json_length(lists); i++)
		list_notes_print(json_at(lists, i));
}

static int cmd_blocklist_status(struct ctl *c)
{
	return show_call(c, false, "/blocklist", NULL, HTTP_SHORT_MS, rules_print);
}

static void reload_print(const struct json_node *root)
{
	const struct json_node *failing = json_get(root, "failing");
	show_texts(failing, "NOT updated: ");
	printf("%s", json_length(failing) ? "all else " : "");
	if (strcmp(json_text(root, "outcome"), "unchanged") == 0)
		say(root, "unchanged: {names:n} names\n");
	else
		say(root, "updated: {names:n} names, built in {build_ms:t}\n");
}

static int cmd_blocklist_reload(struct ctl *c)
{
	const struct http_param params[] = {{"force", c->force ? "1" : "0"}, {NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc =
		http_call_or_fail(c, true, "/blocklist/reload", params, HTTP_BUILD_MS);
	bool whole = doc && json_length(json_get(json_doc_root(doc), "failing")) == 0;
	int rc = show_doc(c, doc, reload_print);
	return whole ? rc : CTL_FAILED;
}

enum { PAUSE_MINUTES_MAX = 1440 };

static void rollback_print(const struct json_node *root)
{
	say(root, "previous image activated: {names:n} names; it stays until weirctl blocklist "
		  "reload\n");
}

static int cmd_blocklist_rollback(struct ctl *c)
{
	return show_call(c, true, "/blocklist/rollback", NULL, HTTP_BUILD_MS, rollback_print);
}

static void pause_print(const struct json_node *root)
{
	char group[300];
	printf("blocking paused");
	say_if(root, "group", " for group {group}");
	say(root, " for {pause_left_s:s}\n");
	const struct json_node *blocked = json_get(root, "blocked_groups");
	for (size_t i = 0; i < json_length(blocked); i++)
		printf("group %s stays blocked by a schedule with block_all; use --group %s or "
		       "--all\n",
			term_text(json_item_text(blocked, i), group, sizeof(group)), group);
	say_if(root, "note", "but {note}\n");
}

// Whether `text` is a number of minutes in digits alone: strtoul() would accept blanks and signs.
static bool minutes_good(const char *text)
{
	unsigned long n = 0;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || n > PAUSE_MINUTES_MAX)
			return false;
		n = n * 10 + (unsigned long)(*p - '0');
	}
	return n >= 1 && n <= PAUSE_MINUTES_MAX;
}

static int pause_for(struct ctl *c, const char *minutes)
{
	if (c->group && c->all) {
		fprintf(stderr, "weirctl: a pause takes --group or --all, not both\n");
		return CTL_USAGE;
	}
	if (!minutes_good(minutes)) {
		fprintf(stderr, "weirctl: a pause has 1 to %d minutes\n", PAUSE_MINUTES_MAX);
		return CTL_USAGE;
	}
	const struct http_param params[] = {{"minutes", minutes}, {"group", c->group},
		{"block_all", c->all ? "1" : NULL}, {NULL, NULL}};
	return show_call(c, true, "/blocklist/pause", params, HTTP_SHORT_MS, pause_print);
}

static int cmd_blocklist_pause(struct ctl *c)
{
	return pause_for(c, c->operand);
}

// A number alone is minutes; part of a minute counts as one.
static int cmd_pause(struct ctl *c)
{
	const char *lasts = c->operand ? c->operand : "5";
	const uint64_t seconds = figure_seconds(lasts);
	char minutes[24];
	snprintf(minutes, sizeof(minutes), "%" PRIu64, (seconds + 59) / 60);
	return pause_for(c, seconds ? minutes : lasts);
}

static void resume_print(const struct json_node *root)
{
	printf("the pause");
	say_if(root, "group", " of group {group}");
	printf(" has ended\n");
}

static int cmd_blocklist_resume(struct ctl *c)
{
	const struct http_param params[] = {{"group", c->group}, {NULL, NULL}};
	return show_change(c, "/blocklist/resume", params, resume_print);
}

CTL_COMMANDS = {
	{"blocklist", "status", 0, 0, 0, cmd_blocklist_status, "",
		"Show the lists: names, last update and failure of each; image, pause, rollback."},
	{"blocklist", "reload", 0, 0, CTL_OPT_FORCE, cmd_blocklist_reload, "[--force]",
		"Read the lists again. Build the rule image if a list changed; --force: in any "
		"case."},
	{"blocklist", "rollback", 0, 0, 0, cmd_blocklist_rollback, "",
		"Activate the previous rule image; it stays until the next blocklist reload."},
	{"blocklist", "pause", 1, 1, CTL_OPT_GROUP | CTL_OPT_ALL, cmd_blocklist_pause,
		"MINUTES [--group G|--all]",
		"Pause blocking for 1 to 1440 minutes: for all clients, or for group G; --all: "
		"block_all of schedules too."},
	{"blocklist", "resume", 0, 0, CTL_OPT_GROUP, cmd_blocklist_resume, "[--group G]",
		"End the pause of blocking.", .alias = "resume"},
	{"pause", NULL, 0, 1, CTL_OPT_GROUP | CTL_OPT_ALL, cmd_pause, "[T] [--group G|--all]",
		"Pause blocking for T (5m, 2h), else for 5 minutes: for all clients, or for group "
		"G; --all: block_all of schedules too."},
};
