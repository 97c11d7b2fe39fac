// SPDX-License-Identifier: BSD-3-Clause
// Blocked names: each way to answer them, and which names are.
#include "harness.h"

static const char *const listed[] = {"ads.example", "x.tracker.example"};

PACKET_TEST(test_names)
{
	static const char *const blocked[] = {"ads.example", "ADS.Example", "a.ads.example",
		"b.a.ads.example", "x.tracker.example"};
	static const char *const free_names[] = {"example", "tracker.example", "badads.example",
		"ads.example.org", "xx.tracker.example"};
	harness_block(h, listed, 2);
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++) {
		struct wire_query q = {.name = blocked[i], .version = i % 2 ? 6 : 4};
		harness_ask(h, &q, VERDICT_blocked);
	}
	for (size_t i = 0; i < sizeof(free_names) / sizeof(free_names[0]); i++) {
		struct wire_query q = {.name = free_names[i]};
		harness_ask_dropped(h, &q, VERDICT_miss);
	}
	harness_ask_dropped(h, QUERY(.name = ""), VERDICT_miss);
}

PACKET_TEST(test_nxdomain)
{
	struct wire_query q = {.name = "ads.example", .edns = true, .has_vlan = true};
	harness_block(h, listed, 2);
	struct wire_reply r = harness_ask(h, &q, VERDICT_blocked);
	assert_int_equal(r.rcode, 3);
	assert_int_equal(r.ede, 15);
	expect_soa(&r, 60);
}

PACKET_TEST(test_null)
{
	struct wire_query aaaa = {.name = "Aads.ads.example", .qtype = 28, .version = 6};
	struct wire_query txt = {.name = "ads.example", .qtype = 16};
	static const uint8_t zero[16];
	h->tables.config.block.mode = DNS_BLOCK_NULL;
	harness_block(h, listed, 2);
	struct wire_reply r = harness_ask(h, QUERY(.name = "ads.example"), VERDICT_blocked);
	expect_address(&r, "\0\0\0\0", 60);
	r = harness_ask(h, &aaaa, VERDICT_blocked);
	assert_int_equal(r.record[0].rdata_len, 16);
	assert_memory_equal(r.record[0].rdata, zero, 16);
	r = harness_ask(h, &txt, VERDICT_blocked);
	assert_int_equal(r.rcode, 0);
	expect_soa(&r, 60);
}

// Where something is behind the question, the sum of that is not the reply's; harness_ask checks
// the sums and the question's letter case.
static void check_beside_more(unsigned mode, unsigned rcode)
{
	static const struct wire_query asked[] = {
		{.name = "aDs.Example", .edns = true, .dnssec_ok = true},
		{.name = "aDs.Example", .edns = true, .extra_bytes = 7},
		{.name = "aDs.Example", .extra_bytes = 5},
		{.name = "a.aDs.Example", .extra_bytes = 5, .has_vlan = true},
		{.name = "aDs.Example", .csum = WIRE_CSUM_ZERO},
		{.name = "aDs.Example", .ip_option_len = 8},
		{.name = "aDs.Example", .version = 6, .extra_bytes = 1, .flags = 0x0130},
	};
	struct harness *h = harness_begin(NULL);
	const bool is_null = mode == DNS_BLOCK_NULL;
	h->tables.config.block.mode = (uint8_t)mode;
	harness_block(h, listed, 2);
	for (unsigned i = 0; i < 2 * ARRAY_LEN(asked); i++) {
		struct wire_query q = asked[i / 2];
		q.qtype = i % 2 ? 28 : 1;
		struct wire_reply r = harness_ask(h, &q, VERDICT_blocked);
		assert_int_equal(r.count, 1);
		assert_int_equal(r.record[0].section, !is_null);
		assert_int_equal(r.record[0].type, is_null ? q.qtype : 6);
		assert_int_equal(r.record[0].ttl_s, 60);
		assert_int_equal(r.record[0].rdata_len, !is_null ? 54 : i % 2 ? 16 : 4);
		assert_int_equal(r.ede, q.edns ? 15 : -1);
		assert_int_equal(r.dnssec_ok, q.dnssec_ok);
		assert_int_equal(r.flags, 0x8180 | rcode | (q.flags & 0x0010));
		assert_int_equal(h->stats.rcode[rcode], i + 1);
	}
	harness_end(h);
}

TEST(test_beside_more)
{
	check_beside_more(DNS_BLOCK_NULL, DNS_RCODE_NOERROR);
	check_beside_more(DNS_BLOCK_NODATA, DNS_RCODE_NOERROR);
	check_beside_more(DNS_BLOCK_NXDOMAIN, DNS_RCODE_NXDOMAIN);
}

// Blocking comes before the cache, and can be paused.
PACKET_TEST(test_before_cache)
{
	struct wire_query q = {.name = "ads.example"};
	HARNESS_PUT(h, .name = "ads.example", .count = 1);
	harness_block(h, listed, 2);
	harness_ask(h, &q, VERDICT_blocked);
	h->tables.config.blocking_on = 0;
	harness_ask(h, &q, VERDICT_hit);
	h->tables.config.blocking_on = 1;
	h->tables.config.group_lists[0] = 3; // without the list that holds it
	harness_ask(h, &q, VERDICT_hit);
	h->tables.config.group_lists[0] = 7;
	h->w.control_alive = 0; // needs nobody
	harness_ask(h, &q, VERDICT_blocked);
}

static const struct wire_query ads = {.name = "ads.example", .edns = true},
			       unknown = {.name = "unknown.example"};

// Without rules nobody is answered, but in a pause and where blocking is `open`; until there are
// rules again.
static void expect_closed(struct harness *h, enum blocking_on open)
{
	for (unsigned i = 0; i < 3; i++) {
		struct wire_reply r = harness_ask(h, &ads, VERDICT_servfail_no_rules);
		assert_int_equal(r.rcode, DNS_RCODE_SERVFAIL);
		assert_int_equal(r.ede, DNS_EDE_NOT_READY);
		harness_ask(h, &unknown, VERDICT_servfail_no_rules);
	}
	h->tables.config.pause_until_ms = UINT64_MAX;
	harness_ask(h, &ads, VERDICT_hit);
	h->tables.config.pause_until_ms = 0;
	h->tables.config.blocking_on = (uint8_t)open;
	harness_ask(h, &ads, VERDICT_hit);
	h->tables.config.blocking_on = BLOCKING_CLOSED;
	harness_block(h, listed, 2);
	harness_ask(h, &ads, VERDICT_blocked);
}

// As a data plane is that starts with a damaged image.
PACKET_TEST(test_without_rules)
{
	HARNESS_PUT(h, .name = "ads.example", .count = 1);
	harness_ask(h, &ads, VERDICT_hit);
	h->tables.config.blocking_on = BLOCKING_CLOSED;
	expect_closed(h, BLOCKING_OFF);
	harness_ask_dropped(h, &unknown, VERDICT_miss);
}

// The image turns to zeros while a worker uses it, as shm_lost.c makes it: no query that reads the
// zeros is answered as if no list held its name.
PACKET_TEST(test_lost_rules)
{
	HARNESS_PUT(h, .name = "ads.example", .count = 1);
	harness_block(h, listed, 2);
	h->tables.config.blocking_on = BLOCKING_CLOSED;
	harness_ask(h, &ads, VERDICT_blocked);
	harness_rules_lost(h);
	expect_closed(h, BLOCKING_ON);
}

// A pause ends by the clock, with nobody's help.
PACKET_TEST(test_pause)
{
	struct wire_query q = {.name = "ads.example"};
	HARNESS_PUT(h, .name = "ads.example", .count = 1);
	harness_block(h, listed, 2);
	h->w.control_alive = 0;
	h->tables.config.pause_until_ms = clock_mono_ms() + 600000;
	harness_ask(h, &q, VERDICT_hit);
	uint64_t until_ms = clock_mono_ms() + 20;
	h->tables.config.pause_until_ms = until_ms;
	WAIT_FOR(clock_mono_coarse_ms(clock_suspended_ms(0)) >= until_ms);
	harness_ask(h, &q, VERDICT_blocked);
	h->tables.config.pause_until_ms = UINT64_MAX;
	harness_ask(h, &q, VERDICT_hit);
}

// Each group's clients get their group's reply.
PACKET_TEST(test_reply_of_group)
{
	static const char *const prefixes[] = {"198.18.1.0/24", "198.18.2.0/24 fd53:2::/64"};
	static const struct policy_group groups[] = {
		{.lists = {7}, .block = {.mode = DNS_BLOCK_NODATA, .ttl_s = 7}},
		{.lists = {7}, .block = {.mode = DNS_BLOCK_REFUSED}},
		{.lists = {7},
			.block = {.mode = DNS_BLOCK_CUSTOM,
				.ttl_s = 9,
				.has = DNS_BLOCK_HAS_V4,
				.v4 = {198, 18, 0, 80}}},
	};
	struct wire_query q = {.name = "ads.example"};
	harness_block(h, listed, 2);
	harness_groups(h, prefixes, 2, groups);
	struct wire_reply r = harness_ask(h, &q, VERDICT_blocked);
	assert_int_equal(r.rcode, 0);
	expect_soa(&r, 7);
	q.src = "198.18.1.1";
	r = harness_ask(h, &q, VERDICT_blocked);
	assert_int_equal(r.rcode, 5);
	q.src = "198.18.2.1";
	r = harness_ask(h, &q, VERDICT_blocked);
	expect_address(&r, "\xc6\x12\0\x50", 9);
	q = (struct wire_query){
		.name = "ads.example", .qtype = 28, .version = 6, .src = "fd53:2::1"};
	r = harness_ask(h, &q, VERDICT_blocked);
	assert_int_equal(r.rcode, 0);
	expect_soa(&r, 9);
}

// Mixed batches: order kept among what goes on, each packet its own answer.
PACKET_TEST(test_mixed_batch)
{
	static const char *const name[] = {"ads.example", "warm.example", "cold.example"};
	uint8_t frame[WIRE_MAX];
	HARNESS_PUT(h, .name = "warm.example", .count = 1);
	harness_block(h, listed, 2);
	for (unsigned i = 0; i < 30; i++) {
		struct wire_query q = {.name = name[i % 3], .id = (uint16_t)(i + 1)};
		harness_inject(h, frame, wire_make(&q, frame));
	}
	assert_int_equal(worker_turn(&h->w, 0), 30);
	assert_int_equal(harness_verdict(h, VERDICT_blocked), 10);
	assert_int_equal(harness_verdict(h, VERDICT_hit), 10);
	assert_int_equal(harness_verdict(h, VERDICT_miss), 10);
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned i = kind; i < 30; i += 3) {
			struct wire_query q = {.name = name[kind], .id = (uint16_t)(i + 1)};
			struct wire_reply r;
			wire_check_answers(frame, harness_take(h, frame), &q, &r);
			assert_int_equal(r.rcode, kind == 0 ? 3 : 0);
		}
}
