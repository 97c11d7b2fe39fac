// SPDX-License-Identifier: BSD-3-Clause
// What of a growth is explained, what leaks, when an alarm comes and when it ends.

#include "judge_rig.h"

#include <weir/heap_site.h>

// For `seconds`, or until there is an alarm, `leak` a second; how long it took.
static unsigned bytes_run(const char *name, unsigned seconds, double leak)
{
	static double gained;
	if (second == 0)
		gained = 0;
	for (unsigned n = 1; n <= seconds; n++) {
		sample_begin();
		gained += leak;
		memory_sample_bytes(&s, name, 50000000 + (uint64_t)gained);
		sample_end();
		if (leak > 0 && status->count)
			return n;
	}
	return seconds + 1;
}

TEST_WITH(a_leak_alarms_in_time, setup, teardown)
{
	static const struct {
		double mib_an_hour;
		unsigned most_s, warm_s;
	} leak[] = {{215, 126, 62}, {400, 94, 62}, {1024, 60, WARM}, {100, 180, WARM},
		{10, 900, WARM}, {1, 3600, WARM}};
	for (unsigned i = 0; i < ARRAY_LEN(leak); i++) {
		assert_int_equal(setup(NULL), 0);
		bytes_run("upstream", leak[i].warm_s + 7 * i, 0);
		assert_true(bytes_run("upstream", 3700, leak[i].mib_an_hour * 1048576 / 3600)
			    <= leak[i].most_s);
		assert_alone(JUDGE_ACCOUNT, "upstream");
		const struct judge_alarm *a = &status->alarm[0];
		assert_int_equal(a->process, MEMORY_CONTROLPLANE);
		assert_string_equal(a->unit, "bytes");
		assert_float_equal(
			a->per_hour / 1048576, leak[i].mib_an_hour, leak[i].mib_an_hour / 10);
		assert_int_equal(a->since_s, 1000000 + second);
		assert_int_equal(status->raised, 1);
		teardown(NULL);
	}
	assert_int_equal(setup(NULL), 0);
}

// What is lost with each reload comes seldom, and in lumps: 3 MiB each 10 s, 95 KB each 10 s.
TEST_WITH(a_leak_in_lumps_alarms_in_time, setup, teardown)
{
	static const struct {
		uint64_t lump;
		unsigned most_s;
		double per_hour;
	} leak[] = {{3 << 20, 60, 1080 << 20}, {95000, 400, 34.2e6}};
	for (unsigned i = 0; i < ARRAY_LEN(leak); i++) {
		uint64_t n = 0;
		do {
			sample_begin();
			memory_sample_bytes(&s, "images",
				5000000 + (n > WARM ? (n - WARM + 4) / 10 * leak[i].lump : 0));
			sample_end();
		} while (!status->count && ++n < 2000);
		assert_true(n > WARM && n - WARM <= leak[i].most_s);
		assert_alone(JUDGE_ACCOUNT, "images");
		assert_float_equal(
			status->alarm[0].per_hour, leak[i].per_hour, leak[i].per_hour / 4);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

// What starts takes less and less, and keeps it.
TEST_WITH(what_settles_is_no_leak, setup, teardown)
{
	double bytes = 0, step = 8 << 20;
	for (uint64_t n = 0; n < 4000; n++) {
		if (n > WARM && n % 10 == 0) {
			bytes += step;
			step *= 0.6;
		}
		sample_begin();
		memory_sample_bytes(&s, "libraries", 5000000 + (uint64_t)bytes);
		sample_end();
	}
	assert_int_equal(status->raised, 0);
}

TEST_WITH(an_alarm_ends_when_the_growth_does, setup, teardown)
{
	bytes_run("http", WARM, 0);
	bytes_run("http", 60, 300000);
	bytes_run("http", 30, 300000);
	assert_int_equal(status->count, 1);
	bytes_run("http", 110, 0);
	assert_int_equal(status->count, 0);
	bytes_run("http", 7200, 0); // the step that it left
	assert_int_equal(status->raised, 1);
}

TEST_WITH(a_start_is_not_checked, setup, teardown)
{
	assert_int_equal(bytes_run("http", 25, 1e7), 26);
	bytes_run("http", 3600, 0);
	assert_int_equal(status->raised, 0);
	assert_in_range(status->judged_s, 3590, 3595);
}

TEST_WITH(the_data_plane_starts_anew, setup, teardown)
{
	bytes_run("dataplane.images", WARM, 0);
	bytes_run("dataplane.images", 60, 1e6);
	assert_alone(JUDGE_ACCOUNT, "images");
	assert_int_equal(status->alarm[0].process, MEMORY_DATAPLANE);
	memory_judge_begin(judge, MEMORY_DATAPLANE);
	bytes_run("dataplane.images", 25, 0);
	assert_int_equal(status->count, 0);
	bytes_run("dataplane.images", 4000, 0);
	assert_int_equal(status->raised, 1);
}

// L0's own memory fills at 400 KiB a second, which its account and the process have; beside it
// `leak` grows by as much as a leak of a GiB an hour does.
static void fill_run(const char *leak)
{
	for (uint64_t n = 0; n < 300; n++) {
		uint64_t held = n * 400 * 1024, lost = n > WARM ? (n - WARM) * 300000 : 0;
		const struct table_info l0 = {.name = "l0",
			.kind = TABLE_CACHE,
			.used = 1000 + n * 10,
			.cap = 100000,
			.bytes = held};
		sample_begin();
		memory_sample_bytes(
			&s, "anonymous", 60000000 + held + lost * (strcmp(leak, "anonymous") == 0));
		memory_sample_bytes(&s, "allocator", 50000000 + held);
		memory_sample_bytes(&s, "heap", 40000000 + held + lost);
		memory_sample_bytes(
			&s, "unexplained", 100000 + lost * (strcmp(leak, "unexplained") == 0));
		memory_sample_bytes(&s, "l0", 1000000 + held + held / 20);
		memory_sample_bytes(
			&s, "libraries", 2000000 + lost * (strcmp(leak, "libraries") == 0));
		memory_sample_bytes(&s, "http", 2000000 + lost * (strcmp(leak, "http") == 0));
		memory_sample_table(&s, &l0);
		sample_end();
	}
}

TEST_WITH(a_table_that_fills_explains_its_own_bytes, setup, teardown)
{
	fill_run("");
	assert_int_equal(status->raised, 0);
}

TEST_WITH(and_hides_no_leak_beside_it, setup, teardown)
{
	static const struct {
		const char *series, *name;
		enum judge_kind kind;
	} leak[] = {{"libraries", "libraries", JUDGE_ACCOUNT}, {"http", "http", JUDGE_ACCOUNT},
		{"unexplained", "unexplained", JUDGE_HEAP},
		{"anonymous", "anonymous", JUDGE_RESIDENT}};
	for (unsigned i = 0; i < ARRAY_LEN(leak); i++) {
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
		fill_run(leak[i].series);
		assert_alone(leak[i].kind, leak[i].name);
	}
}

// A table whose entries nothing takes out: of `bytes` each, in memory of its account.
static void unpruned_run(struct table_info t, unsigned seconds, unsigned entries, uint64_t bytes)
{
	for (uint64_t n = 0; n < seconds; n++) {
		t.used = 100 + (n > WARM ? (n - WARM) * entries : 0);
		t.bytes = t.used * bytes;
		sample_begin();
		memory_sample_bytes(&s, "resolver", 1000000 + t.bytes);
		memory_sample_table(&s, &t);
		sample_end();
	}
}

TEST_WITH(a_table_that_is_never_pruned_is_judged_itself, setup, teardown)
{
	unpruned_run((struct table_info){.name = "inflight", .kind = TABLE_WORK, .cap = 4000}, 400,
		10, 200);
	assert_alone(JUDGE_TABLE, "inflight");
	assert_string_equal(status->alarm[0].unit, "entries");
}

// A table over its cap is not what its kind says.
TEST_WITH(a_cache_over_its_cap_explains_no_more, setup, teardown)
{
	unpruned_run((struct table_info){.name = "inflight", .kind = TABLE_CACHE, .cap = 4000}, 500,
		10, 30000);
	assert_int_equal(status->raised, 0);
	unpruned_run((struct table_info){.name = "inflight", .kind = TABLE_CACHE, .cap = 100}, 500,
		10, 30000);
	assert_alone(JUDGE_ACCOUNT, "resolver");
}

TEST_WITH(memory_that_was_there_from_the_start_explains_nothing, setup, teardown)
{
	struct table_info t = {
		.name = "inflight", .kind = TABLE_WORK, .cap = 1000000, .has = TABLE_RESERVED};
	for (uint64_t n = 0; n < 300; n++) {
		t.bytes = n * 300000; // touched; of the account's, which does not grow by that
		sample_begin();
		memory_sample_bytes(&s, "resolver", 900000000 + (n > WARM ? n * 300000 : 0));
		memory_sample_bytes(&s, "anonymous", 900000000 + n * 300000);
		memory_sample_bytes(&s, "allocator", 1000000000);
		memory_sample_table(&s, &t);
		sample_end();
	}
	assert_alone(JUDGE_ACCOUNT, "resolver");
}

TEST_WITH(entries_that_stay_too_long_alarm, setup, teardown)
{
	struct table_info t = {
		.name = "waiters", .kind = TABLE_WORK, .cap = 1000, .used = 3, .stay_ms = 2000};
	for (uint64_t n = 0; n < 100; n++) {
		t.oldest_ms = n > 60 ? (n - 60) * 1000 : 1500;
		sample_begin();
		memory_sample_table(&s, &t);
		sample_end();
		assert_int_equal(status->count, n >= 60 + 15 + 10);
	}
	assert_alone(JUDGE_TABLE, "waiters");
	t.oldest_ms = 0;
	sample_begin();
	memory_sample_table(&s, &t);
	sample_end();
	assert_int_equal(status->count, 0);
}

// Work follows the load, which grows tenfold within minutes.
TEST_WITH(load_is_no_leak, setup, teardown)
{
	uint64_t misses = 0;
	for (uint64_t n = 0; n < 2000; n++) {
		uint64_t load = n < WARM ? 100 : n < 600 ? 100 + (n - WARM) * 20 : 9700;
		const struct table_info t = {
			.name = "inflight", .kind = TABLE_WORK, .cap = 4000, .used = load / 5};
		sample_begin();
		s.questions = misses += load;
		memory_sample_bytes(&s, "resolver", 1000000 + load * 700);
		memory_sample_table(&s, &t);
		sample_end();
	}
	assert_int_equal(status->raised, 0);
}

// All questions come in one second of five.
TEST_WITH(bursts_are_no_leak, setup, teardown)
{
	for (uint64_t n = 0; n < 1000; n++) {
		uint64_t slow = n < WARM ? 0 : n < WARM + 60 ? n - WARM : 60;
		const struct table_info t = {.name = "inflight",
			.kind = TABLE_WORK,
			.cap = 20000,
			.used = 10 + slow * 10,
			.stay_ms = 5000};
		sample_begin();
		s.questions = (n + 4) / 5 * 1000;
		memory_sample_table(&s, &t);
		sample_end();
	}
	assert_int_equal(status->raised, 0);
}

TEST_WITH(builds_are_no_leak, setup, teardown)
{
	for (uint64_t n = 0; n < 3000; n++) {
		uint64_t at = n % 300;
		sample_begin();
		s.builds = at < 100;
		memory_sample_bytes(&s, "images", 5000000 + (at < 101 ? at * 2000000 : 0));
		sample_end();
	}
	assert_int_equal(status->raised, 0);
	for (uint64_t n = 0; n < 700; n++) { // one that never ends
		sample_begin();
		s.builds = true;
		memory_sample_bytes(&s, "images", 5000000 + n * 2000000);
		sample_end();
	}
	assert_alone(JUDGE_ACCOUNT, "images");
}

// The account's bytes are a library's, of which the heap says how many it has.
TEST_WITH(the_site_that_grew_is_named, setup, teardown)
{
	static void *block[300];
	for (unsigned n = 0; n < ARRAY_LEN(block); n++) {
		block[n] = heap_curl_malloc(n > WARM ? 300000 : 1);
		sample_begin();
		memory_sample_bytes(&s, "libraries", n > WARM ? n * 300000 : WARM * 300000);
		sample_end();
	}
	assert_alone(JUDGE_ACCOUNT, "libraries");
	assert_memory_equal(status->alarm[0].by, "curl < ", 7);
	for (unsigned n = 0; n < ARRAY_LEN(block); n++)
		heap_free(block[n]);
}

TEST_WITH(alarms_over_the_cap_are_counted, setup, teardown)
{
	char name[MEMORY_NAME_MAX];
	for (uint64_t n = 0; n < 300; n++) {
		sample_begin();
		for (unsigned i = 0; i < JUDGE_ALARMS_MAX + 3; i++) {
			snprintf(name, sizeof(name), "dataplane.%u", i);
			memory_sample_bytes(&s, name, n * 1000000);
		}
		sample_end();
	}
	assert_int_equal(status->count, JUDGE_ALARMS_MAX);
	assert_int_equal(status->left_out, 3);
	assert_int_equal(status->raised, JUDGE_ALARMS_MAX + 3);
}
