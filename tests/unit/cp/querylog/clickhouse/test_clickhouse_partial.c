// SPDX-License-Identifier: BSD-3-Clause
//
// Chunks of which the server has some rows, or says so: sent again where that doubles nothing.

#include "clickhouse_rig.h"
#include "tests/unit/unit.h"

static bool is_partial(void)
{
	return status.sender.partial_rows > 0;
}

// One shard of two took its half. Where the shards know the chunk's token, all is sent once more.
TEST_WITH(test_half_taken_goes_again, clickhouse_rig_open, clickhouse_rig_close)
{
	server.version = "24.8.1.2";
	server.is_distributed = server.dedups = true;
	sink_open();
	fault_set(FAKE_TAKEN_SOME);
	FEED_UNTIL(is_failing, 1, 200);
	fault_set(FAKE_WELL);
	expect_sent_once();
	assert_int_equal(status.sender.partial_rows, 0);
	assert_true(status.sender.repeated_chunks >= 1);
	assert_non_null(strstr(server.last_insert, "&insert_deduplicate=1"));
}

// Where they do not, nothing is doubled: the missing rows are counted, and their queries.
TEST_WITH(test_half_taken_without_tokens, clickhouse_rig_open, clickhouse_rig_close)
{
	server.version = "24.8.1.2";
	SINK_OPEN(is_distributed, true);
	fault_set(FAKE_TAKEN_SOME);
	FEED_UNTIL(is_failing, 1, 200);
	fault_set(FAKE_WELL);
	until(is_partial);
	assert_int_equal(status.sender.partial_rows, 100);
	assert_true(status.sender.partial_weight >= fed_weight - server.weight);
	assert_true(status.sender.partial_weight <= fed_weight - server.weight + 1);
	assert_int_equal(server.inserts, 1);
}

// A replica that lags says for long that it has none: the chunk is sent again, and known.
TEST_WITH(test_a_replica_that_lags, clickhouse_rig_open, clickhouse_rig_close)
{
	server.version = "24.8.1.2";
	server.dedups = true;
	SINK_OPEN(lagging, 1000);
	fault_set(FAKE_TAKEN_LOST);
	FEED_UNTIL(is_failing, 1, 200);
	fault_set(FAKE_WELL);
	expect_sent_once();
	assert_int_equal(status.sender.partial_rows, 0);
}
