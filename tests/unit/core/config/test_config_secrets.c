// SPDX-License-Identifier: BSD-3-Clause

// Secrets of a systemd credential and of the environment.

#include "config_text.h"

#include <weir/config_tools.h>

#define SECRET "00112233445566778899aabbccddeeff"

static char folder[FOLDER_MAX];

static void write_secret(const char *name, const char *text)
{
	text_to_file(text_from("%s/%s", folder, name), text);
}

TEST(test_credential)
{
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	write_secret("redis-1.pass", "swordfish\nmore\n");
	write_secret("cookies", SECRET "\n");
	struct config *c = config_text_load(MINIMAL
		"redis: {mode: standalone, addresses: [192.0.2.7], username: u, password_file: "
		"'credential:redis-1.pass'}\n"
		"cookies: {secret_file: 'credential:cookies'}\n");
	assert_string_equal(c->redis.password, "swordfish");
	assert_string_equal(c->redis.password_file, "credential:redis-1.pass");
	assert_int_equal(c->cookies.count, 1);
	assert_int_equal(c->cookies.secret[0][15], 0xff);
}

TEST(test_variable)
{
	assert_int_equal(setenv("WEIR_TEST_PASSWORD", "swordfish", 1), 0);
	assert_int_equal(setenv("WEIR_TEST_TICKETS", SECRET SECRET " " SECRET SECRET, 1), 0);
	assert_int_equal(setenv("WEIR_TEST_TSIG", "MDEyMzQ1Njc4OWFiY2RlZg==", 1), 0);
	struct config *c = config_text_load(MINIMAL
		"query_log: {clickhouse: {url: 'http://192.0.2.9:8123', password_file: "
		"'env:WEIR_TEST_PASSWORD'}}\n"
		"tls: {tickets_file: 'env:WEIR_TEST_TICKETS'}\n"
		"blocking: {tsig_keys: [{name: k.example, secret_file: 'env:WEIR_TEST_TSIG'}]}\n");
	assert_string_equal(c->query_log.clickhouse.password, "swordfish");
	assert_int_equal(c->tls.secret_count, 2);
	assert_int_equal(c->blocking.tsig_keys[0].secret_len, 16);
	assert_memory_equal(c->blocking.tsig_keys[0].secret, "0123456789abcdef", 16);
}

// No name leads out of the folder, and no error repeats what stands there.
TEST(test_names)
{
	static const char *const bad[] = {"credential:", "credential:../secret", "credential:a/b",
		"credential:..", "credential:.hidden", "credential:/etc/hostname",
		"env:", "env:A=B", "env:a b",
		"env:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		config_text_refused_at(text_from(MINIMAL "redis: {password_file: '%s'}\n", bad[i]),
			"8:9: redis.password_file: needs a name of 1 to 64 letters, digits");
		config_text_refused_at(text_from(MINIMAL "cookies: {secret_file: '%s'}\n", bad[i]),
			"8:11: cookies.secret_file: needs a name of 1 to 64");
	}
	config_text_refused_at(MINIMAL "redis: {password_file: swordfish}\n",
		"8:9: redis.password_file: must be an absolute path, credential:NAME or env:NAME");
	assert_int_equal(setenv("WEIR_TEST_LONG", SECRET "0", 1), 0);
	config_text_refused_at(MINIMAL "cookies: {secret_file: 'env:WEIR_TEST_LONG'}\n",
		"8:11: cookies.secret_file: a secret is 32 hexadecimal digits (16 bytes)");
	assert_int_equal(setenv("WEIR_TEST_EMPTY", "", 1), 0);
	config_text_refused_at(MINIMAL "cookies: {secret_file: 'env:WEIR_TEST_EMPTY'}\n",
		"8:11: cookies.secret_file: has no secret");
}

TEST(test_longest)
{
	static char text[CONFIG_ENTRIES_MAX];
	memset(text, 'x', 512);
	assert_int_equal(setenv("WEIR_TEST_LONG", text, 1), 0);
	struct config *c =
		config_text_load(MINIMAL "redis: {password_file: 'env:WEIR_TEST_LONG'}\n");
	assert_string_equal(c->redis.password, text);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(setenv("WEIR_TEST_LONG", text, 1), 0);
	config_text_refused_at(MINIMAL "redis: {password_file: 'env:WEIR_TEST_LONG'}\n",
		"8:9: redis.password_file: its first line must have 1 to 512 bytes");
	config_text_refused_at(MINIMAL "cookies: {secret_file: 'env:WEIR_TEST_LONG'}\n",
		"8:11: cookies.secret_file: has more than 1024 bytes");
}

// The control plane needs them; weirctl and the data plane read the same configuration without.
TEST(test_absent)
{
	static const struct {
		const char *value, *why;
	} absent[] = {
		{"env:WEIR_TEST_NONE", "started without that variable of the environment"},
		{"credential:none", "started without that systemd credential"},
	};
	char why[CONFIG_WHY_MAX];
	static struct config_errors errors;
	assert_int_equal(unsetenv("WEIR_TEST_NONE"), 0);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(absent); i++) {
		struct config *c = NULL;
		if (i < ARRAY_LEN(absent))
			assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
		else
			assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
		const unsigned at = i % ARRAY_LEN(absent);
		write_secret("weir.yaml",
			text_from(MINIMAL "redis: {mode: standalone, addresses: [192.0.2.7], "
					  "username: u, password_file: '%s'}\n"
					  "cookies: {secret_file: '%s'}\n",
				absent[at].value, absent[at].value));
		const char *path = text_from("%s/weir.yaml", folder);
		assert_int_equal(config_load(path, &c, why), -EINVAL);
		assert_non_null(strstr(why, absent[at].why));
		assert_int_equal(config_load_all(path, &c, &errors), 0);
		assert_string_equal(c->redis.password, "");
		assert_int_equal(c->cookies.count, 0);
		config_free(c);
		assert_int_equal(config_load_public(path, &c, why), 0);
		assert_string_equal(c->redis.password, "");
		config_free(c);
	}
}

FIXTURE_OF(setup, folder_make(folder, "config_secrets"))

FIXTURE_OF(teardown, folder_remove(folder, ""))

TEST_GROUP(setup, teardown)
