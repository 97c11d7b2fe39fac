// SPDX-License-Identifier: BSD-3-Clause
// Failures are remembered for a while, and never for long.

#include "controlplane/resolver/failures.h"
#include "tests/unit/unit.h"

enum { HASH = 0x1234, FIRST_MS = 1000, FIVE_MINUTES_MS = 300000 };

static struct failures *failures;

static int setup(void **)
{
	const struct failures_spans spans = {FIRST_MS, FAILURE_LONGEST_MS, FAILURE_MEMORY_MS};
	return failures_new(&failures, FAILURES_BUCKETS, &spans);
}

FIXTURE(teardown, failures_free(failures))

// The time for which it is recent from now on.
static uint64_t lasts_ms(uint64_t now_ms)
{
	uint64_t ms = 0;
	while (failures_recent(failures, HASH, now_ms + ms))
		ms += 100;
	return ms;
}

TEST_WITH(test_it_lasts_longer_each_time, setup, teardown)
{
	const unsigned expected_ms[] = {1000, 2000, 4000, 8000, 8000, 8000};
	uint64_t now_ms = 5000;

	assert_false(failures_recent(failures, HASH, now_ms));
	for (unsigned i = 0; i < ARRAY_LEN(expected_ms); i++) {
		failures_add(failures, HASH, now_ms);
		assert_int_equal(lasts_ms(now_ms), expected_ms[i]);
		assert_false(failures_recent(failures, HASH + 1, now_ms));
		now_ms += expected_ms[i];
	}
	failures_clear(failures, HASH);
	assert_false(failures_recent(failures, HASH, now_ms));
	failures_add(failures, HASH, now_ms);
	assert_int_equal(lasts_ms(now_ms), expected_ms[0]);
}

// The only one there is, while it lasts.
TEST_WITH(test_the_first_one_is_cleared, setup, teardown)
{
	uint64_t now_ms = 5000;
	failures_add(failures, HASH, now_ms);
	assert_true(failures_recent(failures, HASH, now_ms));
	failures_clear(failures, HASH + 1);
	assert_true(failures_recent(failures, HASH, now_ms));
	failures_clear(failures, HASH);
	assert_false(failures_recent(failures, HASH, now_ms));
}

TEST_WITH(test_what_is_long_ago_is_forgotten, setup, teardown)
{
	failures_add(failures, HASH, 5000);
	failures_add(failures, HASH, 6000);
	failures_add(failures, HASH, 6000 + 2 * FAILURE_MEMORY_MS);
	assert_int_equal(lasts_ms(6000 + 2 * FAILURE_MEMORY_MS), FIRST_MS);
}

// RFC 2308 7.1, RFC 9520 3.2: however often it failed, and however the failures fell.
TEST_WITH(rfc2308_7_1_a_failure_is_kept_for_five_minutes_at_most, setup, teardown)
{
	static const unsigned apart_ms[] = {0, 1, 100, 1000, 7999, 59999};

	for (unsigned k = 0; k < ARRAY_LEN(apart_ms); k++) {
		uint64_t now_ms = 5000 + k * UINT64_C(1000000000);
		for (unsigned i = 0; i < 1000; i++) {
			failures_add(failures, HASH, now_ms);
			assert_true(failures_recent(failures, HASH, now_ms + 999));
			now_ms += apart_ms[k];
		}
		assert_in_range(lasts_ms(now_ms), 0, FAILURE_LONGEST_MS);
	}
	static_assert((int)FAILURE_LONGEST_MS <= (int)FIVE_MINUTES_MS);
}

// RFC 9520 3.2, 5: more failures than there is room for take no more room. The last is always
// there, and what lasts longer stays.
TEST_WITH(rfc9520_3_2_the_table_is_of_bounded_size, setup, teardown)
{
	enum { MANY = 100000 };
	struct table_info empty, full;
	failures_table(failures, 5000, &empty);
	const uint64_t cap = empty.cap;

	assert_int_equal(cap, FAILURES_BUCKETS * FAILURES_WAYS);
	for (unsigned i = 0; i < 4; i++)
		failures_add(failures, HASH, 5000);
	for (uint64_t i = 1; i <= MANY; i++) {
		failures_add(failures, HASH + i, 6000);
		assert_true(failures_recent(failures, HASH + i, 6000));
	}
	assert_true(failures_recent(failures, HASH, 6000));
	failures_table(failures, 6000, &full);
	assert_int_equal(full.used, cap);
	assert_int_equal(full.evicted, MANY + 1 - cap);
	assert_int_equal(full.bytes, empty.bytes);
	assert_int_equal(full.has, TABLE_AGES | TABLE_EVICTS);
	assert_int_equal(failures_used(failures, 6000 + FAILURE_LONGEST_MS), 0);
}

// The error of a bogus answer stays with it, and goes with another failure.
TEST_WITH(test_bogus, setup, teardown)
{
	assert_int_equal(failures_bogus(failures, HASH), DNS_EDE_NONE);
	failures_add_bogus(failures, HASH, DNS_EDE_SIGNATURE_EXPIRED, 5000);
	assert_true(failures_recent(failures, HASH, 5000));
	assert_int_equal(failures_bogus(failures, HASH), DNS_EDE_SIGNATURE_EXPIRED);
	assert_int_equal(failures_bogus(failures, HASH + FAILURES_BUCKETS), DNS_EDE_NONE);
	failures_add(failures, HASH, 7000);
	assert_int_equal(failures_bogus(failures, HASH), DNS_EDE_NONE);
}
