// SPDX-License-Identifier: BSD-3-Clause
// The data plane's tables in the registry: sums of all workers, and the fullest of them.

#include "controlplane/api/api_tables.h"
#include "tests/unit/unit.h"

#include <weir/stats_read.h>

static struct stats_copy stats;
static struct table_registry tables;

static const struct table_info *table(const char *name)
{
	for (unsigned i = 0; i < tables.count; i++)
		if (strcmp(tables.table[i].name, name) == 0)
			return &tables.table[i];
	fail_msg("no table %s", name);
	return NULL;
}

static int fresh(void **)
{
	memset(&stats, 0, sizeof(stats));
	memset(&tables, 0, sizeof(tables));
	return 0;
}

TEST_WITH(all_tables_are_there, fresh, NULL)
{
	stats.workers = 1;
	api_tables_dataplane(&stats, 0, &tables);
	assert_int_equal(tables.count, STATS_WORKER_TABLES + STATS_PROCESS_TABLES);
	assert_int_equal(tables.dropped, 0);
	for (unsigned i = 0; i < tables.count; i++) {
		const struct table_info *t = &tables.table[i];
		assert_string_equal(t->owner, "dataplane");
		assert_true(t->of_dataplane);
		assert_memory_equal(t->name, "dp_", 3);
		assert_true(strlen(t->eviction) > 0 && strlen(t->lifetime) > 0);
	}
}

TEST_WITH(workers_are_summed_and_the_fullest_is_named, fresh, NULL)
{
	stats.workers = 3;
	for (unsigned w = 0; w < 3; w++)
		stats.worker[w].table[STATS_dp_miss_ring] = (struct stats_table_copy){.cap = 100,
			.used = w == 1 ? 90 : 3,
			.high = 95,
			.bytes = 6400,
			.refused = w};
	api_tables_dataplane(&stats, 77, &tables);
	const struct table_info *t = table("dp_miss_ring");
	assert_int_equal(t->cap, 300);
	assert_int_equal(t->used, 96);
	assert_int_equal(t->high, 285);
	assert_int_equal(t->bytes, 19200);
	assert_int_equal(t->refused, 3);
	assert_int_equal(t->parts, 3);
	assert_int_equal(t->fullest, 1);
	assert_int_equal(t->fullest_used, 90);
	assert_int_equal(t->fullest_cap, 100);
	assert_int_equal(table("dp_answer_ring")->refused, 77);
	assert_int_equal(table("dp_eal_heap")->parts, 0);
}

// The region is the other process's: what it says beyond a table's notions is not shown.
TEST_WITH(what_makes_no_sense_is_left_out, fresh, NULL)
{
	stats.workers = 1;
	memset(stats.worker[0].table, 0xff, sizeof(stats.worker[0].table));
	memset(stats.table, 0xff, sizeof(stats.table));
	api_tables_dataplane(&stats, 0, &tables);
	assert_int_equal(table("dp_miss_ring")->evicted, 0);
	assert_int_equal(table("dp_miss_ring")->oldest_ms, 0);
	assert_int_equal(table("dp_errors")->refused, 0);
	assert_true(table("dp_errors")->evicted > 0);
}
