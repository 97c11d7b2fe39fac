// SPDX-License-Identifier: BSD-3-Clause

// Answers whose chain leads on: whom weir asks what, by which rules, and what the client gets.
// fake[0] is everyone's server, fake[1] that of the zone corp.example.
#include "policy_rig.h"

static struct answer_policy_fixture image;
static struct config_forward_zone zone;
static struct config_upstream zone_server;
static struct config_record record;
static struct dns_name record_target;
static struct config_group guarded;
static char group_name[] = "guarded";

static void local_add(const char *name, const char *address)
{
	struct dns_name owner = name_of_text(name);
	struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, &owner);
	rule.kind.reply = address ? RULE_REPLY_DATA : RULE_REPLY_NXDOMAIN;
	rule.rtype = address ? DNS_TYPE_A : 0;
	rule.ttl_s = 44;
	rule.rdata = (const uint8_t *)address;
	rule.rdata_len = address ? 4 : 0;
	assert_int_equal(rule_builder_rule(image.builder, &rule), 0);
}

static void image_make(void)
{
	fixture_begin(&image);
	fixture_source(&image, "local data");
	local_add("host.lan", "\xc0\0\2\x14");
	local_add("gone.lan", NULL);
	fixture_source(&image, "rebinding");
	fixture_rule(&image, RULE_CLASS_BLOCK, "192.0.2.20");
	fixture_check(&image);
}

// A zone of its own servers, and the local CNAME short.lan to www.pub.example.
static void config_make(void)
{
	struct config *c = &rig.config;
	c->upstreams.count = 1;
	zone_server = (struct config_upstream){.address = c->upstreams.server[1].address};
	zone = (struct config_forward_zone){
		.name = name_of_text("corp.example"), .server_count = 1, .servers = &zone_server};
	c->forwards = &zone;
	c->forward_count = 1;
	record_target = name_of_text("www.pub.example");
	record = (struct config_record){.name = name_of_text("short.lan"),
		.type = DNS_TYPE_CNAME,
		.ttl_s = 77,
		.rdata = record_target.wire,
		.rdata_len = record_target.len};
	c->local.records = &record;
	c->local.record_count = 1;
	guarded.name = group_name;
	guarded.blocking = true;
	c->groups = &guarded;
	c->group_count = 1;
}

static int setup(void **state)
{
	static const char *const has[] = {"local data", "rebinding"};
	struct policy_group group[2];
	image_make();
	rig_setup(state);
	rig_box_stop();
	config_make();
	fake[0].ttl_s = fake[1].ttl_s = 300;
	rig_box_start();
	for (unsigned i = 0; i < 2; i++)
		group[i] = group_with(&image, has, 1 + i, DNS_BLOCK_NXDOMAIN);
	rig_policy(group);
	rig_pause(0, 0);
	judge_by(&image);
	return 0;
}

// No trust anchor is above any name here, so all is insecure.
static int setup_validated(void **state)
{
	static char keys[] = "other. IN DNSKEY 257 3 13 AAAA\n";
	int rc = setup(state);
	rig.config.dnssec.validate = true;
	rig.config.dnssec.keys = keys;
	rig.config.dnssec.hash = 7;
	rig_reload();
	return rc;
}

static int teardown(void **state)
{
	int rc = rig_teardown(state);
	fixture_close(&image);
	return rc;
}

// The zone's server does not recurse: weir asks everyone's for what its alias leads to.
TEST_WITH(test_out_of_a_zone, setup, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "www.pub.example");
	for (uint16_t i = 1; i <= 2; i++) {
		resolves("app.corp.example", i, i == 1 ? ANSWER_UPSTREAM : ANSWER_CACHED);
		expect_records("app.corp.example CNAME www.pub.example.\n"
			       "www.pub.example A 192.0.2.1\n");
	}
	expect_asked(1, 1, "app.corp.example");
	expect_asked(0, 1, "www.pub.example");
	assert_int_equal(status().followed, 1);
	assert_int_equal(status().unfollowed, 0);
}

// The same server, which answers one name at a time.
TEST_WITH(test_of_one_server, setup, teardown)
{
	rig_alias(0, FAKE_ALIAS_ALONE, "www.pub.example");
	resolves("a.pub.example", 1, ANSWER_UPSTREAM);
	expect_records("a.pub.example CNAME www.pub.example.\nwww.pub.example A 192.0.2.1\n");
	expect_asked(0, 2, "www.pub.example");
}

// Everyone's server knows something of a name in the zone, but weir asks the zone's own.
TEST_WITH(test_into_a_zone, setup, teardown)
{
	fake[1].address = 0x0a000001;
	rig_alias(0, FAKE_ALIAS, "db.corp.example");
	resolves("a.pub.example", 1, ANSWER_UPSTREAM);
	expect_records("a.pub.example CNAME db.corp.example.\ndb.corp.example A 10.0.0.1\n");
	expect_asked(0, 1, "a.pub.example");
	expect_asked(1, 1, "db.corp.example");
}

// Local names count whatever a server says of them, in either kind of answer.
TEST_WITH(test_to_local_names, setup, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "host.lan");
	resolves("nas.corp.example", 1, ANSWER_UPSTREAM);
	expect_records("nas.corp.example CNAME host.lan.\nhost.lan A 192.0.2.20\n");
	rig_alias(0, FAKE_ALIAS, "host.lan");
	resolves("nas.pub.example", 2, ANSWER_UPSTREAM);
	expect_records("nas.pub.example CNAME host.lan.\nhost.lan A 192.0.2.20\n");
	rig_alias(0, FAKE_ALIAS, "gone.lan");
	ask("gone.pub.example", 3);
	expect_answer(3, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	expect_records("gone.pub.example CNAME gone.lan.\n");
	expect_asked(0, 2, "gone.pub.example");
	expect_asked(1, 1, "nas.corp.example");
}

// An alias whose end became local does not keep the end of before.
TEST_WITH(test_what_is_cached_becomes_local, setup, teardown)
{
	on_loop(set_answer_policy, NULL);
	rig_alias(0, FAKE_ALIAS, "host.lan");
	resolves("nas.pub.example", 1, ANSWER_UPSTREAM);
	expect_records("nas.pub.example CNAME host.lan.\nhost.lan A 192.0.2.1\n");
	rig_alias(0, FAKE_ALIAS, "www.pub.example");
	resolves("a.pub.example", 2, ANSWER_UPSTREAM);
	rig_alias(0, FAKE_ALIAS, "host.lan");
	const uint64_t walks = status().answer_policy.walks;
	judge_by(&image);
	WAIT_FOR(status().answer_policy.walks > walks);
	resolves("nas.pub.example", 3, ANSWER_UPSTREAM);
	expect_records("nas.pub.example CNAME host.lan.\nhost.lan A 192.0.2.20\n");
	resolves("a.pub.example", 4, ANSWER_CACHED);
	assert_int_equal(status().answer_policy.rechecked_deleted, 1);
}

// A foreign name that leads to a local one is rebinding too: rules of addresses see what is there.
TEST_WITH(test_rebinding_by_an_alias, setup, teardown)
{
	rig_alias(0, FAKE_ALIAS_ALONE, "host.lan");
	for (uint16_t i = 0; i < 2; i++) {
		rig_ask((struct fake_miss){
			.name = "evil.pub.example", .id = i, .group = (uint8_t)i, .has_opt = true});
		expect_answer(i, DNS_RCODE_NOERROR, i ? ANSWER_BLOCKED : ANSWER_UPSTREAM);
		assert_int_equal(get_u16(got.dns + 6) > 0, i == 0);
	}
}

// No image has a group of the guarded view, so whose local data counts is not known: a local name
// is refused, and everyone else's are as ever.
TEST_WITH(test_of_a_view_without_a_group, setup, teardown)
{
	struct fake_miss m = {
		.name = "a.pub.example", .type = DNS_TYPE_A, .id = 1, .has_opt = true};
	guarded.disable_cache = true;
	rig_reload();
	rig_alias(0, FAKE_ALIAS_ALONE, "www.pub.example");
	m.view = rig_group(0).view;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(1, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	rig_alias(0, FAKE_ALIAS_ALONE, "host.lan");
	m.id = 2;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(2, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
}

// Local CNAMEs in front of an answer, and in the middle of one.
TEST_WITH(test_over_a_local_cname, setup, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "short.lan");
	resolves("s.corp.example", 1, ANSWER_UPSTREAM);
	expect_records("s.corp.example CNAME short.lan.\nshort.lan CNAME www.pub.example.\n"
		       "www.pub.example A 192.0.2.1\n");
	rig_alias(0, FAKE_ALIAS_ALONE, "end.pub.example");
	resolves("short.lan", 2, ANSWER_UPSTREAM);
	expect_records("short.lan CNAME www.pub.example.\nwww.pub.example CNAME end.pub.example.\n"
		       "end.pub.example A 192.0.2.1\n");
}

// In a circle of two servers, or of a server and a local CNAME.
TEST_WITH(test_in_a_circle, setup, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "www.pub.example");
	rig_alias(0, FAKE_ALIAS_ALONE, "app.corp.example");
	fails("app.corp.example", 1);
	expect_asked(1, 1, "app.corp.example");
	expect_asked(0, 1, "www.pub.example");
	rig_alias(0, FAKE_ALIAS_ALONE, "short.lan");
	fails("short.lan", 2);
	assert_int_equal(status().unfollowed, 2);
	assert_int_equal(status().inflight, 0);
}

// Two names that lead to each other, in two replies, and one of them has an address as well.
TEST_WITH(test_through_two_names, setup, teardown)
{
	rig_alias(0, FAKE_LEADS_BACK, "b.pub.example");
	fails("a.pub.example", 1);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(status().unfollowed, 1);
	assert_int_equal(status().inflight, 0);
}

// The fake servers have no AAAA: DNS64 makes one of the A at the end, asked for by the same rules.
TEST_WITH(test_with_dns64, setup, teardown)
{
	const struct fake_miss m = {
		.name = "app.corp.example", .type = DNS_TYPE_AAAA, .id = 1, .has_opt = true};
	rig.config.ipv6.dns64 = address_of_text("64:ff9b::/96");
	rig_reload();
	rig_alias(1, FAKE_ALIAS_ALONE, "www.pub.example");
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	expect_records("app.corp.example CNAME www.pub.example.\n"
		       "www.pub.example AAAA 64:ff9b::c000:201\n");
	expect_asked(1, 1, "app.corp.example");
	expect_asked(0, 2, "www.pub.example");
	assert_int_equal(status().dns64, 1);
}

// Each name leads on to another one, without end.
TEST_WITH(test_on_and_on, setup, teardown)
{
	fake[0].mode = FAKE_LEADS_ON;
	fails("a.pub.example", 1);
	assert_int_equal(fake[0].udp_queries, DNS_ANSWER_CNAME_MAX + 1);
	assert_int_equal(status().followed, DNS_ANSWER_CNAME_MAX);
	assert_int_equal(status().unfollowed, 1);
}

// Nobody answers for the end: SERVFAIL, no bare alias. Its NXDOMAIN is passed on.
TEST_WITH(test_to_a_dead_end, setup, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "www.pub.example");
	fake[0].mode = FAKE_SERVFAIL;
	fails("app.corp.example", 1);
	fake[0].mode = FAKE_NO_NAME;
	ask("new.corp.example", 2);
	expect_answer(2, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	expect_records("new.corp.example CNAME www.pub.example.\n");
	assert_int_equal(status().inflight, 0);
}

// The validator never follows an alias to a local name: no server gets that name.
TEST_WITH(test_validated_to_local_names, setup_validated, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "host.lan");
	resolves("nas.corp.example", 1, ANSWER_UPSTREAM);
	expect_records("nas.corp.example CNAME host.lan.\nhost.lan A 192.0.2.20\n");
	expect_asked(1, 2, "nas.corp.example");
	expect_asked(0, 0, NULL);
	rig_alias(0, FAKE_ALIAS, "host.lan");
	resolves("nas.pub.example", 2, ANSWER_UPSTREAM);
	expect_records("nas.pub.example CNAME host.lan.\nhost.lan A 192.0.2.20\n");
	expect_asked(0, 2, "nas.pub.example");
	rig_alias(0, FAKE_ALIAS_ALONE, "gone.lan");
	ask("gone.pub.example", 3);
	expect_answer(3, DNS_RCODE_NXDOMAIN, ANSWER_UPSTREAM);
	expect_records("gone.pub.example CNAME gone.lan.\n");
	fake[0].mode = FAKE_ANSWER;
	rig_alias(1, FAKE_ALIAS_ALONE, "short.lan");
	resolves("s.corp.example", 4, ANSWER_UPSTREAM);
	expect_records("s.corp.example CNAME short.lan.\nshort.lan CNAME www.pub.example.\n"
		       "www.pub.example A 192.0.2.1\n");
	assert_int_equal(status().validation.led, 4);
	assert_int_equal(status().inflight, 0);
}

// A name that has no other rules is the validator's to follow.
TEST_WITH(test_validated_to_other_names, setup_validated, teardown)
{
	rig_alias(0, FAKE_ALIAS_ALONE, "www.pub.example");
	resolves("a.pub.example", 1, ANSWER_UPSTREAM);
	expect_records("a.pub.example CNAME www.pub.example.\nwww.pub.example A 192.0.2.1\n");
	expect_asked(0, 2, "www.pub.example");
	assert_int_equal(status().validation.led, 0);
}

// The second reply of a chain leads on, to which the question itself did not ask for.
TEST_WITH(test_validated_to_local_names_by_two_replies, setup_validated, teardown)
{
	rig_alias(1, FAKE_ALIAS_ALONE, "www.pub.example");
	rig_alias(0, FAKE_ALIAS_ALONE, "host.lan");
	resolves("nas.corp.example", 1, ANSWER_UPSTREAM);
	expect_records("nas.corp.example CNAME www.pub.example.\n"
		       "www.pub.example CNAME host.lan.\nhost.lan A 192.0.2.20\n");
	assert_int_equal(status().inflight, 0);
}

// Both views ask everyone's servers, by one context of the validator. The name is local in one.
TEST_WITH(test_validated_in_two_views, setup_validated, teardown)
{
	struct fake_miss m = {
		.name = "a.corp.example", .type = DNS_TYPE_A, .id = 1, .has_opt = true};
	struct config_record own = record;
	own.name = name_of_text("own.example");
	guarded.records = &own;
	guarded.record_count = 1;
	rig_reload();
	rig_alias(1, FAKE_ALIAS_ALONE, "own.example");
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(1, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	expect_records("a.corp.example CNAME own.example.\nown.example A 192.0.2.1\n");
	m.view = rig_group(0).view;
	assert_int_not_equal(m.view, 0);
	m.id = 2;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(2, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	expect_records("a.corp.example CNAME own.example.\nown.example CNAME www.pub.example.\n"
		       "www.pub.example A 192.0.2.1\n");
	expect_asked(0, 2, "www.pub.example");
	assert_int_equal(status().validation.contexts, 1);
}

TEST_GROUP(rig_sends_once, NULL)
