// SPDX-License-Identifier: BSD-3-Clause
// Who met a bound most in the last minutes.
#include "controlplane/bounds/bound_log.h"
#include "tests/unit/unit.h"

static struct bound_log l;
static struct bound_top top;
static uint64_t now_ms = 1000;

FIXTURE(setup, memset(&l, 0, sizeof(l)))

static void add(enum bound bound, const char *who, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		bound_log_add(&l, bound, who, now_ms);
}

static void expect(unsigned i, enum bound bound, const char *who, uint64_t count)
{
	assert_true(i < top.count);
	assert_int_equal(top.met[i].bound, bound);
	assert_string_equal(top.met[i].who, who);
	assert_int_equal(top.met[i].count, count);
}

TEST_WITH(test_the_largest_first, setup, NULL)
{
	add(BOUND_client, "192.0.2.1", 5);
	add(BOUND_zone, "victim.example", 7);
	add(BOUND_suffix, "victim.example", 6); // another bound is another entry
	bound_log_top(&l, now_ms, &top);
	assert_int_equal(top.count, 3);
	expect(0, BOUND_zone, "victim.example", 7);
	expect(1, BOUND_suffix, "victim.example", 6);
	expect(2, BOUND_client, "192.0.2.1", 5);
}

// What has a sixteenth of all stays, whatever comes once; its count is not too low.
TEST_WITH(test_a_flood_of_others, setup, NULL)
{
	char who[32];
	for (unsigned i = 0; i < 16000; i++) {
		snprintf(who, sizeof(who), "n%u.example", i);
		add(BOUND_zone, who, 1);
		if (i % 8 == 0)
			add(BOUND_zone, "victim.example", 1);
	}
	bound_log_top(&l, now_ms, &top);
	assert_int_equal(top.count, BOUND_TOP_MAX);
	assert_string_equal(top.met[0].who, "victim.example");
	assert_in_range(top.met[0].count, 2000, 2000 + 18000 / BOUND_LOG_CAP);
	assert_true(l.evicted > 10000);
}

// This window and the one before it; then it is over.
TEST_WITH(test_minutes, setup, NULL)
{
	add(BOUND_zone, "a.example", 3);
	now_ms += BOUND_LOG_SPAN_MS;
	add(BOUND_zone, "b.example", 4);
	add(BOUND_zone, "a.example", 2);
	bound_log_top(&l, now_ms, &top);
	expect(0, BOUND_zone, "a.example", 5);
	expect(1, BOUND_zone, "b.example", 4);
	now_ms += BOUND_LOG_SPAN_MS;
	bound_log_top(&l, now_ms, &top);
	expect(0, BOUND_zone, "b.example", 4);
	expect(1, BOUND_zone, "a.example", 2);
	now_ms += BOUND_LOG_SPAN_MS;
	bound_log_top(&l, now_ms, &top);
	assert_int_equal(top.count, 0);
	add(BOUND_zone, "c.example", 1);
	now_ms += 5 * BOUND_LOG_SPAN_MS;
	bound_log_top(&l, now_ms, &top);
	assert_int_equal(top.count, 0);
}

// Lists of two resolvers; a text that is too long is cut off, and still one.
TEST_WITH(test_lists_are_added, setup, NULL)
{
	char text[BOUND_WHO_MAX + 20];
	struct bound_met met = {.bound = BOUND_client, .who = "b", .count = 10};
	top.count = 0;
	for (unsigned i = 0; i < BOUND_TOP_MAX; i++) {
		struct bound_met other = {.bound = BOUND_zone, .count = 20 - i};
		snprintf(other.who, sizeof(other.who), "z%u", i);
		bound_top_add(&top, &other);
	}
	bound_top_add(&top, &met); // 13 is the least there
	assert_string_equal(top.met[BOUND_TOP_MAX - 1].who, "z7");
	met.count = 14;
	bound_top_add(&top, &met);
	expect(BOUND_TOP_MAX - 1, BOUND_client, "b", 14);
	bound_top_add(&top, &met);
	expect(0, BOUND_client, "b", 28);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	add(BOUND_zone, text, 2);
	bound_log_top(&l, now_ms, &top);
	assert_int_equal(top.count, 1);
	assert_int_equal(top.met[0].count, 2);
	assert_int_equal(strlen(top.met[0].who), BOUND_WHO_MAX - 1);
}
