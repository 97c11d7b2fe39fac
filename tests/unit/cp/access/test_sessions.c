// SPDX-License-Identifier: BSD-3-Clause
// Sessions of browsers and passwords of local users, as tables.

#include "controlplane/access/passwords.h"
#include "controlplane/access/sessions.h"
#include "tests/unit/unit.h"

enum { NOW = 5000 };

static const struct source_key here = {{AF_INET, 192, 0, 2, 7}}, there = {{AF_INET, 192, 0, 2, 8}};
static struct sessions t;
static struct passwords p;
static char text[SESSION_TEXT_LEN + 1];

static int empty(void **)
{
	t = (struct sessions){0};
	p = (struct passwords){0};
	return 0;
}

TEST_WITH(test_session, empty, NULL)
{
	struct session *s = sessions_begin(&t, "eve", CONTROL_OPERATE, here, NOW, text);
	assert_non_null(s);
	assert_int_equal(strlen(text), SESSION_TEXT_LEN);
	assert_string_not_equal(text, s->csrf);
	assert_ptr_equal(sessions_find(&t, text, here, NOW), s);
	assert_string_equal(s->user, "eve");
	assert_int_equal(s->role, CONTROL_OPERATE);
	assert_true(session_csrf_is(s, s->csrf));
	assert_false(session_csrf_is(s, NULL));
	assert_false(session_csrf_is(s, ""));
	assert_false(session_csrf_is(s, text));
	assert_null(sessions_find(&t, s->csrf, here, NOW));
	assert_null(sessions_find(&t, "", here, NOW));
	text[0] = text[0] == '0' ? '1' : '0';
	assert_null(sessions_find(&t, text, here, NOW));
}

// A cookie that another server of the host saw is of no use elsewhere, and keeps nothing alive.
TEST_WITH(test_of_its_place, empty, NULL)
{
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW, text));
	assert_null(sessions_find(&t, text, there, NOW + SESSION_IDLE_S - 1));
	assert_non_null(sessions_find(&t, text, here, NOW + SESSION_IDLE_S - 1));
	assert_null(sessions_find(&t, text, there, NOW + SESSION_IDLE_S));
	assert_null(sessions_find(&t, text, here, NOW + 2 * SESSION_IDLE_S - 1));
}

TEST_WITH(test_no_session_is_none, empty, NULL)
{
	char zeros[SESSION_TEXT_LEN + 1];
	memset(zeros, '0', SESSION_TEXT_LEN);
	zeros[SESSION_TEXT_LEN] = '\0';
	assert_null(sessions_find(&t, zeros, here, NOW));
}

TEST_WITH(test_ends, empty, NULL)
{
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW, text));
	assert_non_null(sessions_find(&t, text, here, NOW + SESSION_IDLE_S - 1));
	assert_non_null(sessions_find(&t, text, here, NOW + 2 * SESSION_IDLE_S - 2));
	assert_null(sessions_find(&t, text, here, NOW + 3 * SESSION_IDLE_S - 2));
	assert_int_equal(sessions_used(&t), 0);
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW, text));
	for (uint64_t at = 0; at < SESSION_LIFE_S; at += SESSION_IDLE_S / 2)
		assert_non_null(sessions_find(&t, text, here, NOW + at));
	assert_null(sessions_find(&t, text, here, NOW + SESSION_LIFE_S));
	assert_int_equal(t.lapsed, 2);
}

// One that nobody asks for ends as well, and is noticed.
TEST_WITH(test_lapse, empty, NULL)
{
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW, text));
	assert_non_null(sessions_begin(&t, "bob", CONTROL_READ, here, NOW + 2, text));
	sessions_lapse(&t, NOW + SESSION_IDLE_S - 1);
	assert_int_equal(t.lapsed, 0);
	sessions_lapse(&t, NOW + SESSION_IDLE_S);
	assert_int_equal(t.lapsed, 1);
	assert_int_equal(sessions_used(&t), 1);
	assert_non_null(sessions_find(&t, text, here, NOW + SESSION_IDLE_S));
	session_end(sessions_begin(
		&t, "eve", CONTROL_READ, here, NOW + SESSION_IDLE_S, text)); // by its user
	assert_int_equal(t.lapsed, 1);
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW + SESSION_IDLE_S, text));
	assert_non_null(sessions_begin(&t, "bob", CONTROL_READ, here, NOW + SESSION_LIFE_S, text));
	assert_int_equal(t.lapsed, 3);
}

static void begin_as(const char *name, unsigned number, uint64_t now_s)
{
	char user[32];
	snprintf(user, sizeof(user), "%s%u", name, number);
	assert_non_null(sessions_begin(&t, user, CONTROL_READ, here, now_s, text));
}

TEST_WITH(test_full, empty, NULL)
{
	char first[SESSION_TEXT_LEN + 1], second[SESSION_TEXT_LEN + 1];
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW, first));
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW + 1, second));
	for (unsigned i = 2; i < SESSIONS_MAX; i++)
		begin_as("bob", i, NOW + 3);
	assert_non_null(sessions_find(&t, first, here, NOW + 4));
	assert_non_null(sessions_begin(&t, "bob", CONTROL_READ, here, NOW + 5, text));
	assert_int_equal(t.evicted, 1);
	assert_int_equal(t.lapsed, 1);
	assert_non_null(sessions_find(&t, first, here, NOW + 5)); // of who had most the idle one
	assert_null(sessions_find(&t, second, here, NOW + 5));
	sessions_end_user(&t, "bob");
	assert_int_equal(sessions_used(&t), SESSIONS_MAX - 1);
	assert_null(sessions_find(&t, text, here, NOW + 5));
}

// However often readers log in, they end their own sessions alone.
TEST_WITH(test_a_user_ends_its_own, empty, NULL)
{
	char admin[SESSION_TEXT_LEN + 1], first[SESSION_TEXT_LEN + 1];
	assert_non_null(sessions_begin(&t, "root", CONTROL_ADMIN, here, NOW, admin));
	assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW + 1, first));
	for (unsigned i = 1; i < SESSIONS_EACH_MAX; i++)
		assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW + 2, text));
	assert_non_null(sessions_find(&t, first, here, NOW + 2));
	for (unsigned i = 0; i < 2 * SESSIONS_MAX; i++)
		assert_non_null(sessions_begin(&t, "eve", CONTROL_READ, here, NOW + 3, text));
	assert_int_equal(sessions_used(&t), 1 + SESSIONS_EACH_MAX);
	assert_null(sessions_find(&t, first, here, NOW + 3));
	for (unsigned i = 0; i < 4 * SESSIONS_MAX; i++)
		begin_as("mob", i % 5, NOW + 4);
	assert_int_equal(sessions_used(&t), SESSIONS_MAX);
	assert_non_null(sessions_find(&t, admin, here, NOW + 5));
	assert_non_null(sessions_find(&t, text, here, NOW + 5));
}

static void put(const char *name, const char *password, enum control_role role)
{
	struct password user = {.role = role};
	snprintf(user.name, sizeof(user.name), "%s", name);
	assert_true(password_make(&user, password));
	assert_int_equal(passwords_put(&p, &user), 0);
}

TEST_WITH(test_passwords, empty, NULL)
{
	static char file[PASSWORDS_FILE_MAX];
	char why[TOKENS_WHY_MAX];
	put("eve", "one two three", CONTROL_ADMIN);
	put("bob", "one two three", CONTROL_READ);
	assert_memory_not_equal(
		passwords_find(&p, "eve")->digest, passwords_find(&p, "bob")->digest, 32);
	const size_t len = passwords_write(&p, file);
	assert_null(strstr(file, "one"));
	assert_int_equal(passwords_read(&p, file, len, why), 0);
	assert_int_equal(p.count, 2);
	assert_true(password_is(passwords_find(&p, "eve"), "one two three"));
	assert_false(password_is(passwords_find(&p, "eve"), "one two four"));
	assert_false(password_is(passwords_find(&p, "eve"), ""));
	put("eve", "another one", CONTROL_READ);
	assert_int_equal(p.count, 2);
	assert_false(password_is(passwords_find(&p, "eve"), "one two three"));
	assert_int_equal(passwords_remove(&p, "eve"), 0);
	assert_int_equal(passwords_remove(&p, "eve"), -ENOENT);
	assert_null(passwords_find(&p, "eve"));
	for (size_t i = 0; i < len; i++)
		if (i != strlen("weir-passwords 1\n") && file[i - (i > 0)] != '\n')
			assert_int_equal(passwords_read(&p, file, i, why), -EINVAL);
}

TEST_WITH(test_passwords_full, empty, NULL)
{
	struct password user = {.role = CONTROL_READ};
	for (unsigned i = 0; i < PASSWORDS_MAX; i++) {
		snprintf(user.name, sizeof(user.name), "u%u", i);
		assert_int_equal(passwords_put(&p, &user), 0);
	}
	snprintf(user.name, sizeof(user.name), "more");
	assert_int_equal(passwords_put(&p, &user), -ENOSPC);
	snprintf(user.name, sizeof(user.name), "u3");
	assert_int_equal(passwords_put(&p, &user), 0);
}
