// SPDX-License-Identifier: BSD-3-Clause
// When a record is due: the thresholds, the plan's order, and the counts by the minute.
#include "controlplane/resolver/refresh_policy.h"
#include "refresh_shipped.h"
#include "tests/unit/unit.h"

#include <weir/l0_writer.h>

static struct refresh_policy policy_of(const struct config_refresh *c, uint32_t cap_s)
{
	struct refresh_policy p;
	refresh_policy_of(c, cap_s, &p);
	return p;
}

enum { HIT = L0_HEAT_ONE };

TEST(test_thresholds)
{
	static const struct {
		const char *what;
		uint32_t soft_s, auth_s, hits_16th, due_ms, swept_ms, told_ms;
	} rows[] = {
		{"hot", 300, 300, 20 * HIT, 210000, 240000, 210000},
		{"just below hot is warm", 300, 300, 20 * HIT - 1, 225000, 240000, 210000},
		{"above warm, far below hot", 300, 300, 3 * HIT, 225000, 240000, 210000},
		{"warm", 300, 300, 2 * HIT, 225000, 240000, 210000},
		{"below warm is cold", 300, 300, 2 * HIT - 1, REFRESH_NEVER, REFRESH_NEVER, 210000},
		{"never asked for", 300, 300, 0, REFRESH_NEVER, REFRESH_NEVER, 210000},
		{"shorter than the window", 60, 60, 20 * HIT, 42000, 42000, 42000},
		{"a day", 86400, 86400, 20 * HIT, 60480000, 86340000, 60480000},
		{"hot for so long that it pays", 4, 4, 60 * HIT, 2800, 2800, 2800},
		{"a second of lead", 3, 3, 60 * HIT, 2000, 2000, 2000},
		{"half of a second's TTL", 1, 1, 300 * HIT, 500, 500, 500},
		{"a miss is cheaper", 1, 1, 20 * HIT, REFRESH_NEVER, REFRESH_NEVER, 500},
		{"a miss is cheaper for warm", 20, 20, 2 * HIT, REFRESH_NEVER, REFRESH_NEVER,
			14000},
		{"kept for too long", 300, 60, 20 * HIT, 60000, 60000, 60000},
		{"kept for too long, warm", 300, 60, 2 * HIT, 60000, 60000, 60000},
		{"not to be kept at all", 300, 0, 20 * HIT, 15000, 15000, 15000},
		{"ends after the threshold", 300, 250, 20 * HIT, 210000, 240000, 210000},
		{"the longest", 4294967, 4294967, 20 * HIT, 3006476900, 4294907000, 3006476900},
	};
	const struct refresh_policy p = policy_of(&refresh_shipped, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct refresh_record r = {.soft_ms = rows[i].soft_s * 1000,
			.auth_ttl_s = rows[i].auth_s,
			.heat = rows[i].hits_16th};
		uint32_t due = refresh_due_ms(&p, &r), swept = refresh_swept_ms(&p, &r);
		uint32_t told = refresh_told_ms(&p, r.soft_ms, r.auth_ttl_s);
		if (due != rows[i].due_ms || swept != rows[i].swept_ms || told != rows[i].told_ms)
			fail_msg("%s: due %u, swept %u, told %u", rows[i].what, due, swept, told);
	}
}

// No heat makes a record due before hits are told of, nor after its expiry.
TEST(test_order_of_ages)
{
	static const struct {
		uint32_t hot, warm, min_ttl_s;
		bool past_auth;
	} rows[] = {
		{30, 25, 0, true}, {20, 15, 0, false}, {15, 60, 0, false}, {30, 25, 3600, true}};
	for (size_t m = 0; m < ARRAY_LEN(rows); m++) {
		struct config_refresh c = refresh_shipped;
		c.hot_ttl_percent = rows[m].hot;
		c.warm_ttl_percent = rows[m].warm;
		c.min_ttl_s = rows[m].min_ttl_s;
		c.past_auth = rows[m].past_auth;
		const struct refresh_policy p = policy_of(&c, 0);
		for (uint32_t soft_s = 1; soft_s < 100000; soft_s += 1 + soft_s / 7)
			for (uint32_t heat = 0; heat < UINT16_MAX; heat += 1 + heat / 5) {
				const struct refresh_record r = {soft_s * 1000, soft_s / 2, heat};
				uint32_t due = refresh_due_ms(&p, &r);
				uint32_t swept = refresh_swept_ms(&p, &r);
				assert_true(due >= refresh_told_ms(&p, r.soft_ms, r.auth_ttl_s));
				assert_true(due <= swept);
				assert_true(swept == REFRESH_NEVER || swept < r.soft_ms);
				assert_true(due == REFRESH_NEVER || (due > 0 && due < r.soft_ms));
			}
	}
}

TEST(test_settings)
{
	struct config_refresh c = refresh_shipped;
	struct refresh_policy p = policy_of(&c, 300);
	assert_int_equal(p.hot_min, 2 * HIT); // 3 clients * 60 / 300 s is less
	p = policy_of(&c, 15);
	assert_int_equal(p.hot_min, 12 * HIT);
	c.sweep_interval_s = 60;
	p = policy_of(&c, 1);
	assert_int_equal(p.hot_min, 63 * HIT); // a worker counts no more than that
	c = refresh_shipped;
	c.hot_threshold_rate = 30;
	p = policy_of(&c, 15);
	assert_int_equal(p.hot_min, 30 * HIT);
	assert_true(p.past_auth);
	c.hit_window_s = 120;
	p = policy_of(&c, 0);
	assert_int_equal(p.hot_min, 60 * HIT); // so many in two minutes
	assert_int_equal(refresh_rate(&p, p.hot_min), 30);
	c = refresh_shipped;
	c.hot_threshold_rate = 5;
	c.warm_threshold = 9; // no gap: what is hot is warm
	p = policy_of(&c, 0);
	assert_int_equal(p.warm_min, p.hot_min);
	c = refresh_shipped;
	c.past_auth = false;
	c.hot_ttl_percent = 20;
	p = policy_of(&c, 0);
	assert_int_equal(refresh_told_ms(&p, 300000, 10), 225000); // warm comes first
	c.min_ttl_s = 3600;
	p = policy_of(&c, 0);
	// Cold ones on a hit, at most half a life ahead; the sweep leaves them.
	const struct refresh_record cold = {.soft_ms = 300000, .auth_ttl_s = 300};
	assert_int_equal(refresh_due_ms(&p, &cold), 150000);
	assert_int_equal(refresh_swept_ms(&p, &cold), REFRESH_NEVER);
	assert_int_equal(refresh_told_ms(&p, 300000, 300), 150000);
	c.enabled = false;
	p = policy_of(&c, 0);
	const struct refresh_record hot = {300000, 300, 100 * HIT};
	assert_int_equal(refresh_due_ms(&p, &hot), REFRESH_NEVER);
	assert_int_equal(refresh_told_ms(&p, 300000, 300), REFRESH_NEVER);
}

TEST(test_plan_keeps_the_most_urgent)
{
	enum { CAP = 50, PUTS = 1000 };
	struct refresh_plan p;
	struct refresh_planned e = {0};
	uint64_t due[PUTS], last = 0;
	unsigned refused = 0, taken = 0;
	assert_int_equal(refresh_plan_init(&p, CAP), 0);
	assert_false(refresh_plan_pop(&p, UINT64_MAX, &e));
	srandom(4);
	for (unsigned i = 0; i < PUTS; i++) {
		e = (struct refresh_planned){.due_ms = (uint64_t)random() % 5000, .record = i + 1};
		due[i] = e.due_ms;
		refused += !refresh_plan_insert(&p, &e);
	}
	assert_int_equal(refused, PUTS - CAP);
	uint64_t latest = p.entry[0].due_ms;
	while (refresh_plan_pop(&p, 5000, &e)) {
		assert_true(e.due_ms >= last && due[e.record - 1] == e.due_ms);
		last = e.due_ms;
		taken++;
	}
	assert_int_equal(taken, CAP);
	unsigned earlier = 0;
	for (unsigned i = 0; i < PUTS; i++)
		earlier += due[i] < latest;
	assert_in_range(earlier, 0, CAP);
	refresh_plan_destroy(&p);
}

TEST(test_plan_has_nothing_twice_and_shrinks)
{
	struct refresh_plan p;
	struct refresh_planned e = {0};
	assert_int_equal(refresh_plan_init(&p, 4), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_true(refresh_plan_insert(&p, &(struct refresh_planned){7, 3, 9}));
	assert_int_equal(p.used, 1);
	for (uint32_t i = 1; i <= 3; i++)
		assert_true(refresh_plan_insert(&p, &(struct refresh_planned){7 + i, i, 0}));
	assert_true(refresh_plan_insert(&p, &(struct refresh_planned){7, 3, 9})); // full, but in
	refresh_plan_limit(&p, 2);
	assert_int_equal(p.used, 2);
	assert_false(refresh_plan_pop(&p, 6, &e));
	assert_true(refresh_plan_pop(&p, 7, &e) && e.record == 3);
	assert_true(refresh_plan_pop(&p, 99, &e) && e.due_ms == 8);
	refresh_plan_limit(&p, 99); // no more than it was made for
	assert_int_equal(p.limit, 4);
	refresh_plan_destroy(&p);
}

TEST(test_minutes)
{
	static struct refresh_stats s;
	struct refresh_counts sum;
	uint64_t start_ms = 30000; // early in the clock's life
	refresh_stats_now(&s, start_ms)->done = 5;
	assert_null(refresh_stats_at(&s, start_ms, 1));
	refresh_stats_now(&s, start_ms + 120000)->done += 7;
	assert_int_equal(refresh_stats_at(&s, start_ms + 120000, 2)->done, 5);
	assert_null(refresh_stats_at(&s, start_ms + 120000, 1));
	refresh_stats_sum(&s, start_ms + 120000, REFRESH_MINUTES, &sum);
	assert_int_equal(sum.done, 12);
	refresh_stats_sum(&s, start_ms + 120000, 1, &sum);
	assert_int_equal(sum.done, 7);
	// A day later the first slot's minute comes again, and what it held is gone.
	uint64_t day_ms = UINT64_C(86400000);
	refresh_stats_sum(&s, start_ms + day_ms, REFRESH_MINUTES, &sum);
	assert_int_equal(sum.done, 7);
	refresh_stats_now(&s, start_ms + day_ms)->done++;
	refresh_stats_sum(&s, start_ms + day_ms, REFRESH_MINUTES, &sum);
	assert_int_equal(sum.done, 8);
	refresh_stats_now(&s, start_ms + day_ms)->late_ms = UINT32_MAX;
	refresh_stats_now(&s, start_ms + day_ms + 60000)->late_ms = 9;
	refresh_stats_sum(&s, start_ms + day_ms + 60000, REFRESH_MINUTES, &sum);
	assert_int_equal(sum.late_ms, UINT32_MAX);
}
