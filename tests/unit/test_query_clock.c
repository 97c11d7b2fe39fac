// SPDX-License-Identifier: BSD-3-Clause
//
// The query store under a wrong clock: real files, deleted or not.

#include "../../controlplane/query_store.h"
#include "query_rows.h"
#include "querylog_rig.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_HOUR = 472222 };

static char folder[64];
static _Atomic int64_t now_s;

static int64_t clock_s(void)
{
	return now_s;
}

static int setup(void **)
{
	snprintf(folder, sizeof folder, "/tmp/weir-clock-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
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
	for (int i = 0; i < 1000 && out->rows < rows; i++) {
		usleep(10000);
		query_store_status(s, out);
	}
	assert_int_equal(out->rows, rows);
}

// All files were over their hours in one look.
static void test_a_clock_400_days_ahead_deletes_nothing(void **)
{
	const struct query_store_settings settings = {
		.folder = folder, .hours = 10, .max_bytes = 64 << 20, .unix_s = clock_s};
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
	// The clock is right again: what it wrote meanwhile stays, and is no evidence.
	row_of_hour(s, &rig, FIRST_HOUR + 4, &status);
	assert_int_equal(status.dropped_files, 0);
	assert_int_equal(status.clock_ahead_s, 0);
	query_store_close(s);
	assert_int_equal(query_folder_scan(&files, folder), 0);
	assert_int_equal(files.count, 5);
	query_folder_free(&files);
	querylog_rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_clock_400_days_ahead_deletes_nothing, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
