// SPDX-License-Identifier: BSD-3-Clause
// What grows, and how old what is kept is.

#include "controlplane/base/age_list.h"
#include "controlplane/base/growth.h"
#include "controlplane/l1/redis_wire.h"
#include "tests/unit/unit.h"

TEST(the_oldest_is_known_whoever_leaves)
{
	struct age_list l = {0};
	struct age_link k[4];
	assert_int_equal(age_since(&l), 0);
	for (unsigned i = 0; i < 4; i++) {
		age_add(&l, &k[i]);
		k[i].since_ms = 100 + i; // as if it had come then
	}
	age_remove(&l, &k[1]);
	assert_int_equal(age_since(&l), 100);
	age_remove(&l, &k[0]);
	assert_int_equal(age_since(&l), 102);
	age_remove(&l, &k[3]);
	assert_int_equal(age_since(&l), 102);
	age_add(&l, &k[0]);
	age_remove(&l, &k[2]);
	age_remove(&l, &k[0]);
	assert_int_equal(age_since(&l), 0);
	assert_null(l.newest);
	assert_int_equal(age_earlier(0, 7), 7);
	assert_int_equal(age_earlier(7, 0), 7);
	assert_int_equal(age_earlier(7, 5), 5);
}

TEST(steps_add_up)
{
	struct growth g = {0};
	growth_step(&g, 0, 4096);
	growth_step(&g, 4096, 16384);
	growth_step(&g, 16384, 0);
	assert_int_equal(g.grown, 2);
	assert_int_equal(g.shrunk, 1);
	assert_int_equal(g.bytes, 0);
	assert_int_equal(g.most, 16384);
	assert_int_equal(growth_cap(0, 5000, 4096), 8192);
	assert_int_equal(growth_cap(8192, 8192, 4096), 8192);
	assert_false(growth_is_over(8192, 4096, GROWTH_IDLE_MS));
	assert_false(growth_is_over(8193, 4096, GROWTH_IDLE_MS - 1));
	assert_true(growth_is_over(8193, 4096, GROWTH_IDLE_MS));
}

TEST(what_redis_is_told_is_given_back_when_idle)
{
	struct growth g = {0};
	struct redis_out o = {0};
	memset(redis_out_take(&o, 30000, &g), 'x', 30000);
	assert_true(o.cap >= 30000);
	redis_out_idle(&o, GROWTH_IDLE_MS, &g);
	assert_true(o.cap >= 30000); // something waits in it
	redis_out_sent(&o, 30000, &g);
	assert_true(o.cap >= 30000);
	redis_out_idle(&o, GROWTH_IDLE_MS - 1, &g);
	assert_true(o.cap >= 30000);
	redis_out_idle(&o, GROWTH_IDLE_MS, &g);
	assert_int_equal(o.cap, 0);
	assert_int_equal(g.bytes, 0);
	assert_int_equal(g.grown, 1);
	assert_int_equal(g.shrunk, 1);
	memset(redis_out_take(&o, 100, &g), 'x', 100);
	redis_out_sent(&o, 100, &g);
	redis_out_idle(&o, UINT64_MAX, &g);
	assert_int_equal(o.cap, REDIS_OUT_CHUNK); // no larger than it must be
	redis_out_free(&o, &g);
	assert_int_equal(g.bytes, 0);
}

// A reply of 48,000 bytes, of which the block stays for the next one, until nobody asks.
TEST(what_redis_said_is_given_back_when_idle)
{
	enum { LONG = 48000 };
	static char text[LONG + 32];
	struct growth g = {0};
	struct redis_reader *r;
	const struct redis_reply *reply;
	int n = snprintf(text, sizeof(text), "$%d\r\n", LONG);
	memset(text + n, 'x', LONG);
	memcpy(text + n + LONG, "\r\n", 2);
	assert_int_equal(redis_reader_new(&r, REDIS_REPLY_MAX, &g), 0);
	assert_int_equal(redis_reader_feed(r, text, (size_t)n + LONG + 2), 0);
	assert_int_equal(redis_reader_next(r, &reply), 1);
	assert_true(g.bytes >= LONG);
	assert_int_equal(redis_reader_next(r, &reply), 0);
	assert_true(g.bytes >= LONG);
	redis_reader_idle(r, GROWTH_IDLE_MS - 1);
	assert_true(g.bytes >= LONG);
	redis_reader_idle(r, GROWTH_IDLE_MS);
	assert_int_equal(g.bytes, 0);
	assert_true(g.shrunk >= 1);
	// Half a reply is nothing to give back.
	assert_int_equal(redis_reader_feed(r, "*2\r\n$2\r\nab\r\n", 12), 0);
	assert_int_equal(redis_reader_next(r, &reply), 0);
	redis_reader_idle(r, UINT64_MAX);
	assert_int_equal(redis_reader_feed(r, "$2\r\ncd\r\n", 8), 0);
	assert_int_equal(redis_reader_next(r, &reply), 1);
	assert_int_equal(redis_reply_count(reply), 2);
	redis_reader_free(r);
	assert_int_equal(g.bytes, 0);
}
