// SPDX-License-Identifier: BSD-3-Clause
//
// Partitions of the future, and a table that takes too many bytes.

#include "clickhouse_rig.h"
#include "controlplane/querylog/clickhouse/clickhouse_schema.h"
#include "tests/unit/unit.h"

// 2026-11-21 00:01
#define NOW_S 1795219260
#define NOW   "1795219260"

enum { DAY_S = 86400 };

static struct clickhouse_schema schema;

static void tidy(bool steady, uint64_t max_bytes)
{
	struct clickhouse_client *c;
	struct clickhouse_answer a;
	uint64_t mono_ms = clock_mono_ms();
	schema = (struct clickhouse_schema){.settings = settings.schema,
		.box = "box",
		.limits = {.are_known = true, .hours = 48, .max_bytes = max_bytes},
		.limits_at_ms = UINT64_MAX,
		.retention = {.has_looked = steady,
			.offset_s = NOW_S - (int64_t)(mono_ms / 1000),
			.since_ms = mono_ms - 2 * UINT64_C(1000) * DAY_S}};
	server.drops = 0;
	assert_int_equal(clickhouse_client_open(&c, &settings.client), 0);
	assert_int_equal(clickhouse_schema_tidy(&schema, c, NOW_S, &a), CLICKHOUSE_DONE);
	clickhouse_client_close(c);
}

// 5000 bytes in all: 2000 of the future.
static int setup(void **state)
{
	int ret = clickhouse_rig_open(state);
	strcpy(server.newest, NOW "\t20261121\n" NOW "\t20261120\n");
	strcpy(server.parts, "20261120\t1000\t5000\n20261121\t2000\t5000\n");
	strcpy(server.future, "20271120\t1000\t5000\n20271121\t1000\t5000\n");
	return ret;
}

TEST_WITH(test_the_future_goes_first_for_size, setup, clickhouse_rig_close)
{
	tidy(true, 5000);
	assert_int_equal(server.drops, 0);
	strcpy(server.parts, "20261120\t1000\t4000\n20261121\t2000\t4000\n"); // of then
	tidy(true, 4500);
	assert_int_equal(server.drops, 1);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20271120"));
}

// The last one of the future is no newest: it goes too, and the newest of the present stays.
TEST_WITH(test_all_of_the_future_may_go, setup, clickhouse_rig_close)
{
	strcpy(server.parts, "20261121\t3000\t3000\n");
	tidy(true, 3000);
	assert_int_equal(server.drops, 2);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20271121"));
	tidy(true, 1);
	assert_int_equal(server.drops, 2);
	assert_int_equal(schema.bytes, 3000);
}

// With no partition of the present, those of the future still go for size.
TEST_WITH(test_a_table_of_the_future_alone, setup, clickhouse_rig_close)
{
	server.newest[0] = '\0';
	strcpy(server.parts, "");
	strcpy(server.future, "20271120\t1000\t2000\n20271121\t1000\t2000\n");
	tidy(true, 1000);
	assert_int_equal(server.drops, 1);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20271120"));
	tidy(false, 1000); // by a clock that has not proved itself
	assert_int_equal(server.drops, 0);
	tidy(true, 0);
	assert_int_equal(server.drops, 0);
}

TEST_WITH(test_a_clock_that_is_not_steady_drops_none_of_the_future, setup, clickhouse_rig_close)
{
	tidy(false, 3000);
	assert_int_equal(server.drops, 1);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20261120"));
}

// 48 partitions of the future would fill the reply: they are not asked for. A server whose clock
// is behind says so in the same reply: the earlier clock counts.
TEST_WITH(test_the_newest_is_of_the_present, setup, clickhouse_rig_close)
{
	tidy(false, 0);
	assert_non_null(strstr(server.last_newest, "partition <= '2026112101'"));
	strcpy(server.newest, "1795132860\t20261121\n1795132860\t20261120\n");
	strcpy(server.parts, "20261120\t1000\t5000\n");
	tidy(false, 1);
	assert_int_equal(server.drops, 0);
}
