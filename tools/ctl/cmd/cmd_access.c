// SPDX-License-Identifier: BSD-3-Clause
// `weirctl token` and `weirctl password` manage users of the control API over the network and from
// a browser; `weirctl audit` shows their changes.

#include "lib/log_page.h"
#include "lib/show.h"
#include "lib/table_cell.h"
#include "terminal/prompt.h"
#include "terminal/term_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Prints only the token on stdout, so that a file can take it.
static void created_print(const struct json_node *root)
{
	char shown[512], name[256], role[64], expires[CELL_TIME_MAX];
	printf("%s\n", term_text(json_text(root, "token"), shown, sizeof(shown)));
	fprintf(stderr,
		"weirctl: token \"%s\" with the role %s, expires: %s; it is not shown again\n",
		term_text(json_text(root, "name"), name, sizeof(name)),
		term_text(json_text(root, "role"), role, sizeof(role)),
		cell_time_text(json_signed(root, "expires_unix_s"), "never", expires));
}

// Reads --expires: "30d" from now, or a time to come. False: `text` is neither.
static bool expires_parse(const char *text, char *out, size_t cap)
{
	const time_t now = time(NULL);
	const char last = *text ? text[strlen(text) - 1] : '\0';
	int64_t us;
	if (!log_time_parse(text, now, &us))
		return false;
	int64_t left_s = us / 1000000 - now;
	if (strchr("smhd", last))
		left_s = -left_s;
	snprintf(out, cap, "%" PRId64, left_s);
	return left_s > 0;
}

static int cmd_token_create(struct ctl *c)
{
	char expires[32];
	if (!c->role) {
		ctl_fail(c, "token create takes --role sync, read, operate or admin");
		return CTL_USAGE;
	}
	if (c->expires && !expires_parse(c->expires, expires, sizeof(expires))) {
		ctl_fail(c, "--expires takes 12h, 30d or a time to come such as 2027-01-31");
		return CTL_USAGE;
	}
	const struct http_param params[] = {{"name", c->operand}, {"role", c->role},
		{"expires", c->expires ? expires : NULL}, {NULL, NULL}};
	return show_call(c, true, "/token/create", params, HTTP_SHORT_MS, created_print);
}

static void tokens_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {{"name", "name", cell_text},
		{"role", "role", cell_text}, {"state", "state", cell_text},
		{"created", "created_unix_s", cell_time}, {"expires", "expires_unix_s", cell_time},
		{"last used", "used_unix_s", cell_time}};
	cell_rows_print(json_get(root, "tokens"), columns, ARRAY_LEN(columns));
}

static int cmd_token_list(struct ctl *c)
{
	return show_call(c, false, "/tokens", NULL, HTTP_SHORT_MS, tokens_print);
}

static void revoked_print(const struct json_node *root)
{
	char name[256];
	printf("token \"%s\" revoked\n", term_text(json_text(root, "name"), name, sizeof(name)));
}

static int cmd_token_revoke(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {NULL, NULL}};
	return show_call(c, true, "/token/revoke", params, HTTP_SHORT_MS, revoked_print);
}

static void entry_print(const struct json_node *n)
{
	char when[CELL_TIME_MAX], who[512], method[64], path[1024], query[2048], from[512];
	printf("%s %s", cell_time_text(json_signed(n, "unix_s"), "-", when),
		*json_text(n, "who") ? term_text(json_text(n, "who"), who, sizeof(who)) : "nobody");
	if (*json_text(n, "from"))
		printf(" from %s", term_text(json_text(n, "from"), from, sizeof(from)));
	if (*json_text(n, "what")) {
		printf(": %s", term_text(json_text(n, "what"), path, sizeof(path)));
		if (json_count(n, "version"))
			printf(" (version %llu)", json_count(n, "version"));
		printf("\n");
		return;
	}
	printf(": %s %s%s%s: ", term_text(json_text(n, "method"), method, sizeof(method)),
		term_text(json_text(n, "path"), path, sizeof(path)),
		*json_text(n, "query") ? "?" : "",
		term_text(json_text(n, "query"), query, sizeof(query)));
	if (json_count(n, "status"))
		printf("%llu", json_count(n, "status"));
	else
		printf("begins");
	if (*json_text(n, "refused"))
		printf(", refused (%s)", term_text(json_text(n, "refused"), path, sizeof(path)));
	const unsigned long long left_out = json_count(n, "left_out");
	if (left_out)
		printf(", after %llu refused request%s that the log left out", left_out,
			left_out == 1 ? "" : "s");
	printf("\n");
}

static void audit_print(const struct json_node *root)
{
	const struct json_node *list = json_get(root, "entries");
	for (size_t i = 0; i < json_length(list); i++)
		entry_print(json_at(list, i));
}

static int cmd_audit(struct ctl *c)
{
	const struct http_param params[] = {{"limit", c->limit}, {NULL, NULL}};
	return show_call(c, false, "/audit", params, HTTP_SHORT_MS, audit_print);
}

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

static int cmd_password_set(struct ctl *c)
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

static void users_print(const struct json_node *root)
{
	static const struct cell_column columns[] = {
		{"user", "name", cell_text}, {"role", "role", cell_text}};
	cell_rows_print(json_get(root, "users"), columns, ARRAY_LEN(columns));
	printf("%llu sessions\n", json_count(root, "sessions"));
}

static int cmd_password_list(struct ctl *c)
{
	return show_call(c, false, "/passwords", NULL, HTTP_SHORT_MS, users_print);
}

static void removed_print(const struct json_node *root)
{
	char name[256];
	printf("user \"%s\" removed\n", term_text(json_text(root, "name"), name, sizeof(name)));
}

static int cmd_password_remove(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->operand}, {NULL, NULL}};
	return show_call(c, true, "/password/remove", params, HTTP_SHORT_MS, removed_print);
}

CTL_COMMANDS = {
	{"token", "create", 1, 1, CTL_OPT_ROLE | CTL_OPT_EXPIRES, cmd_token_create,
		"NAME --role sync|read|operate|admin [--expires T]",
		"Make a token for the control API over the network, and print it once. T: 12h, "
		"30d, or 2027-01-31; else it never expires."},
	{"token", "list", 0, 0, 0, cmd_token_list, "",
		"List the tokens: role, state, expiry, last use."},
	{"token", "revoke", 1, 1, 0, cmd_token_revoke, "NAME", "Revoke a token."},
	{"password", "set", 1, 1, CTL_OPT_ROLE, cmd_password_set, "USER --role read|operate|admin",
		"Give a local user of the control API a password, read from the terminal or "
		"stdin."},
	{"password", "list", 0, 0, 0, cmd_password_list, "",
		"List the local users with a password, and count the sessions."},
	{"password", "remove", 1, 1, 0, cmd_password_remove, "USER",
		"Remove a local user, and end its sessions."},
	{"audit", NULL, 0, 0, CTL_OPT_LIMIT, cmd_audit, "[--limit N]",
		"Show the last N (50) entries of the audit log: changes, and refused requests."},
};
