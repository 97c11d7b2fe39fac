// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Groups of a resolver_rig.h that block by the lists of an image.

#include "controlplane/policy/policy_build.h"
#include "resolver_rig.h"
#include "tests/unit/cp/answer_policy/answer_policy_fixture.h"

// Blocking is on, and off until then.
static inline void pause_until(uint64_t until_ms)
{
	static const uint64_t none[4];
	publish_config(rig.publisher, &rig.config, none, true, until_ms, 0);
}

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
	pause_until(0);
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

// As many as are configured, and group 0.
static inline void groups_publish(const struct policy_group *groups)
{
	struct policy_image policy;
	char why[SHM_WHY_MAX];
	assert_int_equal(policy_build(&rig.config, groups, &policy), 0);
	assert_int_equal(publish_policy(rig.publisher, policy.head, policy.size, why), 0);
	free(policy.head);
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
