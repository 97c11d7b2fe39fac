// SPDX-License-Identifier: BSD-3-Clause

// `weirctl password`: local users of the control API, for browsers.

#include "lib/cell.h"
#include "lib/show.h"
#include "terminal/prompt.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PASSWORD_ROOM = 260 };

static bool password_read(char out[PASSWORD_ROOM])
{
	char again[PASSWORD_ROOM];
	if (!isatty(STDIN_FILENO))
		return prompt_line(out, PASSWORD_ROOM);
	const bool same = prompt_secret("Password: ", out, PASSWORD_ROOM)
			  && prompt_secret("Again: ", again, sizeof(again))
			  && strcmp(out, again) == 0;
	explicit_bzero(again, sizeof(again));
	return same;
}

static void set_print(const struct json_node *root)
{
	char name[256], role[64];
	printf("password of \"%s\" set, with the role %s; sessions before it have ended\n",
		term_text(json_text(root, "name"), name, sizeof(name)),
		term_text(json_text(root, "role"), role, sizeof(role)));
}

int cmd_password_set(struct ctl *c)
{
	char password[PASSWORD_ROOM];
	if (!c->role || c->expires) {
		ctl_fail(c, "password set takes --role read, operate or admin");
		return CTL_USAGE;
	}
	if (!password_read(password))
		return ctl_fail(c, "no password: a line of at most 256 bytes on stdin, or the "
				   "same one twice on the terminal");
	const struct http_param params[] = {{"name", c->operand}, {"role", c->role},
		{HTTP_FORM "password", password}, {NULL, NULL}};
	int rc = show_call(c, true, "/password/set", params, HTTP_SHORT_MS, set_print);
	explicit_bzero(password, sizeof(password));
	return rc;
}

static void list_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {
		{"user", "name", cell_text}, {"role", "role", cell_text}};
	cell_rows_print(json_get(root, "users"), columns, ARRAY_LEN(columns));
	printf("%llu sessions\n", json_count(root, "sessions"));
}

int cmd_password_list(struct ctl *c)
{
	return show_call(c, false, "/passwords", NULL, HTTP_SHORT_MS, list_print);
}

static void removed_print(const struct json_node *root)
{
	char name[256];
	printf("user \"%s\" removed\n", term_text(json_text(root, "name"), name, sizeof(name)));
}

int cmd_password_remove(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {NULL, NULL}};
	return show_call(c, true, "/password/remove", params, HTTP_SHORT_MS, removed_print);
}
