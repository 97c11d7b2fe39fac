// SPDX-License-Identifier: BSD-3-Clause
//
// The sink and a server, or a proxy before it, that takes no large bodies; rows of another build;
// other settings while it runs.

#include "clickhouse_rig.h"
#include "controlplane/querylog/clickhouse/clickhouse_outbox.h"
#include "tests/unit/unit.h"

static bool all_told(void)
{
	return status.sender.rows + status.sender.refused_rows == fed_rows;
}

static unsigned pieces_taken(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < server.chunks; i++)
		n += clickhouse_number_is_piece(server.chunk[i].number);
	return n;
}

// Where tries are counted none may run out of time.
static void wait_long(void)
{
	settings.client.ask_ms = settings.client.insert_ms = LONG_MS;
}

// 413 is final for that size: cut at once, without a wait, until it fits.
TEST_WITH(test_a_chunk_too_large_is_cut, clickhouse_rig_open, clickhouse_rig_close)
{
	enum { MOST = 300, MORE = 2 }; // too few to grow by
	server.fault = FAKE_TOO_LARGE;
	wait_long();
	server.rows_most = MOST;
	settings.retry_min_ms = settings.retry_max_ms = 3600000; // a wait would be seen
	sink_open();
	feed_once(1, CLICKHOUSE_ROWS_MIN);
	assert_int_equal(status.sender.refused_rows, 0);
	assert_int_equal(server.chunks, 8);
	assert_int_equal(pieces_taken(), 8);
	assert_int_equal(server.too_large, 7);
	assert_int_equal(status.sender.cut_chunks, 7);
	assert_int_equal(server.inserts, 15);
	assert_int_equal(server.counts, 0);
	assert_int_equal(status.sender.failures, 0);
	assert_int_equal(status.outbox.spooled_most, 0);
	assert_false(server.was_out_of_order);
	// Later chunks are smaller.
	for (unsigned i = 0; i < MORE; i++)
		feed(1, CLICKHOUSE_ROWS_MIN);
	expect_sent_once();
	assert_int_equal(server.too_large, 7);
	assert_int_equal(status.rows_max, CLICKHOUSE_ROWS_MIN / 8);
	assert_int_equal(pieces_taken(), 8);
}

TEST_WITH(test_one_from_the_spool_is_cut_there, clickhouse_rig_open, clickhouse_rig_close)
{
	server.fault = FAKE_ERROR;
	SINK_OPEN(rows_most, 200);
	FEED_UNTIL(is_failing_and_spooled, 3, CLICKHOUSE_ROWS_MIN);
	fault_set(FAKE_TOO_LARGE);
	expect_sent_once();
	assert_false(server.was_out_of_order);
	assert_int_equal(status.sender.refused_rows, 0);
	assert_true(pieces_taken() >= 3 * 16);
}

// Pieces on disk, a restart between them; the first piece was taken, and not said to be.
TEST_WITH(test_a_restart_between_pieces, clickhouse_rig_open, clickhouse_rig_close)
{
	server.fault = FAKE_ERROR;
	SINK_OPEN(rows_most, 600);
	FEED_UNTIL(is_failing_and_spooled, 2, CLICKHOUSE_ROWS_MIN);
	for (unsigned i = 0; i < 4; i++) {
		fault_set(FAKE_TOO_LARGE);
		clickhouse_close(sink);
		fault_set(FAKE_TAKEN_SILENT);
		settings.client.insert_ms = 100;
		settings.stop_ms = 20;
		const unsigned before = server.inserts + server.counts;
		sink_open();
		WAIT_FOR(server.inserts + server.counts > before + 1 || rows_taken() == fed_rows);
	}
	fault_set(FAKE_TOO_LARGE);
	settings.stop_ms = 10000;
	clickhouse_close(sink);
	sink_open();
	WAIT_FOR(rows_taken() >= fed_rows);
	sink_close();
	expect_each_once();
}

static bool has_failed_often(void)
{
	return status.sender.failures >= 2 * CLICKHOUSE_ALONE_TRIES;
}

// Such a server says nothing about the size of rows: all of them wait, cut no more than one chunk
// needs, and new chunks are of many rows.
TEST_WITH(test_a_server_that_refuses_everything_takes_its_time, clickhouse_rig_open,
	clickhouse_rig_close)
{
	enum { CUTS = 11 }; // of 2000 rows
	wait_long();
	sink_open();
	send_all(1, 10);
	fault_set(FAKE_ALL_LARGE);
	FEED_UNTIL(has_failed_often, 2, CLICKHOUSE_ROWS_MIN);
	assert_in_range(status.sender.cut_chunks, 1, CUTS);
	assert_int_equal(status.sender.refused_rows, 0);
	assert_int_equal(status.rows_max, CLICKHOUSE_ROWS_MAX);
	fault_set(FAKE_WELL);
	expect_sent_once();
	assert_int_equal(status.sender.refused_rows, 0);
}

TEST_WITH(test_a_row_alone_and_too_large_is_counted, clickhouse_rig_open, clickhouse_rig_close)
{
	enum { ROWS = 2 };
	server.fault = FAKE_TOO_LARGE;
	wait_long();
	settings.retry_min_ms = settings.retry_max_ms = 3600000; // other rows do not wait so long
	SINK_OPEN(rows_most, 0);
	FEED_UNTIL(all_told, 1, ROWS);
	assert_int_equal(status.sender.refused_rows, ROWS);
	assert_int_equal(status.sender.too_large_rows, ROWS);
	assert_int_equal(status.sender.refused_weight, fed_weight);
	assert_int_equal(status.sender.cut_chunks, ROWS - 1);
	assert_int_equal(server.inserts, ROWS - 1 + ROWS * CLICKHOUSE_ALONE_TRIES);
	assert_int_equal(status.rows_max, CLICKHOUSE_ROWS_MAX); // it took no smaller one
	fed_rows = fed_weight = 0;
	fault_set(FAKE_WELL);
	send_all(1, 40);
	assert_int_equal(server.rows, 40);
	assert_int_equal(server.weight, fed_weight);
}

// The word of it is lost: the connection ends under the body each time, and all else is answered.
TEST_WITH(test_a_body_that_no_connection_stands, clickhouse_rig_open, clickhouse_rig_close)
{
	server.fault = FAKE_TOO_LONG;
	wait_long();
	SINK_OPEN(rows_most, 60);
	feed_once(1, 200);
	assert_int_equal(server.chunks, 4);
	assert_int_equal(server.too_large, 3 * CLICKHOUSE_BROKEN_TRIES);
	assert_true(server.counts >= 3 * CLICKHOUSE_BROKEN_TRIES);
	assert_int_equal(status.sender.refused_rows, 0);
	assert_true(status.sender.unclear >= 3 * CLICKHOUSE_BROKEN_TRIES);
}

TEST_WITH(test_a_row_that_no_connection_stands_is_left, clickhouse_rig_open, clickhouse_rig_close)
{
	server.fault = FAKE_TOO_LONG;
	wait_long();
	SINK_OPEN(rows_most, 0);
	FEED_UNTIL(all_told, 1, 1);
	assert_int_equal(status.sender.refused_rows, 1);
	assert_int_equal(status.sender.too_large_rows, 1);
	assert_int_equal(server.inserts, CLICKHOUSE_ALONE_TRIES);
	fault_set(FAKE_WELL);
	fed_rows = fed_weight = 0;
	send_all(1, 10);
	assert_int_equal(server.rows, 10);
}

// Slowly: a quarter more after each CLICKHOUSE_GROW_AFTER chunks that were taken.
TEST_WITH(test_chunks_grow_again, clickhouse_rig_open, clickhouse_rig_close)
{
	enum { MOST = 100 };
	server.fault = FAKE_TOO_LARGE;
	server.rows_most = MOST;
	settings.flush_ms = 5;
	sink_open();
	send_all(1, 400);
	send_all(1, 1);
	unsigned small = status.rows_max;
	assert_int_equal(small, 100);
	fault_set(FAKE_WELL);
	while (status.rows_max == small && status.sender.chunks < 4 * CLICKHOUSE_GROW_AFTER) {
		send_all(1, 1);
	}
	assert_int_equal(status.rows_max, small + small / 4 + 1);
	assert_in_range(status.sender.chunks, CLICKHOUSE_GROW_AFTER, 2 * CLICKHOUSE_GROW_AFTER);
	expect_each_once();
}

// A file of the spool as a build with another table wrote it: `extra` behind our columns.
static void other_build_spools(unsigned rows)
{
	const uint32_t value = 1000;
	static uint8_t raw[1 << 20], body[1 << 20], head[CLICKHOUSE_FILE_HEAD_MAX];
	struct clickhouse_origin origin = {.box = "a'box"};
	struct clickhouse_spooled what = {.chunk = {1, 1},
		.rows = rows,
		.hour = (uint32_t)(rig.time_us / 3600000000),
		.coding = CLICKHOUSE_GZIP};
	struct clickhouse_packer *packer;
	size_t len = 0;
	const struct querylog_batch *b = querylog_rig_batch(&rig, rows);
	for (unsigned i = 0; i < rows; i++) {
		ssize_t n = clickhouse_row_put(
			raw + len, sizeof(raw) - len, "a'box", &what.chunk, &b->row[i]);
		assert_true(n > 0);
		memcpy(raw + len + n, &value, sizeof(value));
		len += (size_t)n + sizeof(value);
		what.weight += b->row[i].weight;
	}
	querylog_release(b);
	assert_int_equal(clickhouse_packer_open(&packer), 0);
	ssize_t n = clickhouse_pack(packer, CLICKHOUSE_GZIP, raw, len, body, sizeof(body));
	clickhouse_packer_close(packer);
	assert_true(n > 0);
	what.bytes = (uint32_t)n;
	snprintf(origin.columns, sizeof(origin.columns), "%sextra UInt32,", clickhouse_layout_own);
	size_t head_len = clickhouse_file_head(head, &what, &origin, body);
	FILE *f = fopen(text_from("%s/%016x-%016x-%08x-%08x-%016lx-0.chunk", settings.folder, 1, 1,
				what.hour, what.rows, (unsigned long)what.weight),
		"w");
	assert_non_null(f);
	assert_int_equal(fwrite(head, 1, head_len, f), head_len);
	assert_int_equal(fwrite(body, 1, what.bytes, f), what.bytes);
	fclose(f);
	fed_rows += rows;
	fed_weight += what.weight;
}

static void spool_begin(void)
{
	sink_open(); // makes the folder
	clickhouse_close(sink);
}

TEST_WITH(test_rows_of_another_build_go_by_their_columns, clickhouse_rig_open, clickhouse_rig_close)
{
	server.extra = "extra UInt32";
	spool_begin();
	other_build_spools(100);
	sink_open();
	feed_once(1, 50);
	assert_int_equal(server.extra_sum, 100 * 1000);
	assert_int_equal(status.outbox.unreadable, 0);
}

TEST_WITH(test_and_are_cut_by_them, clickhouse_rig_open, clickhouse_rig_close)
{
	server.extra = "extra UInt32";
	server.fault = FAKE_TOO_LARGE;
	server.rows_most = 30;
	spool_begin();
	other_build_spools(100);
	sink_open();
	expect_sent_once();
	assert_int_equal(server.extra_sum, 100 * 1000);
	assert_int_equal(status.sender.cut_chunks, 3);
}

TEST_WITH(test_and_wait_for_their_table, clickhouse_rig_open, clickhouse_rig_close)
{
	server.extra = "extra UInt32";
	server.fault = FAKE_ERROR;
	spool_begin();
	other_build_spools(100);
	sink_open();
	until(is_failing); // with the table as it should be
	pthread_mutex_lock(&server.lock);
	server.has_table = false;
	server.fault = FAKE_WELL;
	pthread_mutex_unlock(&server.lock);
	expect_sent_once();
	assert_int_equal(server.creates, 1);
	assert_int_equal(status.outbox.unreadable, 0);
}

static bool is_aside(void)
{
	return status.outbox.aside == 1;
}

// A table without that column: nothing of it is sent, and nothing behind it waits.
TEST_WITH(test_rows_that_fit_no_table_are_put_aside, clickhouse_rig_open, clickhouse_rig_close)
{
	spool_begin();
	other_build_spools(100);
	uint64_t weight = fed_weight;
	fed_rows = fed_weight = 0;
	sink_open();
	until(is_aside);
	feed_once(1, 50);
	assert_int_equal(status.outbox.lost_rows, 100);
	assert_int_equal(status.outbox.lost_weight, weight);
	assert_int_equal(status.outbox.unreadable, 1);
	assert_true(status.outbox.aside_bytes > 0);
}

static void garbage_spool(unsigned i, long bytes)
{
	FILE *f = fopen(text_from("%s/%016x-%016x-%08x-%08x-%016x-0.chunk", settings.folder, 1, i,
				5, 10, 20),
		"w");
	assert_non_null(f);
	fputs("weirrows and nothing else that would make sense", f);
	assert_return_code(ftruncate(fileno(f), bytes), 0);
	fclose(f);
}

TEST_WITH(test_garbage_holds_nothing_up, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.spool_max_bytes = 1 << 20;
	spool_begin();
	for (unsigned i = 1; i <= 30; i++)
		garbage_spool(i, 47);
	garbage_spool(31, (1 << 18) + 1); // over a quarter: not kept, nor anything gone for it
	sink_open();
	feed_once(1, 50);
	assert_int_equal(status.outbox.unreadable, 31);
	assert_int_equal(status.outbox.lost_rows, 310);
	assert_int_equal(status.outbox.lost_weight, 620);
	assert_int_equal(status.outbox.aside, CLICKHOUSE_ASIDE_MAX);
}

static bool is_failing_by_password(void)
{
	return status.sender.is_failing && strstr(status.sender.why, "193");
}

// A wrong password, put right while rows wait: no restart, no row lost, none twice.
TEST_WITH(test_another_password, clickhouse_rig_open, clickhouse_rig_close)
{
	struct clickhouse_settings right = settings;
	server.key = "secret";
	settings.client.password = "wrong";
	settings.retry_min_ms = settings.retry_max_ms = 3600000; // it does not wait for its turn
	sink_open();
	FEED_UNTIL(is_failing_by_password, 2, 100);
	assert_int_equal(clickhouse_reconfigure(sink, &right), 0);
	expect_sent_once();
}

TEST_WITH(test_another_server_and_table, clickhouse_rig_open_two, clickhouse_rig_close_two)
{
	settings.client.urls[1] = NULL;
	sink_open();
	feed_once(2, 100);
	struct clickhouse_settings next = settings;
	next.client.urls[0] = second_url;
	strcpy(next.schema.table, "elsewhere");
	assert_int_equal(clickhouse_reconfigure(sink, &next), 0);
	send_all(3, 100);
	assert_int_equal(server.rows, 200);
	assert_int_equal(second.rows, 300);
	assert_non_null(strstr(second.last_insert, "elsewhere"));
	next.client.urls[0] = "";
	assert_int_equal(clickhouse_reconfigure(sink, &next), -EINVAL);
	send_all(1, 100);
	assert_int_equal(second.rows, 400);
}
