// SPDX-License-Identifier: BSD-3-Clause
// Tokens: made, checked, revoked, expired, kept as their digest alone, and read from a file.

#include "controlplane/access/tokens.h"
#include "tests/unit/unit.h"

enum { NOW = 1795000000 };

static struct tokens t;
static char text[TOKEN_TEXT_LEN + 1];

static int make(const char *name, enum control_role role, int64_t expires_unix_s)
{
	struct token wanted = {.role = role, .expires_unix_s = expires_unix_s};
	snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	return tokens_make(&t, &wanted, NOW, text);
}

static enum token_verdict check(const char *what, int64_t now)
{
	struct token *k;
	return tokens_check(&t, what, now, &k);
}

FIXTURE(empty, t = (struct tokens){0})

TEST_WITH(test_good, empty, NULL)
{
	struct token *k;
	assert_int_equal(make("ops", CONTROL_OPERATE, 0), 0);
	assert_int_equal(strlen(text), TOKEN_TEXT_LEN);
	assert_int_equal(strncmp(text, "weir_", 5), 0);
	assert_int_equal(tokens_check(&t, text, NOW + 5, &k), TOKEN_GOOD);
	assert_string_equal(k->name, "ops");
	assert_int_equal(k->role, CONTROL_OPERATE);
	assert_int_equal(k->used_unix_s, NOW + 5);
}

TEST_WITH(test_unknown, empty, NULL)
{
	char other[TOKEN_TEXT_LEN + 8];
	assert_int_equal(make("ops", CONTROL_ADMIN, 0), 0);
	for (unsigned i = 0; i < TOKEN_TEXT_LEN; i++) {
		memcpy(other, text, sizeof(text));
		other[i] = other[i] == '0' ? '1' : '0';
		assert_int_equal(check(other, NOW), TOKEN_UNKNOWN);
	}
	memcpy(other, text, sizeof(text));
	other[TOKEN_TEXT_LEN - 1] = '\0';
	assert_int_equal(check(other, NOW), TOKEN_UNKNOWN);
	snprintf(other, sizeof(other), "%s0", text);
	assert_int_equal(check(other, NOW), TOKEN_UNKNOWN);
	assert_int_equal(check("", NOW), TOKEN_UNKNOWN);
}

TEST_WITH(test_two_differ, empty, NULL)
{
	char first[TOKEN_TEXT_LEN + 1];
	assert_int_equal(make("a", CONTROL_READ, 0), 0);
	memcpy(first, text, sizeof(first));
	assert_int_equal(make("b", CONTROL_ADMIN, 0), 0);
	assert_string_not_equal(first, text);
	assert_int_equal(check(first, NOW), TOKEN_GOOD);
	assert_int_equal(check(text, NOW), TOKEN_GOOD);
}

TEST_WITH(test_over, empty, NULL)
{
	assert_int_equal(make("ops", CONTROL_READ, NOW + 10), 0);
	assert_int_equal(check(text, NOW + 9), TOKEN_GOOD);
	assert_int_equal(check(text, NOW + 10), TOKEN_EXPIRED);
	assert_int_equal(tokens_revoke(&t, "ops"), 0);
	assert_int_equal(check(text, NOW + 9), TOKEN_REVOKED);
	assert_int_equal(tokens_revoke(&t, "ops"), -ENOENT);
	assert_int_equal(tokens_revoke(&t, "other"), -ENOENT);
}

TEST_WITH(test_name_again, empty, NULL)
{
	char first[TOKEN_TEXT_LEN + 1];
	assert_int_equal(make("ops", CONTROL_ADMIN, 0), 0);
	memcpy(first, text, sizeof(first));
	assert_int_equal(make("ops", CONTROL_READ, 0), -EEXIST);
	assert_int_equal(check(first, NOW), TOKEN_GOOD);
	assert_int_equal(tokens_revoke(&t, "ops"), 0);
	assert_int_equal(make("ops", CONTROL_READ, 0), 0);
	assert_int_equal(t.count, 1);
	assert_int_equal(check(first, NOW), TOKEN_UNKNOWN);
}

TEST_WITH(test_full, empty, NULL)
{
	char name[8];
	for (unsigned i = 0; i < TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_int_equal(make(name, CONTROL_READ, 0), 0);
	}
	assert_int_equal(make("more", CONTROL_READ, 0), -ENOSPC);
	assert_int_equal(tokens_revoke(&t, "t7"), 0);
	assert_int_equal(make("more", CONTROL_READ, 0), 0);
	assert_int_equal(t.count, TOKENS_MAX);
	assert_string_equal(t.token[7].name, "more");
}

TEST_WITH(test_file, empty, NULL)
{
	static char file[TOKENS_FILE_MAX];
	char why[TOKENS_WHY_MAX], kept[TOKEN_TEXT_LEN + 1];
	assert_int_equal(make("a.b-c_d", CONTROL_OPERATE, NOW + 99), 0);
	memcpy(kept, text, sizeof(kept));
	assert_int_equal(make("gone", CONTROL_ADMIN, 0), 0);
	assert_int_equal(tokens_revoke(&t, "gone"), 0);
	const size_t len = tokens_write(&t, file);
	assert_null(memmem(file, len, kept + 5, TOKEN_TEXT_LEN - 5));
	assert_int_equal(tokens_read(&t, file, len, why), 0);
	assert_int_equal(t.count, 2);
	assert_int_equal(check(kept, NOW), TOKEN_GOOD);
	assert_int_equal(check(kept, NOW + 99), TOKEN_EXPIRED);
	assert_int_equal(check(text, NOW), TOKEN_REVOKED);
}

TEST_WITH(test_damaged, empty, NULL)
{
	static char file[TOKENS_FILE_MAX], copy[TOKENS_FILE_MAX];
	char why[TOKENS_WHY_MAX];
	assert_int_equal(make("ops", CONTROL_ADMIN, 0), 0);
	const size_t len = tokens_write(&t, file);
	for (size_t i = 0; i < len; i++) // cut short anywhere but behind the head
		if (i != strlen("weir-tokens 1\n"))
			assert_int_equal(tokens_read(&t, file, i, why), -EINVAL);
	assert_int_equal(t.count, 0);
	static const char *const wrong[] = {"weir-tokens 2\n",
		"weir-tokens 1\nops admin zz 1 0 valid\n", "weir-tokens 1\n\n",
		"weir-tokens 1\nops root %s 1 0 valid\n", "weir-tokens 1\no/s admin %s 1 0 valid\n",
		"weir-tokens 1\nops admin %s -1 0 valid\n",
		"weir-tokens 1\nops admin %s 1 0 maybe\n",
		"weir-tokens 1\nops admin %s 1 0 valid valid\n"};
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		char digest[65];
		memset(digest, 'a', 64);
		digest[64] = '\0';
		const char *at = strstr(wrong[i], "%s");
		snprintf(copy, sizeof(copy), "%.*s%s%s", at ? (int)(at - wrong[i]) : 999, wrong[i],
			at ? digest : "", at ? at + 2 : "");
		if (tokens_read(&t, copy, strlen(copy), why) != -EINVAL)
			fail_msg("%s", copy);
	}
}

TEST(test_names)
{
	assert_true(token_name_is_good("a"));
	assert_true(token_name_is_good("12345678901234567890123456789012"));
	assert_false(token_name_is_good("123456789012345678901234567890123"));
	assert_false(token_name_is_good(""));
	assert_false(token_name_is_good("a b"));
	assert_false(token_name_is_good("a\nb"));
	assert_int_equal(control_role_find("none"), CONTROL_NONE);
	assert_int_equal(control_role_find(NULL), CONTROL_NONE);
	assert_int_equal(control_role_find("admin"), CONTROL_ADMIN);
}
