// SPDX-License-Identifier: BSD-3-Clause

// Names of leases among others: the operator's before them, TTL, and what of their domain is
// checked and cached. The server says 192.0.2.1, which rebinding protection blocks.
#include "controlplane/policy/lease_names.h"
#include "policy_rig.h"

static struct answer_policy_fixture image;
static struct config_local_zone zone;

// `types.count` 0: the rule is for all.
static void local_add(const char *name, enum rule_reply reply, struct rule_types types)
{
	static const uint8_t rdata[16] = {3, 't', 'w', 'o'};
	const struct dns_name owner = name_of_text(name);
	struct list_rule rule = rule_of_name(RULE_CLASS_LOCAL, &owner);
	const bool data = reply == RULE_REPLY_DATA;
	rule.kind.reply = reply;
	rule.kind.types = types;
	rule.rtype = !data ? 0 : types.count ? types.type[0] : DNS_TYPE_A;
	rule.ttl_s = 44;
	rule.rdata = data ? rdata : NULL;
	rule.rdata_len = !data ? 0 : rule.rtype == DNS_TYPE_AAAA ? 16 : 4;
	assert_int_equal(rule_builder_rule(image.builder, &rule), 0);
}

static struct rule_types only(uint16_t type)
{
	return (struct rule_types){.count = 1, .type = {type}};
}

// With NULL no lease.
static void leases_publish(const char *third)
{
	static const struct lease_own own = {0};
	struct lease_names *table;
	const struct lease_given g[] = {{"laptop", "/a", address_of_text("192.168.1.5"), 0, false},
		{"nas", "/a", address_of_text("192.168.1.66"), 0, false},
		{"desk", "/a", address_of_text("192.168.1.67"), 0, false},
		{"six", "/a", address_of_text("192.168.1.69"), 0, false},
		{"mail", "/a", address_of_text("192.168.1.70"), 0, false},
		{"deep", "/a", address_of_text("192.168.1.71"), 0, false},
		{third, "/a", address_of_text("192.168.1.68"), 0, false}};
	assert_int_equal(
		lease_names_make(&rig.config.local.house, &own, g, third ? 7 : 6, &table), 0);
	lease_names_publish(table);
}

static int start(void **state, bool missing_forward)
{
	static const char *const has[] = {"local data", "rebinding"};
	struct config_local *l = &rig.config.local;
	fixture_begin(&image);
	fixture_source(&image, "local data");
	const struct rule_types all = {0},
				but_hosts = {.count = 3,
					.except = 1,
					.type = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_ANY}};
	local_add("nas.lan", RULE_REPLY_DATA, all);
	local_add("desk", RULE_REPLY_DATA, all);
	local_add("six.lan", RULE_REPLY_DATA, only(DNS_TYPE_AAAA));
	local_add("mail", RULE_REPLY_DATA, only(DNS_TYPE_TXT));
	local_add("text.lan", RULE_REPLY_DATA, only(DNS_TYPE_TXT));
	local_add("deep.lan", RULE_REPLY_NODATA, but_hosts);
	local_add("empty.lan", RULE_REPLY_NODATA, but_hosts);
	fixture_source(&image, "rebinding");
	fixture_rule(&image, RULE_CLASS_BLOCK, "192.0.2.1");
	fixture_check(&image);
	rig_setup(state);
	rig_box_stop();
	zone = (struct config_local_zone){.name = name_of_text("lan"), .forward = true};
	l->house = zone.name;
	l->zones = &zone;
	l->zone_count = 1;
	l->single_labels = SINGLE_LABELS_COMPLETE;
	l->missing_forward = missing_forward;
	rig.config.cache.min_ttl_s = 600;
	rig.config.upstreams.count = 1;
	fake[0].ttl_s = 300;
	rig_box_start();
	groups_configure(1);
	const struct policy_group group = group_with(&image, has, 2, DNS_BLOCK_NXDOMAIN);
	rig_policy((struct policy_group[]){group, group});
	rig_pause(0, 0);
	judge_by(&image);
	leases_publish(NULL);
	return 0;
}

static int setup(void **state)
{
	return start(state, false);
}

static int setup_missing(void **state)
{
	return start(state, true);
}

static int teardown(void **state)
{
	lease_names_publish(NULL);
	int rc = rig_teardown(state);
	fixture_close(&image);
	return rc;
}

static uint32_t ttl_of_lease(void)
{
	static const uint8_t address[] = {0, 4, 192, 168, 1, 5};
	const uint8_t *at = memmem(got.dns, sizeof(got.dns), address, sizeof(address));
	assert_non_null(at);
	return get_u32(at - 4);
}

// Blocked: so a server was asked, and what it said was checked.
static void is_blocked(const char *name, uint16_t id)
{
	ask(name, id);
	expect_answer(id, DNS_RCODE_NOERROR, ANSWER_BLOCKED);
	assert_int_equal(get_u16(got.dns + 6), 0);
}

TEST_WITH(test_lease, setup, teardown)
{
	resolves("laptop.lan", 1, ANSWER_UPSTREAM);
	expect_records("laptop.lan A 192.168.1.5\n");
	assert_int_equal(ttl_of_lease(), 60); // in spite of cache.min_ttl
	resolves("laptop", 2, ANSWER_UPSTREAM);
	expect_records("laptop CNAME laptop.lan.\nlaptop.lan A 192.168.1.5\n");
	assert_int_equal(rig_asked(), 0);
}

// With the domain or alone: neither an address nor a PTR.
TEST_WITH(test_name_of_the_operator, setup, teardown)
{
	resolves("nas.lan", 1, ANSWER_UPSTREAM);
	expect_records("nas.lan A 192.0.2.1\n"); // what workers answer does not come here
	is_blocked("desk.lan", 2);
	expect_asked(0, 2, "desk.lan");
	rig_ask((struct fake_miss){
		.name = "66.1.168.192.in-addr.arpa", .type = DNS_TYPE_PTR, .id = 3});
	WAIT_FOR(rig_asked() == 3);
}

// A name that is no lease's is a server's, also when weir has made it longer.
TEST_WITH(test_no_lease, setup, teardown)
{
	is_blocked("other.lan", 1);
	is_blocked("other", 2);
	expect_asked(0, 2, "other.lan");
	is_blocked("other.lan", 3);
	assert_int_equal(rig_asked(), 2); // cached
	leases_publish("late");
	resolves("late.lan", 4, ANSWER_UPSTREAM);
	expect_records("late.lan A 192.168.1.68\n");
}

// A record of any type keeps the name from leases, also where the types that it lacks are others'.
TEST_WITH(test_missing_types, setup_missing, teardown)
{
	is_blocked("six.lan", 1);
	is_blocked("mail.lan", 2);
	is_blocked("text.lan", 3);
	assert_int_equal(rig_asked(), 3);
	resolves("deep.lan", 4, ANSWER_UPSTREAM);
	expect_records("deep.lan A 192.168.1.71\n");
	ask("empty.lan", 5);
	expect_answer(5, DNS_RCODE_NOERROR, ANSWER_UPSTREAM);
	assert_int_equal(get_u16(got.dns + 6), 0);
	assert_int_equal(rig_asked(), 3);
}
