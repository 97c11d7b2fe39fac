// SPDX-License-Identifier: BSD-3-Clause

// DNS64 and `filter_aaaa` of groups: questions to the server, replies, and records in L0.
// The fake server answers every question with an A record, so no name has AAAA.

#include "policy_rig.h"

enum { NAT64, NO_IPV6, PLAIN, GROUPS };

static struct config_group groups[GROUPS];
static struct policy_group view[GROUPS];

static int setup(void **state)
{
	static char names[GROUPS][8] = {"nat64", "no ipv6", "plain"};
	rig_setup(state);
	rig_box_stop();
	for (unsigned i = 0; i < GROUPS; i++)
		groups[i] = (struct config_group){.name = names[i], .blocking = true};
	groups[NAT64].has_dns64 = true;
	assert_int_equal(ip_address_parse("64:ff9b::/96", &groups[NAT64].ipv6.dns64), 0);
	groups[NO_IPV6].has_filter_aaaa = groups[NO_IPV6].ipv6.filter_aaaa = true;
	rig.config.upstreams.count = 1;
	rig.config.groups = groups;
	rig.config.group_count = GROUPS;
	fake[0].ttl_s = 3000;
	rig_box_start();
	for (unsigned i = 0; i < GROUPS; i++)
		view[i] = rig_group(i);
	return 0;
}

static void ask_type(unsigned group, const char *name, uint16_t type, uint16_t id)
{
	rig_ask((struct fake_miss){
		.name = name, .type = type, .id = id, .view = view[group].view, .has_opt = true});
}

static unsigned answers(void)
{
	return get_u16(got.dns + 6);
}

// The last bytes of the answer before the OPT.
static const uint8_t *last_address(void)
{
	return got.dns + got.head.dns_len - 11 - 16;
}

TEST_WITH(test_views_differ, setup, rig_teardown)
{
	assert_int_not_equal(view[NAT64].view, 0);
	assert_int_not_equal(view[NO_IPV6].view, 0);
	assert_int_not_equal(view[NAT64].view, view[NO_IPV6].view);
	assert_int_equal(view[PLAIN].view, 0);
}

TEST_WITH(test_dns64_makes_aaaa_of_a, setup, rig_teardown)
{
	char text[INET6_ADDRSTRLEN];
	ask_type(NAT64, "www.example", DNS_TYPE_AAAA, 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 1);
	inet_ntop(AF_INET6, last_address(), text, sizeof(text));
	assert_string_equal(text, "64:ff9b::c000:201");
	assert_int_equal(get_u32(last_address() - 6), 600); // no SOA said how long
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(status().dns64, 1);
	ask_type(NAT64, "www.example", DNS_TYPE_AAAA, 2);
	expect_answer(2, 0, ANSWER_CACHED);
	assert_int_equal(answers(), 1);
	ask_type(NAT64, "www.example", DNS_TYPE_A, 3); // as everywhere
	expect_answer(3, 0, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 1);
	assert_int_equal(fake[0].udp_queries, 3);
}

TEST_WITH(test_others_get_no_aaaa_from_it, setup, rig_teardown)
{
	ask_type(NAT64, "www.example", DNS_TYPE_AAAA, 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	ask_type(PLAIN, "www.example", DNS_TYPE_AAAA, 2);
	expect_answer(2, 0, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 0);
	assert_int_equal(status().dns64, 1);
}

TEST_WITH(test_dns64_when_a_fails_too, setup, rig_teardown)
{
	fake[0].mode = FAKE_NO_NAME;
	ask_type(NAT64, "none.example", DNS_TYPE_AAAA, 1);
	expect_answer(1, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	assert_int_equal(fake[0].udp_queries, 1); // the name does not exist: no query for A
	assert_int_equal(status().dns64, 0);
}

static void queries_wait(unsigned count)
{
	WAIT_FOR(fake[0].udp_queries >= count);
}

// A reload ends everyone's DNS64 while weir waits for the A of a question.
TEST_WITH(test_dns64_ends_while_a_is_asked, setup, rig_teardown)
{
	char text[INET6_ADDRSTRLEN];
	static struct config with, without;
	with = without = rig.config;
	with.ipv6.dns64 = groups[NAT64].ipv6.dns64;
	rig_reload_to(&with);
	fake[0].held = true;
	ask_type(PLAIN, "www.example", DNS_TYPE_AAAA, 1);
	queries_wait(1);
	fake[0].delay_ms = 300;
	fake[0].held = false;
	queries_wait(2); // the second one is for A
	fake[0].held = true;
	rig_reload_to(&without);
	fake[0].held = false;
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 1);
	inet_ntop(AF_INET6, last_address(), text, sizeof(text));
	assert_string_equal(text, "64:ff9b::c000:201");
}

TEST_WITH(test_reverse_name, setup, rig_teardown)
{
	ask_type(NAT64, "1.2.2.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa",
		DNS_TYPE_PTR, 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_string_equal(fake[0].last_name, "33.2.0.192.in-addr.arpa");
	assert_true(answers() >= 1); // the CNAME
}

static struct answer_policy_fixture local;

static void local_rule(const char *name, unsigned covers, unsigned reply, const char *ptr)
{
	const struct dns_name owner = fixture_name(name), target = fixture_name(ptr ? ptr : "x");
	struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, &owner);
	rule.kind.covers = (uint8_t)covers;
	rule.kind.reply = (uint8_t)reply;
	if (ptr) {
		rule.rtype = DNS_TYPE_PTR;
		rule.rdata = target.wire;
		rule.rdata_len = target.len;
		rule.ttl_s = 300;
	}
	assert_int_equal(rule_builder_rule(local.builder, &rule), 0);
}

// What the special-use names and a hosts file say, for all groups.
static int local_setup(void **state)
{
	static const char *const has[] = {"local data"};
	struct policy_group group[GROUPS + 1];
	setup(state);
	fixture_begin(&local);
	fixture_source(&local, "local data");
	local_rule("168.192.in-addr.arpa", RULE_COVERS_BELOW, RULE_REPLY_NXDOMAIN, NULL);
	local_rule("10.77.168.192.in-addr.arpa", RULE_COVERS_SELF, RULE_REPLY_DATA, "nas.home");
	local_rule("1.168.192.in-addr.arpa", RULE_COVERS_ALL, RULE_REPLY_RESOLVE, NULL);
	fixture_check(&local);
	for (unsigned i = 0; i <= GROUPS; i++) {
		group[i] = group_with(&local, has, 1, DNS_BLOCK_NXDOMAIN);
		group[i].view = i ? view[i - 1].view : 0;
	}
	rig_policy(group);
	judge_by(&local);
	return 0;
}

static int local_teardown(void **state)
{
	int rc = rig_teardown(state);
	fixture_close(&local);
	return rc;
}

static void ask_reverse(unsigned a, unsigned b, unsigned c, unsigned d, uint16_t type, uint16_t id)
{
	char name[128];
	snprintf(name, sizeof(name),
		"%x.%x.%x.%x.%x.%x.%x.%x."
		"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa",
		d & 15, d >> 4, c & 15, c >> 4, b & 15, b >> 4, a & 15, a >> 4);
	ask_type(NAT64, name, type, id);
}

static void ask_ptr(unsigned a, unsigned b, unsigned c, unsigned d, uint16_t id)
{
	ask_reverse(a, b, c, d, DNS_TYPE_PTR, id);
}

// A name that weir makes itself is local data's, like one that was asked.
TEST_WITH(test_reverse_name_is_local, local_setup, local_teardown)
{
	ask_ptr(192, 168, 77, 10, 1);
	expect_answer(1, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 2); // the CNAME and the PTR
	ask_ptr(192, 168, 77, 11, 3);
	expect_answer(3, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 1);
	assert_int_equal(get_u16(got.dns + 8), 1); // the SOA
	assert_int_equal(fake[0].udp_queries, 0);
	ask_ptr(192, 168, 1, 1, 4); // of a forwarding zone, say
	expect_answer(4, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	assert_string_equal(fake[0].last_name, "1.1.168.192.in-addr.arpa");
	assert_int_equal(fake[0].udp_queries, 1);
}

// What the servers say of a name that weir does not rename for A is no answer to PTR.
TEST_WITH(test_reverse_name_after_no_name, local_setup, local_teardown)
{
	fake[0].mode = FAKE_NO_NAME;
	ask_reverse(192, 168, 77, 10, DNS_TYPE_A, 1);
	expect_answer(1, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	ask_reverse(192, 168, 77, 10, DNS_TYPE_MX, 2);
	expect_answer(2, DNS_RCODE_NXDOMAIN, ANSWER_CACHED);
	ask_ptr(192, 168, 77, 10, 3);
	expect_answer(3, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 2);
	assert_int_equal(fake[0].udp_queries, 1);
}

TEST_WITH(test_filter_asks_nobody, setup, rig_teardown)
{
	ask_type(NO_IPV6, "www.example", DNS_TYPE_AAAA, 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 0);
	assert_int_equal(get_u16(got.dns + 8), 1); // the SOA
	assert_int_equal(fake[0].udp_queries, 0);
	assert_int_equal(status().filtered_aaaa, 1);
	ask_type(NO_IPV6, "www.example", DNS_TYPE_AAAA, 2);
	expect_answer(2, 0, ANSWER_CACHED);
	ask_type(NO_IPV6, "www.example", DNS_TYPE_A, 3);
	expect_answer(3, 0, ANSWER_UPSTREAM);
	assert_int_equal(answers(), 1);
}

TEST_GROUP(rig_sends_once, NULL)
