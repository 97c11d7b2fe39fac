// SPDX-License-Identifier: BSD-3-Clause
// The replies that rules set themselves: of one type, where a pattern may allow, and by answers.
#include "harness.h"

// NXDOMAIN is about all types of a name at once. So where a rule for some types may decide
// another one otherwise, there is no data: a cache in front would lose that other type, too.
PACKET_TEST(test_replies_of_one_type)
{
	static const struct harness_rule rules[] = {
		{"six.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, DNS_TYPE_AAAA, 0, NULL},
		{"own.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, DNS_TYPE_AAAA, 0, NULL},
		{"all.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL},
		{"four.all.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, DNS_TYPE_A, 0, NULL},
		{"null.all.example", RULE_CLASS_BLOCK, RULE_REPLY_NULL, DNS_TYPE_A, 0, NULL},
		{"firm.example", RULE_CLASS_OPERATOR_DENY, RULE_REPLY_GROUP, 0, 0, NULL},
		{"four.firm.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, DNS_TYPE_A, 0, NULL},
		{"no.example", RULE_CLASS_BLOCK, RULE_REPLY_REFUSED, DNS_TYPE_AAAA, 0, NULL},
	};
	static const struct {
		const char *name;
		unsigned rcode;
	} asked[] = {
		{"a.six.example", DNS_RCODE_NOERROR}, {"own.example", DNS_RCODE_NOERROR},
		{"all.example", DNS_RCODE_NXDOMAIN}, {"four.all.example", DNS_RCODE_NOERROR},
		{"x.four.all.example", DNS_RCODE_NOERROR}, {"null.all.example", DNS_RCODE_NOERROR},
		{"four.firm.example", DNS_RCODE_NXDOMAIN}, // A is denied as well
		{"no.example", DNS_RCODE_REFUSED},         // says nothing of the name
	};
	h->tables.config.block = (struct dns_block){.mode = DNS_BLOCK_NXDOMAIN, .ttl_s = 9};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		struct wire_query q = {.name = asked[i].name, .qtype = DNS_TYPE_AAAA};
		struct wire_reply r = harness_ask(h, &q, VERDICT_blocked);
		assert_int_equal(r.rcode, asked[i].rcode);
		if (r.rcode != DNS_RCODE_REFUSED)
			expect_soa(&r, 9);
	}
	struct wire_query four = {.name = "four.all.example", .qtype = DNS_TYPE_A};
	harness_ask_dropped(h, &four, VERDICT_miss);
	four.name = "null.all.example";
	struct wire_reply r = harness_ask(h, &four, VERDICT_blocked);
	expect_address(&r, "\0\0\0\0", 9);
}

// Whether a pattern allows it or not: a list's rule keeps its own reply, from the cache as well.
PACKET_TEST(test_pattern_leaves_replies)
{
	static const struct harness_rule rules[] = {
		{"nx.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
		{"nodata.example", RULE_CLASS_BLOCK, RULE_REPLY_NODATA, 0, 0, NULL},
		{"refused.example", RULE_CLASS_IMPORTANT_BLOCK, RULE_REPLY_REFUSED, 0, 0, NULL},
		{"drop.example", RULE_CLASS_BLOCK, RULE_REPLY_DROP, 0, 0, NULL},
		{"failed.example", RULE_CLASS_BLOCK, RULE_REPLY_SERVFAIL, 0, 0, NULL},
		{"data.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 1, 4, "\xc6\x12\2\2"},
		{"/^good[.]/", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},
	};
	static const char *const names[] = {"nx.example", "nodata.example", "refused.example",
		"drop.example", "failed.example", "data.example"};
	struct wire_reply r[ARRAY_LEN(names)];
	h->tables.config.block = (struct dns_block){.mode = DNS_BLOCK_NULL, .ttl_s = 9};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		const struct rule_set mask = {{UINT64_C(4) << i}};
		struct wire_query q = {.name = names[i], .edns = true};
		const bool drops = rules[i].reply == RULE_REPLY_DROP;
		harness_ask_dropped(h, &q, VERDICT_miss);
		HARNESS_PUT(h, .name = names[i], .count = 1, .mask = &mask);
		if (drops) {
			harness_ask_dropped(h, &q, VERDICT_drop_rule);
			continue;
		}
		r[i] = harness_ask(h, &q, VERDICT_blocked);
		assert_int_equal(r[i].ede, 15);
	}
	assert_int_equal(r[0].rcode, DNS_RCODE_NXDOMAIN);
	expect_soa(&r[0], 9);
	assert_int_equal(r[1].rcode, DNS_RCODE_NOERROR);
	expect_soa(&r[1], 9);
	assert_int_equal(r[2].rcode, DNS_RCODE_REFUSED);
	assert_int_equal(r[4].rcode, DNS_RCODE_SERVFAIL);
	expect_address(&r[5], "\xc6\x12\2\2", 77);
}

// An answer that leads to a listed name, address or service is blocked as the list says; the
// records that the list has are not for the name asked. Of an address or a service it is known for
// one type.
PACKET_TEST(test_replies_of_checked_records)
{
	static const struct harness_rule rules[] = {
		{"nx.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
		{"refused.example", RULE_CLASS_BLOCK, RULE_REPLY_REFUSED, 0, 0, NULL},
		{"drop.example", RULE_CLASS_BLOCK, RULE_REPLY_DROP, 0, 0, NULL},
		{"data.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 1, 4, "\xc6\x12\2\2"},
		{"/^deny/", RULE_CLASS_OPERATOR_DENY, RULE_REPLY_GROUP, 0, 0, NULL},
		{"failed.example", RULE_CLASS_BLOCK, RULE_REPLY_SERVFAIL, 0, 0, NULL},
	};
	static const struct {
		struct rule_set mask;
		unsigned rcode;
		int ede;
		bool address;
	} seen[] = {
		{{{1 << 2}}, DNS_RCODE_NXDOMAIN, 15, false},
		{{{1 << 2 | RULE_MASK_TYPED}}, DNS_RCODE_NOERROR, 15, false},
		{{{1 << 3 | RULE_MASK_TYPED}}, DNS_RCODE_REFUSED, 15, false},
		{{{1 << 5}}, DNS_RCODE_NOERROR, 15, true},
		{{{1 << 6}}, DNS_RCODE_NOERROR, 17, true},
		{{{1 << 7 | RULE_MASK_TYPED}}, DNS_RCODE_SERVFAIL, 15, false},
	};
	static const struct rule_set drops = {{1 << 4}};
	struct wire_query q = {.name = "leads.example", .edns = true};
	h->tables.config.block = (struct dns_block){.mode = DNS_BLOCK_NULL, .ttl_s = 9};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		HARNESS_PUT(h, .name = q.name, .count = 1, .mask = &seen[i].mask);
		struct wire_reply r = harness_ask(h, &q, VERDICT_blocked_answer);
		assert_int_equal(r.rcode, seen[i].rcode);
		assert_int_equal(r.ede, seen[i].ede);
		if (seen[i].address)
			expect_address(&r, "\0\0\0\0", 9);
	}
	HARNESS_PUT(h, .name = q.name, .count = 1, .mask = &drops);
	harness_ask_dropped(h, &q, VERDICT_drop_rule);
}

// A list's CNAME to another name: the control plane answers, whatever the cache has for groups
// without that list; without it the name is blocked.
PACKET_TEST(test_led_to_another_name)
{
	static const struct harness_rule rules[] = {
		{"led.example", RULE_CLASS_BLOCK, RULE_REPLY_RESOLVE, 0, 0, NULL},
	};
	static const struct rule_set mask = {{1 << 2}};
	struct wire_query q = {.name = "led.example", .edns = true};
	h->tables.config.block = (struct dns_block){.mode = DNS_BLOCK_NULL, .ttl_s = 9};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	harness_ask_dropped(h, &q, VERDICT_miss);
	HARNESS_PUT(h, .name = q.name, .count = 1, .mask = &mask);
	harness_ask_dropped(h, &q, VERDICT_miss);
	h->w.control_alive = 0;
	struct wire_reply r = harness_ask(h, &q, VERDICT_blocked);
	assert_int_equal(r.ede, 15);
	expect_address(&r, "\0\0\0\0", 9);
	h->w.control_alive = 1;
	memset(h->tables.config.group_lists, 0, sizeof(h->tables.config.group_lists));
	harness_ask(h, &q, VERDICT_hit);
}
