// SPDX-License-Identifier: BSD-3-Clause
//
// Rows far out of order, as after a pause of the control plane, whose rings are read one after the
// other, and as after a clock that stepped back: searches and totals have them all.

#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_schema.h"
#include "controlplane/querylog/store/query_search.h"
#include "controlplane/querylog/store/query_top.h"
#include "query_rows.h"
#include "tests/unit/unit.h"

enum { HOUR = 472222, RING_S = 1200, STEP_S = 2 };

static char path[PATH_MAX];
static struct query_file *file;

static int64_t at(int64_t second)
{
	return HOUR * QUERY_HOUR_US + second * 1000000;
}

static void row_put(int64_t second)
{
	struct querylog_row row = query_rows_row(HOUR, 0);
	row.time_us = (uint64_t)at(second);
	assert_int_equal(query_file_put(file, "box", &row, 1), 0);
}

// The rows of a worker's ring.
static void ring_put(int64_t from)
{
	for (int64_t second = from; second < from + RING_S; second += STEP_S)
		row_put(second);
	assert_int_equal(query_file_commit(file), 0);
}

static void file_reopen(void)
{
	query_file_close(file);
	assert_int_equal(query_file_open(file, path, HOUR), 0);
}

static int setup(void **state)
{
	return own_folder_setup(state) || query_folder_path(own_folder, HOUR, 1, path)
	       || query_file_new(&file) || query_file_open(file, path, HOUR);
}

static int teardown(void **state)
{
	query_file_free(file);
	file = NULL;
	return own_folder_teardown(state);
}

static void on_found(void *arg, const struct query_found *)
{
	(*(unsigned *)arg)++;
}

// Rows found from a second to another, by pages of 100, both ways and as a total.
static void check(int64_t since, int64_t until, unsigned expected)
{
	const _Atomic bool stop = false;
	for (unsigned newest = 0; newest < 2; newest++) {
		struct query_filter f = {.since_us = at(since),
			.until_us = at(until),
			.newest_first = newest,
			.rows = 100,
			.for_ms = 60000};
		struct query_outcome end;
		unsigned rows = 0;
		do {
			assert_int_equal(
				query_search(own_folder, &f, &stop, on_found, &rows, &end), 0);
			f.after = end.place;
		} while (!end.complete);
		if (rows != expected)
			fail_msg("%lld to %lld, newest first %u: %u rows of %u", (long long)since,
				(long long)until, newest, rows, expected);
	}
	struct query_top_report *r;
	const struct query_top_wanted w = {
		.since_us = at(since), .until_us = at(until), .for_ms = 60000};
	assert_int_equal(query_top_find(own_folder, &w, &stop, &r), 0);
	assert_true(r->complete);
	assert_int_equal(r->all.queries, expected);
	query_top_free(r);
}

// Rows looked at by a search for the last ten seconds.
static uint64_t looked_at(int64_t until)
{
	const _Atomic bool stop = false;
	const struct query_filter f = {.since_us = at(until - 10),
		.until_us = at(until),
		.newest_first = true,
		.rows = 100,
		.for_ms = 60000};
	struct query_outcome end;
	unsigned rows = 0;
	assert_int_equal(query_search(own_folder, &f, &stop, on_found, &rows, &end), 0);
	assert_int_equal(rows, 10 / STEP_S);
	return end.looked_at;
}

static void checks(unsigned rings)
{
	static const unsigned spans[][2] = {
		{0, RING_S}, {600, RING_S}, {0, 600}, {300, 310}, {RING_S - 20, RING_S}, {0, 20}};
	for (unsigned i = 0; i < ARRAY_LEN(spans); i++)
		check(spans[i][0], spans[i][1], rings * (spans[i][1] - spans[i][0]) / STEP_S);
}

TEST_WITH(test_rings_one_after_the_other, setup, teardown)
{
	ring_put(0);
	ring_put(0);
	checks(2);
	file_reopen();
	ring_put(0);
	ring_put(0);
	checks(4);
}

// The writer knows the order of rows that it wrote before it closed the file.
TEST_WITH(test_rings_in_a_file_reopened, setup, teardown)
{
	ring_put(0);
	file_reopen();
	ring_put(0);
	checks(2);
}

TEST_WITH(test_clock_steps_back, setup, teardown)
{
	for (int64_t second = 2400; second < 3600; second += STEP_S)
		row_put(second);
	ring_put(0);
	checks(1);
	check(3000, 3600, 600 / STEP_S);
	check(1000, 2600, 400 / STEP_S);
}

// In order, a search seeks.
TEST_WITH(test_order_is_cheap, setup, teardown)
{
	ring_put(0);
	assert_in_range(looked_at(RING_S), 5, 60);
	file_reopen();
	ring_put(RING_S);
	assert_in_range(looked_at(2 * RING_S), 5, 60);
	check(1190, 1210, 20 / STEP_S);
}

// Files of earlier versions have no bound, so they are read whole; a writer that goes on with one
// keeps it so.
TEST_WITH(test_earlier_version, setup, teardown)
{
	struct sql *db;
	ring_put(0);
	ring_put(0);
	query_file_close(file);
	assert_int_equal(sql_open(&db, path, SQL_WRITE), 0);
	assert_int_equal(sql_run(db, "DROP TABLE IF EXISTS late"), 0);
	sql_close(db);
	checks(2);
	assert_int_equal(query_file_open(file, path, HOUR), 0);
	checks(2);
	ring_put(RING_S);
	checks(2);
}

// A bound that no file can have, as a damaged file has.
TEST_WITH(test_forged_bounds, setup, teardown)
{
	static const char *const bounds[] = {
		"-9223372036854775808", "9223372036854775807", "'x'", "0"};
	ring_put(0);
	query_file_close(file);
	for (unsigned i = 0; i < ARRAY_LEN(bounds); i++) {
		struct sql *db;
		assert_int_equal(sql_open(&db, path, SQL_WRITE), 0);
		assert_int_equal(sql_run(db, text_from("UPDATE late SET us = %s", bounds[i])), 0);
		sql_close(db);
		checks(1);
	}
	assert_int_equal(query_file_open(file, path, HOUR), 0);
}
