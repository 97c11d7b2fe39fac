// SPDX-License-Identifier: BSD-3-Clause
// Batches: the pool's bound, references across sinks, full batches, the queue to a sink's thread.

#include "controlplane/querylog/querylog.h"
#include "controlplane/querylog/querylog_row.h"
#include "querylog_rig.h"
#include "tests/unit/unit.h"

static struct querylog_rig rig;

FIXTURE(setup, querylog_rig_open(&rig, 1))

FIXTURE(teardown, querylog_rig_close(&rig))

TEST_WITH(test_pool_is_bounded_and_shrinks, setup, teardown)
{
	struct querylog_pool_counts c;
	const struct querylog_batch *b[QUERYLOG_BATCHES_MAX];

	for (unsigned i = 0; i < QUERYLOG_BATCHES_MAX; i++)
		b[i] = querylog_rig_empty(&rig);
	assert_null(querylog_pool_take(rig.pool, "box", 1));
	querylog_pool_counts(rig.pool, &c);
	assert_int_equal(c.out, QUERYLOG_BATCHES_MAX);
	assert_int_equal(c.starved, 1);
	for (unsigned i = 0; i < QUERYLOG_BATCHES_MAX; i++)
		querylog_release(b[i]);
	querylog_pool_counts(rig.pool, &c);
	assert_int_equal(c.out, 0);
	assert_int_equal(c.made, QUERYLOG_SPARE_MAX);
}

TEST_WITH(test_full_by_rows, setup, teardown)
{
	struct querylog_batch *b = querylog_rig_empty(&rig);
	for (unsigned i = 0; i < QUERYLOG_ROWS_MAX; i++) {
		struct querylog_row *row = querylog_batch_row(b, 0);
		assert_non_null(row);
		row->weight = i;
		querylog_batch_end_row(b);
	}
	assert_null(querylog_batch_row(b, 0));
	assert_int_equal(b->count, QUERYLOG_ROWS_MAX);
	assert_int_equal(b->weight, (uint64_t)QUERYLOG_ROWS_MAX * (QUERYLOG_ROWS_MAX - 1) / 2);
	querylog_release(b);
}

// Rows of the longest names: the text is what ends the batch, and no row is half in it.
TEST_WITH(test_full_by_text, setup, teardown)
{
	struct querylog_batch *b = querylog_rig_empty(&rig);
	while (querylog_batch_row(b, QUERYLOG_NAME_MAX)) {
		memset(querylog_batch_text(b, QUERYLOG_NAME_MAX), 'x', QUERYLOG_NAME_MAX);
		querylog_batch_end_row(b);
	}
	assert_int_equal(b->count, QUERYLOG_TEXT_MAX / QUERYLOG_NAME_MAX);
	querylog_release(b);
}

static void on_drop(void *arg)
{
	(*(unsigned *)arg)++;
}

TEST_WITH(test_last_one_out_drops_what_was_kept, setup, teardown)
{
	unsigned dropped = 0;
	struct querylog_batch *b = querylog_rig_empty(&rig);
	querylog_batch_keep(b, on_drop, &dropped);
	querylog_hold(b);
	querylog_release(b);
	assert_int_equal(dropped, 0);
	querylog_release(b);
	assert_int_equal(dropped, 1);
	querylog_release(querylog_rig_batch(&rig, 1)); // the same memory, kept for nothing
	assert_int_equal(dropped, 1);
}

TEST(test_rig_repeats_itself)
{
	struct querylog_rig one, other;
	querylog_rig_open(&one, 5);
	querylog_rig_open(&other, 5);
	const struct querylog_batch *a = querylog_rig_batch(&one, 200),
				    *b = querylog_rig_batch(&other, 200);
	assert_int_equal(a->weight, b->weight);
	for (unsigned i = 0; i < 200; i++) {
		assert_string_equal(a->row[i].qname.at, b->row[i].qname.at);
		assert_string_equal(a->row[i].client.at, b->row[i].client.at);
		assert_int_equal(strlen(a->row[i].qname.at), a->row[i].qname.len);
	}
	querylog_release(a);
	querylog_release(b);
	querylog_rig_close(&one);
	querylog_rig_close(&other);
}

TEST_WITH(test_queue_is_bounded_and_in_order, setup, teardown)
{
	struct querylog_queue *q;
	struct querylog_queue_counts c;
	assert_int_equal(querylog_queue_open(&q, 2), 0);
	assert_null(querylog_queue_take(q, 0, NULL));
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 3; i++) {
			const struct querylog_batch *b = querylog_rig_batch(&rig, 1);
			assert_int_equal(querylog_queue_put(q, b, 0), round == 0 && i < 2);
			querylog_release(b);
		}
	for (unsigned i = 1; i <= 2; i++) {
		const struct querylog_batch *b = querylog_queue_take(q, 1000, NULL);
		assert_int_equal(b->number, i);
		querylog_release(b);
	}
	querylog_queue_counts(q, &c);
	assert_int_equal(c.refused, 7);
	assert_int_equal(c.used_most, 2);
	querylog_queue_close(q);
	assert_true(querylog_queue_is_done(q));
	const struct querylog_batch *b = querylog_rig_batch(&rig, 1);
	assert_false(querylog_queue_put(q, b, 0));
	querylog_release(b);
	querylog_queue_free(q);
}

struct taker {
	struct querylog_queue *queue;
	uint64_t rows, weight;
};

static void *take_all(void *arg)
{
	struct taker *t = arg;
	while (!querylog_queue_is_done(t->queue)) {
		const struct querylog_batch *b = querylog_queue_take(t->queue, 10000, NULL);
		if (!b)
			continue;
		t->rows += b->count;
		t->weight += b->weight;
		querylog_release(b);
	}
	return NULL;
}

static bool put(void *arg, const struct querylog_batch *b)
{
	return querylog_queue_put(arg, b, 0);
}

// Two sinks with threads of their own: what each took and what the log counts agree.
TEST_WITH(test_sinks_take_by_threads, setup, teardown)
{
	struct taker t[2] = {0};
	pthread_t thread[2];
	struct querylog *log;
	struct querylog_sink_counts counts[QUERYLOG_SINKS_MAX];
	uint64_t weight = 0;

	assert_int_equal(querylog_open(&log, &(struct querylog_settings){.box = "b"}), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(querylog_queue_open(&t[i].queue, i ? 1 : QUERYLOG_QUEUE_MAX), 0);
		const struct querylog_sink sink = {
			.name = i ? "small" : "large", .take = put, .arg = t[i].queue};
		assert_int_equal(querylog_add(log, &sink), 0);
		assert_int_equal(pthread_create(&thread[i], NULL, take_all, &t[i]), 0);
	}
	for (unsigned i = 0; i < 30; i++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, i);
		weight += b->weight;
		querylog_feed(log, b);
		querylog_release(b);
	}
	for (unsigned i = 0; i < 2; i++) {
		querylog_queue_close(t[i].queue);
		pthread_join(thread[i], NULL);
		querylog_queue_free(t[i].queue);
	}
	assert_int_equal(querylog_sinks(log, counts), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(counts[i].rows, t[i].rows);
		assert_int_equal(counts[i].weight, t[i].weight);
		assert_int_equal(counts[i].weight + counts[i].dropped_weight, weight);
		assert_int_equal(counts[i].rows + counts[i].dropped_rows, 29 * 30 / 2);
	}
	assert_int_equal(counts[0].dropped_rows, 0);
	querylog_close(log);
}

static void on_beat(void *arg, uint64_t)
{
	atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

TEST(test_the_thread_beats_and_stops)
{
	struct querylog *log;
	_Atomic unsigned beats = 0;
	struct querylog_queue *q;
	assert_int_equal(querylog_queue_open(&q, 1), 0);
	assert_int_equal(querylog_open(&log, &(struct querylog_settings){.box = "b"}), 0);
	const struct querylog_sink sink = {
		.name = "s", .take = put, .beat = on_beat, .arg = &beats};
	for (unsigned i = 0; i < QUERYLOG_SINKS_MAX; i++)
		assert_int_equal(querylog_add(log, &sink), 0);
	assert_int_equal(querylog_add(log, &sink), -ENOSPC);
	assert_int_equal(querylog_start(log), 0);
	for (unsigned i = 0; i < 10000 && !atomic_load(&beats); i++)
		assert_null(querylog_queue_take(q, 1, NULL));
	querylog_stop(log);
	assert_true(atomic_load(&beats) >= 1);
	querylog_close(log);
	querylog_queue_free(q);
}

// Of the authors' reference: key 00..0f, message 00..0f is the 17th vector.
TEST(test_siphash)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t message[16];
	for (unsigned i = 0; i < 16; i++)
		message[i] = (uint8_t)i;
	assert_true(querylog_siphash(key, message) == UINT64_C(0x3f2acc7f57c29bdb));
}

TEST(test_salt_is_drawn_anew_each_day)
{
	enum { DAY_MS = 24 * 3600 * 1000 };
	struct querylog_hide h = {0};
	assert_int_equal(querylog_hide_beat(&h, 1000), 0);
	uint64_t first = h.key[0];
	assert_int_equal(querylog_hide_beat(&h, 1000 + DAY_MS - 1), 0);
	assert_true(h.key[0] == first);
	assert_int_equal(querylog_hide_beat(&h, 1000 + DAY_MS), 0);
	assert_true(h.key[0] != first);
}
