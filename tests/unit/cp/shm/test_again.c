// SPDX-License-Identifier: BSD-3-Clause
// When a generation is published again: the waits double, up to the most.

#include "controlplane/shm/again.h"
#include "tests/unit/unit.h"

enum { LOOK_MS = 500 };

TEST(test_waits_double)
{
	struct again a = {0};
	uint64_t last_ms = 0, times = 0, wait_ms = 0;
	for (uint64_t lag_ms = LOOK_MS; lag_ms < 24 * UINT64_C(3600000); lag_ms += LOOK_MS) {
		if (!again_due(&a, lag_ms))
			continue;
		uint64_t before_ms = wait_ms;
		wait_ms = lag_ms - last_ms;
		last_ms = lag_ms;
		assert_true(wait_ms <= PUBLISH_AGAIN_MAX_MS + LOOK_MS);
		if (++times <= 2)
			assert_int_equal(wait_ms, PUBLISH_AGAIN_MS);
		else if (2 * before_ms < PUBLISH_AGAIN_MAX_MS)
			assert_int_equal(wait_ms, 2 * before_ms);
		else
			assert_int_equal(wait_ms, PUBLISH_AGAIN_MAX_MS);
	}
	assert_in_range(times, 30, 40);
}

TEST(test_begins_anew)
{
	struct again a = {0};
	for (uint64_t lag_ms = 0; lag_ms < 100000; lag_ms += LOOK_MS)
		(void)again_due(&a, lag_ms);
	assert_false(again_due(&a, 0));
	assert_false(again_due(&a, PUBLISH_AGAIN_MS - 1));
	assert_true(again_due(&a, PUBLISH_AGAIN_MS));
	assert_false(again_due(&a, PUBLISH_AGAIN_MS + LOOK_MS));
	assert_true(again_due(&a, 2 * PUBLISH_AGAIN_MS));
}
