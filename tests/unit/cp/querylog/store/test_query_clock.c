// SPDX-License-Identifier: BSD-3-Clause
//
// The query store under a wrong clock: real files, deleted or not.

#include "controlplane/querylog/store/query_folder.h"
#include "controlplane/querylog/store/query_store.h"
#include "query_rows.h"
#include "tests/unit/unit.h"

enum { FIRST_HOUR = 472222 };

static _Atomic int64_t now_s;

static int64_t clock_s(void)
{
	return now_s;
}

// A row of that hour, by a clock that says the hour too; until it is in its file.
static void row_of_hour(struct query_store *s, struct querylog_rig *rig, int64_t hour,
	struct query_store_status *out)
{
	struct querylog_sink sink = query_store_sink(s);
	struct querylog_row row = query_rows_row(hour, 0);
	query_store_status(s, out);
	uint64_t rows = out->rows + 1;
	now_s = hour * 3600 + 60;
	const struct querylog_batch *b = querylog_rig_row(rig, &row);
	assert_true(sink.fold(sink.arg, b, 0));
	querylog_release(b);
	WAIT_FOR(out->rows >= rows, query_store_status(s, out));
	assert_int_equal(out->rows, rows);
}

// All files were over their hours in one look.
TEST_WITH(test_a_clock_400_days_ahead_deletes_nothing, own_folder_setup, own_folder_teardown)
{
	const struct query_store_settings settings = {
		.folder = own_folder, .hours = 10, .max_bytes = 64 << 20, .unix_s = clock_s};
	struct querylog_rig rig;
	struct query_folder files;
	struct query_store_status status;
	struct query_store *s;
	querylog_rig_open(&rig, 1);
	now_s = FIRST_HOUR * INT64_C(3600);
	assert_int_equal(query_store_open(&s, &settings), 0);
	for (int hour = 0; hour < 3; hour++)
		row_of_hour(s, &rig, FIRST_HOUR + hour, &status);
	row_of_hour(s, &rig, FIRST_HOUR + 3 + 400 * 24, &status);
	assert_int_equal(status.dropped_files, 0);
	assert_int_equal(status.clock_ahead_s / 86400, 400);
	// Half of that: what the clock wrote meanwhile is no evidence.
	row_of_hour(s, &rig, FIRST_HOUR + 3 + 200 * 24, &status);
	assert_int_equal(status.dropped_files, 0);
	assert_int_equal(status.clock_ahead_s / 86400, 200);
	// The clock is right again. Files of the present that are too old go, others stay.
	row_of_hour(s, &rig, FIRST_HOUR + 12, &status);
	assert_int_equal(status.dropped_files, 2);
	assert_int_equal(status.clock_ahead_s, 0);
	query_store_close(s);
	assert_int_equal(query_folder_scan(&files, own_folder), 0);
	assert_int_equal(files.count, 4);
	assert_int_equal(files.file[0].hour, FIRST_HOUR + 2);
	query_folder_free(&files);
	querylog_rig_close(&rig);
}

// What size pressure leaves of files of 1000 bytes: hours, as a text. `steady`: the clock has run
// for two days.
static void expect_left(bool steady, uint64_t max_bytes, const char *left)
{
	static const int hours[] = {0, 1, 2, 3, 100, 101};
	struct query_tidied tidied;
	char path[PATH_MAX], text[64] = "";
	struct query_folder files;
	uint64_t mono_ms = clock_mono_ms();
	now_s = (FIRST_HOUR + 3) * INT64_C(3600) + 60;
	struct query_keep keep = {.hours = 48,
		.max_bytes = max_bytes,
		.retention = {.has_looked = steady,
			.offset_s = now_s - (int64_t)(mono_ms / 1000),
			.since_ms = mono_ms - 2 * RETENTION_PROOF_S * UINT64_C(1000)}};
	for (unsigned i = 0; i < ARRAY_LEN(hours); i++) {
		assert_int_equal(query_folder_path(own_folder, FIRST_HOUR + hours[i], 1, path), 0);
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(ftruncate(fileno(f), 1000), 0);
		fclose(f);
	}
	assert_int_equal(query_folder_tidy(own_folder, &keep, now_s, NULL, 0, &tidied), 0);
	assert_int_equal(query_folder_scan(&files, own_folder), 0);
	for (unsigned i = 0; i < files.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %d",
			(int)(files.file[i].hour - FIRST_HOUR));
	assert_string_equal(text, left);
	assert_int_equal(tidied.files, files.count);
	assert_int_equal(tidied.dropped, ARRAY_LEN(hours) - files.count);
	assert_int_equal(tidied.oldest_unix_s, files.file[0].hour * 3600);
	assert_int_equal(tidied.bytes, files.count * 1000);
	query_folder_free(&files);
}

TEST_WITH(test_size_takes_the_future_first, own_folder_setup, own_folder_teardown)
{
	expect_left(true, 6000, " 0 1 2 3 100 101");
	expect_left(true, 5000, " 0 1 2 3 101");
	expect_left(true, 4000, " 0 1 2 3");
	expect_left(true, 2000, " 2 3");
	expect_left(true, 1, " 3");
}

// A clock that has not run for a day yet may be wrong: the newest of its present stays all the
// same.
TEST_WITH(test_size_and_a_clock_that_is_not_steady, own_folder_setup, own_folder_teardown)
{
	expect_left(false, 6000, " 0 1 2 3 100 101");
	expect_left(false, 4000, " 2 3 100 101");
	expect_left(false, 2000, " 3 101");
	expect_left(false, 1, " 3");
}
