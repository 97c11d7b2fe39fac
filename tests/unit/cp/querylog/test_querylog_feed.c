// SPDX-License-Identifier: BSD-3-Clause
// Sinks that do not take a batch: what they are owed comes with later rows, exactly, spread over
// them, for each sink by itself; what waits too long is counted as dropped.

#include "controlplane/querylog/querylog_state.h"
#include "querylog_rig.h"
#include "tests/unit/unit.h"

struct sink {
	_Atomic bool refuses;
	_Atomic uint64_t batches, rows, weight, share_most;
};

static bool fold(void *arg, const struct querylog_batch *b, uint64_t owed)
{
	struct sink *s = arg;
	if (s->refuses)
		return false;
	for (unsigned i = 0; i < b->count; i++) {
		uint64_t weight = querylog_weight(b, owed, i);
		s->weight += weight;
		if (weight - b->row[i].weight > s->share_most)
			s->share_most = weight - b->row[i].weight;
	}
	s->rows += b->count;
	s->batches++;
	return true;
}

static bool take(void *arg, const struct querylog_batch *b)
{
	return fold(arg, b, 0);
}

struct stage {
	struct querylog_rig rig;
	struct querylog *log;
	struct sink slow, fast, plain;
	uint64_t weight, rows; // fed
};

static struct stage s;

static int stage_open(void **)
{
	s = (struct stage){.weight = 0};
	querylog_rig_open(&s.rig, 11);
	assert_int_equal(querylog_open(&s.log, &(struct querylog_settings){.box = "b"}), 0);
	const struct querylog_sink sinks[] = {
		{.name = "slow", .fold = fold, .arg = &s.slow},
		{.name = "fast", .fold = fold, .arg = &s.fast},
		{.name = "plain", .take = take, .arg = &s.plain},
	};
	for (unsigned i = 0; i < ARRAY_LEN(sinks); i++)
		assert_int_equal(querylog_add(s.log, &sinks[i]), 0);
	return 0;
}

static int stage_close(void **)
{
	querylog_close(s.log);
	querylog_rig_close(&s.rig);
	return 0;
}

static uint64_t feed(unsigned rows)
{
	const struct querylog_batch *b = querylog_rig_batch(&s.rig, rows);
	uint64_t weight = b->weight;
	s.weight += weight;
	s.rows += rows;
	querylog_feed(s.log, b);
	querylog_release(b);
	return weight;
}

static struct querylog_sink_counts counts(unsigned i)
{
	struct querylog_sink_counts out[QUERYLOG_SINKS_MAX];
	assert_int_equal(querylog_sinks(s.log, out), 3);
	return out[i];
}

TEST_WITH(test_what_is_owed_goes_into_later_rows, stage_open, stage_close)
{
	uint64_t refused = 0;
	feed(40);
	s.slow.refuses = true;
	for (unsigned i = 0; i < 7; i++)
		refused += feed(100 + i);
	assert_true(counts(0).owed_weight == refused);
	assert_int_equal(counts(0).owed_rows, 721);
	s.slow.refuses = false;
	feed(50);
	assert_true(s.slow.weight == s.weight);
	assert_int_equal(s.slow.rows, 90);
	assert_true(s.slow.share_most == (refused + 49) / 50);
	struct querylog_sink_counts c = counts(0);
	assert_true(c.weight == s.weight && c.folded_weight == refused);
	assert_int_equal(c.rows, 90);
	assert_int_equal(c.folded_rows, 721);
	assert_int_equal(c.owed_rows + c.owed_weight + c.dropped_rows + c.dropped_weight, 0);
	feed(1); // owes no more
	assert_true(s.slow.weight == s.weight);
}

TEST_WITH(test_each_sink_for_itself, stage_open, stage_close)
{
	s.slow.refuses = s.plain.refuses = true;
	uint64_t refused = feed(30);
	s.plain.refuses = false;
	feed(30);
	assert_int_equal(s.fast.rows, 60);
	assert_true(s.fast.weight == s.weight);
	assert_int_equal(s.fast.share_most, 0);
	assert_int_equal(counts(0).owed_rows, 60);
	// One that keeps no weights loses them.
	assert_int_equal(counts(2).dropped_rows, 30);
	assert_true(counts(2).dropped_weight == refused);
	assert_true(s.plain.weight == s.weight - refused);
}

// No batch comes any more: a row that stands for what is owed, and for nothing else.
TEST_WITH(test_paid_without_a_batch, stage_open, stage_close)
{
	s.slow.refuses = true;
	feed(30);
	s.slow.refuses = false;
	uint64_t now_ms = clock_mono_ms();
	assert_false(querylog_sinks_settle(s.log, now_ms)); // one may be on its way
	assert_int_equal(s.slow.batches, 0);
	assert_true(querylog_sinks_settle(s.log, now_ms));
	assert_int_equal(s.slow.rows, 1);
	assert_true(s.slow.weight == s.weight);
	assert_int_equal(s.fast.batches, 1);
	struct querylog_sink_counts c = counts(0);
	assert_true(c.weight == s.weight && c.folded_weight == s.weight);
	assert_true(querylog_sinks_settle(s.log, now_ms));
	assert_int_equal(s.slow.batches, 1);
}

TEST_WITH(test_given_up_when_it_takes_too_long, stage_open, stage_close)
{
	s.slow.refuses = true;
	uint64_t before_ms = clock_mono_ms();
	feed(30);
	// A look that began before the debt did.
	assert_false(querylog_sinks_settle(s.log, before_ms - 1));
	assert_int_equal(counts(0).dropped_rows, 0);
	assert_false(querylog_sinks_settle(s.log, before_ms + QUERYLOG_OWED_MS - 1));
	feed(30); // also while batches go on coming
	assert_true(querylog_sinks_settle(s.log, clock_mono_ms() + QUERYLOG_OWED_MS));
	struct querylog_sink_counts c = counts(0);
	assert_true(c.dropped_weight == s.weight);
	assert_int_equal(c.dropped_rows, 60);
	assert_int_equal(c.owed_weight + c.owed_rows + c.weight, 0);
	s.slow.refuses = false;
	uint64_t last = feed(5);
	assert_true(s.slow.weight == last);
}

// A sink that takes one batch in some, and refuses when the log ends but for a moment.
TEST_WITH(test_paid_at_the_end, stage_open, stage_close)
{
	for (unsigned i = 0; i < 200; i++) {
		s.slow.refuses = i % 5 != 0;
		feed(1 + i % 60);
	}
	s.slow.refuses = false;
	assert_int_equal(querylog_start(s.log), 0);
	querylog_stop(s.log);
	assert_true(s.slow.weight == s.weight);
	assert_true(counts(0).weight == s.weight);
	assert_int_equal(counts(0).owed_weight, 0);
}

// One that takes nothing to the last: counted, and the end does not wait for it for ever.
TEST_WITH(test_given_up_at_the_end, stage_open, stage_close)
{
	s.slow.refuses = true;
	feed(30);
	assert_int_equal(querylog_start(s.log), 0);
	querylog_stop(s.log);
	struct querylog_sink_counts c = counts(0);
	assert_int_equal(s.slow.batches, 0);
	assert_int_equal(c.dropped_rows, 30);
	assert_true(c.dropped_weight == s.weight);
	assert_int_equal(c.owed_weight + c.owed_rows, 0);
}
