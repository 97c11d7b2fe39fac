// SPDX-License-Identifier: BSD-3-Clause
// A bound that threads have in common: never passed, and no thread is without.
#include "controlplane/base/share.h"
#include "tests/unit/unit.h"

enum { THREADS = 4, ROUNDS = 200000, BOUND = 64 };

TEST(one_thread_has_all)
{
	struct share_pool pool = {.threads = 1};
	struct share s = {.pool = &pool};

	for (unsigned i = 0; i < 9; i++)
		assert_true(share_take(&s, 9, 1));
	assert_false(share_has(&s, 9, 1));
	assert_false(share_take(&s, 9, 1));
	assert_int_equal(s.own, 9);
	share_give(&s, 9, 9);
	assert_int_equal(pool.common, 0);
	assert_false(share_take(&s, 9, 10));
	assert_true(share_take(&s, 9, 9));
}

TEST(half_is_divided_and_half_is_common)
{
	struct share_pool pool = {.threads = 2};
	struct share a = {.pool = &pool}, b = {.pool = &pool};

	assert_true(share_take(&a, 100, 75));
	assert_int_equal(pool.common, 50);
	assert_false(share_take(&a, 100, 1));
	assert_true(share_take(&b, 100, 25));
	assert_false(share_take(&b, 100, 1));
	assert_true(share_could(&a, 100, 75));
	assert_false(share_could(&a, 100, 76));
	assert_true(share_could(&b, 100, 25));
	assert_false(
		share_could(&b, 100, 26)); // whatever it returns, the common half is the other's
	share_give(&a, 100, 60);           // 35 of its own half are not in use, and nobody else's
	assert_true(share_take(&b, 100, 50));
	assert_false(share_has(&b, 100, 1));
	assert_true(share_take(&a, 100, 10));
	assert_false(share_take(&a, 100, 1));
	share_give(&b, 100, 75);
	share_give(&a, 100, 25);
	assert_int_equal(pool.common, 0);
}

TEST(each_has_one_at_least)
{
	struct share_pool pool = {.threads = 3};
	struct share s[3] = {{.pool = &pool}, {.pool = &pool}, {.pool = &pool}};

	for (unsigned i = 0; i < 3; i++)
		assert_true(share_take(&s[i], 1, 1));
	for (unsigned i = 0; i < 3; i++)
		assert_false(share_take(&s[i], 1, 1));
}

TEST(a_lower_bound_waits_for_returns)
{
	struct share_pool pool = {.threads = 1};
	struct share s = {.pool = &pool};

	assert_true(share_take(&s, 100, 100));
	assert_false(share_take(&s, 10, 1));
	share_give(&s, 10, 91);
	assert_true(share_take(&s, 10, 1));
	assert_false(share_take(&s, 10, 1));
	share_give(&s, 10, 10);
	assert_int_equal(pool.common, 0);
}

static struct share_pool raced = {.threads = THREADS};
static _Atomic unsigned in_use, most;

static void *take_and_give(void *)
{
	struct share s = {.pool = &raced};
	uint64_t held = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 64 < 32 && share_take(&s, BOUND, 1)) {
			held++;
			unsigned now = atomic_fetch_add(&in_use, 1) + 1, was = atomic_load(&most);
			while (now > was && !atomic_compare_exchange_weak(&most, &was, now))
				continue;
		} else if (held > 0) {
			held--;
			atomic_fetch_sub(&in_use, 1);
			share_give(&s, BOUND, 1);
		}
	}
	atomic_fetch_sub(&in_use, (unsigned)held);
	share_give(&s, BOUND, held);
	return NULL;
}

TEST(threads_never_pass_the_bound)
{
	pthread_t thread[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, take_and_give, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_true(most > 0 && most <= BOUND);
	assert_int_equal(raced.common, 0);
}
