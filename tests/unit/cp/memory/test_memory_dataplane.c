// SPDX-License-Identifier: BSD-3-Clause
// The data plane's accounts in the slope meter: which there are, a leak by name, a restart of ours.

#include "controlplane/memory/memory_meter.h"
#include "controlplane/memory/memory_sample.h"
#include "tests/unit/cp/memory/sample_fill.h"
#include "tests/unit/unit.h"

#include <weir/mem_account.h>

static struct stats_copy stats;
static struct memory_sample sample;
static struct memory_meter *meter;
static struct memory_report report;
static uint64_t second;

static int fresh(void **)
{
	memset(&stats, 0, sizeof(stats));
	memset(&sample, 0, sizeof(sample));
	second = 0;
	return 0;
}

static uint64_t taken(const char *account)
{
	return memory_sample_get(&sample, MEMORY_BYTES, text_from(METER_DATAPLANE "%s", account));
}

TEST_WITH(each_account_has_a_series, fresh, NULL)
{
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		stats.memory.account[i] = 100 + i;
	stats.memory.libraries = 5000;
	stats.memory.unexplained = 7;
	stats.workers = 2;
	stats.table[STATS_dp_eal_heap] = (struct stats_table_copy){.cap = 1000, .used = 700};
	stats.table[STATS_dp_workers].bytes = 40;
	stats.worker[0].table[STATS_dp_buffers].bytes = 250;
	stats.worker[1].table[STATS_dp_buffers].bytes = 150;
	stats.worker[1].table[STATS_dp_asked].bytes = 60;
	stats.worker[0].table[STATS_dp_buffers].used = 9;
	stats.worker[1].table[STATS_dp_buffers].used = 2;
	stats.worker[1].mbuf_missing[MBUF_OWNER_tx] = 3;
	stats.dpdk_bytes = 130; // 30 of these in no table
	memory_sample_dataplane(&sample, &stats);
	assert_int_equal(sample.count, MEM_ACCOUNT_COUNT + 8);
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		assert_int_equal(taken(mem_account_names[i]),
			100 + i + (i == MEM_ACCOUNT_libraries ? 5000 : 0));
	assert_int_equal(taken("unexplained"), 7);
	assert_int_equal(taken("packet buffers"), 400);
	assert_int_equal(taken("workers"), 100);
	assert_int_equal(memory_sample_get(&sample, MEMORY_COUNT, METER_DATAPLANE "buffers"), 3);
	assert_int_equal(
		memory_sample_get(&sample, MEMORY_COUNT, METER_DATAPLANE "buffers_used"), 11);
	assert_int_equal(taken("others"), 30);
	assert_int_equal(taken("drivers"), 170);
}

TEST_WITH(what_holds_nothing_takes_no_place, fresh, NULL)
{
	stats.memory.account[MEM_ACCOUNT_config] = 1;
	memory_sample_dataplane(&sample, &stats);
	assert_int_equal(sample.count, 5);
	assert_int_equal(taken("config"), 1);
	assert_int_equal(taken("unexplained"), 0);
}

// `seconds` of a data plane whose lists take `leak` bytes more each second, as it says each ten,
// while our own lists and L0 fill.
static void run(unsigned seconds, uint64_t leak)
{
	const struct memory_other o = {.is_there = true, .id = 7};
	for (unsigned n = 0; n < seconds; n++, second++) {
		sample =
			(struct memory_sample){.uptime_ms = second * 1000, .queries = second * 500};
		stats.memory.account[MEM_ACCOUNT_images] = 3000000 + second / 10 * 10 * leak;
		stats.memory.account[MEM_ACCOUNT_config] = 50000;
		memory_meter_dataplane(meter, &o);
		memory_sample_dataplane(&sample, &stats);
		memory_sample_fill(&sample, "l0", 1000 + second * 10, 100000);
		memory_sample_fill(&sample, "names", 1000 + second * 10, 100000);
		memory_meter_take(meter, &sample);
	}
	memory_meter_report(meter, METER_LOOK_SPAN_S, &report);
}

static const struct trend *line(const char *name)
{
	for (unsigned i = 0; i < report.count; i++)
		if (strcmp(report.slope[i].name, name) == 0)
			return &report.slope[i].trend;
	fail_msg("no series %s", name);
	return NULL;
}

TEST_WITH(a_leak_is_alarmed_by_its_account, fresh, NULL)
{
	assert_int_equal(memory_meter_open(&meter, NULL), 0);
	run(2400, 2048);
	const struct trend *t = line("dataplane.images");
	assert_true(trend_is_above(t, 2000) && t->slope + t->half < 2100);
	assert_true(line("dataplane.config")->known);
	assert_float_equal(line("dataplane.config")->slope, 0, 1e-9);
	assert_false(report.steady);
	assert_true(report.alarm);
	assert_string_equal(report.alarm_by, "dataplane.images");
	memory_meter_close(meter);
}

TEST_WITH(a_restart_of_ours_finds_the_history, fresh, NULL)
{
	const char *path = file_with("");
	assert_int_equal(memory_meter_open(&meter, path), 0);
	run(301, 2048);
	memory_meter_close(meter);
	assert_int_equal(memory_meter_open(&meter, path), 0);
	const struct memory_ring *r = memory_meter_minutes(meter);
	unsigned i = 0;
	while (i < MEMORY_SERIES_MAX && strcmp(r->series[i].name, "dataplane.images") != 0)
		i++;
	assert_in_range(i, 0, MEMORY_SERIES_MAX - 1);
	assert_int_equal(memory_ring_row(r, 0)->value[i], 3000000 + 300 * 2048);
	assert_int_equal(memory_ring_row(r, 5)->value[i], 3000000);
	memory_meter_close(meter);
}
