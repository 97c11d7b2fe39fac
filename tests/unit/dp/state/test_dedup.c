// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/state/dedup.h"
#include "tests/unit/unit.h"

#include <stdalign.h>

static alignas(64) struct recent_way memory[DEDUP_SETS][DEDUP_WAYS];

static struct dedup fresh(void)
{
	struct dedup r;
	memset(memory, 0, sizeof(memory));
	dedup_init(&r, memory);
	return r;
}

TEST(test_counts_clients)
{
	struct dedup r = fresh();
	for (uint32_t i = 0; i < DEDUP_WAITERS; i++)
		assert_int_equal(dedup_ask(&r, 42, 5000).before, i);
	assert_int_equal(dedup_ask(&r, 43, 5000).before, 0);
	assert_int_equal(r.replaced, 0);
}

TEST(test_window_ends)
{
	struct dedup r = fresh();
	assert_int_equal(dedup_ask(&r, 42, 5000).before, 0);
	assert_int_equal(dedup_ask(&r, 42, 5000 + DEDUP_WINDOW_MS - 1).before, 1);
	assert_int_equal(dedup_ask(&r, 42, 5000 + DEDUP_WINDOW_MS).before, 0);
	assert_int_equal(dedup_ask(&r, 42, 5001 + DEDUP_WINDOW_MS).before, 1);
}

// A fifth live key of one set: the one whose window began first makes room, not the first way,
// which an expired key has left to a younger one.
TEST(test_oldest_is_replaced)
{
	struct dedup r = fresh();
	for (uint64_t i = 0; i < DEDUP_WAYS; i++)
		assert_int_equal(dedup_ask(&r, 7 + i * DEDUP_SETS, 5000 + i).before, 0);
	assert_int_equal(dedup_ask(&r, 7 + 8 * DEDUP_SETS, 7000).before, 0);
	assert_int_equal(r.replaced, 0);
	assert_int_equal(dedup_ask(&r, 7 + 9 * DEDUP_SETS, 7000).before, 0);
	assert_int_equal(r.replaced, 1);
	assert_int_equal(dedup_ask(&r, 7 + 8 * DEDUP_SETS, 7000).before, 1);
	assert_int_equal(dedup_ask(&r, 7 + 2 * DEDUP_SETS, 7000).before, 1);
	assert_int_equal(dedup_ask(&r, 7 + 3 * DEDUP_SETS, 7000).before, 1);
	assert_int_equal(r.replaced, 1);
}

// An expired way is taken before a live one, and that replaces nothing.
TEST(test_expired_goes_first)
{
	struct dedup r = fresh();
	assert_int_equal(dedup_ask(&r, 7, 1000).before, 0);
	for (uint64_t i = 1; i < DEDUP_WAYS; i++)
		assert_int_equal(dedup_ask(&r, 7 + i * DEDUP_SETS, 2500).before, 0);
	assert_int_equal(dedup_ask(&r, 7 + 9 * DEDUP_SETS, 3100).before, 0);
	assert_int_equal(r.replaced, 0);
	assert_int_equal(dedup_ask(&r, 7 + DEDUP_SETS, 3100).before, 1);
}

// A wait ends by its answer, or as its question could not be sent.
TEST(test_end)
{
	struct dedup r = fresh();
	struct recent_wait first = dedup_ask(&r, 42, 5000);
	assert_int_equal(first.before, 0);
	dedup_end(&r, first.ticket);
	assert_int_equal(dedup_ask(&r, 42, 5000).before, 0);
	struct recent_wait second = dedup_ask(&r, 42, 5000);
	assert_int_equal(second.before, 1);
	assert_int_equal(second.ticket, first.ticket);
	dedup_end(&r, second.ticket);
	dedup_end(&r, first.ticket);
	dedup_end(&r, first.ticket); // one more than were asked for
	assert_int_equal(dedup_ask(&r, 42, 5000).before, 0);
}

// Those beyond the bound do not wait, so as many answers as waits make room for all.
TEST(test_no_more_than_wait)
{
	struct dedup r = fresh();
	struct recent_wait wait = {0};
	for (uint32_t i = 0; i < DEDUP_WAITERS; i++)
		wait = dedup_ask(&r, 42, 5000);
	assert_int_equal(wait.before, DEDUP_WAITERS - 1);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(dedup_ask(&r, 42, 5000).before, DEDUP_WAITERS);
	dedup_end(&r, wait.ticket);
	assert_int_equal(dedup_ask(&r, 42, 5000).before, DEDUP_WAITERS - 1);
	assert_int_equal(dedup_ask(&r, 42, 5000).before, DEDUP_WAITERS);
}

// The way belongs to another key by then, and a ticket may come back with any bits.
TEST(test_ticket_of_another)
{
	struct dedup r = fresh();
	struct recent_wait old = dedup_ask(&r, 42, 5000);
	for (uint64_t i = 1; i <= DEDUP_WAYS; i++)
		assert_int_equal(dedup_ask(&r, 42 + i * DEDUP_SETS, 5000 + i).before, 0);
	assert_int_equal(r.replaced, 1);
	dedup_end(&r, old.ticket);
	assert_int_equal(dedup_ask(&r, 42 + 4 * DEDUP_SETS, 5010).before, 1);
	for (uint32_t ticket = 0; ticket < 1 << (DEDUP_WAY_BITS + DEDUP_TAG_BITS); ticket += 997)
		dedup_end(&r, ticket);
}

// The low halves of the clock wrap inside a window.
TEST(test_clock_wraps)
{
	struct dedup r = fresh();
	uint64_t start = UINT64_C(0x1fffffff0);
	assert_int_equal(dedup_ask(&r, 42, start).before, 0);
	assert_int_equal(dedup_ask(&r, 42, start + 100).before, 1);
	assert_int_equal(dedup_ask(&r, 42, start + DEDUP_WINDOW_MS).before, 0);
}
