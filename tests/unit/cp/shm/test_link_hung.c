// SPDX-License-Identifier: BSD-3-Clause

// A resolver that hangs keeps no data plane from the others.

#include "link_rig.h"

static _Atomic bool held, released;
static void hold(void *)
{
	publisher_resolver_beat(publisher, 1, clock_mono_ms()); // it may be too young for one
	atomic_store(&held, true);
	WAIT_FOR(atomic_load(&released));
}

static void reopen(void)
{
	fake_dataplane_close(&dp); // killed
	fake_dataplane_open(&dp, &paths, WORKERS);
	fake_dataplane_grow(&dp);
}

// The second resolver hangs while two data planes come, one after the other. The first one serves
// them; when the second is back it serves the latest.
TEST_WITH(test_a_data_plane_is_not_kept_from_others, setup, teardown)
{
	fake_dataplane_grow(&dp);
	link_now();
	ask_both();
	held = released = false;
	assert_int_equal(loop_call(side[1].loop, hold, NULL), 0);
	WAIT_FOR(atomic_load(&held));
	for (unsigned n = 0; n < 2; n++) {
		reopen();
		link_now();
		for (unsigned i = 0; i < WORKERS; i++) {
			ask(&dp.misses[i], i, dp.gong);
			assert_int_equal(answered(&dp.answers[i]), 0);
		}
	}
	ask(&dp.second.misses[0], 0, dp.second.gong);
	STAYS_SO(ring_consumer_used(&dp.second.answers[0]) == 0, 50);
	atomic_store(&released, true);
	assert_int_equal(answered(&dp.second.answers[0]), 1);
	ask_both();
	assert_int_equal(holds(&side[1]), WORKERS + 1);
}
