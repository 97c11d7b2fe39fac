// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <weir/rule_image.h>

static const uint64_t allowing[4] = {0xf0, 0, 0, UINT64_C(1) << 63};

static bool blocks(uint64_t mask, uint64_t group)
{
	const struct rule_set m = {{mask, 0, 0, 0}};
	const uint64_t g[4] = {group, ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};
	return rule_mask_blocks(&m, allowing, g);
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
	for (unsigned list = 0; list < RULE_LISTS_MAX - 1; list++) {
		struct rule_set m = {{0}};
		uint64_t g[4] = {0};
		m.lists[list / 64] = UINT64_C(1) << list % 64;
		assert_false(rule_mask_blocks(&m, allowing, g));
		g[list / 64] = UINT64_C(1) << list % 64;
		assert_int_equal(rule_mask_blocks(&m, allowing, g), list < 4 || list > 7);
		assert_int_equal(
			rule_mask_list(&m, allowing, g), list < 4 || list > 7 ? list : UINT16_MAX);
		m.lists[3] |= UINT64_C(1) << 63;
		g[3] |= UINT64_C(1) << 63;
		assert_false(rule_mask_blocks(&m, allowing, g));
	}
}
