// SPDX-License-Identifier: BSD-3-Clause
// `weirctl fleet` shows the boxes that have one configuration, and makes a box the primary.

#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"

#include <stdio.h>
#include <string.h>

static const char *state_of(const struct json_node *box)
{
	if (json_flag(box, "away"))
		return "away";
	if (strcmp(json_text(box, "result"), "refused") == 0)
		return "refused";
	if (strcmp(json_text(box, "result"), "taken_back") == 0)
		return "taken back";
	return json_flag(box, "current") ? "current" : "behind";
}

static void boxes_print(const struct json_node *list)
{
	static const char *const heads[] = {"box", "address", "state", ">version", ">seen", "ready",
		">clock", "weir", "reason", NULL};
	struct table *t = table_new(heads);
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *box = json_at(list, i);
		table_cell(t, "%s%s", json_text(box, "name"),
			json_flag(box, "twin") ? " (one of two with this name)" : "");
		cell_text(t, box, "from");
		table_cell(t, "%s", state_of(box));
		cell_count(t, box, "version");
		cell_duration(t, box, "seen_ms");
		table_cell(t, "%s", json_flag(box, "ready") ? "yes" : "no");
		table_cell(t, "%+.1f s", (double)json_signed(box, "clock_ms") / 1e3);
		cell_text(t, box, "software");
		cell_text(t, box, "reason");
		table_row_end(t);
	}
	table_print(t);
}

static void secondary_print(const struct json_node *s)
{
	char good[CELL_TIME_MAX];
	say(s, "primary      {url}");
	say_if(s, "primary", ", {primary}");
	printf("\nlast reply   %s\n",
		cell_time_text(json_signed(s, "good_unix_s"), "none so far", good));
	say_if(s, "why", "now          {why}\n");
	say(s, "version      {version:u}, {result}");
	say_if(s, "reason", ": {reason}");
	printf("\n");
}

static void primary_print(const struct json_node *p)
{
	say_if(p, "rival",
		"NOT the primary any more: {rival} has epoch {rival_epoch:u}. Point sync.primary "
		"of this box at it, or run weirctl fleet promote here.\n");
	if (json_length(json_get(p, "boxes")) == 0) {
		printf("no box has polled this one in seven days\n");
		return;
	}
	say(p, "handing out  version {version:u}\n\n");
	boxes_print(json_get(p, "boxes"));
}

static void fleet_print(const struct json_node *root)
{
	const struct json_node *secondary = json_get(root, "secondary");
	say(root, "box          {box}, ");
	printf(secondary ? "a secondary" : "a primary");
	say(root, " with epoch {epoch:u}\n");
	say_if(root, "store_why", "NOT STORED   {store_why}\n");
	if (secondary)
		secondary_print(secondary);
	else
		primary_print(json_get(root, "primary"));
}

static int cmd_fleet_status(struct ctl *c)
{
	return show_call(c, false, "/fleet", NULL, HTTP_SHORT_MS, fleet_print);
}

static void promoted_print(const struct json_node *root)
{
	say(root,
		"{box} is a primary with epoch {epoch:u}; point sync.primary of the other boxes at "
		"it\n");
}

// Takes sync.primary out of the configuration in force where a file or an override has it.
static int primary_unset(struct ctl *c)
{
	const struct http_param params[] = {
		{"path", "sync.primary"}, {"why", "fleet promote"}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/fleet", NULL, HTTP_SHORT_MS);
	if (!doc)
		return CTL_FAILED;
	const bool is_secondary = json_get(json_doc_root(doc), "secondary") != NULL;
	json_doc_free(doc);
	if (!is_secondary)
		return CTL_OK;
	doc = http_call_or_fail(c, true, "/config/unset", params, HTTP_BUILD_MS);
	if (!doc)
		return CTL_FAILED;
	(void)show_warning(json_doc_root(doc));
	json_doc_free(doc);
	return CTL_OK;
}

static int cmd_fleet_promote(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK || primary_unset(c) != CTL_OK)
		return CTL_FAILED;
	return show_doc(c, http_call_or_fail(c, true, "/fleet/promote", NULL, HTTP_CACHE_FLUSH_MS),
		promoted_print);
}

CTL_COMMANDS = {
	{"fleet", "status", 0, 0, 0, cmd_fleet_status, "",
		"Show this box's part in the fleet: of a primary, each box that takes its "
		"configuration; of a secondary, its primary."},
	{"fleet", "promote", 0, 0, 0, cmd_fleet_promote, "",
		"Make this box the primary: unset sync.primary, and raise the epoch."},
};
