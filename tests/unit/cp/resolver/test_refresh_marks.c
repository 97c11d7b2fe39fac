// SPDX-License-Identifier: BSD-3-Clause
// A mark on a record says that a request is in hand. Past the record's expiry, with `stale:
// immediate`, it must not keep a hit from being reported when none is.
#include "dataplane/state/mark.h"
#include "refresh_rig.h"

// NULL: the settings that weir is shipped with.
static void configure_immediate(const struct config_refresh *c)
{
	refresh_configure(refresh, c ? c : &refresh_shipped,
		&(struct config_cache){.stale_immediate = true}, 4096);
}

// A hit as stage_lookup.c has it with `stale: immediate`.
static void hit(uint32_t id)
{
	const struct l0_reader *l0 = l0_writer_reader(box.w);
	struct box_name n;
	const struct l0_key key = key_of(id, &n);
	struct l0_view v;
	uint32_t record;

	assert_true(box_get(l0, id, &v, &record));
	const uint64_t age_ms = now_ms - v.created_ms;
	const uint8_t mark = box.marks[record];
	const bool wants = l0_age_of(&v, now_ms) == L0_FRESH ? age_ms >= v.refresh_ms
							     : age_ms >= v.stale_until_ms;
	box.marks[record] = mark_hit(mark) | MARK_VISITED;
	if (!wants || mark & MARK_REFRESH)
		return;
	box.marks[record] |= MARK_REFRESH;
	refresh_hit(refresh, &key, now_ms);
}

// Of all, this one alone.
static void hit_asks(uint32_t id)
{
	hit(id);
	assert_int_equal(asked_count, 1);
	end_all(REFRESH_DONE);
}

// Hits each half second, without a sweep. The age at which weir asks for the record; 0: it does
// not.
static uint64_t asked_at_ms(uint32_t id, uint64_t until_ms)
{
	for (uint64_t age_ms = 500; age_ms <= until_ms; age_ms += 500) {
		now_ms += 500;
		refresh_run(refresh, now_ms);
		hit(id);
		if (asked_count > 0)
			return age_ms;
	}
	return 0;
}

// A mark that a hit claimed while the record was fresh says nothing of those past its expiry.
TEST_WITH(test_a_cold_record_is_asked_for_past_its_expiry, setup, teardown)
{
	configure_immediate(NULL);
	put(1, 2, 0);
	assert_int_equal(asked_at_ms(1, 4000), 2000);
	end_all(REFRESH_DONE);
	put(2, 600, 0); // reported long before the next sweep sees its end
	now_ms += 400000;
	hit(2);
	now_ms += 200000 - 500;
	assert_int_equal(asked_at_ms(2, 4000), 500);
	end_all(REFRESH_DONE);
}

// Warm when it was reported, and cold when it is due.
TEST_WITH(test_a_record_that_cools_is_asked_for_past_its_expiry, setup, teardown)
{
	configure_immediate(NULL);
	sweep();
	sweep(); // those that forget earlier requests
	put(1, 3600, 4);
	now_ms += 3600 * 700 + 1;
	hit(1);
	for (unsigned i = 0; i < 20; i++) {
		now_ms += 15000;
		sweep();
		refresh_run(refresh, now_ms);
	}
	now_ms += 780000;
	assert_int_equal(asked_count, 0);
	hit_asks(1);
}

TEST_WITH(test_planned_and_cold_by_then_is_asked_for_past_its_expiry, setup, teardown)
{
	struct config_refresh c = settings();

	configure_immediate(&c);
	put(1, 60, 21);
	now_ms += 30000;
	tell(1); // planned for 42 s
	c.warm_threshold = 250;
	c.hot_threshold_rate = 250;
	configure_immediate(&c);
	now_ms += 12000;
	hit(1);
	asked_after(0, 0);
	now_ms += 18000;
	hit_asks(1);
}

// refresh.min_ttl: the hits that count are those near its end, whatever was reported before.
TEST_WITH(test_a_cold_record_is_renewed_by_a_hit_near_its_end, setup, teardown)
{
	struct config_refresh c = settings();

	c.min_ttl_s = 5;
	configure(&c);
	put(1, 600, 0);
	now_ms += 430000;
	hit(1);
	sweep();
	now_ms += 164000;
	hit(1);
	asked_after(0, 0);
	now_ms += 1000;
	hit_asks(1);
}

// No room, or asked for and failed a moment ago: a second later a hit asks again.
TEST_WITH(test_a_refused_request_is_made_again, setup, teardown)
{
	static const enum refresh_started says[] = {REFRESH_NO_ROOM, REFRESH_IS_ASKED};
	configure_immediate(NULL);
	for (uint32_t i = 0; i < ARRAY_LEN(says); i++) {
		put(i, 30, 0);
		now_ms += 31000;
		start_says = says[i];
		hit(i);
		start_says = REFRESH_UNDER_WAY;
		now_ms += 999;
		hit(i);
		assert_int_equal(asked_count, 0);
		now_ms++;
		hit_asks(i);
	}
}

// The back-off is as long as configured, and no sweep longer.
TEST_WITH(test_a_failed_one_is_asked_for_when_its_back_off_ends, setup, teardown)
{
	struct config_refresh c = settings();

	c.servfail_backoff_s = 10;
	configure_immediate(&c);
	put(1, 30, 0);
	now_ms += 31000;
	hit(1);
	assert_int_equal(asked_count, 1);
	end_all(REFRESH_FAILED);
	assert_in_range(asked_at_ms(1, 20000), 10000, 11000);
	end_all(REFRESH_DONE);
}

TEST_WITH(test_the_root_is_asked_for_past_its_expiry, setup, teardown)
{
	const struct config_refresh c = settings();
	static struct box_put p;

	configure_immediate(&c);
	box_put_fill(l0_writer_reader(box.w), &p, 1, 1, 48, now_ms, 60000);
	p.name.wire[0] = 0;
	p.put.key = (struct l0_key){.name = p.name.wire, .name_len = 1, .qtype = 2, .qclass = 1};
	l0_key_hash(l0_writer_reader(box.w), &p.put.key);
	p.put.soft_ms = 30000;
	assert_int_equal(l0_writer_put(box.w, &p.put), 0);
	now_ms += 29000;
	refresh_hit(refresh, &p.put.key, now_ms);
	refresh_run(refresh, now_ms);
	assert_int_equal(under_way(refresh), 0);
	now_ms += 1000;
	refresh_hit(refresh, &p.put.key, now_ms);
	assert_int_equal(under_way(refresh), 1);
	end_all(REFRESH_DONE);
}
