// SPDX-License-Identifier: BSD-3-Clause
// What an operator does when blocking goes wrong: the image before, a pause, its end.

#include "lib/say.h"
#include "lib/show.h"
#include "terminal/term_text.h"

#include <stdio.h>

enum { PAUSE_MINUTES_MAX = 1440 };

static void rollback_print(const struct json_node *root)
{
	say(root, "previous image activated: {names:n} names; it stays until weirctl blocklist "
		  "reload\n");
}

int cmd_blocklist_rollback(struct ctl *c)
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

// Not what strtoul would forgive: blanks, signs, "1e3".
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

int cmd_blocklist_pause(struct ctl *c)
{
	if (c->group && c->all) {
		fprintf(stderr, "weirctl: blocklist pause takes --group or --all, not both\n");
		return CTL_USAGE;
	}
	if (!minutes_good(c->operand)) {
		fprintf(stderr, "weirctl: blocklist pause takes 1 to %d minutes\n",
			PAUSE_MINUTES_MAX);
		return CTL_USAGE;
	}
	const struct http_param params[] = {{"minutes", c->operand}, {"group", c->group},
		{"block_all", c->all ? "1" : NULL}, {NULL, NULL}};
	return show_call(c, true, "/blocklist/pause", params, HTTP_SHORT_MS, pause_print);
}

static void resume_print(const struct json_node *root)
{
	printf("the pause");
	say_if(root, "group", " of group {group}");
	printf(" has ended\n");
}

int cmd_blocklist_resume(struct ctl *c)
{
	const struct http_param params[] = {{"group", c->group}, {NULL, NULL}};
	return show_call(c, true, "/blocklist/resume", params, HTTP_SHORT_MS, resume_print);
}
