// SPDX-License-Identifier: BSD-3-Clause
// The slope meter: growth, what is not checked yet, alarms in a report, series that come and go.

#include "controlplane/memory/memory_meter.h"
#include "tests/unit/cp/memory/sample_fill.h"
#include "tests/unit/unit.h"

static struct memory_meter *meter;
static struct memory_report report;
static uint64_t second;

static int setup(void **)
{
	second = 0;
	return memory_meter_open(&meter, NULL);
}

FIXTURE(teardown, memory_meter_close(meter))

static uint64_t jitter(uint64_t n)
{
	return n * 2654435761u % 4096;
}

// `seconds` samples: rss grows by `rss` a second, the table of cap 100,000 by `entries`.
static uint64_t rss_now, entries_now;
static void run(unsigned seconds, uint64_t rss, uint64_t entries)
{
	for (unsigned i = 0; i < seconds; i++, second++) {
		struct memory_sample s = {.uptime_ms = second * 1000, .queries = second * 500};
		rss_now += rss;
		entries_now += entries;
		memory_sample_bytes(&s, "rss", 50000000 + rss_now + jitter(second));
		memory_sample_bytes(&s, "tables x", 4096);
		memory_sample_fill(&s, "table", entries_now, 100000);
		memory_meter_take(meter, &s);
	}
}

static const struct memory_slope *slope(const char *name)
{
	for (unsigned i = 0; i < report.count; i++)
		if (strcmp(report.slope[i].name, name) == 0)
			return &report.slope[i];
	fail_msg("no series %s", name);
	return NULL;
}

TEST_WITH(growth_is_measured, setup, teardown)
{
	rss_now = 0, entries_now = 1000;
	run(200, 2048, 0);
	memory_meter_report(meter, 120, &report);
	assert_int_equal(report.samples, 121);
	assert_int_equal(report.span_ms, 120000);
	assert_true(report.steady);
	assert_float_equal(report.query_rate, 500, 0.001);
	const struct trend *t = &slope("rss")->trend;
	assert_true(trend_is_above(t, 2000) && t->slope + t->half < 2100);
	t = &slope("tables x")->trend;
	assert_true(t->known);
	assert_float_equal(t->slope, 0, 1e-9);
}

TEST_WITH(a_table_that_fills_is_named, setup, teardown)
{
	rss_now = 0, entries_now = 1000;
	run(100, 2048, 10);
	memory_meter_report(meter, 60, &report);
	assert_false(report.steady);
	assert_string_equal(report.filling, "table");
	assert_true(slope("table")->fills);
	run(100, 0, 0); // as full as it was
	memory_meter_report(meter, 60, &report);
	assert_true(report.steady);
	entries_now = 99500; // full, though the last entries come
	run(100, 0, 1);
	memory_meter_report(meter, 60, &report);
	assert_true(report.steady);
}

TEST_WITH(an_hour_is_seen_by_the_minute, setup, teardown)
{
	rss_now = 0, entries_now = 1000;
	run(2 * 3600, 1000, 0);
	memory_meter_report(meter, 3600, &report);
	assert_true(report.by_minute);
	assert_int_equal(report.samples, 61);
	assert_true(trend_is_above(&slope("rss")->trend, 990));
	memory_meter_report(meter, 300, &report);
	assert_false(report.by_minute);
}

// An account of either process leaks: the report names it as its series is named.
static void leak_run(const char *series, unsigned seconds, uint64_t leak)
{
	for (uint64_t n = 0; n < seconds; n++, second++) {
		struct memory_sample s = {.uptime_ms = second * 1000};
		const struct memory_other o = {.is_there = true, .id = 7};
		memory_meter_dataplane(meter, &o);
		memory_sample_bytes(&s, series, 5000000 + second * leak);
		memory_meter_take(meter, &s);
	}
	memory_meter_report(meter, 60, &report);
}

TEST_WITH(an_alarm_is_in_the_report, setup, teardown)
{
	leak_run("dataplane.images", 300, 0);
	assert_false(report.alarm);
	leak_run("dataplane.images", 300, 300000);
	assert_true(report.alarm);
	assert_string_equal(report.alarm_by, "dataplane.images");
	assert_int_equal(report.alarms, 1);
	leak_run("http", 300, 300000);
	assert_string_equal(report.alarm_by, "http");
	assert_int_equal(report.alarms, 2);
}

// The data plane grows by `leak` bytes a second.
static void dataplane_run(unsigned seconds, uint64_t id, uint64_t from, uint64_t leak)
{
	for (uint64_t n = 0; n < seconds; n++, second++) {
		struct memory_sample s = {.uptime_ms = second * 1000, .queries = second * 500};
		const struct memory_other o = {.is_there = true, .id = id};
		memory_meter_dataplane(meter, &o);
		memory_sample_bytes(&s, "dataplane.rss", from + n * 8192 + jitter(second));
		memory_sample_bytes(
			&s, "dataplane.anonymous", from + n * leak + jitter(second + 1));
		memory_sample_bytes(&s, "dataplane.allocator", 4096);
		memory_sample_fill(&s, "l0", 1000 + second * 10, 100000);
		memory_meter_take(meter, &s);
	}
	memory_meter_report(meter, 60, &report);
}

// Another life of it is larger from its first moment on, which is no growth.
TEST_WITH(another_data_plane_begins_anew, setup, teardown)
{
	const struct memory_lives *l = memory_meter_lives(meter, MEMORY_DATAPLANE);
	dataplane_run(1000, 7, 1000000, 0);
	dataplane_run(1000, 8, 90000000, 0);
	memory_meter_report(meter, METER_LOOK_SPAN_S, &report);
	assert_true(report.by_minute);
	const struct trend *t = &slope("dataplane.anonymous")->trend;
	assert_true(t->slope * 3600 < 100000 && t->slope * 3600 > -100000);
	assert_in_range(t->samples, 15, 18);
	assert_int_equal(report.alarms, 0);
	assert_int_equal(memory_life_get(l, 0)->number, 2);
	assert_int_equal(memory_life_get(l, 1)->end, MEMORY_UNSEEN);
}

static void many_take(unsigned from, unsigned count)
{
	char name[MEMORY_NAME_MAX];
	struct memory_sample s = {.uptime_ms = second++ * 1000};
	for (unsigned i = from; i < from + count; i++) {
		snprintf(name, sizeof(name), "series %u", i);
		memory_sample_bytes(&s, name, i);
	}
	memory_meter_take(meter, &s);
}

TEST_WITH(series_over_the_cap_are_counted, setup, teardown)
{
	many_take(0, MEMORY_SERIES_MAX);
	memory_meter_report(meter, 10, &report);
	assert_int_equal(report.count, MEMORY_SERIES_MAX);
	assert_int_equal(report.refused, 0);
	many_take(1000, 1); // all places are taken
	memory_meter_report(meter, 10, &report);
	assert_int_equal(report.refused, 1);
	many_take(0, MEMORY_SERIES_MAX + 3);
	memory_meter_report(meter, 10, &report);
	assert_int_equal(report.refused, 4);
	for (unsigned i = 0; i < METER_SECONDS; i++)
		many_take(0, 1);
	many_take(1000, 1); // those that nobody has had for so long have left
	memory_meter_report(meter, 10, &report);
	assert_int_equal(report.refused, 4);
	assert_int_equal(slope("series 1000")->value, 1000);
	assert_int_equal(slope("series 1000")->trend.samples, 1);
}

// Damage cost the lives, so that this one has the number of the one whose samples were kept.
TEST(another_life_of_one_number_is_left_out)
{
	struct memory_ring r;
	assert_int_equal(memory_ring_open(&r, 16), 0);
	for (unsigned i = 0; i < 12; i++) {
		struct memory_sample s = {.uptime_ms = UINT64_C(60000) * (i < 4 ? i + 1 : i - 4)};
		memory_ring_push(&r, &s, 1);
	}
	assert_int_equal(memory_ring_span(&r, UINT64_MAX), 8);
	memory_ring_close(&r);
}

TEST_WITH(nothing_yet_is_an_empty_report, setup, teardown)
{
	memory_meter_report(meter, 3600, &report);
	assert_int_equal(report.count, 0);
	assert_int_equal(report.samples, 0);
}
