// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/wheel.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

enum { TIMERS = 300, LAP_MS = WHEEL_TICK_MS * WHEEL_SLOTS };

struct ringing {
	struct wheel_timer timer;
	struct ringing *stops; // when it rings
	uint64_t due_ms;
	unsigned rung, early, again;
};

static struct {
	struct event_base *base;
	struct wheel *wheel;
	struct ringing r[TIMERS];
} fx;

static void start(struct ringing *r, uint64_t in_ms)
{
	uint64_t now_ms = clock_mono_ms();

	r->due_ms = now_ms + in_ms;
	wheel_start(fx.wheel, &r->timer, in_ms, now_ms);
}

static void ring(void *arg)
{
	struct ringing *r = arg;

	assert_null(r->timer.link);
	r->rung++;
	r->early += clock_mono_ms() < r->due_ms;
	if (r->stops)
		wheel_stop(&r->stops->timer);
	if (r->again > 0) {
		r->again--;
		start(r, 0);
	}
}

static int begin(void **)
{
	memset(&fx, 0, sizeof(fx));
	fx.base = event_base_new();
	for (unsigned i = 0; i < TIMERS; i++)
		fx.r[i].timer = (struct wheel_timer){.fn = ring, .arg = &fx.r[i]};
	return fx.base ? wheel_new(&fx.wheel, fx.base) : -1;
}

static int end(void **)
{
	wheel_free(fx.wheel);
	event_base_free(fx.base);
	return 0;
}

// Returns by itself when libevent has no timer left.
static void run(void)
{
	assert_true(event_base_dispatch(fx.base) >= 0);
}

TEST_WITH(test_each_rings_once_and_not_early, begin, end)
{
	for (unsigned i = 0; i < TIMERS; i++)
		start(&fx.r[i], i * 7919 % 200);
	run();
	for (unsigned i = 0; i < TIMERS; i++) {
		assert_int_equal(fx.r[i].rung, 1);
		assert_int_equal(fx.r[i].early, 0);
	}
}

TEST_WITH(test_stopped_ones_do_not_ring, begin, end)
{
	for (unsigned i = 0; i < TIMERS; i++)
		start(&fx.r[i], i % 60);
	for (unsigned i = 0; i < TIMERS; i += 3) {
		wheel_stop(&fx.r[i].timer);
		wheel_stop(&fx.r[i].timer);
	}
	run();
	for (unsigned i = 0; i < TIMERS; i++)
		assert_int_equal(fx.r[i].rung, i % 3 != 0);
}

TEST_WITH(test_started_anew_it_rings_at_the_new_time, begin, end)
{
	start(&fx.r[0], 20);
	start(&fx.r[1], 60);
	start(&fx.r[0], 80);
	start(&fx.r[1], 10);
	run();
	assert_int_equal(fx.r[0].rung, 1);
	assert_int_equal(fx.r[1].rung, 1);
	assert_int_equal(fx.r[0].early + fx.r[1].early, 0);
}

// Both of one tick, whichever comes first.
TEST_WITH(test_one_stops_the_other, begin, end)
{
	fx.r[0].stops = &fx.r[1];
	fx.r[1].stops = &fx.r[0];
	uint64_t now_ms = clock_mono_ms() / WHEEL_TICK_MS * WHEEL_TICK_MS;
	wheel_start(fx.wheel, &fx.r[0].timer, 20, now_ms);
	wheel_start(fx.wheel, &fx.r[1].timer, 20, now_ms);
	run();
	assert_int_equal(fx.r[0].rung + fx.r[1].rung, 1);
}

TEST_WITH(test_a_ringing_timer_starts_itself, begin, end)
{
	fx.r[0].again = 5;
	start(&fx.r[0], 1);
	uint64_t before_ms = clock_mono_ms();
	run();
	assert_int_equal(fx.r[0].rung, 6);
	assert_true(clock_mono_ms() - before_ms >= 4 * WHEEL_TICK_MS); // in a tick of its own each
}

TEST_WITH(test_a_lap_more_is_later, begin, end)
{
	start(&fx.r[0], LAP_MS + 40);
	start(&fx.r[1], 40);
	fx.r[1].stops = &fx.r[2];
	start(&fx.r[2], LAP_MS * 3 + 40);
	struct timeval tv = {.tv_usec = 150000};
	assert_int_equal(event_base_loopexit(fx.base, &tv), 0);
	run();
	assert_int_equal(fx.r[1].rung, 1);
	assert_int_equal(fx.r[0].rung + fx.r[2].rung, 0);
	assert_non_null(fx.r[0].timer.link);
	assert_null(fx.r[2].timer.link);
	// It is due by a clock that went on by a lap.
	wheel_start(fx.wheel, &fx.r[0].timer, LAP_MS + 40, clock_mono_ms() - LAP_MS);
	run();
	assert_int_equal(fx.r[0].rung, 1);
}
