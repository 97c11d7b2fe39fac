// SPDX-License-Identifier: BSD-3-Clause
// Section updates: off by default, and never without a URL and a key.

#include "config_text.h"

#include <weir/config_tools.h>

#define KEY "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="

TEST(nothing_is_asked_for_by_default)
{
	struct config *c = config_text_load(MINIMAL);
	assert_false(c->updates.check);
	assert_string_equal(c->updates.url, "");
	assert_string_equal(c->updates.key, "");
	assert_int_equal(c->updates.interval_s, 86400);
	assert_int_equal(c->updates.jitter_s, 3600);
}

TEST(each_value_is_taken)
{
	static const uint8_t first[] = {0x19, 0xbf, 0x44, 0x09}, last[] = {0x31, 0x66, 0xe1};
	struct config *c = config_text_load(
		MINIMAL "updates: {check: true, url: 'https://weir.example/update', key: " KEY
			", interval: 3600, jitter: 0}\n");
	assert_true(c->updates.check);
	assert_string_equal(c->updates.url, "https://weir.example/update");
	assert_int_equal(c->updates.interval_s, 3600);
	assert_int_equal(c->updates.jitter_s, 0);
	assert_memory_equal(c->updates.public_key, first, sizeof(first));
	assert_memory_equal(c->updates.public_key + 29, last, sizeof(last));
}

TEST(what_cannot_be_is_refused)
{
	static const struct refusal bad[] = {
		{"check: perhaps", "updates.check"},
		{"check: true, key: " KEY, "updates.url: `updates.check` needs it"},
		{"check: true, url: 'http://a/'", "updates.key: `updates.check` needs it"},
		{"url: 'ftp://a/'", "updates.url: is not a URL with http or https"},
		{"url: 'https://me:it@a/'", "updates.url: must be without a user"},
		{"key: MCowBQYDK2VwAyEA", "updates.key: is no Ed25519 public key"},
		// X25519, and the bare 32 bytes.
		{"key: MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
			"updates.key: is no Ed25519 public key"},
		{"key: Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
			"updates.key: is no Ed25519 public key"},
		{"key: MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuF=",
			"updates.key: is no Ed25519 public key"},
		{"interval: 3599", "updates.interval: must be 3600 to 2592000"},
		{"jitter: 86401", "updates.jitter: must be 0 to 86400"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "updates: {%s}\n", bad);
}

TEST(no_value_needs_a_restart)
{
	char keys[64];
	struct config *a = config_text_load(MINIMAL);
	struct config *b = config_text_load(
		MINIMAL "updates: {check: true, url: 'http://a/', key: " KEY "}\n");
	assert_int_equal(config_needs_restart(a, b, keys, sizeof(keys)), 0);
}
