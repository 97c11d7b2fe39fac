// SPDX-License-Identifier: BSD-3-Clause
// Chunks between maker and sender with memory and spool full: a server that takes them has the
// maker wait, one that is away makes the oldest go.

#include "../../controlplane/clickhouse_outbox.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODY = 1000, IN_MEMORY = 3, ON_DISK = 5 };

static char folder[64];
static struct clickhouse_outbox *outbox;
static uint64_t number;

static int setup(void **)
{
	snprintf(folder, sizeof folder, "/tmp/weir-outbox-XXXXXX");
	number = 0;
	if (!mkdtemp(folder))
		return -1;
	const struct clickhouse_outbox_settings s = {.folder = folder,
		.spool_max_bytes = ON_DISK * BODY,
		.memory_max_bytes = IN_MEMORY * BODY};
	return clickhouse_outbox_open(&outbox, &s);
}

static int teardown(void **)
{
	char command[128];
	clickhouse_outbox_free(outbox);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static int put(void)
{
	const struct clickhouse_spooled what = {
		.chunk = {1, number + 1}, .rows = 10, .hour = 3, .weight = 70, .bytes = BODY};
	void *body = calloc(1, BODY);
	assert_non_null(body);
	int ret = clickhouse_outbox_put(outbox, &what, body);
	if (ret == 0)
		number++;
	else
		free(body);
	return ret;
}

static struct clickhouse_outbox_counts counts(void)
{
	struct clickhouse_outbox_counts c;
	clickhouse_outbox_counts(outbox, &c);
	return c;
}

static void fill(void)
{
	for (unsigned i = 0; i < IN_MEMORY + ON_DISK; i++)
		assert_int_equal(put(), 0);
	assert_int_equal(counts().spooled, ON_DISK);
	assert_int_equal(counts().chunks, IN_MEMORY);
}

// In order, none missing, from `from` on.
static void expect_all(uint64_t from)
{
	struct clickhouse_parcel p;
	for (; clickhouse_outbox_take(outbox, 0, &p) == 0; from++) {
		assert_int_equal(p.what.chunk.number, from);
		clickhouse_outbox_done(outbox, &p);
	}
	assert_int_equal(from, number + 1);
}

static void test_behind_a_server_the_maker_waits(void **)
{
	struct clickhouse_parcel p;
	fill();
	assert_int_equal(put(), -EAGAIN);
	assert_int_equal(put(), -EAGAIN);
	assert_int_equal(counts().spool_err, 0);
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	assert_int_equal(put(), -EAGAIN); // not yet taken
	clickhouse_outbox_done(outbox, &p);
	assert_int_equal(put(), 0);
	assert_int_equal(put(), -EAGAIN);
	assert_int_equal(counts().dropped_chunks, 0);
	expect_all(2);
}

static void test_of_a_server_that_is_away_the_oldest_go(void **)
{
	struct clickhouse_parcel p;
	fill();
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	clickhouse_outbox_failed(outbox, &p);
	assert_int_equal(counts().chunks, 0);
	assert_int_equal(counts().dropped_chunks, IN_MEMORY);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(put(), 0);
		assert_int_equal(counts().dropped_chunks, IN_MEMORY + i);
		assert_int_equal(counts().dropped_weight, 70 * (IN_MEMORY + i));
	}
	// Back again: nothing more goes.
	clickhouse_outbox_done(outbox, &p);
	for (unsigned i = 0; i < IN_MEMORY + 1; i++)
		assert_int_equal(put(), 0);
	assert_int_equal(put(), -EAGAIN);
	assert_int_equal(counts().dropped_chunks, IN_MEMORY + 4);
	expect_all(IN_MEMORY + 4 + 2);
}

// At the end there is nobody to wait for.
static void test_the_end_keeps_the_newest(void **)
{
	fill();
	clickhouse_outbox_close(outbox);
	clickhouse_outbox_spill(outbox);
	assert_int_equal(counts().chunks, 0);
	assert_int_equal(counts().spooled, ON_DISK);
	assert_int_equal(counts().dropped_chunks, IN_MEMORY);
	assert_int_equal(counts().lost_chunks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_behind_a_server_the_maker_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_of_a_server_that_is_away_the_oldest_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_keeps_the_newest, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
