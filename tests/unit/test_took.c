// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <weir/took.h>

// Each bucket ends where the next begins, and no time lies in another's.
TEST(test_bounds)
{
	assert_int_equal(took_bucket(0), 0);
	assert_int_equal(took_bound_ns(0), 256);
	for (unsigned i = 0; i + 1 < TOOK_BUCKETS; i++) {
		assert_int_equal(took_bucket(took_bound_ns(i) - 1), i);
		assert_int_equal(took_bucket(took_bound_ns(i)), i + 1);
	}
	assert_int_equal(took_bound_ns(1), 384);
	assert_int_equal(took_bound_ns(2), 512);
	assert_true(took_bound_ns(TOOK_BUCKETS - 2) == UINT64_C(1) << TOOK_LAST_BIT);
	assert_int_equal(took_bucket(UINT64_MAX), TOOK_BUCKETS - 1);
}

TEST(test_sums)
{
	static struct took_live live;
	static struct took sum;
	took_live_add(&live, 300, 5);
	took_live_add(&live, 1000, 1);
	took_add(&sum, 300);
	took_live_sum(&sum, &live);
	assert_int_equal(sum.bucket[took_bucket(300)], 6);
	assert_int_equal(sum.bucket[took_bucket(1000)], 1);
	assert_int_equal(sum.sum_ns, 6 * 300 + 1000);
}
