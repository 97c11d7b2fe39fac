// SPDX-License-Identifier: BSD-3-Clause

// When the gate of AF_XDP ports is open. The programs themselves are shown by
// tests/smoke/xdp_test.sh.

#include "steering.h"
#include "unit.h"

#include <weir/log.h>

static struct worker worker;
static struct stats_worker worker_stats;
static struct stats_region stats;

// `beat_ms`: when the worker last turned. Until when the gate is open after this beat.
static uint64_t gate_after(struct steering *s, uint64_t beat_ms, uint64_t now_ms)
{
	struct worker *const workers[] = {&worker};
	worker.stats = &worker_stats;
	atomic_store(&worker_stats.heartbeat_ms, beat_ms);
	steering_beat(s, &stats, workers, 1, now_ms);
	return s->until_ms;
}

static void gate_is_open_while_workers_turn(void **)
{
	struct steering s = {.count = 1, .start_ms = 500};
	atomic_store(&stats.l0_generation, 0);
	assert_int_equal(gate_after(&s, 1000, 1000), 0); // no tables yet
	atomic_store(&stats.l0_generation, 1);
	assert_int_equal(gate_after(&s, 1000, 1100), 1100 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 1000, 2000), 2000 + STEERING_OPEN_MS);
	// A second without a turn: shut then, not when the time is over that it was opened for.
	assert_int_equal(gate_after(&s, 1000, 2001), 0);
	assert_int_equal(gate_after(&s, 1000, 2101), 0);
	assert_int_equal(gate_after(&s, 2200, 2201), 2201 + STEERING_OPEN_MS);
	steering_stop(&s);
	assert_int_equal(s.until_ms, 0);
}

static void gate_opens_without_a_control_plane(void **)
{
	struct steering s = {.count = 1, .start_ms = 500};
	atomic_store(&stats.l0_generation, 0);
	assert_int_equal(gate_after(&s, 2499, 2499), 0);
	assert_int_equal(gate_after(&s, 2500, 2500), 2500 + STEERING_OPEN_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gate_is_open_while_workers_turn),
		cmocka_unit_test(gate_opens_without_a_control_plane),
	};
	log_init("test_steering", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
