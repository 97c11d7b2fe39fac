// SPDX-License-Identifier: BSD-3-Clause
//
// What sinks have lost and have in memory: one sum for all readers, a line of the log, and what a
// killed life leaves for the next one.

#include "controlplane/querylog/querylog_state.h"
#include "querylog_rig.h"
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <weir/log_recent.h>
#include <weir/log_writer.h>

static char path[FOLDER_MAX + 16];
static struct querylog_held said; // by the sink

static struct {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[4096 * RING_UNIT];
	_Atomic uint64_t owed;
	struct log_writer writer;
} rings;
static uint64_t released_then; // of the rings, when the sink was asked what it holds

static int setup(void **state)
{
	said = (struct querylog_held){0};
	if (own_folder_setup(state))
		return -1;
	snprintf(path, sizeof(path), "%s/log.in-hand", own_folder);
	return 0;
}

static bool take(void *arg, const struct querylog_batch *)
{
	return *(bool *)arg;
}

static void held(void *, struct querylog_held *out)
{
	*out = said;
	released_then = atomic_load(&rings.head.units);
}

static struct querylog *log_open(bool *takes)
{
	struct querylog *q;
	const struct querylog_sink sink = {
		.name = "store", .take = take, .held = held, .arg = takes};
	const struct querylog_settings settings = {.box = "b", .hand_path = path};
	assert_int_equal(querylog_open(&q, &settings), 0);
	assert_int_equal(querylog_add(q, &sink), 0);
	return q;
}

static uint64_t feed(struct querylog *q, struct querylog_rig *rig, unsigned rows)
{
	const struct querylog_batch *b = querylog_rig_batch(rig, rows);
	uint64_t weight = b->weight;
	querylog_feed(q, b);
	querylog_release(b);
	return weight;
}

static struct querylog_sink_counts counts(struct querylog *q)
{
	struct querylog_sink_counts out[QUERYLOG_SINKS_MAX];
	assert_int_equal(querylog_sinks(q, out), 1);
	return out[0];
}

static unsigned warnings_of_losses(void)
{
	static struct log_recent kind[LOG_RECENT_MAX];
	uint64_t replaced;
	unsigned n = log_recent_copy(kind, LOG_RECENT_MAX, &replaced), lines = 0;
	for (unsigned i = 0; i < n; i++)
		lines += strncmp(kind[i].text, "query log: store lost", 21) == 0
				 ? (unsigned)kind[i].count
				 : 0;
	return lines;
}

TEST_WITH(test_one_sum_of_what_is_dropped_and_lost, setup, own_folder_teardown)
{
	struct querylog_rig rig;
	bool takes = false;
	querylog_rig_open(&rig, 1);
	struct querylog *q = log_open(&takes);
	uint64_t dropped = feed(q, &rig, 10), now_ms = clock_mono_ms();
	said = (struct querylog_held){.rows = 3, .weight = 5, .lost_rows = 20, .lost_weight = 40};
	struct querylog_sink_counts c = counts(q);
	assert_int_equal(c.lost_rows, 30);
	assert_int_equal(c.lost_weight, dropped + 40);
	assert_int_equal(c.held_rows, 3);
	assert_int_equal(c.held_weight, 5);
	unsigned before = warnings_of_losses();
	querylog_sinks_beat(q, now_ms);
	assert_int_equal(warnings_of_losses(), before + 1);
	querylog_sinks_beat(q, now_ms + 100000); // nothing more
	assert_int_equal(warnings_of_losses(), before + 1);
	said.lost_rows++;
	querylog_sinks_beat(q, now_ms + 100000);
	said.lost_rows++;
	querylog_sinks_beat(q, now_ms + 100000 + 59000);
	assert_int_equal(warnings_of_losses(), before + 2);
	querylog_sinks_beat(q, now_ms + 100000 + 60000);
	assert_int_equal(warnings_of_losses(), before + 3);
	querylog_close(q);
	querylog_rig_close(&rig);
}

// A life that ends at once, having taken 700 rows in the last two beats and holding 40 from before.
static void life_killed(uint64_t *weight)
{
	int pipe_of[2];
	assert_int_equal(pipe(pipe_of), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct querylog_rig rig;
		bool takes = true;
		querylog_rig_open(&rig, 1);
		struct querylog *q = log_open(&takes);
		feed(q, &rig, 500);
		querylog_sinks_beat(q, 1000);
		querylog_sinks_beat(q, 2000);
		said = (struct querylog_held){.rows = 40, .weight = 60};
		uint64_t sum = 60 + feed(q, &rig, 400);
		querylog_sinks_beat(q, 3000);
		sum += feed(q, &rig, 300);
		_exit(write(pipe_of[1], &sum, sizeof(sum)) != (ssize_t)sizeof(sum));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipe_of[0], weight, sizeof(*weight)), sizeof(*weight));
	close(pipe_of[0]);
	close(pipe_of[1]);
}

TEST_WITH(test_the_next_life_says_what_a_kill_cost, setup, own_folder_teardown)
{
	uint64_t weight;
	bool takes = true;
	life_killed(&weight);
	struct querylog *q = log_open(&takes);
	querylog_sinks_restore(q);
	struct querylog_sink_counts c = counts(q);
	assert_int_equal(c.before_rows, 740);
	assert_int_equal(c.before_weight, weight);
	querylog_close(q);
	// That one ended well.
	q = log_open(&takes);
	querylog_sinks_restore(q);
	assert_int_equal(counts(q).before_rows, 0);
	querylog_close(q);
}

// The start that follows a kill may fail before it has reported anything: the next one reports it.
TEST_WITH(test_a_start_that_fails_reports_nothing, setup, own_folder_teardown)
{
	uint64_t weight;
	bool takes = true;
	life_killed(&weight);
	querylog_close(log_open(&takes));
	struct querylog *q = log_open(&takes);
	querylog_sinks_restore(q);
	assert_int_equal(counts(q).before_rows, 740);
	assert_int_equal(counts(q).before_weight, weight);
	querylog_close(q);
}

static void rings_join(struct querylog *q)
{
	static const struct config config;
	struct querylog_source s = {.owed = &rings.owed};
	memset(&rings, 0, sizeof(rings));
	log_writer_init(&rings.writer, &rings.tail, &rings.head, rings.data, 4096, &rings.owed);
	log_writer_set(&rings.writer, 1, 0);
	ring_consumer_init(&s.ring, &rings.tail, &rings.head, rings.data, 4096);
	assert_int_equal(querylog_add_source(q, &s), 0);
	struct querylog_names *n = querylog_names_new(&config, NULL, 0, NULL);
	assert_non_null(n);
	querylog_set_names(q, n);
}

static void rings_put(unsigned records, uint32_t weight)
{
	for (unsigned i = 0; i < records; i++) {
		struct log_record *r = log_writer_take(&rings.writer, 6);
		assert_non_null(r);
		*r = (struct log_record){.time_us = clock_mono_us(),
			.client = {192, 0, 2, 7},
			.qtype = 1,
			.qclass = 1,
			.upstream = LOG_NO_UPSTREAM,
			.weight = weight,
			.name_len = 6};
		memcpy(r + 1, "\4test", 6);
		log_writer_publish(&rings.writer);
	}
}

static struct querylog_hand_rows left(void)
{
	struct querylog_hand h;
	assert_int_equal(querylog_hand_open(&h, path), 0);
	assert_int_equal(h.was_count, 1);
	querylog_hand_close(&h);
	return h.was[0];
}

// Rows that no sink has seen yet are in no ring either: a kill loses them too.
TEST_WITH(test_rows_of_the_batch_being_filled_count, setup, own_folder_teardown)
{
	bool takes = true;
	struct querylog *q = log_open(&takes);
	querylog_sinks_restore(q);
	rings_join(q);
	rings_put(3, 7);
	assert_int_equal(querylog_drain(q, 1000), 3);
	assert_int_equal(released_then, 0); // the file came first
	assert_true(atomic_load(&rings.head.units) > 0);
	assert_int_equal(left().rows, 3);
	assert_int_equal(left().weight, 21);
	rings_put(2, 1);
	assert_int_equal(querylog_drain(q, 1100), 2);
	assert_int_equal(left().rows, 5);
	querylog_flush(q, 0, true); // they are the sink's
	assert_int_equal(left().rows, 5);
	assert_int_equal(left().weight, 23);
	querylog_close(q);
}

// Cut, changed, of another form: it says nothing.
TEST_WITH(test_a_file_that_makes_no_sense, setup, own_folder_teardown)
{
	uint64_t weight;
	struct querylog_hand h;
	uint8_t bytes[512];
	life_killed(&weight);
	int fd = open(path, O_RDWR);
	assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
	for (unsigned i = 0; i < sizeof(bytes); i += 5) {
		bytes[i] ^= 1;
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
		assert_int_equal(querylog_hand_open(&h, path), 0);
		assert_int_equal(h.was_count, 0);
		querylog_hand_close(&h);
		bytes[i] ^= 1;
	}
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(ftruncate(fd, 511), 0);
	assert_int_equal(querylog_hand_open(&h, path), 0);
	assert_int_equal(h.was_count, 0);
	querylog_hand_close(&h);
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(querylog_hand_open(&h, path), 0);
	assert_int_equal(h.was_count, 1);
	querylog_hand_close(&h);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(querylog_hand_open(&h, path), -EPERM);
	snprintf(path, sizeof(path), "%s/none/here", own_folder);
	assert_true(querylog_hand_open(&h, path) < 0);
}
