// SPDX-License-Identifier: BSD-3-Clause
//
// The spool of request bodies: order, bounds, what a restart finds, a disk that fails.

#include "../../controlplane/clickhouse_spool.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct clickhouse_spool spool;

static int setup(void **)
{
	snprintf(folder, sizeof folder, "/tmp/weir-spool-XXXXXX");
	return mkdtemp(folder) && clickhouse_spool_open(&spool, folder, 1000) == 0 ? 0 : -1;
}

static int teardown(void **)
{
	char command[128];
	clickhouse_spool_close(&spool);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static int put(uint64_t run, uint64_t number, size_t bytes)
{
	char body[4096];
	assert_true(bytes <= sizeof body);
	memset(body, (int)('a' + number % 26), sizeof body);
	const struct clickhouse_spooled what = {.chunk = {run, number},
		.rows = 10,
		.coding = CLICKHOUSE_ZSTD,
		.hour = 3,
		.weight = 70,
		.bytes = bytes};
	return clickhouse_spool_put(&spool, &what, body);
}

static void reopen(uint64_t max_bytes)
{
	clickhouse_spool_close(&spool);
	assert_int_equal(clickhouse_spool_open(&spool, folder, max_bytes), 0);
}

static void expect_first(uint64_t number, size_t bytes)
{
	const struct clickhouse_spooled *f = clickhouse_spool_first(&spool);
	void *body;
	assert_non_null(f);
	assert_int_equal(f->chunk.number, number);
	assert_int_equal(f->bytes, bytes);
	assert_int_equal(clickhouse_spool_read(&spool, &body), 0);
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(((char *)body)[i], 'a' + (int)(number % 26));
	free(body);
}

static void test_in_the_order_of_puts(void **)
{
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(put(5, i, 100 + i), 0);
	assert_int_equal(spool.bytes, 410);
	for (unsigned i = 1; i <= 4; i++) {
		expect_first(i, 100 + i);
		clickhouse_spool_remove(&spool);
	}
	assert_null(clickhouse_spool_first(&spool));
	assert_int_equal(spool.bytes, 0);
	assert_int_equal(spool.dropped_files, 0);
}

static void test_a_restart_finds_all_of_it(void **)
{
	assert_int_equal(put(6, 1, 30), 0);
	assert_int_equal(put(5, 300, 20), 0);
	assert_int_equal(put(5, 20, 10), 0);
	reopen(1000);
	assert_int_equal(spool.count, 3);
	assert_int_equal(spool.bytes, 60);
	expect_first(20, 10);
	const struct clickhouse_spooled *f = clickhouse_spool_first(&spool);
	assert_int_equal(f->chunk.run, 5);
	assert_int_equal(f->rows, 10);
	assert_int_equal(f->weight, 70);
	assert_int_equal(f->hour, 3);
	assert_int_equal(f->coding, CLICKHOUSE_ZSTD);
	clickhouse_spool_remove(&spool);
	expect_first(300, 20);
	clickhouse_spool_remove(&spool);
	expect_first(1, 30);
}

static void test_the_oldest_goes_when_full(void **)
{
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(put(5, i, 300), 0);
	assert_int_equal(spool.count, 3);
	assert_int_equal(spool.dropped_files, 1);
	assert_int_equal(spool.dropped_rows, 10);
	assert_int_equal(spool.dropped_weight, 70);
	expect_first(2, 300);
	assert_int_equal(put(5, 5, 1000), 0);
	assert_int_equal(spool.count, 1);
	assert_int_equal(spool.dropped_files, 4);
	assert_int_equal(put(5, 6, 1001), -EFBIG);
	expect_first(5, 1000);
	reopen(1000);
	assert_int_equal(spool.count, 1);
}

// What is being sent must still be there when the server says that it has it.
static void test_the_one_being_sent_stays(void **)
{
	char body[300] = "";
	const struct clickhouse_spooled sent = {.chunk = {5, 1}, .rows = 10, .bytes = 300};
	for (unsigned i = 2; i <= 3; i++)
		assert_int_equal(put(5, i, 300), 0);
	assert_int_equal(clickhouse_spool_put_first(&spool, &sent, body), 0);
	assert_int_equal(clickhouse_spool_put_first(&spool, &sent, body), -ENOSPC);
	assert_int_equal(clickhouse_spool_first(&spool)->chunk.number, 1);
	assert_int_equal(put(5, 4, 300), 0);
	assert_int_equal(spool.count, 3);
	assert_int_equal(spool.dropped_files, 1);
	assert_int_equal(put(5, 5, 900), -EFBIG);
	assert_int_equal(spool.dropped_files, 3);
	assert_int_equal(clickhouse_spool_first(&spool)->chunk.number, 1);
	clickhouse_spool_remove(&spool);
	assert_int_equal(put(5, 6, 900), 0);
	expect_first(6, 900);
	reopen(1000);
	expect_first(6, 900);
}

static void test_a_smaller_spool_after_a_restart(void **)
{
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(put(5, i, 300), 0);
	reopen(400);
	assert_int_equal(spool.count, 1);
	assert_int_equal(spool.dropped_files, 2);
	expect_first(3, 300);
}

static void file_make(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("x", f);
	fclose(f);
}

static bool file_there(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void test_other_files_are_left_alone_and_unfinished_ones_go(void **)
{
	static const char *const others[] = {"notes.txt", "-1.chunk",
		"0000000000000005-0000000000000001-00000003-0000000a-0000000000000046-9.chunk",
		"5-1-a-46-0.chunk"};
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
		file_make(others[i]);
	file_make("unfinished.chunk");
	reopen(1000);
	assert_int_equal(spool.count, 0);
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_true(file_there(others[i]));
	assert_false(file_there("unfinished.chunk"));
}

// A file may be no longer than 100 octets: what a full disk looks like to write().
static void test_a_disk_that_takes_half(void **)
{
	struct rlimit before, small;
	assert_int_equal(put(5, 1, 50), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int ret = put(5, 2, 300);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(ret, -EFBIG);
	assert_int_equal(spool.count, 1);
	assert_int_equal(spool.bytes, 50);
	assert_false(file_there("unfinished.chunk"));
	assert_int_equal(put(5, 3, 300), 0);
	expect_first(1, 50);
	reopen(1000);
	assert_int_equal(spool.count, 2);
}

static void test_a_body_cut_on_disk_is_said(void **)
{
	void *body;
	char path[256];
	assert_int_equal(put(5, 1, 200), 0);
	snprintf(path, sizeof path,
		"%s/0000000000000005-0000000000000001-00000003-0000000a-0000000000000046-1.chunk",
		folder);
	assert_int_equal(truncate(path, 20), 0);
	assert_int_equal(clickhouse_spool_read(&spool, &body), -EIO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(clickhouse_spool_read(&spool, &body), -ENOENT);
	clickhouse_spool_remove(&spool);
	assert_int_equal(spool.count, 0);
}

static void test_no_folder(void **)
{
	struct clickhouse_spool s;
	assert_int_equal(clickhouse_spool_open(&s, "/proc/no/such", 1000), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_the_order_of_puts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_restart_finds_all_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_oldest_goes_when_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_one_being_sent_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_smaller_spool_after_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_other_files_are_left_alone_and_unfinished_ones_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_disk_that_takes_half, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_body_cut_on_disk_is_said, setup, teardown),
		cmocka_unit_test(test_no_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
