// SPDX-License-Identifier: BSD-3-Clause
// The section `access`: words, defaults, and what is refused; the lists of the section `limits`.

#include "config_text.h"

#define THREE PORTS "  service_addresses: [203.0.113.53/25, '2001:db8::53/64', 192.0.2.1]\n" SERVERS

static bool has(const struct ip_address *list, unsigned count, const char *text)
{
	struct ip_address a = address_of_text(text);
	for (unsigned i = 0; i < count; i++)
		if (memcmp(&list[i], &a, sizeof(a)) == 0)
			return true;
	return false;
}

// Nobody becomes an open resolver by what they leave out.
TEST(test_shipped)
{
	static const char *const texts[] = {
		THREE, THREE "access:\n", THREE "access:\n  allow:\n  unlimited:\n"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *c = config_text_load(texts[i]);
		const struct config_access *a = &c->access;
		assert_int_equal(a->allow_count, 11);
		assert_true(has(a->allow, a->allow_count, "10.0.0.0/8"));
		assert_true(has(a->allow, a->allow_count, "fe80::/10"));
		assert_true(has(a->allow, a->allow_count, "203.0.113.0/25"));
		assert_true(has(a->allow, a->allow_count, "2001:db8::/64"));
		assert_false(has(a->allow, a->allow_count, "0.0.0.0/0"));
		assert_int_equal(a->unlimited_count, 11);
		assert_int_equal(a->deny_count, 0);
		assert_false(a->refuse);
		assert_int_equal(a->rate, 100);
		assert_int_equal(a->network_rate, 1000);
		assert_int_equal(a->burst_s, 2);
		assert_int_equal(a->slip, 2);
		assert_int_equal(a->reply_octets, 512);
		assert_true(a->any_minimal);
	}
}

TEST(test_given)
{
	struct config *c = config_text_load(
		THREE "access:\n  allow: [any, 10.0.0.0/8, 10.0.0.0/8, local]\n  deny: "
		      "[198.51.100.0/24]\n"
		      "  unlimited: [192.0.2.7]\n  denied: refuse\n  rate: 0\n  network_rate: 7\n"
		      "  burst: 60\n  slip: 0\n  reply_octets: 99\n  any: forward\n");
	const struct config_access *a = &c->access;
	assert_int_equal(a->allow_count, 5);
	assert_true(has(a->allow, a->allow_count, "0.0.0.0/0"));
	assert_true(has(a->allow, a->allow_count, "::/0"));
	assert_int_equal(a->deny_count, 1);
	assert_int_equal(a->unlimited_count, 1);
	assert_true(a->refuse);
	assert_int_equal(a->rate, 0);
	assert_int_equal(a->network_rate, 7);
	assert_int_equal(a->burst_s, 60);
	assert_int_equal(a->slip, 0);
	assert_int_equal(a->reply_octets, 99);
	assert_false(a->any_minimal);
}

TEST(test_nobody_unlimited)
{
	struct config *c = config_text_load(THREE "access:\n  unlimited: []\n");
	assert_int_equal(c->access.unlimited_count, 0);
	assert_int_equal(c->access.allow_count, 11);
}

// From what a word stands for there may be exceptions, of the same length too (policy_build.c).
TEST(test_denied_of_a_word)
{
	static const char *const texts[] = {
		"", "  allow: [private, local]\n", "  allow: [any, private, 10.0.0.0/9]\n"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *c = config_text_load(
			text_from(THREE "access:\n  deny: [10.0.0.0/8]\n%s", texts[i]));
		const struct config_access *a = &c->access;
		assert_true(has(a->allow, a->allow_count, "10.0.0.0/8"));
		assert_int_equal(a->deny_count, 1);
	}
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"  allow: [everyone]\n", "access.allow[0]: is not an IP address"},
		{"  allow: [10.0.0.1/8]\n", "access.allow[0]: has bits set behind its prefix of 8"},
		{"  deny: [private]\n", "access.deny[0]: is not an IP address"},
		{"  allow: []\n", "access.allow: has no prefix"},
		{"  allow: [private, 10.0.0.0/8]\n  deny: [10.0.0.0/8]\n",
			"access.deny: has a prefix that is in allow too"},
		{"  unlimited: [10.0.0.0/33]\n", "access.unlimited[0]: is not an IP address"},
		{"  denied: maybe\n", "access.denied: must be one of: drop, refuse"},
		{"  slip: 101\n", "access.slip: must be 0 to 100"},
		{"  burst: 0\n", "access.burst: must be 1 to 60"},
	};
	EACH_REFUSED(config_text_refused, THREE "access:\n%s", bad);
}

// No service address has a prefix, so no network is local. Nobody is not everybody.
TEST(test_nothing_local)
{
	config_text_refused(PORTS "  service_addresses: [192.0.2.1]\n" SERVERS
				  "access:\n  allow: [local]\n",
		"access.allow: has no prefix");
}

TEST(test_limits_without_bounds)
{
	struct config *c =
		config_text_load(THREE "limits: {unlimited_clients: [192.0.2.25, 2001:db8::/56], "
				       "unlimited_zones: [Corp.Example]}\n");
	const struct config_limits *l = &c->limits;
	assert_int_equal(l->unlimited_client_count, 2);
	assert_int_equal(l->unlimited_clients[0].prefix_len, 32);
	assert_int_equal(l->unlimited_clients[1].prefix_len, 56);
	assert_int_equal(l->unlimited_zone_count, 1);
	assert_int_equal(l->unlimited_zones[0].len, 14);
	assert_memory_equal(l->unlimited_zones[0].wire, "\4corp\7example", 14);
	c = config_text_load(THREE);
	assert_int_equal(c->limits.unlimited_client_count, 0);
	assert_int_equal(c->limits.unlimited_zone_count, 0);
}
