// SPDX-License-Identifier: BSD-3-Clause
//
// The sink and a server that fails in every way: each row is there once, or counted.

#include "clickhouse_rig.h"
#include "tests/unit/unit.h"

static bool is_empty(void)
{
	return !status.outbox.chunks && !status.outbox.spooled && !status.open_rows;
}

static void expect_none_lost(void)
{
	assert_int_equal(status.outbox.dropped_rows + status.outbox.lost_rows, 0);
	assert_int_equal(status.lost_rows + status.sender.refused_rows, 0);
	assert_int_equal(status.sender.partial_rows, 0);
}

enum { CYCLES = 3 };

// How a cycle ends: the server has each row once, and here nothing is left of the fault.
static void expect_whole(unsigned cycle)
{
	expect_sent_once();
	expect_none_lost();
	assert_false(status.sender.is_failing);
	assert_string_equal(status.sender.why, "");
	until(is_empty);
	expect_flat_heap(cycle);
}

// In each cycle: rows come while it fails, the status has `why`, all wait on disk and none in
// memory, and then each is there once.
static void each_fault(enum fake_fault fault, const char *why)
{
	sink_open();
	for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
		fault_set(fault);
		FEED_UNTIL(is_failing, 1, 50);
		FEED_UNTIL(is_failing_and_spooled, 10, 300);
		if (!strstr(status.sender.why, why))
			fail_msg("'%s' instead of '%s'", status.sender.why, why);
		assert_true(status.outbox.spooled >= 1);
		assert_true(status.outbox.spool_bytes > 0);
		assert_int_equal(status.outbox.bytes, 0);
		fault_set(FAKE_WELL);
		if (settings.retry_min_ms == NEVER_MS) // but with new settings
			assert_int_equal(clickhouse_reconfigure(sink, &settings), 0);
		expect_whole(cycle);
		assert_false(server.was_out_of_order);
	}
	assert_true(status.sender.failures >= CYCLES);
}

// The server has the rows and does not say so: each chunk is found, none is sent again.
static void each_taken_fault(enum fake_fault fault)
{
	sink_open();
	fault_set(fault);
	feed_once(5, 200);
	assert_int_equal(status.sender.found_chunks, server.chunks);
	assert_int_equal(server.inserts, server.chunks);
	assert_true(status.sender.failures >= server.chunks);
	assert_false(server.was_out_of_order);
}

TEST_WITH(test_answering_500, clickhouse_rig_open, clickhouse_rig_close)
{
	each_fault(FAKE_ERROR, "insert: code 999: said 999");
}

TEST_WITH(test_disk_full, clickhouse_rig_open, clickhouse_rig_close)
{
	each_fault(FAKE_DISK_FULL, "insert: code 243: said 243");
}

TEST_WITH(test_password_refused, clickhouse_rig_open, clickhouse_rig_close)
{
	each_fault(FAKE_PASSWORD, "code 193: said 193");
}

// What is on disk was compressed for the server of before; the older one reads it all the same.
static void older_server(bool in_another_life)
{
	SINK_OPEN(version, "24.8.1.2");
	until(is_up);
	fault_set(FAKE_ERROR);
	FEED_UNTIL(is_failing_and_spooled, 5, 200);
	if (in_another_life)
		clickhouse_close(sink);
	pthread_mutex_lock(&server.lock);
	server.version = "18.16.1";
	server.fault = FAKE_WELL;
	pthread_mutex_unlock(&server.lock);
	if (in_another_life)
		sink_open();
	expect_sent_once();
	assert_non_null(strstr(server.last_insert, "Content-Encoding: gzip"));
	assert_int_equal(status.sender.refused_rows, 0);
	assert_true(status.sender.recoded_chunks >= 1);
	assert_int_equal(status.sender.version, 1816);
}

TEST_WITH(test_an_older_server_in_its_place, clickhouse_rig_open, clickhouse_rig_close)
{
	older_server(false);
}

TEST_WITH(test_an_older_server_after_a_restart, clickhouse_rig_open, clickhouse_rig_close)
{
	older_server(true);
}

TEST_WITH(test_forbidden_by_a_proxy, clickhouse_rig_open, clickhouse_rig_close)
{
	each_fault(FAKE_FORBIDDEN, "HTTP status 403: ");
}

static uint64_t insert_ms[8];
static atomic_uint seen_inserts;

static void on_insert(const char *sql)
{
	if (strstr(sql, "INSERT") && seen_inserts < ARRAY_LEN(insert_ms))
		insert_ms[seen_inserts++] = clock_mono_ms();
}

// The server may yet begin with what the proxy passed on: it must have answered for a while first.
TEST_WITH(test_a_proxy_that_gives_up, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.settle_ms = 400;
	server.on_statement = on_insert;
	seen_inserts = 0;
	sink_open();
	send_all(1, 50);
	const uint64_t up_ms = clock_mono_ms();
	WAIT_FOR(clock_mono_ms() > up_ms + settings.settle_ms);
	fault_set(FAKE_GATEWAY);
	FEED_UNTIL(is_failing, 1, 100);
	fault_set(FAKE_WELL);
	expect_sent_once();
	assert_true(seen_inserts >= 3);
	for (unsigned i = 2; i < seen_inserts; i++) // it begins to count when one has failed
		assert_true(insert_ms[i] - insert_ms[i - 1] + 1 >= settings.settle_ms);
}

// Once a cycle: a body that no connection stands for long is cut (test_clickhouse_size).
TEST_WITH(test_closing_behind_the_body, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.retry_min_ms = settings.retry_max_ms = NEVER_MS;
	each_fault(FAKE_LOST, "insert: ");
}

TEST_WITH(test_taken_but_not_said, clickhouse_rig_open, clickhouse_rig_close)
{
	each_taken_fault(FAKE_TAKEN_LOST);
}

TEST_WITH(test_taken_and_half_said, clickhouse_rig_open, clickhouse_rig_close)
{
	each_taken_fault(FAKE_TAKEN_HALF);
}

TEST_WITH(test_taken_and_called_an_error, clickhouse_rig_open, clickhouse_rig_close)
{
	each_taken_fault(FAKE_TAKEN_ERROR);
}

TEST_WITH(test_taken_and_silent, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.client.insert_ms = 50;
	each_taken_fault(FAKE_TAKEN_SILENT);
	assert_true(status.sender.unclear >= 1);
}

TEST_WITH(test_closing_in_the_body, clickhouse_rig_open, clickhouse_rig_close)
{
	sink_open();
	for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
		server.http.cut_after = 1000;
		FEED_UNTIL(is_failing_and_spooled, 10, 300);
		assert_true(status.sender.why[0]);
		server.http.cut_after = 0;
		expect_whole(cycle);
	}
	assert_false(server.was_out_of_order);
}

TEST_WITH(test_slow, clickhouse_rig_open, clickhouse_rig_close)
{
	enum { BATCHES = 40, TRIES = 20 };
	unsigned inserts = BATCHES;
	SINK_OPEN(late_ms, 30);
	// Fewer and larger ones, once a chunk fills within its second, which a busy machine delays.
	for (unsigned i = 0; i < TRIES && inserts >= BATCHES; i++) {
		unsigned before = server.inserts;
		send_all(BATCHES, CLICKHOUSE_ROWS_MIN);
		inserts = server.inserts - before;
	}
	assert_true(inserts < BATCHES);
	expect_each_once();
	expect_none_lost();
	assert_true(status.sender.is_up);
	assert_int_equal(status.sender.failures, 0);
	for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
		send_all(BATCHES / 4, CLICKHOUSE_ROWS_MIN);
		assert_true(status.outbox.bytes <= CLICKHOUSE_MEMORY_MAX);
		until(is_empty);
		expect_flat_heap(cycle);
	}
	expect_each_once();
}

TEST_WITH(test_stopped_and_started_again, clickhouse_rig_open, clickhouse_rig_close)
{
	sink_open();
	for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
		send_all(2, 500);
		fake_post_stop(&server.http);
		FEED_UNTIL(is_failing_and_spooled, 20, 500);
		assert_non_null(strstr(status.sender.why, "onnect"));
		assert_true(status.outbox.spooled >= 1);
		fake_post_start(&server.http);
		expect_whole(cycle);
	}
	assert_false(server.was_out_of_order);
}

static bool is_without_table(void)
{
	return strstr(status.sender.why, "code 60: said 60") != NULL;
}

// Seen where nothing may make it again, and mended where the sink may.
TEST_WITH(test_the_schema_is_dropped, clickhouse_rig_open, clickhouse_rig_close)
{
	sink_open();
	for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
		send_all(2, 100);
		pthread_mutex_lock(&server.lock);
		server.has_table = false;
		server.may_create = cycle > 0;
		pthread_mutex_unlock(&server.lock);
		feed(2, 100);
		if (cycle == 0) {
			until(is_without_table);
			until(is_failing_and_spooled);
			server_set(&server, may_create, true);
		}
		expect_whole(cycle);
	}
	assert_true(server.creates >= CYCLES);
}

static atomic_uint asked_if_it_runs;

static void on_question(const char *sql)
{
	asked_if_it_runs += strstr(sql, "system.processes") != NULL;
}

// An insert that still runs is neither counted nor sent again.
TEST_WITH(test_an_insert_that_still_runs, clickhouse_rig_open, clickhouse_rig_close)
{
	server.fault = FAKE_LOST;
	server.running = 1;
	server.on_statement = on_question;
	asked_if_it_runs = 0;
	sink_open();
	FEED_UNTIL(is_failing, 1, 100);
	fault_set(FAKE_WELL);
	WAIT_FOR(asked_if_it_runs >= 3);
	assert_int_equal(server.inserts, 1);
	assert_int_equal(server.counts, 0);
	server_set(&server, running, 0);
	expect_sent_once();
}

TEST_WITH(test_a_restart_goes_on_with_the_spool, clickhouse_rig_open, clickhouse_rig_close)
{
	SINK_OPEN(fault, FAKE_TAKEN_SILENT);
	feed(1, 100);
	WAIT_FOR(rows_taken() > 0);
	fake_post_stop(&server.http);
	FEED_UNTIL(is_failing_and_spooled, 10, 200);
	clickhouse_close(sink);
	server.fault = FAKE_WELL;
	fake_post_start(&server.http);
	sink_open();
	expect_sent_once();
	assert_int_equal(status.sender.found_chunks, 1); // the first one was there
	assert_false(server.was_out_of_order);
}

static bool is_given_up(void)
{
	return status.sender.refused_rows == 100;
}

TEST_WITH(test_a_body_refused_for_good_is_left, clickhouse_rig_open, clickhouse_rig_close)
{
	SINK_OPEN(fault, FAKE_BAD_BODY);
	FEED_UNTIL(is_given_up, 1, 100);
	assert_int_equal(server.inserts, CLICKHOUSE_BODY_TRIES);
	assert_int_equal(status.sender.refused_in_a_row, 1); // so it is not said to be up
	assert_false(status.sender.is_failing);
	assert_memory_equal(status.sender.refused_why, "insert: ", 8);
	fault_set(FAKE_WELL);
	feed(1, 50);
	fed_rows -= 100;
	until(all_sent);
	assert_int_equal(status.sender.refused_in_a_row, 0);
}

static bool has_failed_often(void)
{
	return status.sender.failures > 2 * CLICKHOUSE_BODY_TRIES;
}

// A damaged part of the table fails questions by such a code too: the chunk is none the worse.
TEST_WITH(test_a_question_that_cannot_be_answered, clickhouse_rig_open, clickhouse_rig_close)
{
	server.fault = FAKE_TAKEN_LOST;
	SINK_OPEN(count_code, 33);
	FEED_UNTIL(has_failed_often, 1, 100);
	assert_int_equal(status.sender.refused_rows, 0);
	server_set(&server, count_code, 0);
	expect_sent_once();
	assert_int_equal(status.sender.found_chunks, 1);
	assert_int_equal(server.inserts, 1);
}

static bool is_put(void)
{
	return !status.open_rows && status.taken_rows == fed_rows;
}

TEST_WITH(test_a_full_spool_drops_the_oldest_and_counts, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.spool_max_bytes = 30000;
	settings.memory_max_bytes = 30000;
	SINK_OPEN(fault, FAKE_ERROR);
	FEED_UNTIL(is_failing, 1, 50);
	for (unsigned i = 0; i < 20; i++) {
		FEED_UNTIL(is_put, 1, 200);
		assert_true(status.outbox.bytes <= 30000);
		assert_true(status.outbox.spool_bytes <= 30000);
	}
	assert_true(status.outbox.dropped_rows > 0);
	fault_set(FAKE_WELL);
	fed_rows -= status.outbox.dropped_rows;
	fed_weight -= status.outbox.dropped_weight;
	expect_sent_once();
}

// Whether a batch is taken.
static bool offer(void)
{
	struct querylog_sink s = clickhouse_sink(sink);
	const struct querylog_batch *b = querylog_rig_batch(&rig, 100);
	const bool is_taken = s.fold(s.arg, b, 0);
	if (is_taken) {
		fed_rows += b->count;
		fed_weight += b->weight;
	}
	querylog_release(b);
	return is_taken;
}

// Nowhere to put anything: the batches stay with the log, which owes them.
TEST_WITH(test_no_disk_and_no_server, clickhouse_rig_open, clickhouse_rig_close)
{
	settings.memory_max_bytes = 1;
	settings.folder = "/proc/no/such";
	SINK_OPEN(fault, FAKE_ERROR);
	unsigned taken = 0, offered = 0;
	WAIT_FOR(offered >= 100 && status.is_waiting, taken += offer(); offered++;
		 clickhouse_status(sink, &status));
	assert_true(taken > 0);
	assert_int_not_equal(status.outbox.spool_err, 0);
	assert_true(status.outbox.chunks <= 1);
	fault_set(FAKE_WELL);
	expect_sent_once();
}

static enum fake_fault any_fault(struct fake_clickhouse *f)
{
	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
	unsigned n = (unsigned)(f->seed >> 33) % 100;
	static const enum fake_fault faults[] = {FAKE_ERROR, FAKE_DISK_FULL, FAKE_LOST,
		FAKE_TAKEN_LOST, FAKE_TAKEN_HALF, FAKE_TAKEN_ERROR};
	return n < 50 ? FAKE_WELL : faults[n % ARRAY_LEN(faults)];
}

TEST_WITH(test_any_fault_after_any_other, clickhouse_rig_open, clickhouse_rig_close)
{
	server.choose = any_fault;
	settings.flush_ms = 3;
	settings.retry_max_ms = 5;
	settings.settle_ms = 1;
	sink_open();
	uint64_t fed_before = 0; // to another run
	for (unsigned i = 0; i < 150; i++) {
		feed(1, 40);
		WAIT_FOR(!status.open_rows && status.taken_rows + fed_before == fed_rows,
			clickhouse_status(sink, &status));
		if (i == 75) {
			clickhouse_close(sink);
			sink_open();
			fed_before = fed_rows;
		}
	}
	WAIT_FOR(rows_taken() >= fed_rows);
	sink_close();
	expect_each_once();
	assert_true(server.inserts > server.chunks);
}

// Chunks of which the server has some rows, or says so: sent again where that doubles nothing.

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
