// SPDX-License-Identifier: BSD-3-Clause
// Refresh-ahead over a real L0 under a fake clock: what a sweep plans, in which order it is asked,
// and its bounds.
#include "refresh_rig.h"

// In the longest window that the configuration takes for its sweeps, and with as many hits as can
// be counted: it is hot, and not for ever.
TEST_WITH(test_heat_fades_in_a_long_window, setup, teardown)
{
	struct config_refresh c = settings();
	struct box_name n;
	const struct l0_key key = key_of(1, &n);

	c.hit_window_s = 3600;
	c.hot_threshold_rate = 250;
	configure(&c);
	put(1, 86400, 0);
	for (unsigned i = 0; i < 1000; i++) {
		heat_up(1, 63);
		now_ms += 15000;
		sweep();
	}
	const struct refresh_policy *p = refresh_policy(refresh);
	const struct refresh_record r = {.soft_ms = 86400000, .heat = l0_writer_heat(box.w, &key)};
	assert_int_equal(refresh_heat_of(p, &r), REFRESH_HOT);
	for (unsigned i = 0; i < 1000; i++) {
		now_ms += 15000;
		sweep();
	}
	assert_in_range(l0_writer_heat(box.w, &key), 0, r.heat / 20);
}

// Renewed before their time: the hot one earlier than the warm one, the cold one never. No hit is
// needed for it.
TEST_WITH(test_sweep_plans_what_is_due_before_the_next, setup, teardown)
{
	put(1, 60, 30);
	put(2, 60, 3);
	put(3, 60, 0);
	put(4, 300, 30); // not before the next sweep
	now_ms += 29000;
	heat_up(1, 30);
	heat_up(2, 3);
	sweep();
	asked_after(12900, 0);
	asked_after(200, 1); // 42 s and a bit: 30 % are left
	assert_int_equal(asked_id[0], 1);
	asked_after(3000, 2);
	assert_int_equal(asked_id[1], 2);
	asked_after(10000, 2);
	end_all(REFRESH_DONE);
	assert_int_equal(under_way(refresh), 0);
	assert_int_equal(counts().done, 2);
}

// Due at 42 s. A sweep comes each 15 s and may be 2 s late: at 25 s the next one still sees the
// record in time, a millisecond later nothing but this plan does.
static void due_in_time_of_next_sweep(void (*look)(void))
{
	put(1, 60, 200);
	now_ms += 25000;
	look();
	asked_after(17000, 0);

	put(1, 60, 200);
	now_ms += 25001;
	look();
	asked_after(16998, 0);
	asked_after(1, 1);
	end_all(REFRESH_DONE);
}

static void tell_one(void)
{
	tell(1);
}

static void sweep_first(void)
{
	heat_up(1, 63);
	sweep();
}

TEST_WITH(test_what_the_next_sweep_sees_is_not_planned, setup, teardown)
{
	due_in_time_of_next_sweep(tell_one);
}

TEST_WITH(test_what_the_next_sweep_sees_is_left_to_it, setup, teardown)
{
	due_in_time_of_next_sweep(sweep_first);
}

TEST_WITH(test_most_urgent_first_and_bounded, setup, teardown)
{
	struct config_refresh c = settings();
	c.max_batch = 20;
	c.max_inflight = 5;
	configure(&c);
	for (uint32_t i = 0; i < 50; i++)
		put(i, 20 + (i * 7) % 50, 200); // TTLs 20 to 69, each once
	now_ms += 19000;
	sweep();
	assert_true(counts().dropped > 0);
	now_ms += 50000;
	uint32_t last_ttl = 0;
	for (unsigned total = 0; total < 20; total += 5) {
		asked_after(0, 5);
		assert_int_equal(under_way(refresh), 5);
		asked_after(0, 5); // full: the rest waits
		for (unsigned i = 0; i < 5; i++) {
			uint32_t ttl = 20 + (asked_id[i] * 7) % 50;
			assert_true(ttl > last_ttl);
			last_ttl = ttl;
		}
		end_all(REFRESH_DONE);
	}
	assert_int_equal(last_ttl, 39); // the 20 that ended first
	asked_after(0, 0);
}

// Clients come first: refreshes are a quarter of the questions at most.
TEST_WITH(test_share_of_the_questions, setup, teardown)
{
	const struct config_refresh c = settings();
	refresh_configure(refresh, &c, &(struct config_cache){.client_ttl_cap_s = 16}, 40);
	for (uint32_t i = 0; i < 50; i++)
		put(i, 30, 200);
	now_ms += 31000;
	for (uint32_t i = 0; i < 50; i++)
		tell(i);
	assert_int_equal(asked_count, 10);
	refresh_configure(refresh, &c, &(struct config_cache){0}, 1);
	end_all(REFRESH_DONE);
	asked_after(0, 1);
	end_all(REFRESH_ABANDONED);
}

TEST_WITH(test_what_is_planned_is_looked_at_again, setup, teardown)
{
	struct box_name n;
	for (uint32_t i = 1; i <= 4; i++)
		put(i, 20, 200);
	now_ms += 13000;
	for (uint32_t i = 1; i <= 4; i++)
		tell(i);
	const struct l0_key gone = key_of(1, &n);
	assert_true(l0_writer_delete(box.w, &gone));
	put(2, 20, 0); // renewed by somebody else
	asked_after(1001, 2);
	assert_in_range(asked_id[0], 3, 4);
	assert_in_range(asked_id[1], 3, 4);
	end_all(REFRESH_DONE);
}

TEST_WITH(test_failures_are_held_back, setup, teardown)
{
	put(1, 30, 200);
	now_ms += 25000;
	tell(1);
	assert_int_equal(asked_count, 1);
	end_all(REFRESH_FAILED);
	for (unsigned i = 0; i < 4; i++) {
		now_ms += 14000;
		heat_up(1, 200);
		tell(1);
		sweep();
		asked_after(0, 0);
	}
	assert_int_equal(counts().held_back, 4);
	now_ms += 5000;
	heat_up(1, 200);
	sweep();
	asked_after(0, 1);
	end_all(REFRESH_DONE);
	assert_int_equal(counts().failed, 1);
}

// Another box asks: its answer is looked for a second later, and again while it is not there.
TEST_WITH(test_elsewhere_is_looked_for_again, setup, teardown)
{
	put(1, 30, 200);
	now_ms += 25000;
	tell(1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(asked_count, 1);
		end_all(REFRESH_ELSEWHERE);
		asked_after(999, 0);
		now_ms++;
		refresh_run(refresh, now_ms);
	}
	end_all(REFRESH_DONE);
	asked_after(5000, 0);
	assert_int_equal(counts().failed, 0);
}

// A name that fails is one entry of a table of fixed size.
TEST_WITH(test_back_off_is_capped, setup, teardown)
{
	struct table_registry tables = {0};
	for (uint32_t i = 0; i < 4000; i++) {
		put(i, 30, 200);
		now_ms += 31000;
		tell(i);
		end_all(REFRESH_FAILED);
		now_ms -= 31000 - 1;
	}
	refresh_tables(refresh, now_ms, &tables);
	assert_int_equal(tables.count, 4);
	for (unsigned i = 0; i < tables.count; i++)
		assert_true(tables.table[i].used <= tables.table[i].cap);
	assert_string_equal(tables.table[2].name, "refresh_backoff");
	assert_int_equal(tables.table[2].cap, 10000);
	assert_in_range(tables.table[2].used, 3500, 4000);
}

TEST_WITH(test_no_room_and_asked_already, setup, teardown)
{
	put(1, 30, 200);
	now_ms += 31000;
	start_says = REFRESH_NO_ROOM;
	tell(1);
	assert_int_equal(counts().dropped, 1);
	start_says = REFRESH_IS_ASKED;
	tell(1);
	assert_int_equal(under_way(refresh), 0);
	assert_int_equal(counts().asked, 0);
	start_says = REFRESH_UNDER_WAY;
	tell(1);
	assert_int_equal(under_way(refresh), 1);
	end_all(REFRESH_DONE);
}

TEST_WITH(test_the_root_is_left_out, setup, teardown)
{
	static struct box_put p;
	box_put_fill(l0_writer_reader(box.w), &p, 1, 1, 48, now_ms, 60000);
	p.name.wire[0] = 0;
	p.put.key = (struct l0_key){.name = p.name.wire, .name_len = 1, .qtype = 2, .qclass = 1};
	l0_key_hash(l0_writer_reader(box.w), &p.put.key);
	p.put.hits = 255;
	assert_int_equal(l0_writer_put(box.w, &p.put), 0);
	refresh_stored(refresh, &p.put.key, p.put.refresh_ms, now_ms);
	now_ms += 29000;
	refresh_hit(refresh, &p.put.key, now_ms);
	sweep();
	asked_after(5000, 0);
}

TEST_WITH(test_off, setup, teardown)
{
	struct config_refresh c = settings();
	c.enabled = false;
	configure(&c);
	put(1, 30, 200);
	now_ms += 25000;
	tell(1);
	sweep();
	asked_after(0, 0);
	now_ms += 6000; // stale: immediate still asks
	tell(1);
	assert_int_equal(asked_count, 1);
	end_all(REFRESH_DONE);
}

// A round that comes late weighs less for each hit, so that the rate stays what it is.
TEST_WITH(test_rate_does_not_depend_on_the_sweep, setup, teardown)
{
	static const uint64_t between_ms[] = {5000, 15000, 17321, 59999, 90000, 120000};
	const struct refresh_policy *p = refresh_policy(refresh);
	struct box_name n;
	for (size_t i = 0; i < ARRAY_LEN(between_ms); i++) {
		put((uint32_t)i, 3600, 0);
		const struct l0_key key = key_of((uint32_t)i, &n);
		for (unsigned k = 0; k < 60; k++) {
			now_ms += between_ms[i];
			heat_up((uint32_t)i, (unsigned)(between_ms[i] / 1000)); // 60 a minute
			sweep();
			put((uint32_t)i, 3600, 0);
		}
		uint32_t rate = refresh_rate(p, l0_writer_heat(box.w, &key));
		if (rate < 55 || rate > 63)
			fail_msg("each %llu ms: %u", (unsigned long long)between_ms[i], rate);
	}
}

// Served past its expiry all the same: what that was is counted.
TEST_WITH(test_late_hot_names_are_counted, setup, teardown)
{
	struct box_name n;
	struct l0_view v;
	uint32_t number;
	put(1, 60, 200);
	sweep();
	now_ms += 62000;
	assert_true(box_get(l0_writer_reader(box.w), 1, &v, &number));
	const struct l0_key key = key_of(1, &n);
	heat_up(1, 50);
	refresh_missed(refresh, &key, &v, now_ms);
	assert_int_equal(counts().hot_missed, 1);
	assert_int_equal(counts().late_ms, 2000);
	now_ms += 58000;
	box.marks[number] = MARK_HITS;
	sweep();
	assert_in_range(counts().hot_stale, 50, 63 + 50);
}
