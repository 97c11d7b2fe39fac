// SPDX-License-Identifier: BSD-3-Clause

// Replies that rules set themselves, where the resolver decides: as a pattern may allow the name,
// or by what the answer leads to. Groups 0 and 1 have the list "ads", group 2 only the operator's.
#include "policy_rig.h"
#include "tests/unit/cp/querylog/row_watch.h"

enum { GROUPS = 3 };
static struct answer_policy_fixture image;
static uint16_t next_id;

static void own_rule(struct answer_policy_fixture *f, const char *text, enum rule_reply reply)
{
	static const uint8_t address[4] = {192, 0, 2, 66};
	const struct dns_name name = fixture_name(text);
	struct list_rule rule =
		rule_of_name(strstr(text, ".lan") ? RULE_CLASS_LOCAL : RULE_CLASS_BLOCK, &name);
	rule.kind.reply = (uint8_t)reply;
	if (strcmp(text, "half.lan") == 0) // as local.missing_types: forward has it
		rule.kind.types = (struct rule_types){.count = 1, .type = {DNS_TYPE_A}};
	if (reply == RULE_REPLY_DATA) {
		rule.rtype = DNS_TYPE_A;
		rule.ttl_s = 60;
		rule.rdata = address;
		rule.rdata_len = sizeof(address);
	}
	assert_int_equal(rule_builder_rule(f->builder, &rule), 0);
}

static void led_rule(struct answer_policy_fixture *f, const char *text, const char *to)
{
	const struct dns_name name = fixture_name(text), target = fixture_name(to);
	struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
	rule.kind.reply = RULE_REPLY_RESOLVE;
	rule.rtype = DNS_TYPE_CNAME;
	rule.ttl_s = 60;
	rule.rdata = target.wire;
	rule.rdata_len = target.len;
	assert_int_equal(rule_builder_rule(f->builder, &rule), 0);
}

static void image_make(struct answer_policy_fixture *f)
{
	fixture_begin(f);
	fixture_rule(f, RULE_CLASS_OPERATOR_DENY, "/^never[.]/");
	fixture_source(f, "ads");
	own_rule(f, "nx.example", RULE_REPLY_NXDOMAIN);
	own_rule(f, "nodata.example", RULE_REPLY_NODATA);
	own_rule(f, "refused.example", RULE_REPLY_REFUSED);
	own_rule(f, "failed.example", RULE_REPLY_SERVFAIL);
	own_rule(f, "drop.example", RULE_REPLY_DROP);
	own_rule(f, "data.example", RULE_REPLY_DATA);
	led_rule(f, "led.example", "garden.test");
	led_rule(f, "each.example", "*.garden.test");
	led_rule(f, "lost.example", "nx.garden.test");
	led_rule(f, "home.example", "host.lan");
	led_rule(f, "safe.example", "force.safe.example");
	fixture_rule(f, RULE_CLASS_BLOCK, "all.example");
	fixture_rule_for(f, RULE_CLASS_BLOCK, "six.example", DNS_TYPE_AAAA);
	fixture_rule_for(f, RULE_CLASS_BLOCK, "one.example", DNS_TYPE_A);
	fixture_rule_for(f, RULE_CLASS_ALLOW, "/^four[.]/", DNS_TYPE_A);
	fixture_rule(f, RULE_CLASS_ALLOW, "/^good[.]/");
	fixture_source(f, "local");
	own_rule(f, "host.lan", RULE_REPLY_DATA);
	own_rule(f, "half.lan", RULE_REPLY_DATA);
	fixture_check(f);
}

static void image_judges(void)
{
	static const char *const ads[] = {"local", "ads"};
	struct policy_group group[GROUPS];
	groups_configure(GROUPS - 1);
	for (unsigned i = 0; i < GROUPS; i++)
		group[i] = group_with(
			&image, ads, i < 2 ? 2 : 1, i == 1 ? DNS_BLOCK_NULL : DNS_BLOCK_NXDOMAIN);
	rig_policy(group);
	judge_by(&image);
}

static int setup(void **state)
{
	image_make(&image);
	rig_setup(state);
	image_judges();
	fake[0].ttl_s = fake[1].ttl_s = 300;
	next_id = 0;
	return 0;
}

static int teardown(void **state)
{
	int rc = rig_teardown(state);
	fixture_close(&image);
	return rc;
}

static void ask_type(unsigned group, const char *name, uint16_t type)
{
	rig_ask((struct fake_miss){.name = name,
		.type = type,
		.id = ++next_id,
		.group = (uint8_t)group,
		.has_opt = true});
}

static void ask_as(unsigned group, const char *name)
{
	ask_type(group, name, DNS_TYPE_A);
}

static void expect_type(
	unsigned group, const char *name, uint16_t type, unsigned rcode, enum answer_kind kind)
{
	ask_type(group, name, type);
	expect_answer(next_id, rcode, kind);
}

// Names that workers leave to the resolver, as a pattern may allow them: it does, or the rule's own
// reply is the answer, without a question to a server, and of what is cached.
TEST_WITH(test_replies_of_rules, setup, teardown)
{
	static const struct {
		const char *name;
		unsigned rcode, answers;
	} seen[] = {
		{"nx.example", DNS_RCODE_NXDOMAIN, 0}, {"nodata.example", DNS_RCODE_NOERROR, 0},
		{"refused.example", DNS_RCODE_REFUSED, 0}, {"data.example", DNS_RCODE_NOERROR, 1},
		{"failed.example", DNS_RCODE_SERVFAIL, 0},
		{"all.example", DNS_RCODE_NOERROR, 1}, // 0.0.0.0
	};
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
			expect_type(1, seen[i].name, DNS_TYPE_A, seen[i].rcode, ANSWER_BLOCKED);
			assert_int_equal(get_u16(got.dns + 6), seen[i].answers);
			assert_int_equal(ede_of_answer(), DNS_EDE_BLOCKED);
			ask_as(1, "drop.example");
			expect_type(2, seen[i].name, DNS_TYPE_A, DNS_RCODE_NOERROR,
				round ? ANSWER_CACHED : ANSWER_UPSTREAM); // has no such list
			const char *good = text_from("good.%s", seen[i].name);
			expect_type(1, good, DNS_TYPE_A, DNS_RCODE_NOERROR,
				round ? ANSWER_CACHED : ANSWER_UPSTREAM);
		}
	}
	expect_type(1, "good.drop.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	expect_type(1, "data.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	assert_memory_equal(got.dns + 12 + 18 + 12, "\xc0\0\2\x42", 4);
}

// And so is the reply to an answer that leads to such a name, but for records, which are another
// name's.
TEST_WITH(test_replies_by_answers, setup, teardown)
{
	static const struct {
		const char *name, *target;
		unsigned rcode, answers;
	} seen[] = {
		{"a.shop.example", "nx.example", DNS_RCODE_NXDOMAIN, 0},
		{"b.shop.example", "nodata.example", DNS_RCODE_NOERROR, 0},
		{"c.shop.example", "refused.example", DNS_RCODE_REFUSED, 0},
		{"f.shop.example", "failed.example", DNS_RCODE_SERVFAIL, 0},
		{"d.shop.example", "data.example", DNS_RCODE_NOERROR, 1},
	};
	for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
		upstream_alias(seen[i].target);
		for (unsigned round = 0; round < 2; round++) { // the second one is cached
			expect_type(1, seen[i].name, DNS_TYPE_A, seen[i].rcode, ANSWER_BLOCKED);
			assert_int_equal(get_u16(got.dns + 6), seen[i].answers);
		}
	}
	assert_memory_equal(got.dns + 12 + 20 + 12, "\0\0\0\0", 4);
	upstream_alias("drop.example");
	fake[0].held = true;
	ask_as(1, "e.shop.example");
	WAIT_FOR(status().waiters == 1);
	ask_as(2, "e.shop.example");
	WAIT_FOR(status().waiters == 2);
	fake[0].held = false;
	expect_answer(next_id, DNS_RCODE_NOERROR, ANSWER_UPSTREAM); // and none to group 1
	assert_int_equal(dp.dropped, 1);
	ask_as(1, "e.shop.example");
	expect_type(2, "e.shop.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_CACHED);
	assert_int_equal(dp.dropped, 2); // but the worker knows that it waits no more
	expect_type(2, "never.shop.example", DNS_TYPE_A, DNS_RCODE_NXDOMAIN, ANSWER_BLOCKED);
	assert_int_equal(ede_of_answer(), DNS_EDE_FILTERED);
}

// A name with local records exists, whatever a server says of its other types.
TEST_WITH(test_missing_types, setup, teardown)
{
	fake[0].mode = fake[1].mode = FAKE_NO_NAME;
	expect_type(1, "half.lan", DNS_TYPE_MX, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	rig.config.local.missing_forward = true;
	rig_reload();
	expect_type(1, "half.lan", DNS_TYPE_AAAA, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	assert_int_equal(get_u16(got.dns + 6), 0);
	assert_int_equal(get_u16(got.dns + 8), 1); // the SOA
	assert_int_equal(get_u16(got.dns + 2) & DNS_FLAG_AD, 0);
	expect_type(1, "half.lan", DNS_TYPE_AAAA, DNS_RCODE_NOERROR, ANSWER_CACHED);
	expect_type(1, "none.lan", DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
}

static void other_box(const struct redis_server *redis, bool missing_forward)
{
	rig.config.local.missing_forward = missing_forward;
	rig_redis_box(redis);
	image_judges();
}

// What the servers say is for boxes that share L1; a box's local records are its own.
TEST_WITH(test_missing_types_in_l1, setup, teardown)
{
	static struct redis_server redis;
	redis_server_start(&redis, NULL);
	fake[0].mode = fake[1].mode = FAKE_NO_NAME;
	other_box(&redis, true);
	expect_type(1, "half.lan", DNS_TYPE_AAAA, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	rig_redis_keys_await(&redis, 1);
	other_box(&redis, false);
	expect_type(1, "half.lan", DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN, ANSWER_CACHED);
	other_box(&redis, true);
	expect_type(1, "half.lan", DNS_TYPE_AAAA, DNS_RCODE_NOERROR, ANSWER_CACHED);
	assert_int_equal(rig_asked(), 1);
	redis_server_clean(&redis);
}

static void expect_led(const char *name, const char *records)
{
	expect_type(1, name, DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	expect_records(records);
	assert_int_equal(ede_of_answer(), DNS_EDE_BLOCKED);
}

// A policy zone's CNAME to another name: the answer is that and what the target has, which weir
// asks for once and cached under its own name. Groups without the zone get the name's own.
TEST_WITH(test_led_to_another_name, setup, teardown)
{
	for (unsigned round = 0; round < 2; round++) {
		expect_led("led.example", "led.example CNAME garden.test.\n"
					  "garden.test A 192.0.2.1\n");
		expect_led("x.led.example", "x.led.example CNAME garden.test.\n"
					    "garden.test A 192.0.2.1\n");
		expect_type(2, "led.example", DNS_TYPE_A, DNS_RCODE_NOERROR,
			round ? ANSWER_CACHED : ANSWER_UPSTREAM);
		expect_records("led.example A 192.0.2.1\n");
	}
	assert_int_equal(rig_asked(), 2);
	expect_type(2, "garden.test", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_CACHED);
	expect_led("www.each.example", "www.each.example CNAME www.each.example.garden.test.\n"
				       "www.each.example.garden.test A 192.0.2.1\n");
	expect_led("home.example", "home.example CNAME host.lan.\nhost.lan A 192.0.2.66\n");
	expect_type(1, "led.example", DNS_TYPE_CNAME, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	expect_records("led.example CNAME garden.test.\n");
	expect_type(1, "good.led.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
}

// The target is below the name that the rule covers: it leads there, and itself nowhere.
TEST_WITH(test_led_to_itself, setup, teardown)
{
	expect_led("www.safe.example", "www.safe.example CNAME force.safe.example.\n"
				       "force.safe.example A 192.0.2.1\n");
	expect_led("force.safe.example", "force.safe.example A 192.0.2.1\n");
}

// Several wait for the target, under names of their own; of one without an answer the group's
// reply is left.
TEST_WITH(test_led_and_waiting, setup, teardown)
{
	fake[0].held = fake[1].held = true;
	ask_as(1, "a.led.example");
	ask_as(1, "b.led.example");
	WAIT_FOR(status().waiters == 2);
	assert_int_equal(status().inflight, 1);
	fake[0].held = fake[1].held = false;
	expect_answer(1, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	expect_records("a.led.example CNAME garden.test.\n"
		       "garden.test A 192.0.2.1\n");
	expect_answer(2, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	expect_type(1, "lost.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	expect_records("lost.example A 0.0.0.0\n");
	expect_type(0, "lost.example", DNS_TYPE_A, DNS_RCODE_NXDOMAIN, ANSWER_BLOCKED);
}

// One that is over a bound is on record with the name that it asked for.
TEST_WITH(test_a_row_of_one_led, setup, teardown)
{
	static const char *const titles[] = {"allowed", "denied", "ads"};
	rig.config.limits.waiters = 1;
	rig_reload();
	row_watch_start(titles, ARRAY_LEN(titles));
	fake[0].held = fake[1].held = true;
	ask_as(1, "a.led.example");
	WAIT_FOR(status().waiters == 1);
	ask_as(1, "b.led.example");
	const struct row_watch_row row = row_watch_await(1);
	assert_string_equal(row.verdict, "unanswered");
	assert_string_equal(row.qname, "b.led.example");
	fake[0].held = fake[1].held = false;
	expect_answer(1, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	row_watch_stop();
}

// The group says NXDOMAIN, which is true of no name of which another type may pass.
TEST_WITH(test_replies_of_one_type, setup, teardown)
{
	expect_type(0, "all.example", DNS_TYPE_AAAA, DNS_RCODE_NXDOMAIN, ANSWER_BLOCKED);
	expect_type(0, "six.example", DNS_TYPE_AAAA, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	expect_type(0, "six.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	expect_type(0, "four.nx.example", DNS_TYPE_AAAA, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	expect_type(0, "four.nx.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	upstream_alias("one.example");
	for (unsigned round = 0; round < 2; round++)
		expect_type(0, "www.shop.example", DNS_TYPE_A, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
}

// On record they are blocked by their name, or dropped, by that list.
TEST_WITH(test_rows_of_rules, setup, teardown)
{
	static const char *const titles[] = {"allowed", "denied", "ads"};
	row_watch_start(titles, ARRAY_LEN(titles));
	expect_type(1, "nx.example", DNS_TYPE_A, DNS_RCODE_NXDOMAIN, ANSWER_BLOCKED);
	struct row_watch_row row = row_watch_await(1);
	assert_string_equal(row.verdict, "blocked");
	assert_int_equal(row.tier, QUERYLOG_TIER_RULES);
	ask_as(1, "drop.example");
	row = row_watch_await(2);
	assert_string_equal(row.verdict, "drop_rule");
	assert_int_equal(row.tier, QUERYLOG_TIER_RULES);
	upstream_alias("nx.example");
	expect_type(1, "a.shop.example", DNS_TYPE_A, DNS_RCODE_NXDOMAIN, ANSWER_BLOCKED);
	assert_string_equal(row_watch_await(3).verdict, "blocked_answer");
	row_watch_stop();
}

TEST_GROUP(rig_sends_once, NULL)
