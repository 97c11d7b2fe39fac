// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Groups of a resolver_rig.h that block by the lists of an image.

#include "resolver_rig.h"
#include "tests/unit/cp/answer_policy/answer_policy_fixture.h"

// So many beside group 0.
static inline void groups_configure(unsigned count)
{
	static char name[] = "group";
	static struct config_group groups[4];
	assert_in_range(count, 1, ARRAY_LEN(groups));
	for (unsigned i = 0; i < count; i++)
		groups[i] = (struct config_group){.name = name, .blocking = true};
	rig.config.groups = groups;
	rig.config.group_count = count;
	rig_pause(0, 0);
}

// One with the lists of these sources, and the operator's.
static inline struct policy_group group_with(const struct answer_policy_fixture *f,
	const char *const *titles, unsigned count, enum dns_block_mode mode)
{
	struct policy_group group = {.block = {.ttl_s = 77, .mode = mode}};
	const struct rule_set set = fixture_group(f, titles, count);
	memcpy(group.lists, set.lists, sizeof(set.lists));
	return group;
}

static inline void set_answer_policy(void *answer_policy)
{
	resolver_set_answer_policy(rig.resolver, answer_policy, NULL, NULL);
}

static inline void judge_by(const struct answer_policy_fixture *f)
{
	on_loop(set_answer_policy, f->answer_policy);
}

// Both servers lead to it.
static inline void upstream_alias(const char *target)
{
	for (unsigned i = 0; i < 2; i++)
		rig_alias(i, FAKE_ALIAS, target);
}
