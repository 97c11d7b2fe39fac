// SPDX-License-Identifier: BSD-3-Clause
// The choice of a server: a table of cases, shares of many choices, and what a few thousand
// questions make of servers that come and go.

#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/unit.h"

enum { NOBODY = -1, SERVERS = 4 };

struct known {
	bool gone, avoid, down;
	unsigned sends, weight, under_way, latency_us;
};

#define GONE                 \
	{                    \
		.gone = true \
	}

static const struct {
	const char *what;
	enum upstream_policy policy;
	int expected;
	struct known known[SERVERS];
} cases[] = {
	{"the first", UPSTREAM_FAILOVER, 0, {{0}, {0}, {0}, {0}}},
	{"nobody is left", UPSTREAM_FAILOVER, NOBODY, {GONE, GONE, GONE, GONE}},
	{"nobody is left", UPSTREAM_LATENCY, NOBODY, {GONE, GONE, GONE, GONE}},
	{"nobody is left", UPSTREAM_LEAST, NOBODY, {GONE, GONE, GONE, GONE}},
	{"nobody is left", UPSTREAM_ROUND_ROBIN, NOBODY, {GONE, GONE, GONE, GONE}},
	{"the first that is left", UPSTREAM_FAILOVER, 2, {GONE, GONE, {0}, {0}}},
	{"one that may be down comes last", UPSTREAM_FAILOVER, 1,
		{{.avoid = true}, {0}, {0}, {.avoid = true}}},
	{"all may be down", UPSTREAM_FAILOVER, 1,
		{GONE, {.avoid = true}, {.avoid = true}, {.avoid = true}}},
	{"one that may be down before one that was asked", UPSTREAM_FAILOVER, 3,
		{{.sends = 1}, {.sends = 1}, {.sends = 2}, {.avoid = true}}},
	{"one that is down after one that was asked", UPSTREAM_FAILOVER, 1,
		{{.avoid = true, .down = true}, {.sends = 3}, GONE, GONE}},
	{"asked as often, but up", UPSTREAM_LATENCY, 1,
		{{.sends = 1, .avoid = true, .latency_us = 1000}, {.sends = 1, .latency_us = 90000},
			{.sends = 2, .latency_us = 1000}, GONE}},
	{"the quickest", UPSTREAM_LATENCY, 2,
		{{.latency_us = 20000}, {.latency_us = 9000}, {.latency_us = 8000},
			{.latency_us = 30000}}},
	{"not known: to be found out", UPSTREAM_LATENCY, 3,
		{{.latency_us = 20000}, {.latency_us = 9000}, {.latency_us = 800}, {0}}},
	{"below the floor all are equal", UPSTREAM_LATENCY, 0,
		{{.latency_us = 900}, {.latency_us = 100}, {.latency_us = 1},
			{.latency_us = 1000}}},
	{"the floor is no ceiling", UPSTREAM_LATENCY, 1,
		{{.latency_us = 1001}, {.latency_us = 999}, {.latency_us = 1002}, GONE}},
	{"twice the weight is half the way", UPSTREAM_LATENCY, 1,
		{{.latency_us = 10000}, {.latency_us = 19000, .weight = 2}, {.latency_us = 11000},
			GONE}},
	{"the quickest may be down", UPSTREAM_LATENCY, 0,
		{{.latency_us = 90000}, {.latency_us = 1000, .avoid = true}, GONE, GONE}},
	{"no overflow", UPSTREAM_LATENCY, 1,
		{{.latency_us = UINT32_MAX, .weight = 1}, {.latency_us = UINT32_MAX, .weight = 100},
			GONE, GONE}},
	{"the fewest under way", UPSTREAM_LEAST, 1,
		{{.under_way = 3}, {.under_way = 1}, {.under_way = 2}, {.under_way = 9}}},
	{"twice the weight, twice as many", UPSTREAM_LEAST, 2,
		{{.under_way = 5}, {.under_way = 5}, {.under_way = 10, .weight = 2},
			{.under_way = 6}}},
	{"as few, but quicker", UPSTREAM_LEAST, 1,
		{{.under_way = 1, .latency_us = 9000}, {.under_way = 1, .latency_us = 8000},
			{.under_way = 2, .latency_us = 1000}, GONE}},
	{"as few and as quick: the first", UPSTREAM_LEAST, 1,
		{GONE, {.latency_us = 500}, {.latency_us = 700}, {.latency_us = 1}}},
};

static void known_set(struct upstream_known out[SERVERS], const struct known in[SERVERS])
{
	for (unsigned i = 0; i < SERVERS; i++)
		out[i] = (struct upstream_known){.eligible = !in[i].gone,
			.avoid = in[i].avoid,
			.down = in[i].down,
			.sends = in[i].sends,
			.weight = in[i].weight ? in[i].weight : 1,
			.under_way = in[i].under_way,
			.latency_us = in[i].latency_us};
}

TEST(test_table)
{
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct upstream_known known[SERVERS];
		struct upstream_turn turn = {{0}};
		known_set(known, cases[i].known);
		int got = upstream_choose(cases[i].policy, known, SERVERS, &turn, 1);
		if (got != cases[i].expected)
			fail_msg("%s: %d, not %d", cases[i].what, got, cases[i].expected);
	}
}

// Numbers of one seed, the same in each run.
static uint16_t draw(void)
{
	static uint64_t x = 20261123;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint16_t)(x >> 24);
}

TEST(test_turns_by_weight)
{
	static const struct known three[SERVERS] = {
		{.weight = 5}, {.weight = 1}, {.weight = 1}, {.gone = true}};
	static const int expected[] = {0, 0, 1, 0, 2, 0, 0};
	struct upstream_known known[SERVERS];
	struct upstream_turn turn = {{0}};
	known_set(known, three);
	for (unsigned i = 0; i < 5 * ARRAY_LEN(expected); i++)
		assert_int_equal(upstream_choose(UPSTREAM_ROUND_ROBIN, known, SERVERS, &turn, 0),
			expected[i % ARRAY_LEN(expected)]);
}

// One that comes back is owed no more than one turn: it is not asked alone for a while.
TEST(test_turns_after_an_absence)
{
	static const struct known all[SERVERS] = {{0}};
	struct upstream_known known[SERVERS];
	struct upstream_turn turn = {{0}};
	unsigned got[SERVERS] = {0};
	known_set(known, all);
	known[1].avoid = true;
	for (unsigned i = 0; i < 300; i++)
		got[upstream_choose(UPSTREAM_ROUND_ROBIN, known, SERVERS, &turn, 0)]++;
	assert_int_equal(got[1], 0);
	assert_int_equal(got[0], 100);
	known[1].avoid = false;
	for (unsigned i = 0; i < 8; i++)
		got[upstream_choose(UPSTREAM_ROUND_ROBIN, known, SERVERS, &turn, 0)]++;
	assert_in_range(got[1], 1, 3);
}

TEST(test_share_of_the_slower_ones)
{
	enum { QUERIES = 64000 };
	static const struct known near_and_far[SERVERS] = {{.latency_us = 30000},
		{.latency_us = 10000}, {.latency_us = 20000}, {.latency_us = 1, .avoid = true}};
	struct upstream_known known[SERVERS];
	struct upstream_turn turn = {{0}};
	unsigned got[SERVERS] = {0};
	known_set(known, near_and_far);
	for (unsigned i = 0; i < QUERIES; i++)
		got[upstream_choose(UPSTREAM_LATENCY, known, SERVERS, &turn, draw())]++;
	// 1,000 expected of each, standard deviation 32.
	assert_in_range(got[0], 850, 1150);
	assert_in_range(got[2], 850, 1150);
	assert_int_equal(got[3], 0);
}

// The nearer one is slow for a while: few questions wait for it then, and it is found again.
TEST(test_a_recovered_one_is_found)
{
	static const struct known two[SERVERS] = {{0}, {0}, {.gone = true}, {.gone = true}};
	struct upstream_known known[SERVERS];
	struct upstream_turn turn = {{0}};
	unsigned slow = 0, back = 0;
	known_set(known, two);
	for (unsigned i = 0; i < 4000; i++) {
		const unsigned real_us[2] = {i >= 1000 && i < 2000 ? 200000 : 5000, 20000};
		int k = upstream_choose(UPSTREAM_LATENCY, known, SERVERS, &turn, draw());
		assert_in_range(k, 0, 1);
		uint32_t *mean = &known[k].latency_us;
		*mean = *mean ? (*mean * 7 + real_us[k]) / 8 : real_us[k];
		slow += i >= 1000 && i < 2000 && k == 0;
		back += i >= 3400 && k == 0;
	}
	assert_in_range(slow, 10, 60);   // one before it shows, and one of 32
	assert_in_range(back, 555, 599); // of 600, one of 32 to the other
}
