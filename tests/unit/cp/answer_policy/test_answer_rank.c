// SPDX-License-Identifier: BSD-3-Clause
#include "answer_policy_fixture.h"

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
