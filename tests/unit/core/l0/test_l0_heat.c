// SPDX-License-Identifier: BSD-3-Clause
// Hits in marks become a record's heat, which outlives its replacements and the workers.
#include "l0_check.h"

#include <weir/shm_abi.h>

enum { KEEP = 192, HOUR_MS = 3600000 }; // a window of 1 min, a sweep each 15 s

struct met {
	unsigned count;
	struct l0_swept last;
};

static void on_met(void *arg, const struct l0_swept *s)
{
	struct met *m = arg;
	m->count++;
	m->last = *s;
}

static struct met sweep(struct box *b, uint64_t now_ms, uint32_t heat_min)
{
	struct met m = {0};
	const struct l0_sweep s = {.now_ms = now_ms,
		.keep_256 = KEEP,
		.weigh_256 = 256,
		.heat_min = heat_min,
		.met = on_met,
		.arg = &m};
	while (!l0_writer_sweep(b->w, &s, 33))
		;
	return m;
}

static void hit(struct box *b, uint32_t id, unsigned hits)
{
	((_Atomic uint8_t *)b->marks)[record_of(b, id)] += (uint8_t)(hits * MARK_HIT);
}

static void must_put(struct box *b, uint32_t id, uint64_t now_ms)
{
	assert_int_equal(box_put(b, id, 1, 60, now_ms, HOUR_MS), 0);
}

TEST(test_steady_state_is_hits_a_window)
{
	struct box *b = box_new(1 << 20, 2);
	(void)box_marks(b, 1);
	must_put(b, 7, 1000);
	must_put(b, 8, 1000);
	for (unsigned i = 0; i < 40; i++) {
		hit(b, 7, 5);
		struct met m = sweep(b, 1000, 1);
		assert_int_equal(m.count, 1);
		assert_int_equal(m.last.hits, 5);
	}
	assert_in_range(heat_of(b, 7), 20 * L0_HEAT_ONE - 4, 20 * L0_HEAT_ONE);
	assert_int_equal(heat_of(b, 8), 0);
	assert_int_equal(b->marks[record_of(b, 7)], 0); // taken
	uint32_t before = heat_of(b, 7);
	hit(b, 7, 40); // not swept yet, and told all the same
	assert_in_range(heat_of(b, 7), before * 3 / 4 + 39 * L0_HEAT_ONE, UINT32_MAX);
	(void)sweep(b, 1000, 1);
	for (unsigned i = 0; i < 30; i++)
		(void)sweep(b, 1000, 1);
	assert_int_equal(heat_of(b, 7), 0);
}

TEST(test_half_a_hit_a_sweep_adds_up)
{
	uint64_t sum = 0;
	struct box *b = box_new(1 << 20, 2);
	(void)box_marks(b, 0);
	must_put(b, 7, 1000);
	for (unsigned i = 0; i < 100; i++) {
		hit(b, 7, i & 1);
		(void)sweep(b, 1000, 1);
		sum += i < 60 ? 0 : heat_of(b, 7);
	}
	assert_in_range(sum / 40, 2 * L0_HEAT_ONE - 3, 2 * L0_HEAT_ONE); // 2 a minute
}

TEST(test_heat_outlives_replacement_and_not_deletion)
{
	struct box_name n;
	struct l0_writer_stats s;
	struct box *b = box_new(1 << 20, 2);
	(void)box_marks(b, 0);
	must_put(b, 7, 1000);
	hit(b, 7, 60);
	(void)sweep(b, 1000, 1);
	hit(b, 7, 3);
	uint32_t before = heat_of(b, 7), old = record_of(b, 7);
	must_put(b, 7, 2000);
	assert_int_not_equal(record_of(b, 7), old);
	assert_int_equal(b->marks[old], 0);
	assert_int_equal(heat_of(b, 7), before);
	const struct l0_key key = box_key(l0_writer_reader(b->w), 7, &n);
	assert_int_equal(l0_writer_restamp(b->w, &key, 9), 0);
	assert_int_equal(heat_of(b, 7), before);
	struct met m = sweep(b, 1000, 1);
	assert_int_equal(m.last.hits, 3); // those of the first life, counted once
	assert_int_equal(m.last.heat, 60 * L0_HEAT_ONE * 3 / 4 + 3 * L0_HEAT_ONE);
	assert_true(l0_writer_delete(b->w, &key));
	must_put(b, 7, 3000);
	assert_int_equal(heat_of(b, 7), 0);
	hit(b, 7, 9);
	(void)sweep(b, 3000 + HOUR_MS, 1); // past hard expiry
	must_put(b, 7, 3000 + HOUR_MS);
	assert_int_equal(heat_of(b, 7), 0);
	l0_writer_stats(b->w, &s);
	assert_int_equal(s.expired_swept, 1);
}

TEST(test_hits_without_a_mark_count)
{
	static struct box_put p;
	struct box_name n;
	struct box *b = box_new(1 << 20, 2);
	box_put_fill(l0_writer_reader(b->w), &p, 7, 1, 60, 1000, HOUR_MS);
	p.put.hits = 3;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	assert_int_equal(heat_of(b, 7), 3 * L0_HEAT_ONE);
	const struct l0_key key = box_key(l0_writer_reader(b->w), 7, &n);
	l0_writer_heat_add(b->w, &key, 2);
	assert_int_equal(heat_of(b, 7), 5 * L0_HEAT_ONE);
	l0_writer_heat_add(b->w, &key, 100000); // saturates
	assert_int_equal(heat_of(b, 7), UINT8_MAX * L0_HEAT_ONE);
	for (unsigned i = 0; i < 100; i++) {
		l0_writer_heat_add(b->w, &key, UINT16_MAX);
		(void)sweep(b, 1000, 1);
	}
	assert_in_range(heat_of(b, 7), 4 * UINT8_MAX * L0_HEAT_ONE - 16, UINT16_MAX);
}

// A worker ends: what a round has gathered of its hits stays, the later ones go with its marks.
TEST(test_gathered_hits_outlive_their_worker)
{
	struct box *b = box_new(1 << 20, 2);
	(void)box_marks(b, 2);
	must_put(b, 7, 1000);
	hit(b, 7, 11);
	assert_int_equal(sweep(b, 1000, 1).last.hits, 11);
	const uint32_t heat = heat_of(b, 7);
	assert_true(heat > 0);
	hit(b, 7, 5);
	l0_writer_end_marks(b->w, 2);
	l0_writer_forget_marks(b->w, 2);
	assert_int_equal(heat_of(b, 7), heat);
	assert_int_equal(sweep(b, 1000, 1).last.hits, 0);
}

TEST(test_saved_misses)
{
	static struct box_put p;
	struct l0_writer_stats s;
	struct box *b = box_new(1 << 20, 2);
	(void)box_marks(b, 0);
	for (uint32_t id = 7; id < 9; id++) {
		must_put(b, id, 1000);
		hit(b, id, 1);
		box_put_fill(l0_writer_reader(b->w), &p, id, 2, 60, 2000, HOUR_MS);
		p.put.renews = true;
		assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	}
	(void)sweep(b, 2000, 1);
	l0_writer_stats(b->w, &s);
	assert_int_equal(s.renewed, 2);
	assert_int_equal(s.renewed_used, 0); // the hits were the first life's
	hit(b, 7, 2);
	(void)sweep(b, 2000, 1);
	hit(b, 7, 2);
	hit(b, 8, 2);
	must_put(b, 8, 3000); // taken by the replacement
	(void)sweep(b, 2000, 1);
	l0_writer_stats(b->w, &s);
	assert_int_equal(s.renewed_used, 2);
}

// A request for a record past soft expiry that came to nothing can be made again.
TEST(test_sweep_clears_requests_for_expired_records)
{
	struct box *b = box_new(1 << 20, 2);
	(void)box_marks(b, 0);
	must_put(b, 7, 1000);
	for (unsigned round = 0; round < 2; round++) // they forget what was requested before
		(void)sweep(b, 1000, 1);
	b->marks[record_of(b, 7)] = MARK_REFRESH | MARK_VISITED;
	(void)sweep(b, 1000 + HOUR_MS / 2 - 1, 1);
	assert_int_equal(b->marks[record_of(b, 7)], MARK_REFRESH | MARK_VISITED);
	(void)sweep(b, 1000 + HOUR_MS / 2, 1);
	assert_int_equal(b->marks[record_of(b, 7)], MARK_VISITED);
}
