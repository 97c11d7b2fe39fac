// SPDX-License-Identifier: BSD-3-Clause
// Chunks between maker and sender with memory and spool full: a server that takes them has the
// maker wait, one that is away makes the oldest go.

#include "controlplane/querylog/clickhouse/clickhouse_outbox.h"
#include "tests/unit/unit.h"

#include <sys/resource.h>
#include <sys/syscall.h>

enum { BODY = 1000, IN_MEMORY = 3, ON_DISK = 5 };

static char folder[64];
static struct clickhouse_outbox *outbox;
static uint64_t number;

static uint32_t head(void)
{
	struct clickhouse_origin own = {.box = "box"};
	strcpy(own.columns, clickhouse_layout_own);
	return clickhouse_file_head_bytes(&own);
}

static int setup(void **)
{
	snprintf(folder, sizeof(folder), "/tmp/weir-outbox-XXXXXX");
	number = 0;
	if (!mkdtemp(folder))
		return -1;
	const struct clickhouse_outbox_settings s = {.folder = folder,
		.box = "box",
		.spool_max_bytes = ON_DISK * (uint64_t)(BODY + head()),
		.memory_max_bytes = IN_MEMORY * BODY};
	return clickhouse_outbox_open(&outbox, &s);
}

static int teardown(void **)
{
	clickhouse_outbox_free(outbox);
	return folder_remove(folder, "");
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

static void fill_and_take(struct clickhouse_parcel *p)
{
	fill();
	assert_int_equal(clickhouse_outbox_take(outbox, 0, p), 0);
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

TEST_WITH(test_behind_a_server_the_maker_waits, setup, teardown)
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

TEST_WITH(test_of_a_server_that_is_away_the_oldest_go, setup, teardown)
{
	struct clickhouse_parcel p;
	fill_and_take(&p);
	clickhouse_outbox_failed(outbox, &p);
	// What is in memory has no place on disk, and makes none: it may be a moment only.
	assert_int_equal(counts().chunks, IN_MEMORY);
	assert_int_equal(counts().dropped_chunks, 0);
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(put(), 0);
		assert_int_equal(counts().dropped_chunks, i);
		assert_int_equal(counts().dropped_weight, 70 * i);
	}
	// Back again: nothing more goes.
	clickhouse_outbox_done(outbox, &p);
	assert_int_equal(put(), 0);
	assert_int_equal(put(), -EAGAIN);
	assert_int_equal(counts().dropped_chunks, 4);
	expect_all(4 + 2);
}

// One error of a server that is behind costs no row.
TEST_WITH(test_a_failure_spills_what_there_is_room_for, setup, teardown)
{
	struct clickhouse_parcel p;
	for (unsigned i = 0; i < IN_MEMORY; i++)
		assert_int_equal(put(), 0);
	assert_int_equal(counts().spooled, 0);
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	clickhouse_outbox_failed(outbox, &p);
	assert_int_equal(counts().chunks, 0);
	assert_int_equal(counts().spooled, IN_MEMORY);
	assert_int_equal(put(), 0);
	assert_int_equal(counts().spooled, IN_MEMORY + 1); // at once, as long as it fails
	clickhouse_outbox_done(outbox, &p);
	assert_int_equal(put(), 0);
	assert_int_equal(counts().spooled, IN_MEMORY);
	expect_all(2);
}

TEST_WITH(test_in_a_hurry_nobody_waits, setup, teardown)
{
	fill();
	assert_int_equal(put(), -EAGAIN);
	clickhouse_outbox_hurry(outbox);
	assert_int_equal(put(), 0);
	assert_int_equal(counts().dropped_chunks, 1);
	expect_all(2);
}

static void halves_make(const struct clickhouse_spooled *what, struct clickhouse_half half[2])
{
	for (unsigned i = 0; i < 2; i++) {
		half[i].what = *what;
		half[i].what.chunk.number = clickhouse_number_half(what->chunk.number, i);
		half[i].what.rows = 5;
		half[i].what.weight = 35;
		half[i].body = calloc(1, BODY);
		assert_non_null(half[i].body);
	}
}

static void expect_halves(uint64_t of)
{
	struct clickhouse_parcel p;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
		assert_true(p.what.chunk.number == clickhouse_number_half(of, i));
		assert_int_equal(p.what.rows, 5);
		clickhouse_outbox_done(outbox, &p);
	}
}

// Where it was: in memory, also when younger ones went to disk meanwhile; and on disk.
TEST_WITH(test_halves_are_next, setup, teardown)
{
	struct clickhouse_parcel p;
	struct clickhouse_half half[2];
	for (unsigned i = 0; i < IN_MEMORY; i++)
		assert_int_equal(put(), 0);
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	assert_int_equal(put(), 0);
	assert_int_equal(put(), 0);
	assert_int_equal(counts().spooled, 1);
	halves_make(&p.what, half);
	assert_int_equal(clickhouse_outbox_cut(outbox, &p, half), 0);
	assert_int_equal(counts().cut_chunks, 1);
	assert_int_equal(counts().spooled, 1);
	expect_halves(1);
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	assert_int_equal(p.what.chunk.number, 2);
	assert_true(p.is_spooled);
	halves_make(&p.what, half);
	assert_int_equal(clickhouse_outbox_cut(outbox, &p, half), 0);
	assert_int_equal(counts().spooled, 2);
	expect_halves(2);
	expect_all(3);
}

// A disk that takes no halves: they wait in memory, and go first.
TEST_WITH(test_halves_without_a_disk, setup, teardown)
{
	struct rlimit before, small;
	struct clickhouse_parcel p;
	struct clickhouse_half half[2];
	fill();
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
		clickhouse_outbox_done(outbox, &p);
	}
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	halves_make(&p.what, half);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int full = clickhouse_outbox_cut(outbox, &p, half);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(full < 0); // memory has no room for two either
	assert_int_equal(counts().cut_chunks, 0);
	clickhouse_outbox_failed(outbox, &p);
	assert_int_equal(counts().chunks, IN_MEMORY - 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int with_room = clickhouse_outbox_cut(outbox, &p, half);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(with_room, 0);
	assert_true(counts().spool_err < 0);
	assert_int_equal(counts().unspooled_halves, 2);
	expect_halves(3);
	expect_all(4);
}

static int fsync_errno; // 0: it works

// In place of the C library's.
int fsync(int fd)
{
	if (!fsync_errno)
		return (int)syscall(SYS_fsync, fd);
	errno = fsync_errno;
	return -1;
}

// What a disk may say only when it is to keep what it took: the halves are not on it. Then it has
// room again.
TEST_WITH(test_halves_that_are_not_synced, setup, teardown)
{
	struct clickhouse_parcel p;
	struct clickhouse_half half[2];
	fill();
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
		if (i == 3)
			clickhouse_outbox_failed(outbox, &p); // memory goes to disk
		clickhouse_outbox_done(outbox, &p);
	}
	assert_int_equal(counts().chunks, 0);
	assert_int_equal(clickhouse_outbox_take(outbox, 0, &p), 0);
	assert_true(p.is_spooled);
	unsigned spooled = counts().spooled;
	const uint64_t of = p.what.chunk.number;
	halves_make(&p.what, half);
	fsync_errno = ENOSPC;
	int ret = clickhouse_outbox_cut(outbox, &p, half);
	fsync_errno = 0;
	assert_int_equal(ret, 0);
	assert_int_equal(counts().spool_err, -ENOSPC);
	assert_int_equal(counts().unspooled_halves, 2);
	assert_int_equal(counts().spooled, spooled - 1);
	expect_halves(of);
	expect_all(of + 1);
	assert_int_equal(counts().lost_chunks, 0);
}

// What this build cannot send is put aside where a file has it, and lost, counted, where none has.
TEST_WITH(test_what_cannot_be_sent_is_refused, setup, teardown)
{
	struct clickhouse_parcel p;
	fill_and_take(&p);
	clickhouse_outbox_refuse(outbox, &p);
	assert_int_equal(counts().aside, 1);
	assert_int_equal(counts().unreadable, 1);
	assert_int_equal(counts().lost_rows, 10);
	assert_int_equal(counts().lost_weight, 70);
	assert_int_equal(counts().spooled, ON_DISK - 1);
	expect_all(2);
}

// At the end there is nobody to wait for.
TEST_WITH(test_the_end_keeps_the_newest, setup, teardown)
{
	fill();
	clickhouse_outbox_close(outbox);
	clickhouse_outbox_spill(outbox);
	assert_int_equal(counts().chunks, 0);
	assert_int_equal(counts().spooled, ON_DISK);
	assert_int_equal(counts().dropped_chunks, IN_MEMORY);
	assert_int_equal(counts().lost_chunks, 0);
}
