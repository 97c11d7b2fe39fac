// SPDX-License-Identifier: BSD-3-Clause

// The generator's histogram of latencies.

#include "tests/unit/unit.h"
#include "tools/loadgen/latency.h"

static struct latency l;

FIXTURE(setup, l = (struct latency){0})

static void near_(double got, double want)
{
	if (got < want * (1 - 1.0 / 128) - 1 || got > want * (1 + 1.0 / 128) + 1)
		fail_msg("%f where about %f was expected", got, want);
}

TEST_WITH(test_none, setup, NULL)
{
	assert_true(latency_quantile(&l, 0.5) < 0);
}

// Each value by itself comes back within the width of its bucket, at all magnitudes and on both
// sides of each power of two.
TEST_WITH(test_magnitudes, setup, NULL)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		for (int d = -1; d <= 1; d++) {
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)(int64_t)d;
			l = (struct latency){0};
			latency_add(&l, v);
			near_(latency_quantile(&l, 0.5), (double)v);
			assert_int_equal(l.longest, v);
		}
	}
}

TEST_WITH(test_over_the_end, setup, NULL)
{
	latency_add(&l, UINT64_C(1) << 40);
	near_(latency_quantile(&l, 0.5), 4294967295.0);
	assert_int_equal(l.longest, UINT64_C(1) << 40);
}

TEST_WITH(test_quantiles, setup, NULL)
{
	for (unsigned i = 0; i < 100000; i++)
		latency_add(&l, 1000 + i);
	near_(latency_quantile(&l, 0), 1000);
	near_(latency_quantile(&l, 0.5), 51000);
	near_(latency_quantile(&l, 0.99), 100000);
	near_(latency_quantile(&l, 0.9999), 100990);
	assert_int_equal(l.count, 100000);
}

// One late reply of a thousand is what p99.9 is there to show.
TEST_WITH(test_tail, setup, NULL)
{
	for (unsigned i = 0; i < 999; i++)
		latency_add(&l, 2000);
	latency_add(&l, 5000000);
	near_(latency_quantile(&l, 0.99), 2000);
	near_(latency_quantile(&l, 0.999), 5000000);
}
