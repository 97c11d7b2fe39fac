// SPDX-License-Identifier: BSD-3-Clause
// Records of the rule image as replies: size, types, TTL, EDNS; and that what one packet was
// allowed says nothing of the next in its place.
#include "harness.h"

enum { TXT = 16, CNAME = 5, HTTPS = 65, ANY = 255 };

static const char large[700] = "\377 a text of 255 bytes, then another one, which ends";

static const struct harness_rule rules[] = {
	{"host.example", RULE_CLASS_LOCAL, RULE_REPLY_DATA, 1, 4, "\xc6\x12\1\1"},
	{"large.example", RULE_CLASS_LOCAL, RULE_REPLY_DATA, TXT, sizeof(large), large},
	{"alias.example", RULE_CLASS_LOCAL, RULE_REPLY_DATA, CNAME, 14, "\4host\7example\0"},
	{"rpz.example", RULE_CLASS_BLOCK, RULE_REPLY_DATA, 1, 4, "\xc6\x12\2\2"},
	{"good.example", RULE_CLASS_ALLOW, RULE_REPLY_GROUP, 0, 0, NULL},
	{"tracker.example", RULE_CLASS_BLOCK, RULE_REPLY_GROUP, 0, 0, NULL}, // list 7
};

static struct harness *begin(void)
{
	struct harness *h = harness_begin(NULL);
	harness_all_lists(h);
	harness_rules(h, rules, ARRAY_LEN(rules));
	return h;
}

PACKET_TEST_OF(test_size, begin())
{
	static const struct {
		bool edns;
		uint16_t size;
		bool whole;
	} clients[] = {{false, 0, false}, {true, 512, false}, {true, 700, false},
		{true, 1232, true}, {true, 4096, true}};
	for (unsigned i = 0; i < ARRAY_LEN(clients); i++) {
		struct wire_query q = {.name = "large.example",
			.qtype = TXT,
			.edns = clients[i].edns,
			.edns_size = clients[i].size,
			.version = i % 2 ? 6 : 4};
		struct wire_reply r = harness_ask(h, &q, VERDICT_local);
		assert_int_equal(r.flags >> 9 & 1, !clients[i].whole); // TC
		assert_int_equal(r.count, clients[i].whole);
		assert_int_equal(r.rcode, 0);
		assert_int_equal(r.has_opt, clients[i].edns);
		if (clients[i].whole)
			assert_memory_equal(r.record[0].rdata, large, sizeof(large));
	}
	assert_int_equal(harness_counter(h, COUNTER_reply_truncated), 3);
}

PACKET_TEST_OF(test_types, begin())
{
	struct wire_query q = {.name = "Host.example", .edns = true, .dnssec_ok = true};
	struct wire_reply r = harness_ask(h, &q, VERDICT_local);
	assert_true(r.dnssec_ok);
	assert_int_equal(r.flags & 0x20, 0); // AD
	static const uint16_t others[] = {HTTPS, TXT, 28};
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		q.qtype = others[i];
		r = harness_ask(h, &q, VERDICT_local);
		assert_int_equal(r.rcode, 0);
		assert_int_equal(r.count, 1);
		assert_int_equal(r.record[0].section, 1);
		assert_int_equal(r.record[0].type, 6);
	}
	q.qtype = ANY;
	r = harness_ask(h, &q, VERDICT_local);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.record[0].type, 1);
	// An alias is there for every type.
	static const uint16_t asked[] = {1, CNAME, HTTPS, ANY};
	q.name = "alias.example";
	for (unsigned i = 0; i < ARRAY_LEN(asked); i++) {
		q.qtype = asked[i];
		r = harness_ask(h, &q, VERDICT_local);
		assert_int_equal(r.record[0].section, 0);
		assert_int_equal(r.record[0].type, CNAME);
		assert_memory_equal(r.record[0].rdata, "\4host\7example\0", 14);
	}
}

PACKET_TEST_OF(test_ttl_cap, begin())
{
	struct wire_reply r;
	static const uint32_t caps[] = {0, 30, 77, 300};
	for (unsigned i = 0; i < ARRAY_LEN(caps); i++) {
		h->tables.config.client_ttl_cap_s = caps[i];
		r = harness_ask(h, QUERY(.name = "rpz.example"), VERDICT_blocked);
		assert_int_equal(r.record[0].ttl_s, caps[i] == 30 ? 30 : 77);
	}
}

// The packet behind an allowed one, in the same place a turn later and in the next of one batch.
PACKET_TEST_OF(test_allowed_is_for_one, begin())
{
	static const struct rule_set cloaked = {{1 << 7}};
	static const char *const names[] = {"www.good.example", "cloak.example"};
	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		HARNESS_PUT(h, .name = names[i], .count = 1, .mask = &cloaked);
	for (unsigned i = 0; i < 4; i++) {
		struct wire_query q = {.name = names[i % 2]};
		harness_ask(h, &q, i % 2 ? VERDICT_blocked_answer : VERDICT_hit);
	}
	uint8_t frame[WIRE_MAX];
	for (unsigned i = 0; i < WORKER_BATCH; i++) {
		struct wire_query q = {.name = names[i % 2]};
		harness_inject(h, frame, wire_make(&q, frame));
	}
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_hit), 2 + WORKER_BATCH / 2);
	assert_int_equal(harness_verdict(h, VERDICT_blocked_answer), 2 + WORKER_BATCH / 2);
	harness_drain(h);
}
