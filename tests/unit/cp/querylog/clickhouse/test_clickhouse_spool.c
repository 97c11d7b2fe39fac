// SPDX-License-Identifier: BSD-3-Clause
//
// The spool of request bodies: order, bounds, what a restart finds, a disk that fails.

#include "controlplane/querylog/clickhouse/clickhouse_outbox.h"
#include "controlplane/querylog/clickhouse/clickhouse_spool.h"
#include "tests/unit/unit.h"

#include <sys/resource.h>

enum { UNIT = 100 }; // sizes here are in so many bytes, of a file with its head

static char folder[64];
static struct clickhouse_spool spool;
static struct clickhouse_origin own = {.box = "box"};

static int setup(void **)
{
	strcpy(own.columns, clickhouse_layout_own);
	snprintf(folder, sizeof(folder), "/tmp/weir-spool-XXXXXX");
	return mkdtemp(folder) && clickhouse_spool_open(&spool, folder, "box", 1000 * UNIT) == 0
		       ? 0
		       : -1;
}

static int teardown(void **)
{
	clickhouse_spool_close(&spool);
	return folder_remove(folder, "");
}

static uint32_t body_of(size_t units)
{
	return (uint32_t)(units * UNIT) - clickhouse_file_head_bytes(&own);
}

static struct clickhouse_spooled chunk(uint64_t run, uint64_t number, size_t units)
{
	return (struct clickhouse_spooled){.chunk = {run, number},
		.rows = 10,
		.coding = CLICKHOUSE_ZSTD,
		.hour = 3,
		.weight = 70,
		.bytes = body_of(units)};
}

static char body[1001 * UNIT];

static int put(uint64_t run, uint64_t number, size_t units)
{
	const struct clickhouse_spooled what = chunk(run, number, units);
	memset(body, (int)('a' + number % 26), sizeof(body));
	return clickhouse_spool_put(&spool, &what, NULL, body);
}

static void reopen(uint64_t max)
{
	clickhouse_spool_close(&spool);
	assert_int_equal(clickhouse_spool_open(&spool, folder, "box", max * UNIT), 0);
}

static void expect_first(uint64_t number, size_t units)
{
	const struct clickhouse_spooled *f = clickhouse_spool_first(&spool);
	struct clickhouse_origin *origin = &own;
	void *read;
	assert_non_null(f);
	assert_int_equal(f->chunk.number, number);
	assert_int_equal(f->file_bytes, units * UNIT);
	assert_int_equal(clickhouse_spool_read(&spool, &read, &origin), 0);
	assert_null(origin);
	assert_int_equal(f->bytes, body_of(units));
	for (size_t i = 0; i < f->bytes; i++)
		assert_int_equal(((char *)read)[i], 'a' + (int)(number % 26));
	free(read);
}

TEST_WITH(test_in_the_order_of_puts, setup, teardown)
{
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(put(5, i, 100 + i), 0);
	assert_int_equal(spool.bytes, 410 * UNIT);
	for (unsigned i = 1; i <= 4; i++) {
		expect_first(i, 100 + i);
		clickhouse_spool_remove(&spool);
	}
	assert_null(clickhouse_spool_first(&spool));
	assert_int_equal(spool.bytes, 0 * UNIT);
	assert_int_equal(spool.dropped_files, 0);
}

TEST_WITH(test_a_restart_finds_all_of_it, setup, teardown)
{
	assert_int_equal(put(6, 1, 30), 0);
	assert_int_equal(put(5, 300, 20), 0);
	assert_int_equal(put(5, 20, 10), 0);
	reopen(1000);
	assert_int_equal(spool.count, 3);
	assert_int_equal(spool.bytes, 60 * UNIT);
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

TEST_WITH(test_the_oldest_goes_when_full, setup, teardown)
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
TEST_WITH(test_the_one_being_sent_stays, setup, teardown)
{
	const struct clickhouse_spooled sent = chunk(5, 1, 300);
	for (unsigned i = 2; i <= 3; i++)
		assert_int_equal(put(5, i, 300), 0);
	assert_int_equal(clickhouse_spool_put_first(&spool, &sent, NULL, body), 0);
	assert_int_equal(clickhouse_spool_put_first(&spool, &sent, NULL, body), -ENOSPC);
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

TEST_WITH(test_a_smaller_spool_after_a_restart, setup, teardown)
{
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(put(5, i, 300), 0);
	reopen(400);
	assert_int_equal(spool.count, 1);
	assert_int_equal(spool.dropped_files, 2);
	expect_first(3, 300);
}

static void file_copy(const char *name, const void *bytes, size_t len)
{
	bytes_to_file(text_from("%s/%s", folder, name), bytes, len);
}

static void file_make(const char *name)
{
	file_copy(name, "x", 1);
}

static bool file_there(const char *name)
{
	return access(text_from("%s/%s", folder, name), F_OK) == 0;
}

TEST_WITH(test_other_files_are_left_alone_and_unfinished_ones_go, setup, teardown)
{
	static const char *const others[] = {"notes.txt", "-1.chunk",
		"0000000000000005-0000000000000001-00000003-0000000a-0000000000000046-9.chunk",
		"5-1-a-46-0.chunk"};
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		file_make(others[i]);
	file_make("unfinished.chunk");
	reopen(1000);
	assert_int_equal(spool.count, 0);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(file_there(others[i]));
	assert_false(file_there("unfinished.chunk"));
}

// A file may be no longer than 100 units: what a full disk looks like to write().
TEST_WITH(test_a_disk_that_takes_half, setup, teardown)
{
	struct rlimit before, small;
	assert_int_equal(put(5, 1, 50), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100 * UNIT;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int ret = put(5, 2, 300);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(ret, -EFBIG);
	assert_int_equal(spool.count, 1);
	assert_int_equal(spool.bytes, 50 * UNIT);
	assert_false(file_there("unfinished.chunk"));
	assert_int_equal(put(5, 3, 300), 0);
	expect_first(1, 50);
	reopen(1000);
	assert_int_equal(spool.count, 2);
}

static const char name_of_1[] =
	"0000000000000005-0000000000000001-00000003-0000000a-0000000000000046-1.chunk";

static int read_first(void)
{
	struct clickhouse_origin *origin = NULL;
	void *read = NULL;
	int ret = clickhouse_spool_read(&spool, &read, &origin);
	if (ret == 0) {
		free(read);
		free(origin);
	}
	return ret;
}

TEST_WITH(test_a_body_cut_on_disk_is_said, setup, teardown)
{
	assert_int_equal(put(5, 1, 200), 0);
	const char *path = text_from("%s/%s", folder, name_of_1);
	assert_int_equal(truncate(path, 20 * UNIT), 0);
	assert_int_equal(read_first(), -EBADMSG);
	reopen(1000);
	assert_int_equal(read_first(), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(read_first(), -ENOENT);
	clickhouse_spool_remove(&spool);
	assert_int_equal(spool.count, 0);
}

TEST_WITH(test_an_byte_changed_on_disk_is_said, setup, teardown)
{
	assert_int_equal(put(5, 1, 20), 0);
	const char *path = text_from("%s/%s", folder, name_of_1);
	for (long at = 0; at < 20 * UNIT; at += 7) {
		int fd = open(path, O_RDWR);
		uint8_t byte;
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_true(read_first() < 0);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		assert_int_equal(read_first(), 0);
	}
}

// A user who can write into the folder cannot make weir read another file.
TEST_WITH(test_a_link_is_no_file, setup, teardown)
{
	const char *path = text_from("%s/%s", folder, name_of_1);
	const char *other = text_from("%s/other", folder);
	file_make("other");
	assert_int_equal(symlink(other, path), 0);
	reopen(1000);
	assert_int_equal(spool.count, 0);
	assert_int_equal(put(5, 1, 20), 0); // in its place
	expect_first(1, 20);
}

// What another build, or a box by another name, has left says so, and keeps doing so when cut.
TEST_WITH(test_files_of_others_say_whose_they_are, setup, teardown)
{
	static const char columns[] = "time DateTime('UTC'),box String,run UInt64,chunk UInt64,"
				      "weight UInt64,old UInt16,";
	struct clickhouse_origin theirs = {.box = "other"}, *origin = NULL;
	uint8_t file[CLICKHOUSE_FILE_HEAD_MAX + 100];
	struct clickhouse_spooled what = chunk(5, 1, 20);
	void *read;
	strcpy(theirs.columns, columns);
	what.bytes = 100;
	memset(body, 'x', 100);
	size_t head = clickhouse_file_head(file, &what, &theirs, body);
	assert_int_equal(head, clickhouse_file_head_bytes(&theirs));
	memcpy(file + head, body, 100);
	file_copy(name_of_1, file, head + 100);
	reopen(1000);
	assert_int_equal(clickhouse_spool_read(&spool, &read, &origin), 0);
	assert_non_null(origin);
	assert_string_equal(origin->box, "other");
	assert_string_equal(origin->columns, columns);
	assert_int_equal(clickhouse_spool_first(&spool)->bytes, 100);
	free(read);
	struct clickhouse_half half[2] = {{what, body}, {what, body}};
	for (unsigned i = 0; i < 2; i++)
		half[i].what.chunk.number = clickhouse_number_half(1, i);
	assert_int_equal(clickhouse_spool_cut(&spool, half, origin), 0);
	free(origin);
	reopen(1000);
	assert_int_equal(spool.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(clickhouse_spool_read(&spool, &read, &origin), 0);
		assert_string_equal(origin->columns, columns);
		free(read);
		free(origin);
		clickhouse_spool_remove(&spool);
	}
}

// Of builds that wrote the body alone: the columns are those of that time, the box is ours.
TEST_WITH(test_a_file_without_a_head, setup, teardown)
{
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0};
	file_copy(name_of_1, zstd, sizeof(zstd));
	reopen(1000);
	assert_int_equal(read_first(), 0);
	assert_int_equal(clickhouse_spool_first(&spool)->bytes, sizeof(zstd));
	file_copy(name_of_1, "weirrows", 8);
	reopen(1000);
	assert_int_equal(read_first(), -EBADMSG);
}

static const struct clickhouse_spooled *at(unsigned i)
{
	return &spool.file[(spool.first + i) % CLICKHOUSE_SPOOL_SLOTS];
}

TEST_WITH(test_halves_take_the_place_of_the_whole, setup, teardown)
{
	for (unsigned i = 1; i <= 2; i++)
		assert_int_equal(put(5, i, 100), 0);
	spool.is_first_held = true;
	struct clickhouse_half half[2];
	for (unsigned i = 0; i < 2; i++) {
		half[i].what = chunk(5, clickhouse_number_half(1, i), 60);
		half[i].body = body;
	}
	assert_int_equal(clickhouse_spool_cut(&spool, half, NULL), 0);
	assert_int_equal(spool.bytes, 220 * UNIT);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(spool.count, 3);
		assert_true(at(0)->chunk.number == half[0].what.chunk.number);
		assert_true(at(1)->chunk.number == half[1].what.chunk.number);
		assert_true(at(2)->chunk.number == 2);
		if (round == 0)
			reopen(1000);
	}
}

// A kill between the halves and the whole's end: the whole goes on, its pieces were never sent.
TEST_WITH(test_a_cut_that_a_kill_has_left, setup, teardown)
{
	uint64_t piece = clickhouse_number_half(clickhouse_number_half(1, 1), 0);
	assert_int_equal(put(5, clickhouse_number_half(1, 0), 30), 0);
	assert_int_equal(put(5, 2, 40), 0);
	assert_int_equal(put(5, 1, 50), 0);
	assert_int_equal(put(4, piece, 20), 0); // of another run
	assert_int_equal(put(5, piece, 20), 0);
	assert_int_equal(spool.count, 5);
	reopen(1000);
	assert_int_equal(spool.count, 3);
	assert_int_equal(spool.bytes, 110 * UNIT);
	assert_int_equal(spool.dropped_files, 0);
	assert_int_equal(clickhouse_spool_first(&spool)->chunk.run, 4);
	clickhouse_spool_remove(&spool);
	expect_first(1, 50);
	clickhouse_spool_remove(&spool);
	expect_first(2, 40);
}

static unsigned files_aside(void)
{
	unsigned n = 0;
	FILE *f = popen(text_from("ls %s | grep -c 'chunk.aside$'", folder), "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

// For an operator to look at; as many, and as large, as a folder may have beside its spool.
TEST_WITH(test_what_is_put_aside_is_bounded, setup, teardown)
{
	for (unsigned i = 1; i <= CLICKHOUSE_ASIDE_MAX + 4; i++) {
		assert_int_equal(put(5, i, 10), 0);
		clickhouse_spool_put_aside(&spool);
	}
	assert_int_equal(spool.count, 0);
	assert_int_equal(spool.bytes, 0);
	assert_int_equal(spool.aside_count, CLICKHOUSE_ASIDE_MAX);
	assert_int_equal(spool.aside_bytes, CLICKHOUSE_ASIDE_MAX * 10 * UNIT);
	assert_int_equal(spool.aside[0].chunk.number, 5);
	assert_int_equal(files_aside(), CLICKHOUSE_ASIDE_MAX);
	reopen(1000);
	assert_int_equal(spool.count, 0);
	assert_int_equal(spool.aside_count, CLICKHOUSE_ASIDE_MAX);
	assert_int_equal(spool.aside[0].chunk.number, 5);
	assert_int_equal(put(5, 99, 200), 0);
	clickhouse_spool_put_aside(&spool);
	assert_true(spool.aside_bytes <= 250 * UNIT);
	assert_int_equal(spool.aside[spool.aside_count - 1].chunk.number, 99);
	assert_int_equal(files_aside(), spool.aside_count);
	assert_int_equal(put(5, 100, 300), 0);
	clickhouse_spool_put_aside(&spool); // too large for that
	assert_int_equal(files_aside(), spool.aside_count);
	assert_int_equal(spool.count, 0);
}

// More files than the list has places: the oldest go, whatever order the folder has. In memory, for
// a disk takes its time for as many.
TEST_WITH(test_more_files_than_a_list_holds, setup, teardown)
{
	enum { MORE = 10 };
	char name[128];
	if (access("/dev/shm", W_OK) == 0) {
		assert_int_equal(rmdir(folder), 0);
		snprintf(folder, sizeof(folder), "/dev/shm/weir-spool-XXXXXX");
		assert_non_null(mkdtemp(folder));
	}
	for (unsigned i = 1; i <= CLICKHOUSE_SPOOL_FILES_MAX + MORE; i++) {
		snprintf(name, sizeof(name),
			"0000000000000005-%016x-00000003-0000000a-0000000000000046-1.chunk", i);
		file_make(name);
	}
	reopen(1000);
	assert_int_equal(spool.count, CLICKHOUSE_SPOOL_FILES_MAX);
	assert_int_equal(spool.bytes, CLICKHOUSE_SPOOL_FILES_MAX);
	assert_int_equal(spool.dropped_files, MORE);
	assert_int_equal(spool.dropped_rows, 10 * MORE);
	assert_int_equal(spool.dropped_weight, 70 * MORE);
	for (unsigned i = 0; i < CLICKHOUSE_SPOOL_FILES_MAX; i++)
		assert_int_equal(spool.file[i].chunk.number, i + 1 + MORE);
	snprintf(name, sizeof(name),
		"0000000000000005-%016x-00000003-0000000a-0000000000000046-1.chunk", MORE);
	assert_false(file_there(name));
	assert_false(clickhouse_spool_has_room(&spool, 1));
	assert_int_equal(put(6, 1, 10), 0);
	assert_int_equal(spool.count, CLICKHOUSE_SPOOL_FILES_MAX);
	assert_int_equal(spool.dropped_files, MORE + 1);
}

TEST(test_no_folder)
{
	struct clickhouse_spool s;
	assert_int_equal(clickhouse_spool_open(&s, "/proc/no/such", "box", 1000), -ENOENT);
}
