// SPDX-License-Identifier: BSD-3-Clause

// What bench_dataplane makes of its slices, and where it refuses to run.

#include "tests/bench/dataplane/bench.h"
#include "tests/unit/unit.h"

enum { FRAMES = 1000, PAIRS = 100 };

static struct bench_slice slices[2 * PAIRS];

// A pair whose frames cost `rx` and `reflect` cycles reflected, `answer` answered.
static void put_pair(unsigned i, unsigned rx, unsigned reflect, unsigned answer)
{
	slices[2 * i] = (struct bench_slice){.rx_cycles = (uint64_t)rx * FRAMES,
		.busy_cycles = (uint64_t)reflect * FRAMES,
		.frames = FRAMES,
		.turns = 40,
		.reflected = true};
	slices[2 * i + 1] = (struct bench_slice){.rx_cycles = (uint64_t)rx * FRAMES,
		.busy_cycles = (uint64_t)answer * FRAMES,
		.frames = FRAMES,
		.turns = 50};
}

TEST(test_two_levels)
{
	struct bench_figures f;
	// One in four is far, in turn with the others; the far ones cost twice.
	for (unsigned i = 0; i < PAIRS; i++)
		i % 4 == 3 ? put_pair(i, 100 + i % 7, 200, 400) : put_pair(i, 30 + i % 5, 60, 240);
	assert_int_equal(bench_figures(slices, 2 * PAIRS, &f), 0);
	assert_true(f.two_levels);
	assert_int_equal(f.near.pairs, 75);
	assert_int_equal(f.far.pairs, 25);
	assert_int_equal(f.left_out, 0);
	assert_float_equal(f.near.ratio, 0.25, 1e-9);
	assert_float_equal(f.far.ratio, 0.5, 1e-9);
	assert_float_equal(f.near.answer, 240, 1e-9);
	assert_float_equal(f.far.reflect, 200, 1e-9);
	assert_float_equal(f.near.batch, 20, 1e-9);
	assert_int_equal(f.frames_reflected, PAIRS * FRAMES);
	assert_int_equal(f.busy_answered, (75 * 240 + 25 * 400) * FRAMES);
}

TEST(test_one_level)
{
	struct bench_figures f;
	for (unsigned i = 0; i < PAIRS; i++)
		put_pair(i, 30 + i % 9, 60, 240);
	put_pair(PAIRS - 1, 300, 900, 900); // a single one is no level
	assert_int_equal(bench_figures(slices, 2 * PAIRS, &f), 0);
	assert_false(f.two_levels);
	assert_int_equal(f.near.pairs, PAIRS);
	assert_int_equal(f.far.pairs, 0);
	for (unsigned i = 0; i < PAIRS; i++)
		put_pair(i, BENCH_FAR_RX_CYCLES + 1, 150, 300);
	assert_int_equal(bench_figures(slices, 2 * PAIRS, &f), 0);
	assert_int_equal(f.near.pairs, 0);
	assert_int_equal(f.far.pairs, PAIRS);
	assert_float_equal(f.far.ratio, 0.5, 1e-9);
}

TEST(test_left_out)
{
	struct bench_figures f;
	for (unsigned i = 0; i < PAIRS; i++)
		put_pair(i, 30, 60, 240);
	slices[10].frames = BENCH_FRAMES_LEAST - 1;
	slices[51].frames = slices[51].turns = 0;
	slices[101].turns = FRAMES / BENCH_BATCH_LEAST + 5;
	// Behind the first slice, so that each has lost its partner's side but finds the next.
	assert_int_equal(bench_figures(slices + 1, 2 * PAIRS - 1, &f), 0);
	assert_int_equal(f.near.pairs, PAIRS - 4);
	assert_int_equal(f.left_out, 7);
	assert_int_equal(bench_figures(slices, 0, &f), 0);
	assert_int_equal(f.near.pairs + f.far.pairs + f.slices, 0);
}

TEST(test_modes)
{
	enum bench_mode mode = BENCH_OFF;
	assert_int_equal(bench_mode_parse("reflect", &mode), 0);
	assert_int_equal(mode, BENCH_REFLECT);
	assert_int_equal(bench_mode_parse("alternate", &mode), 0);
	assert_int_equal(mode, BENCH_ALTERNATE);
	assert_int_equal(bench_mode_parse("off", &mode), -EINVAL);
	assert_int_equal(bench_mode_parse("", &mode), -EINVAL);
	assert_int_equal(mode, BENCH_ALTERNATE);
}

static const char *live_port(const char *first, const char *second, const char *exception)
{
	static struct config_dataplane c;
	c.port_count = 2;
	c.ports[0] =
		(struct config_port){.device = (char *)(uintptr_t)first, .exception = (char[]){""}};
	c.ports[1] = (struct config_port){
		.device = (char *)(uintptr_t)second, .exception = (char *)(uintptr_t)exception};
	return bench_live_port(&c);
}

TEST(test_live_ports)
{
	assert_null(live_port("net_memif0,role=server", "net_ring0", ""));
	assert_null(live_port("net_null0", "net_pcap0,rx_pcap=x", ""));
	assert_string_equal(live_port("net_null0", "net_tap0,iface=wt0", ""), "net_tap0,iface=wt0");
	assert_string_equal(live_port("0000:03:00.0", "net_null0", ""), "0000:03:00.0");
	assert_string_equal(live_port("net_null0", "net_memif1", "weir0"), "net_memif1");
}

TEST(test_slices_in_order)
{
	struct stats_worker stats = {0};
	struct worker w = {.stats = &stats};
	struct bench b;
	uint32_t count;
	assert_int_equal(bench_init(&b, &w, BENCH_ALTERNATE, 0), 0);
	assert_int_equal(stats.bench_mode, BENCH_ALTERNATE);
	// Each tick ends a slice: the table is full and five have been overwritten.
	for (unsigned i = 0; i < BENCH_SLICES_MAX + 5 + 1; i++)
		bench_tick(&b);
	assert_int_equal(b.slices, BENCH_SLICES_MAX + 5);
	for (unsigned i = 0; i < BENCH_SLICES_MAX; i++)
		b.slice[i].frames = i;
	const struct bench_slice *s = bench_slices(&b, &count);
	assert_int_equal(count, BENCH_SLICES_MAX);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(s[i].frames, (i + 5) % BENCH_SLICES_MAX);
	// The sixth slice of all is an answering one.
	assert_false(s[0].reflected);
	assert_true(s[1].reflected);
	free(b.slice);
}
