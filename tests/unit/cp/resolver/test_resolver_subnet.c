// SPDX-License-Identifier: BSD-3-Clause

// Clients' subnets (RFC 7871) in the resolver: which questions are one, and which clients get a
// cached answer.

#include "subnet_rig.h"
#include "tests/unit/clock_still.h"

#include <weir/dns_query.h>

TEST_WITH(test_each_subnet_has_its_answer, setup, rig_teardown)
{
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "198.51.100.9", ANSWER_CACHED, 100);
	asks("www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
	asks("www.example", "198.51.101.8", ANSWER_CACHED, 101);
	asks("www.example", "198.51.100.8", ANSWER_CACHED, 100);
	assert_int_equal(fake[0].udp_queries, 2);
	const struct resolver_status s = status();
	assert_int_equal(s.subnet_sent, 2);
	assert_int_equal(s.subnet_answers, 2);
	assert_int_equal(s.subnet_hits, 3);
	assert_int_equal(s.l0.entries, 2);
}

TEST_WITH(test_scope_0_is_for_everyone, setup, rig_teardown)
{
	fake[0].scope_more = 1;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "203.0.113.7", ANSWER_CACHED, 100);
	from((struct fake_miss){.name = "www.example", .hides = true}, "203.0.113.7");
	expect(ANSWER_CACHED, 100, 24);
	assert_int_equal(status().subnet_answers, 0);
}

TEST_WITH(test_a_reply_without_the_option_is_for_everyone, setup, rig_teardown)
{
	fake[0].scope_more = 0;
	from((struct fake_miss){.name = "www.example"}, "198.51.100.7");
	expect_answer(id, 0, ANSWER_UPSTREAM);
	from((struct fake_miss){.name = "www.example"}, "203.0.113.7");
	expect_answer(id, 0, ANSWER_CACHED);
}

// A server that got no subnet answers for weir's own network.
TEST_WITH(test_a_query_without_the_option_is_for_its_client, setup, rig_teardown)
{
	fake[0].mode = FAKE_SUBNET_REFUSED;
	for (unsigned i = 0; i < 2; i++) {
		from((struct fake_miss){.name = "www.example"}, i ? "203.0.113.7" : "198.51.100.7");
		expect_answer(id, 0, ANSWER_UPSTREAM);
	}
	from((struct fake_miss){.name = "www.example"}, "198.51.100.8");
	expect_answer(id, 0, ANSWER_CACHED);
}

// 7.3.1: the longest one that fits decides; and one for 198.51.0.0/16 is not for the rest.
TEST_WITH(test_the_longest_scope_counts, setup, rig_teardown)
{
	fake[0].scope_more = 1 + 16;
	asks("www.example", "198.51.1.1", ANSWER_UPSTREAM, 1);
	asks("www.example", "198.51.2.1", ANSWER_CACHED, 1);
	asks("www.example", "198.52.3.1", ANSWER_UPSTREAM, 3);
	fake[0].scope_more = 1 + 24;
	asks("other.example", "198.51.2.1", ANSWER_UPSTREAM, 2);
	fake[0].scope_more = 1 + 16;
	asks("other.example", "198.51.1.1", ANSWER_UPSTREAM, 1);
	asks("other.example", "198.51.2.1", ANSWER_CACHED, 2);
	asks("other.example", "198.51.4.1", ANSWER_CACHED, 1);
}

// The stale answer of a longer scope does not hide the fresh one of a shorter scope.
TEST_WITH(test_fresh_goes_before_stale, setup, rig_teardown)
{
	fake[0].ttl_s = 1;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	clock_pass_ms(1100);
	fake[0].scope_more = 1 + 16;
	fake[0].ttl_s = 300;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "198.51.100.7", ANSWER_CACHED, 100);
}

// Up to a multiple of 4, so that a lookup has few lengths to try: /17 is kept for a /20.
TEST_WITH(test_a_scope_is_rounded_up, setup, rig_teardown)
{
	fake[0].scope_more = 1 + 17;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "198.51.111.7", ANSWER_CACHED, 100);
	asks("www.example", "198.51.112.7", ANSWER_UPSTREAM, 112);
	fake[0].scope_more = 1 + 23;
	asks("other.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("other.example", "198.51.100.8", ANSWER_CACHED, 100);
	asks("other.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
}

TEST_WITH(test_a_scope_over_the_source_is_the_source, setup, rig_teardown)
{
	fake[0].scope_more = 1 + 32;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	asks("www.example", "198.51.100.8", ANSWER_CACHED, 100);
	asks("www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
}

// 7.1.2, 7.3.1: nothing of its address leaves, and its answer is for such clients alone.
TEST_WITH(test_a_client_that_hides, setup, rig_teardown)
{
	const struct fake_miss m = {.name = "www.example", .hides = true};
	fake[0].scope_more = 1;
	from(m, "198.51.100.7");
	expect(ANSWER_UPSTREAM, 0, 0);
	assert_int_equal(fake[0].subnet_len, 4);
	assert_memory_equal(fake[0].subnet, "\0\1\0\0", 4);
	from(m, "203.0.113.7");
	expect(ANSWER_CACHED, 0, 0);
	fake[0].scope_more = 1 + 24;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	from(m, "198.51.100.7");
	expect(ANSWER_CACHED, 0, 0);
}

// 7.1.2: weir never sends more bits than the client says, and fewer would be for others too.
TEST_WITH(test_a_client_that_shows_less, setup, rig_teardown)
{
	const struct fake_miss m = {
		.name = "www.example", .has_opt = DNS_OPT_PLAIN | 2 << DNS_OPT_SUBNET_SHIFT};
	from(m, "198.51.100.7");
	expect(ANSWER_UPSTREAM, 0, 0);
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	from((struct fake_miss){.name = "www.example",
		     .has_opt = DNS_OPT_PLAIN | 3 << DNS_OPT_SUBNET_SHIFT},
		"198.51.100.7");
	expect(ANSWER_CACHED, 100, 24);
}

TEST_WITH(test_versions_are_apart, setup, rig_teardown)
{
	static const uint8_t six[16] = {0x20, 1, 0xd, 0xb8, 0, 1, 2, 3, 4};
	fake[0].scope_more = 1 + 48;
	struct fake_miss m = {.name = "www.example", .type = DNS_TYPE_A, .client6 = six};
	m.id = ++id;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect(ANSWER_UPSTREAM, 0xd, 56);
	m.id = ++id;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect(ANSWER_CACHED, 0xd, 56);
	asks("www.example", "32.1.13.184", ANSWER_UPSTREAM, 13); // as its first bytes
}

// In flight: one question for each subnet, one for all its clients.
TEST_WITH(test_questions_are_joined_by_subnet, setup, rig_teardown)
{
	fake[0].held = true;
	from((struct fake_miss){.name = "www.example"}, "198.51.100.7");
	from((struct fake_miss){.name = "www.example"}, "198.51.100.8");
	from((struct fake_miss){.name = "www.example"}, "198.51.101.7");
	from((struct fake_miss){.name = "www.example", .hides = true}, "198.51.100.9");
	WAIT_FOR(status().misses >= 4);
	assert_int_equal(status().inflight, 3);
	assert_int_equal(status().coalesced, 1);
	fake[0].held = false;
	unsigned of[2] = {0}, hidden = 0;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
		const uint8_t *address = address_of_answer();
		assert_non_null(address);
		hidden += address[3] == 0;
		of[0] += address[2] == 100;
		of[1] += address[2] == 101;
	}
	assert_int_equal(of[0], 2);
	assert_int_equal(of[1], 1);
	assert_int_equal(hidden, 1);
}

// An answer for one subnet takes the place of that for everyone: workers must not go on with it.
TEST_WITH(test_scoped_replaces_everyones, setup, rig_teardown)
{
	fake[0].scope_more = 1;
	fake[0].ttl_s = 1;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	assert_int_equal(status().l0.entries, 1);
	clock_pass_ms(1100);
	fake[0].scope_more = 1 + 24;
	asks("www.example", "198.51.101.7", ANSWER_UPSTREAM, 101);
	assert_int_equal(status().l0.entries, 1);
	asks("www.example", "198.51.102.7", ANSWER_UPSTREAM, 102);
}

// Not one for a client that hides its address: then a stale one for everyone is left to them.
TEST_WITH(test_hidden_leaves_everyones, setup, rig_teardown)
{
	fake[0].scope_more = 1;
	fake[0].ttl_s = 1;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	clock_pass_ms(1100);
	from((struct fake_miss){.name = "www.example", .hides = true}, "198.51.101.7");
	expect(ANSWER_UPSTREAM, 0, 0);
	fake[0].mode = FAKE_SERVFAIL;
	asks("www.example", "198.51.102.7", ANSWER_STALE, 100);
}

// No server answers: the stale answer of the subnet, and of no other one.
TEST_WITH(test_stale_by_subnet, setup, rig_teardown)
{
	fake[0].ttl_s = 1;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
	clock_pass_ms(1100);
	fake[0].mode = FAKE_SERVFAIL;
	from((struct fake_miss){.name = "www.example"}, "198.51.101.7");
	expect_answer(id, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	from((struct fake_miss){.name = "www.example"}, "198.51.100.9");
	expect(ANSWER_STALE, 100, 24);
}

// A failure for one subnet says nothing of the others.
TEST_WITH(test_failures_by_subnet, setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	from((struct fake_miss){.name = "www.example"}, "198.51.101.7");
	expect_answer(id, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	const unsigned sent = fake[0].udp_queries;
	from((struct fake_miss){.name = "www.example"}, "198.51.101.8");
	expect_answer(id, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_int_equal(fake[0].udp_queries, sent);
	fake[0].mode = FAKE_ANSWER;
	asks("www.example", "198.51.100.7", ANSWER_UPSTREAM, 100);
}

static struct config_forward_zone zone;
static struct config_upstream zone_server;

TEST_WITH(test_by_zone, setup, rig_teardown)
{
	zone_server = (struct config_upstream){.address = rig.config.upstreams.server[0].address};
	zone = (struct config_forward_zone){.server_count = 1, .servers = &zone_server};
	assert_int_equal(dns_name_from_text("corp.example", 12, &zone.name), 0);
	rig.config.forwards = &zone;
	rig.config.forward_count = 1;
	rig_reload();
	from((struct fake_miss){.name = "a.corp.example"}, "198.51.100.7");
	expect_answer(id, 0, ANSWER_UPSTREAM);
	assert_int_equal(fake[0].subnet_queries, 0);
	zone.pick.subnet.ipv4 = 16;
	rig.config.upstreams.subnet = (struct config_subnet){0};
	rig_reload();
	from((struct fake_miss){.name = "b.corp.example"}, "198.51.100.7");
	expect(ANSWER_UPSTREAM, 0, 16);
	from((struct fake_miss){.name = "www.example"}, "198.51.100.7");
	expect_answer(id, 0, ANSWER_UPSTREAM);
	assert_int_equal(fake[0].subnet_len, 0);
}
