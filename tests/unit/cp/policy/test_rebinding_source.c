// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/policy/rebinding_source.h"
#include "tests/unit/core/dns/dns_build.h"
#include "tests/unit/cp/answer_policy/answer_policy_fixture.h"

static struct answer_policy_fixture f;
static const struct ip_address *nat64;

// Is an answer with this address to this name blocked?
static bool blocked(const char *name, const char *address)
{
	struct dns_name q = fixture_name(name);
	struct answer_match finding;
	uint8_t bytes[28] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
	struct ip_address a = address_of_text(address);
	unsigned len = a.version == 6 ? 16 : 4;
	bytes[3] = a.version == 6 ? DNS_TYPE_AAAA : DNS_TYPE_A;
	bytes[11] = (uint8_t)len;
	memcpy(bytes + 12, a.bytes, len);
	const struct dns_answer_view v = {.bytes = bytes, .len = 12 + len, .ancount = 1};
	answer_policy_answer(
		f.answer_policy, ANSWER_POLICY_ON_RESOLVER, &q, bytes[3], &v, nat64, &finding);
	static const char *const title = REBINDING_TITLE;
	const struct rule_set group = fixture_group(&f, &title, 1);
	return answer_match_lists(&finding, group.lists, &(struct rule_set){{0}});
}

TEST(test_addresses_and_names)
{
	struct dns_name allow[] = {fixture_name("home.example")};
	struct config_forward_zone zone = {.name = fixture_name("corp.example"), .server_count = 1},
				   root = {.name = {.len = 1}, .server_count = 1},
				   exempt = {.name = fixture_name("exempt.example")},
				   lab = {.name = fixture_name("lab.example"), .server_count = 1};
	struct config_forward_zone zones[] = {zone, root, exempt};
	struct config_group group = {.forwards = &lab, .forward_count = 1};
	const struct config c = {
		.blocking.rebinding = {.enabled = true, .allow = allow, .allow_count = 1},
		.forwards = zones,
		.forward_count = 3,
		.groups = &group,
		.group_count = 1,
	};
	struct rebinding_source *s;
	assert_int_equal(rebinding_source_new(&c, &s), 0);
	assert_non_null(s);
	fixture_open(&f);
	fixture_source(&f, "allow entries");
	fixture_source(&f, "deny entries");
	fixture_source(&f, REBINDING_TITLE);
	assert_int_equal(rebinding_source_rules(s, rule_builder_rule, f.builder), 0);
	rebinding_source_free(s);
	fixture_check(&f);
	static const char *const private[] = {"0.0.0.0", "10.255.255.255", "127.0.0.1",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.0.1", "::", "::1",
		"fd53::1", "fe80::1", "::ffff:192.168.1.1", "64:ff9b::10.0.0.1"};
	static const char *const public[] = {"1.0.0.0", "9.255.255.255", "172.32.0.0", "192.0.2.1",
		"192.169.0.0", "::2", "2001:db8::1", "64:ff9b::8.8.8.8"};
	struct ip_address own; // prefix of a NAT64
	own = address_of_text("2001:db8:64::/48");
	assert_false(blocked("www.example", "2001:db8:64:a00:0:100::"));
	nat64 = &own;
	assert_true(blocked("www.example", "2001:db8:64:a00:0:100::"));
	assert_false(blocked("www.example", "2001:db8:64:b00:0:100::"));
	assert_false(blocked("www.example", "2001:db8:65:a00:0:100::"));
	for (unsigned i = 0; i < ARRAY_LEN(private); i++) {
		assert_true(blocked("www.example", private[i]));
		assert_true(blocked("exempt.example", private[i]));
		assert_false(blocked("nas.home.example", private[i]));
		assert_false(blocked("corp.example", private[i]));
		assert_false(blocked("a.lab.example", private[i]));
	}
	for (unsigned i = 0; i < ARRAY_LEN(public); i++)
		assert_false(blocked("www.example", public[i]));
	fixture_close(&f);
}

TEST(test_off)
{
	const struct config c = {0};
	struct rebinding_source *s;
	assert_int_equal(rebinding_source_new(&c, &s), 0);
	assert_null(s);
}
