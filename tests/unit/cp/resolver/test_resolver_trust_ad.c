// SPDX-License-Identifier: BSD-3-Clause

// `trust_ad`: whose AD reaches the client, and of which answers. Both fake servers set AD always.

#include "resolver_rig.h"

static struct config_record alias;
static struct config_forward_zone zone;
static struct config_upstream zone_server;
static struct dns_name target;

// alias.lan is www.example; fake[1] has the zone corp.example.
static void names_make(void)
{
	target = name_of_text("www.example");
	alias = (struct config_record){.name = name_of_text("alias.lan"),
		.ttl_s = 77,
		.type = DNS_TYPE_CNAME,
		.rdata = target.wire,
		.rdata_len = target.len};
	zone_server = (struct config_upstream){.address = rig.config.upstreams.server[1].address};
	zone = (struct config_forward_zone){
		.name = name_of_text("corp.example"), .server_count = 1, .servers = &zone_server};
	rig.config.local.records = &alias;
	rig.config.local.record_count = 1;
	rig.config.forwards = &zone;
	rig.config.forward_count = 1;
}

static int setup(void **state)
{
	rig_setup(state);
	rig_box_stop();
	names_make();
	rig.config.upstreams.count = 1;
	rig.config.upstreams.server[0].trust_ad = true;
	fake[0].sets_ad = fake[1].sets_ad = true;
	fake[0].ttl_s = fake[1].ttl_s = 300;
	rig_box_start();
	return 0;
}

// The AD of the answer to a client with these bits.
static bool ad_of(struct fake_miss m, enum answer_kind kind)
{
	static uint16_t id;
	m.id = ++id;
	m.type = m.type ? m.type : DNS_TYPE_A;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(id, 0, kind);
	return get_u16(got.dns + 2) & DNS_FLAG_AD;
}

TEST_WITH(test_for_clients_that_ask_for_it, setup, rig_teardown)
{
	assert_true(ad_of((struct fake_miss){.name = "www.example", .ad = true}, ANSWER_UPSTREAM));
	assert_int_equal(fake[0].ad_queries, 1); // RFC 6840 5.7
	assert_true(ad_of((struct fake_miss){.name = "www.example", .ad = true}, ANSWER_CACHED));
	assert_false(ad_of((struct fake_miss){.name = "www.example"}, ANSWER_CACHED));
	fake[0].sets_ad = false;
	assert_false(ad_of((struct fake_miss){.name = "b.example", .ad = true}, ANSWER_UPSTREAM));
}

TEST_WITH(test_with_checking_disabled, setup, rig_teardown)
{
	assert_true(ad_of((struct fake_miss){.name = "www.example", .ad = true, .cd = true},
		ANSWER_UPSTREAM));
}

TEST_WITH(test_not_of_other_servers, setup, rig_teardown)
{
	assert_false(
		ad_of((struct fake_miss){.name = "a.corp.example", .ad = true}, ANSWER_UPSTREAM));
	assert_int_equal(fake[1].udp_queries, 1);
	assert_int_equal(fake[1].ad_queries, 0);
	zone_server.trust_ad = true;
	rig_reload();
	assert_true(
		ad_of((struct fake_miss){.name = "b.corp.example", .ad = true}, ANSWER_UPSTREAM));
	assert_int_equal(fake[1].ad_queries, 1);
}

// Of one set: the server that answers counts.
TEST_WITH(test_not_of_the_next_server, setup, rig_teardown)
{
	rig.config.upstreams.count = 2;
	rig_reload();
	fake[0].mode = FAKE_SERVFAIL;
	assert_false(ad_of((struct fake_miss){.name = "www.example", .ad = true}, ANSWER_UPSTREAM));
	assert_int_equal(fake[0].ad_queries, 1);
	assert_int_equal(fake[1].ad_queries, 0);
}

TEST_WITH(test_not_of_rewritten_answers, setup, rig_teardown)
{
	assert_false(ad_of((struct fake_miss){.name = "alias.lan", .ad = true}, ANSWER_UPSTREAM));
	assert_false(ad_of((struct fake_miss){.name = "alias.lan", .ad = true}, ANSWER_CACHED));
}

// The fake server answers AAAA with A records, so there are none.
TEST_WITH(test_not_of_dns64, setup, rig_teardown)
{
	assert_int_equal(ip_address_parse("64:ff9b::/96", &rig.config.ipv6.dns64), 0);
	rig_reload();
	const struct fake_miss m = {.name = "www.example", .type = DNS_TYPE_AAAA, .ad = true};
	assert_false(ad_of(m, ANSWER_UPSTREAM));
	assert_int_equal(status().dns64, 1);
	assert_false(ad_of(m, ANSWER_CACHED));
}

// What was kept while the server was trusted goes when it is not.
TEST_WITH(test_not_after_a_reload_without_it, setup, rig_teardown)
{
	const struct fake_miss m = {.name = "www.example", .ad = true};
	assert_true(ad_of(m, ANSWER_UPSTREAM));
	rig.config.upstreams.server[0].trust_ad = false;
	rig_reload();
	WAIT_FOR(status().l0.entries == 0);
	assert_false(ad_of(m, ANSWER_UPSTREAM));
}

// A question with CD is not validated.
TEST_WITH(test_not_where_weir_validates, setup, rig_teardown)
{
	rig.config.dnssec.validate = true;
	rig.config.dnssec.hash = 7;
	rig_reload();
	assert_false(ad_of((struct fake_miss){.name = "www.example", .ad = true, .cd = true},
		ANSWER_UPSTREAM));
	assert_int_equal(fake[0].cd_queries, 1);
}

// Boxes with the same trusted servers share it; L1 has the target of a local CNAME alone.
TEST_WITH(test_from_l1, setup, rig_teardown)
{
	static struct redis_server redis;
	redis_server_start(&redis, NULL);
	rig_redis_box(&redis);
	assert_false(ad_of((struct fake_miss){.name = "alias.lan", .ad = true}, ANSWER_UPSTREAM));
	rig_redis_keys_await(&redis, 1);
	rig_redis_box(&redis);
	assert_true(ad_of((struct fake_miss){.name = "www.example", .ad = true}, ANSWER_CACHED));
	assert_false(ad_of((struct fake_miss){.name = "alias.lan", .ad = true}, ANSWER_CACHED));
	rig.config.upstreams.server[0].trust_ad = false;
	rig_redis_box(&redis);
	assert_false(ad_of((struct fake_miss){.name = "www.example", .ad = true}, ANSWER_UPSTREAM));
	redis_server_clean(&redis);
}
