// SPDX-License-Identifier: BSD-3-Clause
#include "answer_policy_fixture.h"
#include "controlplane/answer_policy/answer_rank.h"
#include "tests/unit/core/dns/dns_build.h"

#include <weir/clock.h>

// A pattern's class decides as a name's does; but the operator's leaves what lists allow by name.
TEST(test_pattern_and_name)
{
	static const struct {
		enum rule_class of_pattern, of_name;
		bool blocked;
	} pairs[] = {
		{RULE_CLASS_BLOCK, RULE_CLASS_ALLOW, false},
		{RULE_CLASS_IMPORTANT_BLOCK, RULE_CLASS_ALLOW, true},
		{RULE_CLASS_IMPORTANT_BLOCK, RULE_CLASS_IMPORTANT_ALLOW, false},
		{RULE_CLASS_IMPORTANT_BLOCK, RULE_CLASS_OPERATOR_ALLOW, false},
		{RULE_CLASS_OPERATOR_DENY, RULE_CLASS_ALLOW, false},
		{RULE_CLASS_OPERATOR_DENY, RULE_CLASS_IMPORTANT_ALLOW, false},
		{RULE_CLASS_OPERATOR_DENY, RULE_CLASS_OPERATOR_ALLOW, false},
	};
	for (unsigned i = 0; i < ARRAY_LEN(pairs); i++) {
		struct answer_policy_fixture f;
		struct answer_match finding;
		struct dns_name name = fixture_name("ads.good.example");
		fixture_open(&f);
		fixture_source(&f, "allow entries");
		if (pairs[i].of_name == RULE_CLASS_OPERATOR_ALLOW)
			fixture_rule(&f, pairs[i].of_name, "good.example");
		fixture_source(&f, "deny entries");
		if (pairs[i].of_pattern == RULE_CLASS_OPERATOR_DENY)
			fixture_rule(&f, pairs[i].of_pattern, "/^ads/");
		fixture_source(&f, "ads");
		if (pairs[i].of_pattern != RULE_CLASS_OPERATOR_DENY)
			fixture_rule(&f, pairs[i].of_pattern, "/^ads/");
		if (pairs[i].of_name != RULE_CLASS_OPERATOR_ALLOW)
			fixture_rule(&f, pairs[i].of_name, "good.example");
		fixture_check(&f);
		const char *const titles[] = {"ads"};
		const struct rule_set group = fixture_group(&f, titles, 1);
		answer_policy_question(
			f.answer_policy, ANSWER_POLICY_ON_RESOLVER, &name, DNS_TYPE_A, &finding);
		struct rule_ruling ruling;
		bool blocked = answer_policy_blocks(
			f.answer_policy, &finding, &name, DNS_TYPE_A, group.lists, &ruling);
		if (blocked != pairs[i].blocked)
			fail_msg("%s by pattern, %s by name: blocked %d",
				rule_class_name[pairs[i].of_pattern],
				rule_class_name[pairs[i].of_name], blocked);
		fixture_close(&f);
	}
}

static uint64_t rank_us(const struct answer_rank *k, const struct rule_match *match, unsigned count)
{
	enum { ROUNDS = 300, TRIES = 3 };
	static const struct rule_set none;
	uint64_t least_us = UINT64_MAX;
	for (unsigned try = 0; try < TRIES; try++) {
		const uint64_t start_us = clock_us_of(CLOCK_THREAD_CPUTIME_ID);
		for (unsigned i = 0; i < ROUNDS; i++) {
			struct answer_match out = {0};
			answer_rank_name(k, match, count, &none, &out);
			assert_in_range(out.count, 1, ANSWER_POLICY_CLAUSES_MAX);
		}
		const uint64_t took_us = clock_us_of(CLOCK_THREAD_CPUTIME_ID) - start_us;
		least_us = took_us < least_us ? took_us : least_us;
	}
	return least_us;
}

// Policy zones that have rules of each kind at each label of a long name: what it takes grows with
// the labels, not with their square.
TEST(test_a_deep_name_in_zones)
{
	enum { ZONES = 4, KINDS = 32, FEW = 8, MANY = 40 };
	static struct answer_rank rank;
	struct answer_policy_fixture f;
	struct dns_name name = fixture_name("tracker.example");
	struct rule_match match[RULE_LABELS_MAX] = {0};
	fixture_begin(&f);
	for (unsigned zone = 0; zone < ZONES; zone++) {
		fixture_source(&f, text_from("zone%u", zone));
		for (unsigned i = 0; i < KINDS; i++) {
			struct list_rule rule =
				rule_of_name(zone % 2 ? RULE_CLASS_ALLOW : RULE_CLASS_BLOCK, &name);
			rule.kind.zone = RULE_ZONE_FIRST;
			rule.kind.types =
				(struct rule_types){.count = 1, .type = {(uint16_t)(1 + i)}};
			assert_int_equal(rule_builder_rule(f.builder, &rule), 0);
		}
	}
	fixture_check(&f);
	answer_rank_init(&rank, &f.image);
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++)
		for (unsigned k = 0; k < MANY && rule_list_info(&f.image, i); k++)
			match[k].set.lists[i / 64] |= UINT64_C(1) << i % 64;
	const uint64_t few_us = rank_us(&rank, match, FEW);
	const uint64_t many_us = rank_us(&rank, match, MANY);
	assert_true(many_us < 2 * MANY / FEW * few_us);
	fixture_close(&f);
}

// Checks an answer that leads to `count` services, of which one is `named`.
static void services_check(const struct answer_policy_fixture *f, unsigned count, unsigned at,
	const char *named, struct answer_match *out)
{
	static const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};
	static struct dns_build build;
	static struct dns_answer answer;
	const struct dns_query q = {.name = fixture_name("www.shop.example"),
		.qtype = DNS_TYPE_HTTPS,
		.qclass = DNS_CLASS_IN};
	build_reply(&build, 0, "www.shop.example", q.qtype);
	for (unsigned i = 0; i < count; i++) {
		const struct dns_name to =
			fixture_name(i == at ? named : text_from("x%u.shop.example", i));
		uint8_t rdata[2 + DNS_NAME_MAX] = {0, 1};
		memcpy(rdata + 2, to.wire, to.len);
		build_rr(&build, SECTION_ANSWER, "www.shop.example", q.qtype, 60, rdata,
			(uint16_t)(2 + to.len));
	}
	assert_int_equal(dns_answer_read(build.buf, build.w.pos, &q, &limits, &answer), 0);
	const struct dns_answer_view v = dns_answer_view_of(&answer);
	answer_policy_answer(
		f->answer_policy, ANSWER_POLICY_ON_RESOLVER, &q.name, q.qtype, &v, NULL, out);
}

// Patterns are matched with as many as weir follows aliases, lists of names with all.
TEST(test_many_targets)
{
	enum { MANY = 300, LAST = ANSWER_TARGETS_MAX - 1 };
	struct answer_policy_fixture f;
	struct answer_match finding;
	fixture_begin(&f);
	fixture_source(&f, "ads");
	fixture_rule(&f, RULE_CLASS_BLOCK, "/^ads?[0-9]*[.]/");
	fixture_rule(&f, RULE_CLASS_BLOCK, "tracker.example");
	fixture_check(&f);
	services_check(&f, ANSWER_TARGETS_MAX, LAST, "ads1.shop.example", &finding);
	assert_true(finding.count == 1 && !finding.cut);
	services_check(&f, MANY, LAST, "ads1.shop.example", &finding);
	assert_true(finding.count == 1 && finding.cut);
	services_check(&f, MANY, LAST + 1, "ads1.shop.example", &finding);
	assert_true(finding.count == 0 && finding.cut);
	services_check(&f, MANY, MANY - 1, "www.tracker.example", &finding);
	assert_true(finding.count == 1 && finding.cut);
	services_check(&f, 1, 0, "www.other.example", &finding);
	assert_true(finding.count == 0 && !finding.cut);
	fixture_close(&f);
}
