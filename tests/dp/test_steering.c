// SPDX-License-Identifier: BSD-3-Clause

// When the gate of AF_XDP ports is open, and how many workers shared interfaces leave. The programs
// themselves are shown by tests/smoke/xdp_test.sh.

#include "dataplane/port/steering.h"
#include "tests/unit/unit.h"

static struct worker worker;
static struct stats_worker worker_stats;
static struct stats_region stats;
static char why[STEERING_WHY_MAX];

// `beat_ms`: when the worker last turned. Until when the gate is open after this beat.
static uint64_t gate_after(struct steering *s, uint64_t beat_ms, uint64_t now_ms)
{
	struct worker *const workers[] = {&worker};
	worker.stats = &worker_stats;
	atomic_store(&worker_stats.heartbeat_ms, beat_ms);
	steering_beat(s, &stats, workers, 1, now_ms);
	return s->until_ms;
}

TEST(gate_is_open_while_workers_turn)
{
	struct steering s = {.count = 1, .start_ms = 500};
	atomic_store(&stats.l0_generation, 0);
	assert_int_equal(gate_after(&s, 1000, 1000), 0); // no tables yet
	atomic_store(&stats.l0_generation, 1);
	for (uint64_t now_ms = 1100; now_ms <= 2000; now_ms += 100)
		assert_int_equal(gate_after(&s, 1000, now_ms), now_ms + STEERING_OPEN_MS);
	// A second without a turn: shut then, not when the time is over that it was opened for.
	assert_int_equal(gate_after(&s, 1000, 2001), 0);
	assert_int_equal(gate_after(&s, 1000, 2101), 0);
	assert_int_equal(gate_after(&s, 2200, 2201), 2201 + STEERING_OPEN_MS);
	steering_stop(&s);
	assert_int_equal(s.until_ms, 0);
}

// After a suspend the workers get until the next beat to turn.
TEST(gate_stays_open_over_a_suspend)
{
	struct steering s = {.count = 1, .start_ms = 500};
	atomic_store(&stats.l0_generation, 1);
	assert_int_equal(gate_after(&s, 1000, 1000), 1000 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 1050, 90000), 90000 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 90050, 90100), 90100 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 90050, 180000), 180000 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 90050, 180100), 0); // one that hangs
	assert_int_equal(gate_after(&s, 180200, 180200), 180200 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 180200, 180900), 180900 + STEERING_OPEN_MS);
	assert_int_equal(gate_after(&s, 180200, 181600), 0); // late again and again
}

TEST(gate_opens_without_a_control_plane)
{
	struct steering s = {.count = 1, .start_ms = 500};
	atomic_store(&stats.l0_generation, 0);
	assert_int_equal(gate_after(&s, 2499, 2499), 0);
	assert_int_equal(gate_after(&s, 2500, 2500), 2500 + STEERING_OPEN_MS);
}

// Of an interface that cannot be asked the driver takes one queue to be there.
TEST(auto_workers_fit_the_queues)
{
	char interface[] = "weir-no-such", run[] = "/nonexistent";
	struct config_dataplane dp = {
		.worker_count = 3, .port_count = 1, .ports = {{.xdp = interface}}};
	struct steering s;
	assert_int_equal(steering_prepare(&s, &dp, run, why), -ENODEV);
	assert_int_equal(dp.worker_count, 3); // as configured
	dp.workers_auto = true;
	assert_int_equal(steering_prepare(&s, &dp, run, why), -ENODEV);
	assert_int_equal(dp.worker_count, 1);
	dp.worker_count = 3;
	dp.ports[0].xdp = NULL;
	assert_int_equal(steering_prepare(&s, &dp, run, why), 0);
	assert_int_equal(dp.worker_count, 3);
}

// A MAC is the word that the program reads from the frame; the loopback's is all zeros.
TEST(macs_are_words)
{
	const struct config_port port = {
		.mac_count = 2, .macs = {{{0, 0, 0x5e, 0, 1, 5}}, {{2, 0, 0, 0, 0, 9}}}};
	uint64_t mac[STEER_MACS_MAX];
	steering_mac_init(mac, &port);
	mac[0] = 7;
	steering_mac_look(mac, "weir-no-such");
	assert_int_equal(mac[0], 7);
	steering_mac_look(mac, "lo");
	assert_int_equal(mac[0], 0);
	assert_int_equal(mac[1], UINT64_C(0x0501005e0000));
	assert_int_equal(mac[2], UINT64_C(0x090000000002));
	for (unsigned i = 3; i < STEER_MACS_MAX; i++)
		assert_int_equal(mac[i], 0);
}

// tests/smoke/xdp_test.sh has an interface that does strip.
TEST(tags_stay_on_the_loopback)
{
	static char lo[] = "lo", none[] = "weir-no-such";
	struct config_port port = {.xdp = lo, .has_vlans = true};
	assert_int_equal(steering_tags_check(&port, why, sizeof(why)), 0);
	port.xdp = none; // steering_prepare says so
	assert_int_equal(steering_tags_check(&port, why, sizeof(why)), 0);
}

static int log_begin(void **)
{
	log_init("test_steering", LOG_LEVEL_ERROR);
	return 0;
}
TEST_GROUP(log_begin, NULL)
