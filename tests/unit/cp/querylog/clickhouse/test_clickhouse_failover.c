// SPDX-License-Identifier: BSD-3-Clause
//
// Two servers behind two URLs, of which one fails: every row is at one of them, once.

#include "clickhouse_rig.h"
#include "controlplane/querylog/clickhouse/clickhouse_outbox.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/unit.h"

static uint64_t rows_of(const struct fake_clickhouse *f, uint64_t run, uint64_t number)
{
	for (unsigned i = 0; i < f->chunks; i++)
		if (f->chunk[i].run == run && f->chunk[i].number == number)
			return f->chunk[i].rows;
	return 0;
}

// Both together have what was fed, and no chunk is at both.
static void expect_once_in_all(void)
{
	assert_int_equal(server.rows + second.rows, fed_rows);
	assert_int_equal(server.weight + second.weight, fed_weight);
	for (unsigned i = 0; i < server.chunks; i++)
		assert_int_equal(rows_of(&second, server.chunk[i].run, server.chunk[i].number), 0);
	assert_int_equal(status.sender.uncertain_rows, 0);
	assert_int_equal(status.all.lost_rows, 0);
}

// Nobody listens at the first URL: the second one gets all, without a wait.
TEST_WITH(test_the_next_url_at_once, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	fake_post_stop(&server.http);
	settings.retry_min_ms = settings.retry_max_ms = NEVER_MS;
	sink_open();
	send_all(2, 100);
	expect_once_in_all();
	assert_int_equal(second.rows, 200);
	assert_true(status.sender.is_up);
	assert_int_equal(status.sender.urls, 2);
	assert_int_equal(status.sender.url_at, 2);
	assert_true(strncmp(status.sender.url, second_url, strlen(second_url)) == 0);
	assert_string_equal(status.sender.why, "");
	fake_post_start(&server.http); // which the rig stops
}

// All URLs once, then a wait.
static bool has_tried_both(void)
{
	return status.sender.failures >= 2;
}

TEST_WITH(test_a_wait_after_all_were_tried, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	server_set(&server, is_down, true);
	server_set(&second, is_down, true);
	settings.retry_min_ms = settings.retry_max_ms = NEVER_MS;
	sink_open();
	FEED_UNTIL(has_tried_both, 1, 100);
	STAYS_SO((clickhouse_status(sink, &status), status.sender.failures) == 2, 300);
	assert_true(status.sender.is_failing);
	assert_true(status.sender.retry_in_ms > 1000);
	assert_non_null(strstr(status.sender.why, second_url));
}

// An error without the rows taken: the server says that it has none of them, and the next gets
// them.
TEST_WITH(test_each_failure_goes_on, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	static const enum fake_fault faults[] = {
		FAKE_ERROR, FAKE_DISK_FULL, FAKE_GATEWAY, FAKE_LOST, FAKE_PASSWORD, FAKE_FORBIDDEN};
	sink_open();
	for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
		struct fake_clickhouse *ill = i % 2 ? &second : &server,
				       *well = i % 2 ? &server : &second;
		uint64_t before = well->rows;
		server_set(ill, fault, faults[i]);
		send_all(2, 100);
		assert_int_equal(well->rows, before + 200);
		assert_int_equal(status.sender.url_at, i % 2 ? 1 : 2);
		server_set(ill, fault, FAKE_WELL);
	}
	expect_once_in_all();
	assert_int_equal(status.sender.failovers, ARRAY_LEN(faults) - 1);
}

// Taken without a reply: weir asks the server that has it, and no other one gets it.
TEST_WITH(test_what_was_taken_is_found, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	static const enum fake_fault faults[] = {
		FAKE_TAKEN_LOST, FAKE_TAKEN_HALF, FAKE_TAKEN_ERROR, FAKE_TAKEN_SILENT};
	settings.client.insert_ms = 300;
	sink_open();
	for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
		server_set(&server, fault, faults[i]);
		server_set(&second, fault, faults[i]);
		send_all(2, 100);
	}
	expect_once_in_all();
	assert_true(status.sender.found_chunks >= ARRAY_LEN(faults));
}

static enum fake_fault take_and_die(struct fake_clickhouse *f)
{
	f->is_down = true;
	return FAKE_TAKEN_LOST;
}

// The first server in vain, and the second one, which has nothing to say.
static bool has_gone_round(void)
{
	return status.sender.failures > 5 && second.http.requests > 3;
}

// The server dies with the chunk: it waits for that server, which then says that it has it.
TEST_WITH(test_a_chunk_waits_for_the_server_that_may_have_it, clickhouse_rig_open_two,
	clickhouse_rig_close_two)
{
	SINK_OPEN(choose, take_and_die);
	FEED_UNTIL(is_failing, 1, 100);
	until(has_gone_round);
	clickhouse_status(sink, &status);
	assert_int_equal(second.inserts, 0);
	assert_true(status.sender.is_failing);
	server_set(&server, choose, NULL);
	server_set(&server, is_down, false);
	until(all_sent);
	send_all(1, 100);
	expect_once_in_all();
	assert_int_equal(server.rows, 200);
}

// It does not come back: the rows go to the next one after hold_ms, and are counted.
TEST_WITH(test_not_for_ever, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	server.choose = take_and_die;
	settings.hold_ms = 300;
	sink_open();
	send_all(1, 100);
	assert_int_equal(server.rows, 100);
	assert_int_equal(second.rows, 100);
	assert_int_equal(status.sender.uncertain_rows, 100);
	assert_int_equal(status.sender.uncertain_weight, fed_weight);
	send_all(2, 100);
	assert_int_equal(second.rows, 300);
	assert_int_equal(status.sender.uncertain_rows, 100);
}

static bool was_sent_to_second(void)
{
	return second.inserts > 0;
}

// The first server was not waited for any longer, and the second one refuses the chunk. When the
// first one is back weir asks it before it sends the chunk again.
TEST_WITH(test_a_server_given_up_is_asked, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	server.choose = take_and_die;
	second.fault = FAKE_DISK_FULL;
	settings.hold_ms = 300;
	sink_open();
	FEED_UNTIL(was_sent_to_second, 1, 100);
	server_set(&server, choose, NULL);
	server_set(&server, is_down, false);
	until(all_sent);
	assert_int_equal(server.rows, 100);
	assert_int_equal(second.rows, 0);
	assert_int_equal(status.sender.uncertain_rows, 0);
}

static bool has_dropped_one(void)
{
	return status.sender.dropped_partitions == 1;
}

// What was counted of a server stays counted when a reload leaves it out.
TEST_WITH(test_dropped_partitions_never_fall, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	server_set(&server, is_down, true);
	settings.unix_s = in_2026;
	settings.tidy_ms = NEVER_MS;
	strcpy(second.parts, "20261113\t1000\t5000\n20261121\t3000\t5000\n");
	strcpy(second.newest, "1795219260\t20261121\n1795219260\t20261120\n"
			      "1795219260\t20261119\n1795219260\t20261113\n");
	sink_open();
	until(has_dropped_one);
	server_set(&server, is_down, false);
	settings.client.urls[1] = NULL;
	assert_int_equal(clickhouse_reconfigure(sink, &settings), 0);
	send_all(1, 100);
	assert_int_equal(status.sender.urls, 1);
	assert_int_equal(status.sender.dropped_partitions, 1);
}

static bool has_failed(void)
{
	return status.sender.failures > 0;
}

// Another replica of the table knows the token: it gets the chunk at once.
static void replicas(const char *zxid_of_second)
{
	server.version = second.version = "24.8.1.2";
	server.dedups = second.dedups = true;
	server.path = second.path = "/clickhouse/tables/1/queries";
	server.zxid = "4294967298\t1795219260";
	second.zxid = zxid_of_second;
	SINK_OPEN(choose, take_and_die);
	FEED_UNTIL(has_failed, 1, 100);
}

TEST_WITH(test_a_replica_gets_it_at_once, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	replicas("4294967298\t1795219260");
	until(all_sent);
	assert_int_equal(second.rows, 100);
	assert_int_equal(status.sender.uncertain_rows, 0);
	assert_non_null(strstr(second.last_insert, "insert_deduplication_token=weir-"));
}

// The same path in another Keeper is another table.
TEST_WITH(test_another_cluster_is_no_replica, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	replicas("17\t1795219260");
	until(has_gone_round);
	assert_int_equal(second.inserts, 0);
}

static enum fake_fault any_of(struct fake_clickhouse *f)
{
	static const enum fake_fault faults[] = {FAKE_WELL, FAKE_ERROR, FAKE_LOST, FAKE_TAKEN_LOST,
		FAKE_TAKEN_ERROR, FAKE_GATEWAY, FAKE_WELL, FAKE_TAKEN_HALF};
	f->seed = f->seed * 6364136223846793005 + 1442695040888963407;
	return faults[f->seed >> 61];
}

// Any fault after any other, of both, with a restart of the sink in between.
TEST_WITH(test_any_faults, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	server.choose = second.choose = any_of;
	settings.stop_ms = 50;
	sink_open();
	for (unsigned i = 0; i < 3; i++) {
		feed(20, 50);
		clickhouse_close(sink);
		sink_open();
	}
	feed(20, 50);
	WAIT_FOR(server.rows + second.rows >= fed_rows);
	clickhouse_status(sink, &status);
	expect_once_in_all();
	assert_true(server.rows && second.rows);
}

// A wait for one server takes nothing off the wait for the next one. The last case, as clocks
// that are ahead make other threads wait longer.
TEST(test_each_wait_is_whole)
{
	enum { HOLD_MS = 200 };
	struct clickhouse_places p = {.may_have = 1};
	bool is_uncertain;
	assert_false(clickhouse_places_may_send(&p, 1, 0, HOLD_MS, &is_uncertain));
	clickhouse_places_set(&p, 0, false);
	assert_true(clickhouse_places_may_send(&p, 0, 0, HOLD_MS, &is_uncertain));
	clickhouse_places_set(&p, 0, true);
	clock_ahead_by_ms(HOLD_MS + 50);
	assert_false(clickhouse_places_may_send(&p, 1, 0, HOLD_MS, &is_uncertain));
	clock_ahead_by_ms(HOLD_MS + 50);
	assert_true(clickhouse_places_may_send(&p, 1, 0, HOLD_MS, &is_uncertain));
	assert_true(is_uncertain);
}
