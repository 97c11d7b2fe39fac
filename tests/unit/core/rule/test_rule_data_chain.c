// SPDX-License-Identifier: BSD-3-Clause

// Records behind CNAMEs, as local data hands them.

#include "rule_data_rig.h"

// Of the name www.lan: what lies behind its two CNAMEs.
static void add_behind(struct rule_builder *b, uint16_t type, const char *value, bool is_dead)
{
	const struct dns_name owner = fixture_name("www.lan"), middle = fixture_name("web.lan"),
			      last = fixture_name("host.lan");
	const struct list_chain chain = {
		.count = 2, .alias = {{middle.wire, 50, middle.len}, {last.wire, 60, last.len}}};
	struct dns_name target;
	struct list_rule rule =
		rule_of(&(struct record){"www.lan", type, 70, value, 0}, &owner, &target);
	rule.chain = &chain;
	rule.chain_is_dead = is_dead;
	assert_int_equal(rule_builder_rule(b, &rule), 0);
}

#define CHAIN "@ 5 50 web.lan, web.lan 5 60 host.lan, host.lan"

TEST(test_cnames)
{
	static const struct record alone = {"www.lan", DNS_TYPE_CNAME, 50, "web.lan", 0};
	for (unsigned dead = 0; dead < 2; dead++) {
		struct rule_builder *b = fixture_builder();
		struct rule_arena *a = fixture_arena();
		struct rule_reader r;
		struct dns_answer_view view;
		char why[128];
		for (unsigned i = 0; i <= RULE_LIST_FIRST; i++)
			assert_int_equal(rule_builder_source(b, "x"), 0);
		add(b, &alone);
		for (unsigned i = 0; i < 2 && !dead; i++)
			add_behind(b, DNS_TYPE_A, i ? "2222" : "1111", false);
		if (!dead)
			add_behind(b, DNS_TYPE_TXT, "text", false);
		add_behind(b, 0, "", dead);
		fixture_finish(b, a);
		assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
		EXPECT("www.lan", DNS_TYPE_CNAME, "@ 5 50 web.lan");
		if (!dead) {
			EXPECT("www.lan", DNS_TYPE_A, CHAIN " 1 70 1111, host.lan 1 70 2222");
			EXPECT("www.lan", DNS_TYPE_TXT, CHAIN " 16 70 text");
			EXPECT("www.lan", DNS_TYPE_ANY, CHAIN " 1 70 1111, host.lan 1 70 2222");
		}
		assert_true(ask(&r, "www.lan", DNS_TYPE_MX, &view));
		assert_int_equal(view.rcode, dead ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR);
		assert_int_equal(view.ancount, 2);
		assert_int_equal(view.nscount, 1);
		assert_int_equal(csum_partial(view.bytes, view.len), view.sum);
		const uint8_t *soa = view.bytes + dns_answer_ttl_at(&view, 2) - 4;
		assert_int_equal(get_u16(soa), DNS_TYPE_SOA);
		assert_int_equal(get_u32(soa + 4), 70);
		assert_int_equal(get_u32(view.bytes + view.len - 4), 70);
	}
}

// CNAMEs that would make the image too large are not followed; they are answered themselves.
TEST(test_too_much_behind_cnames)
{
	struct rule_builder *b = fixture_builder();
	struct rule_arena *a = fixture_arena();
	struct rule_reader r;
	char why[128];
	const struct dns_name target = fixture_name("host.lan");
	const struct list_chain chain = {.count = 1, .alias = {{target.wire, 60, target.len}}};
	uint8_t *bytes = calloc(1, 30000);
	for (unsigned i = 0; i <= RULE_LIST_FIRST; i++)
		assert_int_equal(rule_builder_source(b, "x"), 0);
	for (unsigned i = 0; i < 3000; i++) {
		char text[32];
		snprintf(text, sizeof(text), "a%u.lan", i);
		add(b, &(struct record){text, DNS_TYPE_CNAME, 60, "host.lan", 0});
		const struct dns_name owner = fixture_name(text);
		struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, &owner);
		rule.kind.reply = RULE_REPLY_DATA;
		rule.kind.covers = RULE_COVERS_SELF;
		rule.rtype = DNS_TYPE_TXT;
		rule.rdata = bytes;
		rule.rdata_len = 30000;
		rule.chain = &chain;
		assert_int_equal(rule_builder_rule(b, &rule), 0);
	}
	fixture_finish(b, a);
	assert_int_equal(rule_reader_init(&r, a->base, a->size, true, why), 0);
	struct dns_answer_view view;
	assert_true(ask(&r, "a0.lan", DNS_TYPE_TXT, &view));
	assert_int_equal(view.ancount, 2);
	EXPECT("a2999.lan", DNS_TYPE_TXT, "@ 5 60 host.lan");
	assert_true(((struct rule_image_head *)a->base)->data_dropped > 500);
	assert_true(a->size < 80 << 20);
	free(bytes);
}
