// SPDX-License-Identifier: BSD-3-Clause
// What rules do to queries: each action of the rule image, safe search, and records checked by the
// answer policy.
#include "harness.h"

// A rule's own reply beats the group's, whose TTL it takes.
PACKET_TEST(test_replies)
{
	static const struct harness_rule rules[] = {
		{"group.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL},
		{"nx.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
		{"nodata.example", RULE_CLASS_BLOCK, RULE_REPLY_NODATA, 0, 0, NULL},
		{"null.example", RULE_CLASS_BLOCK, RULE_REPLY_NULL, 0, 0, NULL},
		{"refused.example", RULE_CLASS_BLOCK, RULE_REPLY_REFUSED, 0, 0, NULL},
		{"failed.example", RULE_CLASS_BLOCK, RULE_REPLY_SERVFAIL, 0, 0, NULL},
		{"drop.example", RULE_CLASS_BLOCK, RULE_REPLY_DROP, 0, 0, NULL},
	};
	h->tables.config.block = (struct dns_block){.mode = DNS_BLOCK_CUSTOM,
		.ttl_s = 9,
		.has = DNS_BLOCK_HAS_V4,
		.v4 = {198, 18, 0, 80}};
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	// A reply without an address has a SOA, but for errors.
	static const struct {
		const char *name, *address;
		unsigned rcode;
	} asked[] = {
		{"a.group.example", "\xc6\x12\0\x50", DNS_RCODE_NOERROR},
		{"nx.example", NULL, DNS_RCODE_NXDOMAIN},
		{"nodata.example", NULL, DNS_RCODE_NOERROR},
		{"null.example", "\0\0\0\0", DNS_RCODE_NOERROR},
		{"refused.example", NULL, DNS_RCODE_REFUSED},
		{"failed.example", NULL, DNS_RCODE_SERVFAIL},
	};
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		struct wire_reply r =
			harness_ask(h, QUERY(.name = asked[i].name, .edns = true), VERDICT_blocked);
		assert_int_equal(r.rcode, asked[i].rcode);
		assert_int_equal(r.ede, 15);
		if (asked[i].address)
			expect_address(&r, asked[i].address, 9);
		else if (r.rcode != DNS_RCODE_REFUSED && r.rcode != DNS_RCODE_SERVFAIL)
			expect_soa(&r, 9);
	}
	harness_ask_dropped(h, QUERY(.name = "x.y.drop.example", .edns = true), VERDICT_drop_rule);
}

static const struct harness_rule local_rules[] = {
	{"host.example", RULE_CLASS_LOCAL, RULE_REPLY_DATA, 1, 4, "\xc6\x12\1\1"},
	{"none.example", RULE_CLASS_LOCAL, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
	{"away.example", RULE_CLASS_LOCAL, RULE_REPLY_RESOLVE, 0, 0, NULL},
	{"rpz.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 1, 4, "\xc6\x12\2\2"},
	{"safe.example", RULE_CLASS_SAFE, RULE_REPLY_RESOLVE, 0, 0, NULL},
	{"ads.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL},
	{"host.example", RULE_CLASS_BLOCK, RULE_REPLY_DROP, 0, 0, NULL},
};

// Local data is answered whatever is cached, blocked or paused; what it leaves to the control plane
// goes there.
PACKET_TEST(test_local)
{
	struct wire_reply r;
	harness_all_lists(h);
	harness_rules(h, local_rules, ARRAY_LEN(local_rules));
	HARNESS_PUT(h, .name = "host.example", .count = 1);
	for (unsigned i = 0; i < 3; i++) { // as it is, paused, off
		h->tables.config.pause_until_ms = i == 1 ? UINT64_MAX : 0;
		h->tables.config.blocking_on = i != 2;
		struct wire_query q = {.name = "hOst.example", .edns = true, .version = i ? 6 : 4};
		r = harness_ask(h, &q, VERDICT_local);
		expect_address(&r, "\xc6\x12\1\1", 77);
		assert_int_equal(r.ede, -1);
		q.qtype = 28;
		r = harness_ask(h, &q, VERDICT_local);
		assert_int_equal(r.rcode, 0);
		expect_soa(&r, 60);
		q.name = "x.none.example";
		r = harness_ask(h, &q, VERDICT_local);
		assert_int_equal(r.rcode, 3);
		expect_soa(&r, 60);
		assert_int_equal(r.ede, -1);
		q.name = "away.example";
		harness_ask_dropped(h, &q, VERDICT_miss);
	}
}

// Data of a block list is a way to block.
PACKET_TEST(test_data_of_a_block_list)
{
	struct wire_query q = {.name = "rpz.example", .edns = true};
	harness_all_lists(h);
	harness_rules(h, local_rules, ARRAY_LEN(local_rules));
	struct wire_reply r = harness_ask(h, &q, VERDICT_blocked);
	expect_address(&r, "\xc6\x12\2\2", 77);
	assert_int_equal(r.ede, 15);
	h->tables.config.pause_until_ms = UINT64_MAX;
	harness_ask_dropped(h, &q, VERDICT_miss);
}

enum { VIEW = 7, SAFE_VIEW = 8 };
static const char *const prefixes[] = {"198.18.1.0/24", "198.18.2.0/24"};
static const struct policy_group groups[] = {
	{.lists = {-1, -1, -1, -1}},
	{.lists = {-1, -1, -1, -1}, .view = VIEW, .safe_view = SAFE_VIEW},
	{.lists = {-1, -1, -1, -1}, .view = VIEW},
};

static uint16_t view_of_miss(struct harness *h, const struct wire_query *q)
{
	return harness_ask_missed(h, q).view;
}

// Who has safe search asks for those names, and finds what is kept of them, in another view; all
// others, and all other names, stay in their own.
PACKET_TEST(test_safe_view)
{
	harness_groups(h, prefixes, 2, groups);
	harness_rules(h, local_rules, ARRAY_LEN(local_rules));
	struct wire_query safe = {.name = "www.safe.example", .src = "198.18.1.1"};
	struct wire_query other = {.name = "www.example", .src = "198.18.1.1"};
	assert_int_equal(view_of_miss(h, &safe), SAFE_VIEW);
	assert_int_equal(view_of_miss(h, &other), VIEW);
	safe.src = "198.18.2.1";
	assert_int_equal(view_of_miss(h, &safe), VIEW);
	safe.src = NULL;
	assert_int_equal(view_of_miss(h, &safe), 0);

	HARNESS_PUT(h, .name = "www.safe.example", .count = 2, .view = SAFE_VIEW);
	safe.src = "198.18.1.1";
	uint8_t frame[WIRE_MAX];
	for (unsigned i = 0; i < WORKER_BATCH; i++) // whose records are looked for ahead
		harness_inject(h, frame, wire_make(&safe, frame));
	assert_int_equal(worker_turn(&h->w, 0), WORKER_BATCH);
	assert_int_equal(harness_verdict(h, VERDICT_hit), WORKER_BATCH);
	harness_drain(h);

	HARNESS_PUT(h, .name = "www.safe.example", .count = 1, .view = VIEW);
	struct wire_reply r = harness_ask(h, &safe, VERDICT_hit);
	assert_int_equal(r.count, 2);
	h->tables.config.pause_until_ms = UINT64_MAX; // of blocking, not of this
	r = harness_ask(h, &safe, VERDICT_hit);
	assert_int_equal(r.count, 2);
	safe.src = "198.18.2.1";
	r = harness_ask(h, &safe, VERDICT_hit);
	assert_int_equal(r.count, 1);
}

static const struct harness_rule some_rules[] = {
	{"good.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},
	{"four.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, DNS_TYPE_A, 0, NULL},
	{"host.example", RULE_CLASS_LOCAL, RULE_REPLY_NODATA, 0, 0, NULL},
	{"bad.example", RULE_CLASS_BLOCK, RULE_REPLY_NXDOMAIN, 0, 0, NULL},
};

// Clients that may ask for nothing now: cached or not, but for what an allow rule names and local
// data. It goes by the group's own reply, and is blocking like any other: off is off.
PACKET_TEST(test_block_all)
{
	static const struct policy_group all[] = {
		{.lists = {-1, -1, -1, -1}},
		{.lists = {-1, -1, -1, -1},
			.block_all = 1,
			.block = {.ttl_s = 9, .mode = DNS_BLOCK_NULL}},
		{.lists = {-1, -1, -1, -1}},
	};
	struct wire_reply r;
	struct wire_query any = {.name = "www.example", .src = "198.18.1.1", .edns = true};
	struct wire_query other = {.name = "www.example", .src = "198.18.2.1"};
	struct wire_query good = {.name = "a.good.example", .src = "198.18.1.1"};
	struct wire_query host = {.name = "host.example", .src = "198.18.1.1"};
	struct wire_query bad = {.name = "bad.example", .src = "198.18.1.1"};
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	harness_groups(h, prefixes, 2, all);
	for (unsigned with_rules = 0; with_rules < 2; with_rules++) {
		if (with_rules)
			harness_rules(h, some_rules, ARRAY_LEN(some_rules));
		r = harness_ask(h, &any, VERDICT_blocked);
		expect_address(&r, "\0\0\0\0", 9);
		assert_int_equal(r.ede, 17);
		r = harness_ask(h, &other, VERDICT_hit);
	}
	harness_ask_dropped(h, &good, VERDICT_miss);
	r = harness_ask(h, &host, VERDICT_local);
	r = harness_ask(h, &bad, VERDICT_blocked);
	assert_int_equal(r.rcode, DNS_RCODE_NXDOMAIN); // a rule's own reply
	h->tables.policy.group[1].block.mode = DNS_BLOCK_NXDOMAIN;
	r = harness_ask(h, &any, VERDICT_blocked);
	assert_int_equal(r.rcode, DNS_RCODE_NXDOMAIN);
	struct wire_query six = {
		.name = "four.example", .src = "198.18.1.1", .qtype = DNS_TYPE_AAAA};
	r = harness_ask(h, &six, VERDICT_blocked);
	assert_int_equal(r.rcode, DNS_RCODE_NOERROR); // its A is allowed
	// A pause for everyone leaves the group as it is, unless that pause is for it, too.
	h->tables.config.pause_until_ms = UINT64_MAX;
	r = harness_ask(h, &any, VERDICT_blocked);
	harness_ask_dropped(h, &good, VERDICT_miss);
	r = harness_ask(h, &host, VERDICT_local);
	r = harness_ask(h, &bad, VERDICT_blocked);
	bad.src = "198.18.2.1";
	harness_ask_dropped(h, &bad, VERDICT_miss);
	h->tables.config.block_all_pause_until_ms = UINT64_MAX;
	r = harness_ask(h, &any, VERDICT_hit);
	h->tables.config.pause_until_ms = h->tables.config.block_all_pause_until_ms = 0;
	h->tables.config.blocking_on = 0;
	r = harness_ask(h, &any, VERDICT_hit);
}

// There are no groups, but everyone has what only groups can have.
PACKET_TEST(test_everyone)
{
	struct policy_group everyone = {.lists = {-1, -1, -1, -1}, .safe_view = SAFE_VIEW};
	struct wire_query safe = {.name = "www.safe.example"};
	harness_rules(h, local_rules, ARRAY_LEN(local_rules));
	harness_groups(h, NULL, 0, &everyone);
	assert_int_equal(view_of_miss(h, &safe), SAFE_VIEW);
	everyone = (struct policy_group){.block_all = 1};
	harness_groups(h, NULL, 0, &everyone);
	safe.name = "other.example";
	harness_ask(h, &safe, VERDICT_blocked);
	everyone.block_all = 0;
	harness_groups(h, NULL, 0, &everyone);
	assert_false(h->tables.has_groups);
	harness_ask_dropped(h, &safe, VERDICT_miss);
}

static const struct harness_rule judging[] = {
	{"tracker.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL}, // list 2
	{"tracker.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL}, // 3
	{"good.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},    // 4
	{"host.example", RULE_CLASS_LOCAL, RULE_REPLY_RESOLVE, 0, 0, NULL},  // 5
};

// A record whose answer leads to a listed name is blocked for groups with that list, unless a rule
// allows its name, or one of their lists what it leads to.
PACKET_TEST(test_masked_records)
{
	static const struct policy_group with[] = {
		{.lists = {1 << 2 | 1 << 4}, .block = {.mode = DNS_BLOCK_NODATA, .ttl_s = 5}},
		{.lists = {1 << 4}},
		{.lists = {1 << 2 | 1 << 3}},
	};
	static const struct rule_set cloaked = {{1 << 2}}, both = {{1 << 2 | 1 << 3}};
	harness_groups(h, prefixes, 2, with);
	harness_rules(h, judging, ARRAY_LEN(judging));
	HARNESS_PUT(h, .name = "cloak.example", .count = 3, .mask = &cloaked);
	HARNESS_PUT(h, .name = "both.example", .count = 1, .mask = &both);
	HARNESS_PUT(h, .name = "www.good.example", .count = 1, .mask = &cloaked);
	static const struct {
		const char *name, *src;
		enum verdict verdict;
		unsigned rcode, count;
	} asked[] = {
		{"cloak.example", NULL, VERDICT_blocked_answer, DNS_RCODE_NOERROR, 1},
		{"cloak.example", "198.18.1.1", VERDICT_hit, DNS_RCODE_NOERROR, 3},
		{"cloak.example", "198.18.2.1", VERDICT_blocked_answer, DNS_RCODE_NXDOMAIN, 1},
		{"both.example", "198.18.2.1", VERDICT_hit, DNS_RCODE_NOERROR, 1},
		{"both.example", NULL, VERDICT_blocked_answer, DNS_RCODE_NOERROR, 1},
		{"www.good.example", NULL, VERDICT_hit, DNS_RCODE_NOERROR, 1},
	};
	h->w.control_alive = 0; // needs nobody
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		struct wire_reply r = harness_ask(h,
			QUERY(.name = asked[i].name, .src = asked[i].src, .edns = true),
			asked[i].verdict);
		assert_int_equal(r.rcode, asked[i].rcode);
		assert_int_equal(r.count, asked[i].count);
		if (i == 0) {
			expect_soa(&r, 5);
			assert_int_equal(r.ede, 15);
			assert_true(harness_mark(h, "cloak.example") & MARK_VISITED);
		}
	}
	const struct wire_query q = {.name = "cloak.example"};
	h->tables.config.pause_until_ms = clock_mono_ms() + 100000;
	harness_ask(h, &q, VERDICT_hit);
	h->tables.config.pause_until_ms = 0;
	h->tables.config.blocking_on = 0;
	harness_ask(h, &q, VERDICT_hit);
	h->tables.config.blocking_on = 1;
	h->tables.has_rules = false; // nothing says what the numbers mean
	harness_ask(h, &q, VERDICT_hit);
}

// Nor is it served stale, and nobody is sent to renew it.
PACKET_TEST(test_masked_and_stale)
{
	static const struct rule_set cloaked = {{1 << 2}};
	struct wire_query q = {.name = "cloak.example"};
	harness_all_lists(h);
	harness_rules(h, judging, 1);
	HARNESS_PUT(
		h, .name = "cloak.example", .count = 1, .created_ms = -400000, .mask = &cloaked);
	h->tables.config.stale_mode = STALE_IMMEDIATE;
	harness_ask(h, &q, VERDICT_blocked_answer);
	assert_int_equal(harness_counter(h, COUNTER_refresh_asked), 0);
	h->tables.config.stale_mode = STALE_ON_FAILURE;
	harness_ask_dropped(h, &q, VERDICT_miss); // the control plane checks it again
	h->w.control_alive = 0;
	harness_ask(h, &q, VERDICT_blocked_answer);
}

// What a list blocks by name, for a group that also has a list with a pattern that allows: the
// control plane knows whether it does, as long as it lives; and the mask has its verdict.
PACKET_TEST(test_pattern_may_allow)
{
	static const struct harness_rule rules[] = {
		{"ads.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL}, // list 2
		{"/^good[.]/", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},  // 3
	};
	static const struct policy_group with[] = {
		{.lists = {1 << 2}}, {.lists = {1 << 2 | 1 << 3}}, {.lists = {1 << 3}}};
	static const struct rule_set mask = {{1 << 2 | 1 << 3}}, listed = {{1 << 2}};
	harness_groups(h, prefixes, 2, with);
	harness_rules(h, rules, ARRAY_LEN(rules));
	struct wire_query q = {.name = "www.ads.example"};
	harness_ask(h, &q, VERDICT_blocked);
	q.src = "198.18.1.1";
	harness_ask_dropped(h, &q, VERDICT_miss);
	h->w.control_alive = 0;
	harness_ask(h, &q, VERDICT_blocked);
	HARNESS_PUT(h, .name = "good.ads.example", .count = 1, .mask = &mask);
	HARNESS_PUT(h, .name = "bad.ads.example", .count = 1, .mask = &listed);
	h->w.control_alive = 1;
	q.name = "good.ads.example";
	harness_ask(h, &q, VERDICT_hit);
	q.src = NULL;
	harness_ask(h, &q, VERDICT_blocked);
	q.src = "198.18.1.1";
	q.name = "bad.ads.example";
	harness_ask(h, &q, VERDICT_blocked);
	q.src = "198.18.2.1";
	harness_ask(h, &q, VERDICT_hit);
}

// What a pattern lets through in the end is resolved with safe search like all else.
PACKET_TEST(test_pattern_may_allow_safe)
{
	static const struct harness_rule rules[] = {
		{"search.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL},
		{"/^www[.]/", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},
		{"search.example", RULE_CLASS_SAFE, RULE_REPLY_RESOLVE, 0, 0, NULL},
	};
	static const struct rule_set mask = {{1 << 2 | 1 << 3}};
	struct wire_query q = {.name = "www.search.example", .src = "198.18.1.1"};
	harness_groups(h, prefixes, 2, groups);
	harness_rules(h, rules, ARRAY_LEN(rules));
	HARNESS_PUT(h, .name = "www.search.example", .count = 1, .view = VIEW, .mask = &mask);
	assert_int_equal(view_of_miss(h, &q), SAFE_VIEW);
	q.src = "198.18.2.1";
	harness_ask(h, &q, VERDICT_hit);
}

// An image without names keeps the verdicts of the answer policy.
PACKET_TEST(test_checked_by_patterns_alone)
{
	static const struct harness_rule rules[] = {
		{"/^ad/", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL}};
	static const struct rule_set mask = {{1 << 2}};
	struct wire_query q = {.name = "ad.example"};
	harness_all_lists(h);
	harness_rules(h, rules, 1);
	HARNESS_PUT(h, .name = "ad.example", .count = 1, .mask = &mask);
	harness_ask(h, &q, VERDICT_blocked_answer);
	h->tables.config.blocking_on = 0;
	harness_ask(h, &q, VERDICT_hit);
}

TEST(test_masked_and_ring_full)
{
	static const struct rule_set cloaked = {{1 << 2}};
	struct harness_options o = {.miss_units = 16};
	struct harness *h = harness_begin(&o);
	struct wire_query q = {.name = "cloak.example"}, other = {.name = "cold.example"};
	harness_all_lists(h);
	harness_rules(h, judging, 1);
	HARNESS_PUT(
		h, .name = "cloak.example", .count = 1, .created_ms = -400000, .mask = &cloaked);
	while (harness_verdict(h, VERDICT_servfail_ring_full) == 0) {
		uint8_t frame[WIRE_MAX];
		static char name[] = "a0.example";
		name[1]++;
		other.name = name;
		harness_send(h, frame, wire_make(&other, frame));
		harness_drain(h);
	}
	harness_ask(h, &q, VERDICT_blocked_answer);
	harness_end(h);
}

// One batch of all kinds: each its own, the rest in order.
PACKET_TEST(test_mixed_batch)
{
	static const struct {
		const char *name;
		enum verdict verdict;
	} asked[] = {
		{"host.example", VERDICT_local},
		{"ads.example", VERDICT_blocked},
		{"warm.example", VERDICT_hit},
		{"rpz.example", VERDICT_blocked},
		{"away.example", VERDICT_miss},
		{"none.example", VERDICT_local},
	};
	uint8_t frame[WIRE_MAX];
	unsigned wanted[VERDICT_COUNT] = {0};
	harness_all_lists(h);
	harness_rules(h, local_rules, ARRAY_LEN(local_rules));
	HARNESS_PUT(h, .name = "warm.example", .count = 1);
	for (unsigned i = 0; i < 30; i++) {
		struct wire_query q = {.name = asked[i % ARRAY_LEN(asked)].name};
		harness_inject(h, frame, wire_make(&q, frame));
		wanted[asked[i % ARRAY_LEN(asked)].verdict]++;
	}
	assert_int_equal(worker_turn(&h->w, 0), 30);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		assert_int_equal(harness_verdict(h, v), wanted[v]);
	assert_int_equal(harness_waiting(h), 25);
	harness_drain(h);
}
