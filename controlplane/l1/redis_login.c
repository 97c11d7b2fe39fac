// SPDX-License-Identifier: BSD-3-Clause
#include "redis_login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/text.h>

enum login_step { STEP_AUTH, STEP_SELECT, STEP_ROLE, STEP_NAME };

static int step_write(
	struct redis_conn *c, enum login_step step, const char *const *words, unsigned count)
{
	struct redis_command command = {.count = count};
	for (unsigned i = 0; i < count; i++)
		command.word[i] = (struct redis_word){words[i], strlen(words[i])};
	char *at = redis_conn_take(c, NULL, redis_command_size(&command));
	if (!at)
		return -ENOMEM;
	(void)redis_command_write(&command, at);
	c->step[c->steps++] = (uint8_t)step;
	c->login_end = c->given;
	return 0;
}

int redis_login_write(struct redis_conn *c, const struct redis_login *login)
{
	char db[16];
	c->steps = c->step_at = 0;
	int rc = 0;
	if (login->password[0] && login->username[0])
		rc = step_write(c, STEP_AUTH,
			(const char *[]){"AUTH", login->username, login->password}, 3);
	else if (login->password[0])
		rc = step_write(c, STEP_AUTH, (const char *[]){"AUTH", login->password}, 2);
	if (rc == 0 && login->db > 0) {
		snprintf(db, sizeof(db), "%u", login->db);
		rc = step_write(c, STEP_SELECT, (const char *[]){"SELECT", db}, 2);
	}
	if (rc == 0 && login->master)
		rc = step_write(c, STEP_ROLE, (const char *[]){"ROLE"}, 1);
	if (rc == 0)
		rc = step_write(c, STEP_NAME, (const char *[]){"CLIENT", "SETNAME", "weir"}, 3);
	return rc;
}

static const char *auth_error(const char *text)
{
	static const char *const known[] = {"WRONGPASS", "NOAUTH", "NOPERM", "LOADING", "ERR"};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strncmp(text, known[i], strlen(known[i])) == 0)
			return known[i];
	}
	return "an error";
}

static bool is_master(const struct redis_reply *reply)
{
	size_t len;
	const struct redis_reply *role = redis_reply_at(reply, 0);
	const char *text = role ? redis_reply_text(role, &len) : NULL;
	return text && len == strlen("master") && memcmp(text, "master", len) == 0;
}

bool redis_login_check(
	struct redis_conn *c, const struct redis_reply *reply, char why[REDIS_WHY_MAX])
{
	enum login_step step = c->step[c->step_at++];
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	bool error = redis_reply_kind(reply) == REDIS_ERROR;
	if (error && step == STEP_AUTH) {
		snprintf(why, REDIS_WHY_MAX, "log-in refused: %s", auth_error(text));
		return false;
	}
	if (step == STEP_ROLE && !error && !is_master(reply)) {
		snprintf(why, REDIS_WHY_MAX, "is not a master");
		return false;
	}
	// A server that forbids ROLE or CLIENT may still serve. NOAUTH at any step means that it
	// needs a password that is not configured.
	bool refused = error
		       && (step == STEP_SELECT || strncmp(text, "NOAUTH", 6) == 0
			       || strncmp(text, "LOADING", 7) == 0);
	if (refused) {
		char shown[REDIS_WHY_MAX - 16];
		snprintf(
			why, REDIS_WHY_MAX, "refused: %s", text_escape(text, shown, sizeof(shown)));
	}
	return !refused;
}
