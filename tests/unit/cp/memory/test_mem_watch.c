// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/loop.h"
#include "controlplane/base/wheel.h"
#include "controlplane/memory/mem_watch.h"
#include "tests/unit/unit.h"

static struct loop *service;
static struct wheel_timer check;
static uint64_t deadline_ms;

static struct mem_watch *watch_new(void)
{
	struct mem_watch *w;
	assert_int_equal(mem_watch_open(&w, service), 0);
	return w;
}

FIXTURE_OF(setup, loop_new("service", &service))

FIXTURE(teardown, loop_free(service))

static void see(struct mem_watch *w, struct table_registry *r, uint64_t used, uint64_t high)
{
	*r = (struct table_registry){0};
	table_register(r,
		&(struct table_info){.name = "a", .kind = TABLE_WORK, .used = used, .high = high});
	table_register(r, &(struct table_info){.name = "b", .kind = TABLE_WORK, .used = 1});
	mem_watch_see(w, r);
}

TEST(the_most_is_kept)
{
	struct table_registry r;
	struct mem_watch *w = watch_new();
	see(w, &r, 5, 0);
	assert_int_equal(r.table[0].high, 5);
	assert_int_equal(r.table[1].high, 1);
	see(w, &r, 9, 0);
	see(w, &r, 2, 0);
	assert_int_equal(r.table[0].high, 9);
	see(w, &r, 2, 30); // it counts better than we look
	assert_int_equal(r.table[0].high, 30);
	see(w, &r, 3, 8);
	assert_int_equal(r.table[0].high, 9);
	mem_watch_close(w);
}

TEST(a_registry_that_is_full_keeps_what_it_has)
{
	static char name[TABLES_MAX + 1][16];
	struct table_registry r = {0};
	struct mem_watch *w = watch_new();
	for (unsigned i = 0; i < TABLES_MAX; i++) {
		snprintf(name[i], sizeof(name[i]), "t%u", i);
		table_register(
			&r, &(struct table_info){.name = name[i], .kind = TABLE_WORK, .used = i});
	}
	table_register(&r, &(struct table_info){.name = name[TABLES_MAX], .kind = TABLE_WORK});
	assert_int_equal(r.count, TABLES_MAX);
	assert_int_equal(r.dropped, 1);
	mem_watch_see(w, &r);
	r.table[3].used = 1;
	r.table[0].name = "one more";
	r.table[0].used = 7;
	mem_watch_see(w, &r);
	assert_int_equal(r.table[3].high, 3);
	assert_int_equal(r.table[0].high, 0); // not seen, and nothing was written beside
	mem_watch_close(w);
}

TEST(memory_that_nobody_knows_alarms)
{
	struct mem_reading r;
	struct mem_watch *w = watch_new();
	assert_int_equal(mem_watch_read(w, &r), 0);
	assert_false(r.alarming);
	assert_true(r.process.rss > 0 && r.all.bytes > 0);
#if !SANITIZED_ADDRESS // there the allocator tells nothing
	enum { MANY = 512, EACH = 64 << 10 };
	static void *block[MANY]; // a test's own allocations belong to no account
	for (unsigned i = 0; i < MANY; i++)
		block[i] = malloc(EACH);
	assert_int_equal(mem_watch_read(w, &r), 0);
	assert_true(r.alarming);
	assert_int_equal(r.alarms, 1);
	assert_true(r.unexplained >= (uint64_t)MANY * EACH);
	assert_int_equal(mem_watch_read(w, &r), 0);
	assert_int_equal(r.alarms, 1);
	for (unsigned i = 0; i < MANY; i++)
		free(block[i]);
	assert_int_equal(mem_watch_read(w, &r), 0);
	assert_false(r.alarming);
	assert_true(r.unexplained_max >= (uint64_t)MANY * EACH);
#endif
	mem_watch_close(w);
}

static void stop(void *arg)
{
	struct mem_watch *w = arg;
	if (mem_watch_kinds(w) || clock_mono_ms() > deadline_ms)
		loop_stop(service);
	else
		wheel_start(loop_wheel(service), &check, 10, clock_mono_ms());
}

TEST(descriptors_are_counted_while_the_loop_runs)
{
	struct table_registry r = {0};
	struct mem_watch *w = watch_new();
	table_register(&r, &(struct table_info){.name = "a", .kind = TABLE_WORK, .descriptors = 5});
	table_register(
		&r, &(struct table_info){.name = "b", .kind = TABLE_CACHE, .descriptors = 2});
	assert_null(mem_watch_kinds(w));
	mem_watch_see(w, &r);
	deadline_ms = clock_mono_ms() + 30000;
	check = (struct wheel_timer){.fn = stop, .arg = w};
	wheel_start(loop_wheel(service), &check, 10, clock_mono_ms());
	assert_int_equal(loop_run(service), 0);
	const struct mem_kinds *k = mem_watch_kinds(w);
	assert_non_null(k);
	assert_true(k->descriptors[MEM_FD_eventfd] >= 1 && k->descriptors[MEM_FD_epoll] >= 1);
	assert_true(k->bytes[MEM_MAP_code] > 0);
	assert_int_equal(k->looks, 1);
	assert_int_equal(k->held, 7); // by the tables that were seen when the look began
	mem_watch_see(w, &r);         // too soon for another
	assert_int_equal(mem_watch_kinds(w)->looks, 1);
	mem_watch_close(w);
}

TEST_GROUP(setup, teardown)
