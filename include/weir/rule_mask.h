// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The mask of lists that a checked record carries (l0_table.h, L0_RECORD_MASKED), and for whom it
// blocks. It holds lists of blocking classes, and those of allowing ones that take a block away:
// which of them counts depends on the lists of the group, as one list may allow what another
// blocks. The control plane stores only masks that say it exactly
// (controlplane/answer_policy/answer_match.h).

#include "rule_class.h"
#include "rule_image.h"

// Classes whose lists are an `unless` of a mask.
enum {
	RULE_MASK_ALLOWING = 1 << RULE_CLASS_LOCAL | 1 << RULE_CLASS_OPERATOR_ALLOW
			     | 1 << RULE_CLASS_IMPORTANT_ALLOW | 1 << RULE_CLASS_ALLOW
			     | 1 << RULE_CLASS_EXCEPT,
};

// `allowing`: the lists of these classes, `group`: those of the client's group.
ATTR_INLINE bool rule_mask_blocks(
	const struct rule_set *mask, const uint64_t allowing[4], const uint64_t group[4])
{
	uint64_t block = 0, unless = 0;
	for (unsigned w = 0; w < 4; w++) {
		uint64_t lists = mask->lists[w] & group[w];
		block |= lists & ~allowing[w];
		unless |= lists & allowing[w];
	}
	return block && !unless;
}

// Of one that blocks: the lowest list that does.
ATTR_INLINE uint16_t rule_mask_list(
	const struct rule_set *mask, const uint64_t allowing[4], const uint64_t group[4])
{
	for (unsigned w = 0; w < 4; w++) {
		uint64_t block = mask->lists[w] & group[w] & ~allowing[w];
		if (block)
			return (uint16_t)(w * 64 + (unsigned)__builtin_ctzll(block));
	}
	return UINT16_MAX;
}
