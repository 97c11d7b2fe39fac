// SPDX-License-Identifier: BSD-3-Clause
// The history of memory on disk: what a restart finds, and what damage costs.

#include "controlplane/memory/memory_file.h"
#include "tests/unit/cp/memory/sample_fill.h"
#include "tests/unit/unit.h"

enum { LENGTH = 8 };

static char path[FOLDER_MAX + 16];
static struct memory_ring ring;
static struct memory_lives all_lives[MEMORY_PROCESSES];
#define lives all_lives[MEMORY_CONTROLPLANE]
static struct memory_file *file;

static void start(void)
{
	memset(all_lives, 0, sizeof(all_lives));
	assert_int_equal(memory_ring_open(&ring, LENGTH), 0);
	assert_int_equal(memory_file_open(&file, path, &ring, all_lives), 0);
}

static void stop(void)
{
	memory_file_close(file);
	memory_ring_close(&ring);
}

static void restart(void)
{
	stop();
	start();
}

static void push(uint64_t minute, uint64_t rss, uint64_t life)
{
	struct memory_sample s = {.uptime_ms = minute * 60000, .queries = minute * 10};
	memory_sample_bytes(&s, "rss", rss);
	memory_sample_fill(&s, "l0", minute, 100);
	memory_ring_push(&ring, &s, life);
	assert_int_equal(memory_file_row(file, &ring), 0);
}

static int setup(void **state)
{
	int rc = own_folder_setup(state);
	snprintf(path, sizeof(path), "%s/history", own_folder);
	return rc;
}

// Nothing but the history is left in the folder.
static int teardown(void **)
{
	unlink(path);
	return rmdir(own_folder);
}

static void start_with(uint64_t rows)
{
	start();
	for (uint64_t i = 0; i < rows; i++)
		push(i, i, 1);
}

static off_t size_of_file(void)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

TEST_WITH(a_restart_finds_the_samples, setup, teardown)
{
	start();
	for (uint64_t i = 0; i < 5; i++)
		push(i, 1000 + i, 1);
	restart();
	assert_int_equal(ring.next, 5);
	assert_string_equal(ring.series[0].name, "rss");
	assert_int_equal(ring.series[1].kind, MEMORY_FILL);
	assert_int_equal(memory_ring_row(&ring, 0)->value[0], 1004);
	assert_int_equal(memory_ring_row(&ring, 4)->value[0], 1000);
	assert_null(memory_ring_row(&ring, 5));
	push(0, 7, 2);
	assert_int_equal(memory_ring_span(&ring, UINT64_MAX), 1); // of this life
	stop();
}

TEST_WITH(the_ring_goes_round, setup, teardown)
{
	start_with(3 * LENGTH + 3);
	restart();
	assert_int_equal(ring.next, 3 * LENGTH + 3);
	for (unsigned back = 0; back < LENGTH; back++)
		assert_int_equal(memory_ring_row(&ring, back)->value[0], 3 * LENGTH + 2 - back);
	assert_true(size_of_file() < 60000); // as at the start
	stop();
}

static void flip(off_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

TEST_WITH(a_damaged_row_is_one_row_less, setup, teardown)
{
	start_with(LENGTH);
	stop();
	flip(size_of_file() - 100); // the newest row, in the last place
	start();
	assert_int_equal(memory_file_damaged(file), 1);
	assert_int_equal(ring.next, LENGTH - 1);
	assert_int_equal(memory_ring_row(&ring, 0)->value[0], LENGTH - 2);
	stop();
}

// The disk was full for a while: rows of the lap before are still there.
TEST_WITH(rows_of_an_older_lap_are_left_out, setup, teardown)
{
	start();
	for (uint64_t i = 0; i < LENGTH; i++)
		push(i, 100 + i, 1);
	for (uint64_t i = 0; i < 5; i++) {
		struct memory_sample s = {.uptime_ms = (LENGTH + i) * 60000};
		memory_sample_bytes(&s, "rss", 200 + i);
		memory_ring_push(&ring, &s, 1);
	}
	push(LENGTH + 5, 205, 1);
	restart();
	assert_int_equal(ring.next, LENGTH + 6);
	assert_int_equal(memory_ring_row(&ring, 0)->value[0], 205);
	for (unsigned back = 1; back <= 5; back++)
		assert_true(memory_ring_row(&ring, back)->value[0] == MEMORY_ABSENT);
	assert_int_equal(memory_ring_row(&ring, 6)->value[0], 107);
	assert_int_equal(memory_file_damaged(file), 0);
	stop();
}

// Wherever a bit flips and wherever the file ends, the next start works and says sane things.
TEST_WITH(no_damage_stops_a_start, setup, teardown)
{
	start_with(LENGTH);
	struct memory_place place = {.wall_s = 5};
	(void)memory_life_begin(&lives, &place);
	assert_int_equal(memory_file_lives(file, all_lives), 0);
	stop();
	off_t size = size_of_file();
	for (off_t at = 0; at < size; at += 97) {
		flip(at);
		start();
		assert_in_range(ring.next, 0, LENGTH);
		assert_in_range(lives.next, 0, 1);
		stop();
		if (size_of_file() != size)
			fail();
		flip(at);
	}
	for (off_t cut = size; cut > 0; cut -= 611) {
		assert_int_equal(truncate(path, cut), 0);
		start();
		assert_in_range(ring.next, 0, LENGTH);
		stop();
	}
}

TEST_WITH(lives_say_how_they_ended, setup, teardown)
{
	struct memory_place place = {.wall_s = 100, .boot = "one"};
	start();
	memory_life_begin(&lives, &place)->end = MEMORY_STOPPED;
	(void)memory_life_begin(&lives, &place);
	(void)memory_life_begin(&lives, &place);
	place.oom_kills = 1;
	(void)memory_life_begin(&lives, &place);
	snprintf(place.boot, sizeof(place.boot), "two");
	place.oom_kills = 0;
	(void)memory_life_begin(&lives, &place);
	assert_int_equal(memory_file_lives(file, all_lives), 0);
	restart();
	static const uint32_t ends[] = {
		MEMORY_RUNS, MEMORY_REBOOTED, MEMORY_OUT_KILLED, MEMORY_KILLED, MEMORY_STOPPED};
	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		assert_int_equal(memory_life_get(&lives, i)->end, ends[i]);
		assert_int_equal(memory_life_get(&lives, i)->number, ARRAY_LEN(ends) - i);
	}
	assert_null(memory_life_get(&lives, ARRAY_LEN(ends)));
	for (unsigned i = 0; i < 2 * MEMORY_LIVES; i++)
		(void)memory_life_begin(&lives, &place);
	assert_int_equal(memory_life_get(&lives, 0)->number, 2 * MEMORY_LIVES + 5);
	assert_null(memory_life_get(&lives, MEMORY_LIVES));
	stop();
}

TEST_WITH(what_is_no_file_is_refused, setup, teardown)
{
	struct memory_ring r;
	assert_int_equal(memory_ring_open(&r, LENGTH), 0);
	assert_int_equal(memory_file_open(&file, own_folder, &r, all_lives), -EPERM);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(memory_file_open(&file, path, &r, all_lives), -EPERM);
	memory_ring_close(&r);
}

static struct memory_other dataplane(uint64_t id, unsigned ended, uint64_t ended_id)
{
	return (struct memory_other){.is_there = id != 0,
		.id = id,
		.rss = id * 1000,
		.ended = ended,
		.ended_id = ended_id};
}

static void follow(struct memory_other o, const struct memory_place *place)
{
	struct memory_lives *l = &all_lives[MEMORY_DATAPLANE];
	if (!memory_lives_goes_on(l, &o))
		(void)memory_lives_follow(l, &o, place);
	memory_lives_saw(l, &o, place);
	assert_true(memory_lives_goes_on(l, &o));
}

// The lock is held by one that starts, and the statistics are still the last one's.
TEST_WITH(a_life_is_told_once, setup, teardown)
{
	struct memory_lives *l = &all_lives[MEMORY_DATAPLANE];
	const struct memory_place place = {.wall_s = 100, .boot = "one"};
	struct memory_other o = dataplane(11, OTHER_UNKNOWN, 0);
	start();
	follow(o, &place);
	follow(dataplane(0, OTHER_UNKNOWN, 0), &place);
	assert_int_equal(memory_life_get(l, 0)->end, MEMORY_UNSEEN);
	assert_false(memory_lives_goes_on(l, &o));
	assert_true(memory_lives_resume(l, &o));
	assert_true(memory_lives_goes_on(l, &o));
	o = (struct memory_other){.id = 12,
		.ended = OTHER_FAILED,
		.ended_id = 12,
		.former = OTHER_STOPPED,
		.former_id = 11};
	follow(o, &place); // it was never seen to be there
	follow(o, &place);
	assert_int_equal(memory_life_get(l, 0)->number, 2);
	assert_int_equal(memory_life_get(l, 0)->end, MEMORY_FAILED);
	o = dataplane(13, OTHER_FAILED, 12);
	assert_false(memory_lives_resume(l, &o));
	follow(o, &place);
	assert_int_equal(memory_life_get(l, 0)->number, 3);
	assert_int_equal(memory_life_get(l, 1)->end, MEMORY_FAILED);
	assert_int_equal(memory_life_get(l, 2)->end, MEMORY_STOPPED);
	stop();
}

// Another process, which goes on while ours begins anew; each of its ends by itself.
TEST_WITH(lives_of_the_data_plane, setup, teardown)
{
	static const enum memory_end ends[] = {MEMORY_RUNS, MEMORY_REBOOTED, MEMORY_OUT_KILLED,
		MEMORY_UNSEEN, MEMORY_KILLED, MEMORY_STOPPED, MEMORY_KILLED, MEMORY_FAILED,
		MEMORY_STOPPED};
	struct memory_lives *l = &all_lives[MEMORY_DATAPLANE];
	struct memory_place place = {.wall_s = 100, .boot = "one"};
	start();
	follow(dataplane(0, OTHER_UNKNOWN, 0), &place); // none yet
	assert_null(memory_life_get(l, 0));
	follow(dataplane(11, OTHER_UNKNOWN, 0), &place);
	follow(dataplane(0, OTHER_STOPPED, 11), &place); // it was seen to be stopped
	follow(dataplane(0, OTHER_STOPPED, 11), &place);
	follow(dataplane(21, OTHER_STOPPED, 11), &place);
	follow(dataplane(0, OTHER_FAILED, 21), &place);
	follow(dataplane(12, OTHER_FAILED, 21), &place);
	follow(dataplane(0, OTHER_FELL, 12), &place);
	follow(dataplane(13, OTHER_FELL, 12), &place);
	follow(dataplane(14, OTHER_STOPPED, 13), &place); // between two looks
	follow(dataplane(15, OTHER_FELL, 14), &place);
	assert_int_equal(memory_file_lives(file, all_lives), 0);
	restart();
	follow(dataplane(15, OTHER_UNKNOWN, 0), &place); // the same as before we were away
	assert_int_equal(memory_life_get(l, 0)->number, 6);
	follow(dataplane(17, OTHER_STOPPED, 16), &place); // some life was there meanwhile
	place.oom_kills = 3;
	follow(dataplane(18, OTHER_UNKNOWN, 0), &place);
	memcpy(place.boot, "two", 4);
	follow(dataplane(19, OTHER_UNKNOWN, 0), &place);
	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		assert_int_equal(memory_life_get(l, i)->end, ends[i]);
		assert_int_equal(memory_life_get(l, i)->rss, memory_life_get(l, i)->id * 1000);
	}
	assert_null(memory_life_get(l, ARRAY_LEN(ends)));
	assert_null(memory_life_get(&lives, 0)); // of the other one
	stop();
}
