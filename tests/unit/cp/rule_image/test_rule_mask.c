// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <weir/rule_image.h>

// Lists 5 to 8, and that of the operator, which no mask has.
static const uint64_t allowing[4] = {0x1e1, 0, 0, UINT64_C(1) << 63};

// Of lists from 1 on; whether it is of one type says nothing of whom it blocks.
static bool blocks(uint64_t mask, uint64_t group)
{
	const struct rule_set m = {{mask << 1, 0, 0, 0}}, typed = {{mask << 1 | RULE_MASK_TYPED}};
	const uint64_t g[4] = {group << 1 | 1, ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};
	const bool is = rule_mask_blocks(&m, allowing, g);
	assert_int_equal(rule_mask_blocks(&typed, allowing, g), is);
	const struct rule_set by = rule_mask_lists(&m, allowing, g),
			      by_typed = rule_mask_lists(&typed, allowing, g);
	assert_memory_equal(&by, &by_typed, sizeof(by));
	return is;
}

TEST(test_small)
{
	assert_false(blocks(0, 0xff));
	assert_true(blocks(0x01, 0x01));
	assert_false(blocks(0x01, 0x02));
	assert_true(blocks(0x11, 0x01));  // the one that allows is not the group's
	assert_false(blocks(0x11, 0x11)); // it is
	assert_false(blocks(0x10, 0xff)); // nothing blocks
	assert_true(blocks(0x13, 0x0f));
}

TEST(test_all_words)
{
	for (unsigned list = 1; list < RULE_LISTS_MAX - 1; list++) {
		struct rule_set m = {{0}};
		uint64_t g[4] = {0};
		m.lists[list / 64] = UINT64_C(1) << list % 64;
		assert_false(rule_mask_blocks(&m, allowing, g));
		g[list / 64] = UINT64_C(1) << list % 64;
		assert_int_equal(rule_mask_blocks(&m, allowing, g), list < 5 || list > 8);
		const struct rule_set by = rule_mask_lists(&m, allowing, g);
		assert_int_equal(memcmp(&by, &m, sizeof(by)) == 0, list < 5 || list > 8);
		m.lists[3] |= UINT64_C(1) << 63;
		g[3] |= UINT64_C(1) << 63;
		assert_false(rule_mask_blocks(&m, allowing, g));
	}
}
