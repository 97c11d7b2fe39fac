// SPDX-License-Identifier: BSD-3-Clause
//
// The sink from batches to a server without faults.

#include "clickhouse_rig.h"
#include "tests/unit/unit.h"

TEST_WITH(test_rows_arrive, clickhouse_rig_open, clickhouse_rig_close)
{
	sink_open();
	feed_once(20, 500);
	assert_int_equal(status.sender.weight, fed_weight);
	assert_int_equal(status.sender.failures, 0);
	assert_int_equal(status.outbox.spooled_most, 0);
	assert_int_equal(status.sender.version, 1816);
	assert_false(server.was_out_of_order);
	assert_int_equal(server.counts, 0);
	assert_non_null(strstr(server.last_insert, "\r\nX-ClickHouse-User: weir\r\n"));
	assert_non_null(strstr(server.last_insert, "\r\nX-ClickHouse-Key: secret\r\n"));
	assert_non_null(strstr(server.last_insert, "&query_id=weir-"));
	assert_null(strstr(server.last_insert, "?password"));
	assert_null(strstr(server.last_insert, "insert_deduplication_token"));
	assert_null(strstr(server.last_insert, "distributed_sync"));
}

TEST_WITH(test_a_newer_server_gets_zstd_and_a_token, clickhouse_rig_open, clickhouse_rig_close)
{
	SINK_OPEN(version, "24.8.1.2");
	until(is_up);
	send_all(1, 100);
	assert_non_null(strstr(server.last_insert, "Content-Encoding: zstd"));
	assert_non_null(strstr(server.last_insert, "insert_deduplication_token=weir-"));
	assert_non_null(strstr(server.last_insert, "&async_insert=0&"));
	expect_each_once();
}

TEST_WITH(test_a_distributed_table_is_waited_for, clickhouse_rig_open, clickhouse_rig_close)
{
	SINK_OPEN(is_distributed, true);
	send_all(1, 100);
	assert_non_null(strstr(server.last_insert, "&insert_distributed_sync=1"));
}

// The tables behind it are not known: whose owner has to add the column there first.
TEST_WITH(test_a_distributed_table_lacks_a_column, clickhouse_rig_open, clickhouse_rig_close)
{
	server.is_distributed = server.lacks_column = true;
	sink_open();
	FEED_UNTIL(is_failing, 1, 100);
	assert_non_null(strstr(status.sender.why, "without column list: add it as String"));
	assert_int_equal(server.alters, 0);
	assert_int_equal(server.inserts, 0);
	server.lacks_column = false;
	expect_sent_once();
}

static bool is_tidy(void)
{
	return status.sender.dropped_partitions > 0;
}

TEST_WITH(test_the_schema_is_made_and_mended, clickhouse_rig_open, clickhouse_rig_close)
{
	server.has_table = false;
	SINK_OPEN(lacks_column, true);
	send_all(1, 100);
	assert_true(server.creates >= 1);
	assert_int_equal(server.alters, 1);
	expect_each_once();
}

// Rows of two hours, mixed, are two chunks: an insert is all or nothing only within a partition.
// What the server's version has, and nothing that it has not.
TEST_WITH(test_a_table_is_made_for_the_server, clickhouse_rig_open, clickhouse_rig_close)
{
	static const char *const current[] = {"`time` DateTime('UTC') CODEC(Delta, ZSTD(1))",
		"`at` DateTime64(6, 'UTC') ALIAS", "`client_ip` IPv6 MATERIALIZED",
		"INDEX by_client client TYPE bloom_filter", "INDEX by_name qname TYPE bloom_filter",
		"ttl_only_drop_parts = 1", "TTL time + toIntervalHour(168)"};
	server.has_table = false;
	SINK_OPEN(version, "26.7.1");
	until(is_up);
	for (unsigned i = 0; i < ARRAY_LEN(current); i++)
		if (!strstr(server.last_create, current[i]))
			fail_msg("no '%s' in %s", current[i], server.last_create);
	clickhouse_close(sink);
	server.has_table = false;
	SINK_OPEN(version, "18.16.1");
	until(is_up);
	for (unsigned i = 0; i < ARRAY_LEN(current); i++)
		assert_null(strstr(server.last_create, current[i]));
}

TEST_WITH(test_chunks_end_with_their_hour, clickhouse_rig_open, clickhouse_rig_close)
{
	sink_open();
	for (unsigned i = 0; i < 40; i++) {
		rig.time_us = (i & 1 ? UINT64_C(1700002800000000) : UINT64_C(1700002799000000))
			      - 3000 + i;
		feed(1, 7);
	}
	expect_sent_once();
	assert_true(server.chunks >= 2);
}

TEST_WITH(test_what_is_there_at_the_end_is_sent, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.flush_ms = 60000;
	sink_open();
	until(is_up);
	feed(1, 100);
	sink_close();
	expect_each_once();
}

static bool is_begun(void)
{
	return status.wanted_rows && status.outbox.spooled == CLICKHOUSE_SPOOL_FILES_MAX;
}

static bool is_ended(void)
{
	return status.taken_rows == fed_rows && status.open_rows == 0;
}

// A chunk is open for 8 times flush_ms at most, however many files wait for a server. Once is
// proof, as a busy machine only takes longer.
TEST_WITH(test_a_full_spool_delays_chunks, clickhouse_rig_open, clickhouse_rig_close)
{
	enum { FLUSH_MS = 200, TRIES = 5 };
	uint64_t took_ms = NEVER_MS;
	settings.client.urls[0] = "http://127.0.0.1:1";
	settings.flush_ms = FLUSH_MS;
	settings.stop_ms = 100;
	assert_int_equal(mkdir(settings.folder, 0700), 0);
	for (unsigned i = 1; i <= CLICKHOUSE_SPOOL_FILES_MAX; i++) {
		char path[192];
		snprintf(path, sizeof(path),
			"%s/0000000000000001-%016x-00000003-0000000a-0000000000000046-1.chunk",
			settings.folder, i);
		text_to_file(path, "");
	}
	sink_open();
	until(is_begun);
	for (unsigned i = 0; i < TRIES && took_ms >= UINT64_C(12) * FLUSH_MS; i++) {
		const uint64_t begin_ms = clock_mono_ms();
		feed(1, 1);
		until(is_ended);
		took_ms = clock_mono_ms() - begin_ms;
	}
	assert_true(took_ms < UINT64_C(12) * FLUSH_MS);
}

#define IN_2026 "1795219260"

TEST_WITH(test_old_partitions_go, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2026;
	strcpy(server.parts, "20261113\t1000\t5000\n20261114\t1000\t5000\n20261121\t3000\t5000\n");
	strcpy(server.newest, IN_2026 "\t20261121\n" IN_2026 "\t20261120\n" IN_2026
				      "\t20261119\n" IN_2026 "\t20261114\n" IN_2026 "\t20261113\n");
	sink_open();
	until(is_tidy);
	assert_non_null(strstr(server.last_drop, "`weir`.`queries` DROP PARTITION 20261113"));
	assert_int_equal(status.sender.dropped_partitions, 1);
}

TEST_WITH(test_a_large_table_loses_its_oldest_partitions, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2026;
	settings.schema.max_bytes = 3500;
	settings.tidy_ms = 3600000;
	strcpy(server.parts,
		"2026112021\t1000\t5000\n2026112022\t1000\t5000\n2026112023\t3000\t5000\n");
	strcpy(server.newest, IN_2026 "\t2026112023\n" IN_2026 "\t2026112022\n");
	sink_open();
	until(is_tidy);
	assert_int_equal(status.sender.dropped_partitions, 2);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 2026112022"));
	assert_int_equal(status.sender.table_bytes, 3000);
}

TEST_WITH(test_the_newest_partition_stays, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2026;
	settings.schema.max_bytes = 1;
	settings.tidy_ms = 3600000;
	strcpy(server.parts, "20200101\t1000\t4000\n20200102\t3000\t4000\n");
	strcpy(server.newest, IN_2026 "\t20200102\n" IN_2026 "\t20200101\n");
	sink_open();
	until(is_tidy);
	assert_non_null(strstr(server.last_drop, "DROP PARTITION 20200101"));
	assert_int_equal(status.sender.dropped_partitions, 1);
	assert_int_equal(status.sender.table_bytes, 3000);
}

static int64_t in_2027(void)
{
	return in_2026() + INT64_C(400) * 86400;
}

static bool is_looked_after(void)
{
	return status.sender.table_bytes == 5000;
}

static void parts_of_a_week(const char *now)
{
	strcpy(server.parts, "20261113\t1000\t5000\n20261114\t1000\t5000\n20261121\t3000\t5000\n");
	snprintf(server.newest, sizeof(server.newest),
		"%s\t20261121\n%s\t20261120\n%s\t20261119\n%s\t20261114\n%s\t20261113\n", now, now,
		now, now, now);
	settings.schema.hours = 360;
}

// The box's clock is wrong, the server's is right.
TEST_WITH(test_a_clock_far_ahead_drops_nothing, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2027;
	parts_of_a_week(IN_2026);
	sink_open();
	until(is_looked_after);
	assert_int_equal(status.sender.dropped_partitions, 0);
	assert_int_equal(server.drops, 0);
	assert_int_equal(status.sender.clock_ahead_s, 0);
}

// Both are: they are one machine's. Rows by the wrong clock are there already.
TEST_WITH(test_two_clocks_far_ahead_drop_nothing, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2027;
	parts_of_a_week("1829779260");
	memmove(server.newest + 20, server.newest, strlen(server.newest) + 1);
	memcpy(server.newest, "1829779260\t20271226\n", 20);
	sink_open();
	until(is_looked_after);
	assert_int_equal(server.drops, 0);
	assert_int_equal(status.sender.clock_ahead_s / 86400, 399);
}

// Another box keeps 400 hours, and any number of bytes.
TEST_WITH(test_the_widest_limits_of_all_boxes_hold, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2026;
	parts_of_a_week(IN_2026);
	settings.schema.hours = 100;
	settings.schema.max_bytes = 1;
	strcpy(server.other_limits, "2\t400\t0\t77\t90\t0\tattic box#00000000000000aa\n");
	sink_open();
	until(is_looked_after);
	assert_int_equal(server.drops, 0);
	assert_int_equal(status.sender.limits.boxes, 3);
	assert_int_equal(status.sender.limits.hours, 400);
	assert_int_equal(status.sender.limits.max_bytes, 0);
	assert_int_equal(status.sender.limits.rollup_days, 90);
	assert_string_equal(status.sender.limits.box, "attic box");
	assert_non_null(
		strstr(server.last_limits, "SELECT 'a\\'box#0123456789abcdef', 100, 1, 0, now()"));
}

// Boxes of one name do not overwrite each other's limits, and it is said that there are such.
TEST_WITH(test_two_boxes_of_one_name, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2026;
	parts_of_a_week(IN_2026);
	strcpy(server.other_limits, "1\t400\t0\t0\t0\t1\ta'box#00000000000000aa\n");
	sink_open();
	until(is_looked_after);
	assert_int_equal(status.sender.limits.boxes, 2);
	assert_int_equal(status.sender.limits.twins, 1);
	assert_int_equal(status.sender.limits.hours, 400);
	assert_string_equal(status.sender.limits.box, "a'box");
	assert_non_null(strstr(server.asked_limits,
		"WHERE box NOT IN ('a\\'box#0123456789abcdef', 'a\\'box') AND"));
}

TEST(test_the_instance_of_a_machine)
{
	char a[CLICKHOUSE_INSTANCE_MAX], b[CLICKHOUSE_INSTANCE_MAX];
	const char *path = file_with("");
	clickhouse_spool_instance(path, "/a", a);
	assert_string_equal(a, ""); // an empty file, as of an image
	text_to_file(path, "3c1a0b\n");
	clickhouse_spool_instance(path, "/a", a);
	clickhouse_spool_instance(path, "/a", b);
	assert_int_equal(strlen(a), 16);
	assert_string_equal(a, b);
	clickhouse_spool_instance(path, "/b", b);
	assert_string_not_equal(a, b);
	unlink(path);
	clickhouse_spool_instance(path, "/a", a);
	assert_string_equal(a, "");
}

static bool is_tidy_failing(void)
{
	return status.sender.tidy_failures > 0;
}

static bool is_tidy_well(void)
{
	return status.sender.limits.are_known && !*status.sender.tidy_why;
}

// A box that may not see the limits of others drops nothing, and sends rows all the same.
TEST_WITH(test_without_limits_nothing_is_dropped, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.unix_s = in_2026;
	parts_of_a_week(IN_2026);
	settings.schema.hours = 1;
	SINK_OPEN(limits_code, 497);
	send_all(1, 10);
	until(is_tidy_failing);
	assert_false(status.sender.limits.are_known);
	assert_int_equal(server.drops, 0);
	assert_string_equal(status.sender.tidy_why, "code 497: said 497");
	server_set(&server, limits_code, 0);
	until(is_tidy_well);
}
