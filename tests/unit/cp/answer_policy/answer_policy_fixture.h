// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Images and judges of a few rules, one word each, for tests.

#include "controlplane/answer_policy/answer_policy.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

struct answer_policy_fixture {
	struct rule_builder *builder;
	struct rule_arena arena;
	struct rule_reader image;
	struct answer_policy *answer_policy;
};

// Begins an image; the operator's two sources come first.
static inline void fixture_open(struct answer_policy_fixture *f)
{
	*f = (struct answer_policy_fixture){.builder = fixture_builder()};
}

static inline void fixture_source(struct answer_policy_fixture *f, const char *title)
{
	assert_int_equal(rule_builder_source(f->builder, title), 0);
}

// One without operator's entries.
static inline void fixture_begin(struct answer_policy_fixture *f)
{
	fixture_open(f);
	fixture_source(f, "allow entries");
	fixture_source(f, "deny entries");
}

// "/pattern/", "!/pattern/" (inverted), "192.0.2.0/24" or a name; `type`: for this one alone, 0:
// for all.
static inline void fixture_rule_for(struct answer_policy_fixture *f, enum rule_class rule_class,
	const char *text, uint16_t type)
{
	struct dns_name name = fixture_name("x");
	struct list_rule rule = rule_of_name(rule_class, &name);
	rule.inverts = text[0] == '!';
	text += rule.inverts;
	size_t len = strlen(text);
	if (type)
		rule.kind.types = (struct rule_types){.count = 1, .type = {type}};
	if (text[0] == '/') {
		rule.what = LIST_RULE_PATTERN;
		rule.pattern = text + 1;
		rule.pattern_len = len - 2;
		rule.name = NULL;
	} else if (ip_address_parse(text, &rule.prefix) == 0) {
		rule.what = LIST_RULE_ADDRESS;
		rule.name = NULL;
	} else {
		name = fixture_name(text);
	}
	assert_int_equal(rule_builder_rule(f->builder, &rule), 0);
}

static inline void fixture_rule(
	struct answer_policy_fixture *f, enum rule_class rule_class, const char *text)
{
	fixture_rule_for(f, rule_class, text, 0);
}

static inline void fixture_check(struct answer_policy_fixture *f)
{
	char why[128];
	fixture_finish(f->builder, &f->arena);
	assert_int_equal(rule_reader_init(&f->image, f->arena.base, f->arena.size, true, why), 0);
	assert_int_equal(answer_policy_new(&f->answer_policy, &f->image, 1), 0);
}

static inline void fixture_close(struct answer_policy_fixture *f)
{
	answer_policy_free(f->answer_policy);
	rule_arena_free(&f->arena);
}

// The number of the list of this source and class.
static inline unsigned fixture_list(
	const struct answer_policy_fixture *f, const char *title, enum rule_class rule_class)
{
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		const struct rule_list_info *info = rule_list_info(&f->image, i);
		if (info && strcmp(info->title, title) == 0 && info->kind.rule_class == rule_class)
			return i;
	}
	fail_msg("no list of %s", title);
	return 0;
}

// All lists of these sources, and the operator's.
static inline struct rule_set fixture_group(
	const struct answer_policy_fixture *f, const char *const *titles, unsigned count)
{
	struct rule_set set = {{3, 0, 0, 0}};
	for (unsigned i = 0; i < RULE_LISTS_MAX; i++) {
		const struct rule_list_info *info = rule_list_info(&f->image, i);
		for (unsigned k = 0; info && k < count; k++)
			if (strcmp(info->title, titles[k]) == 0)
				set.lists[i / 64] |= UINT64_C(1) << i % 64;
	}
	return set;
}
