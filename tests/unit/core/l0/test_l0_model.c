// SPDX-License-Identifier: BSD-3-Clause

#include "l0_check.h"

#include <math.h>

// Long seeded runs of one writer, or of several on one table, against what a simple map says.

enum { IDS = 8000, HELD = 4 };

struct model {
	struct box b;
	uint64_t seed, now_ms;
	uint64_t evicted; // by the writer's own account, when last compared
	struct {
		bool present;
		uint32_t serial, hard_ms;
		uint64_t created_ms, mask; // mask: the number that it was made of; 0: none
		uint16_t len;
	} id[IDS];
	// What a slow worker still reads.
	struct {
		uint32_t id;
		struct l0_view view;
	} held[HELD];
	unsigned held_count;
};

static void model_put(struct model *m, uint32_t serial)
{
	uint32_t id = rnd_below(&m->seed, IDS);
	uint16_t len = (uint16_t)(BOX_ANSWER_MIN + rnd_below(&m->seed, 200));
	if (rnd_below(&m->seed, 50) == 0)
		len = (uint16_t)(BOX_ANSWER_MIN + rnd_below(&m->seed, 8000));
	uint32_t hard = 1 + rnd_below(&m->seed, 20000);
	int rc = box_put(&m->b, id, serial, len, m->now_ms, hard);
	if (rc != 0) { // then the old record, if any, has stayed
		assert_int_equal(rc, -ENOSPC);
		return;
	}
	m->id[id].present = true;
	m->id[id].serial = serial;
	m->id[id].hard_ms = hard;
	m->id[id].len = len;
	m->id[id].created_ms = m->now_ms;
	m->id[id].mask = id % 8 == 5 ? serial : 0;
}

static void model_set_mask(struct model *m)
{
	uint32_t id = rnd_below(&m->seed, IDS), n = rnd_below(&m->seed, 3);
	int rc = box_set_mask(&m->b, id, n);
	if (rc == 0) {
		assert_true(m->id[id].present);
		m->id[id].mask = n;
		return;
	}
	// Evicted, before or to make room; or dropped, as nothing was free for the new one.
	assert_true(rc == -ENOENT || rc == -ENOSPC);
	if (rc == -ENOENT)
		m->evicted -= m->id[id].present;
	m->id[id].present = false;
}

static void model_delete(struct model *m)
{
	uint32_t id = rnd_below(&m->seed, IDS);
	struct box_name n;
	struct l0_key key = box_key(l0_writer_reader(m->b.w), id, &n);
	// It may have been evicted; never may it be there without the model's knowing.
	bool was = l0_writer_delete(box_writer(&m->b, key.hash), &key);
	if (was)
		assert_true(m->id[id].present);
	else
		m->evicted -= m->id[id].present;
	m->id[id].present = false;
}

static void model_flush(struct model *m)
{
	struct box_name n;
	uint32_t rest = rnd_below(&m->seed, 16);
	struct dns_name name = {.len = (uint8_t)(box_name_of(rest, &n) - 9)};
	memcpy(name.wire, n.wire + 9, name.len);
	for (unsigned i = 0; i < m->b.writers; i++) {
		uint64_t cursor = 0;
		do
			(void)l0_writer_flush(m->b.all[i], &name, true, &cursor, 50);
		while (cursor);
	}
	for (uint32_t id = rest; id < IDS; id += 16)
		m->id[id].present = false;
}

static bool gone(const struct model *m, uint32_t id)
{
	return m->now_ms - m->id[id].created_ms >= m->id[id].hard_ms;
}

static void model_sweep(struct model *m)
{
	const struct l0_sweep sweep = {.now_ms = m->now_ms, .keep_256 = 256};
	for (unsigned i = 0; i < m->b.writers; i++)
		while (!l0_writer_sweep(m->b.all[i], &sweep, 33))
			;
	for (uint32_t id = 0; id < IDS; id++)
		m->id[id].present = m->id[id].present && !gone(m, id);
}

// The worker takes hold of some records, or passes a quiescent state: until then they must not
// have changed by a byte.
static void model_worker(struct model *m)
{
	if (m->held_count == HELD) {
		for (unsigned i = 0; i < HELD; i++) {
			uint32_t serial;
			assert_true(box_is_answer(&m->held[i].view, m->held[i].id, &serial));
		}
		m->held_count = 0;
		m->b.seen[0] = m->b.epoch;
	}
	uint32_t number, id = rnd_below(&m->seed, IDS);
	struct l0_view *v = &m->held[m->held_count].view;
	if (box_get(l0_writer_reader(m->b.w), id, v, &number))
		m->held[m->held_count++].id = id;
}

// Each record that is there is the newest one put, and what is missing was evicted, as counted.
static void model_compare(struct model *m, bool exact)
{
	struct l0_writer_stats s = stats_of(&m->b);
	uint64_t missing = 0, present = 0;
	for (uint32_t id = 0; id < IDS; id++) {
		struct l0_view v;
		uint32_t number, serial;
		if (!box_get(l0_writer_reader(m->b.w), id, &v, &number)) {
			missing += m->id[id].present;
			m->id[id].present = false;
			continue;
		}
		assert_true(m->id[id].present);
		assert_true(box_is_answer(&v, id, &serial));
		assert_int_equal(serial, m->id[id].serial);
		assert_int_equal(v.answer.len, m->id[id].len);
		assert_int_equal(v.hard_ms, m->id[id].hard_ms);
		assert_int_equal(v.masked, m->id[id].mask != 0);
		if (v.masked)
			assert_int_equal(v.mask.lists[1], m->id[id].mask);
		present++;
	}
	assert_int_equal(present, s.entries);
	if (exact)
		assert_int_equal(missing, s.evicted_space + s.evicted_bucket - m->evicted);
	m->evicted = s.evicted_space + s.evicted_bucket;
}

static void reclaim(const struct box *b)
{
	for (unsigned i = 0; i < b->writers; i++)
		l0_writer_reclaim(b->all[i]);
}

static void run_model(
	uint64_t seed, uint64_t bytes, unsigned mean, unsigned writers, uint64_t steps)
{
	static struct model m;
	memset(&m, 0, sizeof(m));
	m.seed = seed;
	m.now_ms = 1000;
	assert_true(box_open_for(&m.b, bytes, mean, writers));
	m.b.seen[0] = m.b.epoch;
	for (uint64_t i = 1; i <= steps; i++) {
		uint32_t what = rnd_below(&m.seed, 10000);
		if (what < 7000)
			model_put(&m, (uint32_t)i);
		else if (what < 8000)
			model_delete(&m);
		else if (what < 8100)
			model_set_mask(&m);
		else if (what < 8998)
			model_worker(&m);
		else if (what < 9995)
			reclaim(&m.b);
		else if (what < 9997)
			model_flush(&m);
		else
			model_sweep(&m);
		m.now_ms += rnd_below(&m.seed, 3);
		if (i % 5000 == 0) {
			audit(&m.b);
			// A put, flush or sweep of what was evicted before hides that eviction.
			model_compare(&m, false);
		}
	}
	box_close(&m.b);
}

TEST(test_against_the_model)
{
	run_model(1, 1 << 20, 2, 1, 100000); // tight, many evictions
	run_model(2, 4 << 20, 4, 1, 100000); // roomy
}

TEST(test_several_writers_against_the_model)
{
	run_model(3, 1 << 20, 2, 2, 50000);
	run_model(4, 2 << 20, 4, 3, 50000);
	run_model(5, 1 << 20, 2, 8, 50000);
}

// Only fresh keys and no deletions: then evictions must account for each missing record.
TEST(test_evictions_are_all_counted)
{
	static struct model m;
	memset(&m, 0, sizeof(m));
	assert_true(box_open(&m.b, 1 << 20, 4));
	for (uint32_t id = 0; id < IDS; id++) {
		if (box_put(&m.b, id, 7, (uint16_t)(100 + id % 100), 5, 1 << 20) == 0) {
			m.id[id].present = true;
			m.id[id].serial = 7;
			m.id[id].hard_ms = 1 << 20;
			m.id[id].mask = id % 8 == 5 ? 7 : 0;
			m.id[id].len = (uint16_t)(100 + id % 100);
		}
		l0_writer_reclaim(m.b.w);
	}
	model_compare(&m, true);
	assert_true(m.evicted > 1000);
	audit(&m.b);
	box_close(&m.b);
}

// Every size at full load, with survivors all over the table and a worker that lags. No size may be
// refused for good: a refused put is tried again a while later, as a client would, and the tries
// it takes stay few.
struct churn {
	struct box b;
	uint64_t seed, refused, dropped;
	unsigned worst, waiting;
	struct {
		uint32_t id;
		uint16_t len;
		unsigned tries;
	} retry[64];
};

// 1 to 260 units and more, small ones far more often; every fourth phase only small ones.
static uint16_t churn_len(struct churn *c, uint32_t i)
{
	if (i / 20000 % 4 == 3)
		return 40;
	if (rnd_below(&c->seed, 100) == 0)
		return (uint16_t)(8000 + rnd_below(&c->seed, 8300));
	return (uint16_t)exp2(4 + rnd_below(&c->seed, 1 << 20) * (10.0 / (1 << 20)));
}

static void churn_put(struct churn *c, uint32_t i)
{
	uint16_t len = churn_len(c, i);
	int rc = box_put(&c->b, i, 1, len, i, 1 << 30);
	if (rc == 0)
		return;
	assert_int_equal(rc, -ENOSPC);
	c->refused++;
	if (c->waiting == ARRAY_LEN(c->retry)) {
		c->dropped++;
		return;
	}
	c->retry[c->waiting].id = i;
	c->retry[c->waiting].len = len;
	c->retry[c->waiting++].tries = 1;
}

static void churn_retry(struct churn *c, uint32_t i)
{
	uint32_t at = rnd_below(&c->seed, ARRAY_LEN(c->retry));
	if (at >= c->waiting)
		return;
	if (box_put(&c->b, c->retry[at].id, 1, c->retry[at].len, i, 1 << 30) != 0) {
		c->retry[at].tries++;
		return;
	}
	if (c->retry[at].tries > c->worst)
		c->worst = c->retry[at].tries;
	c->retry[at] = c->retry[--c->waiting];
}

static void churn_mark(struct churn *c, _Atomic uint8_t *marks, uint32_t i)
{
	struct l0_view v;
	uint32_t number;
	if (box_get(l0_writer_reader(c->b.w), i - rnd_below(&c->seed, i < 20000 ? i + 1 : 20000),
		    &v, &number))
		marks[number] |= MARK_VISITED;
}

TEST(test_fragmentation)
{
	static struct churn c;
	assert_true(box_open(&c.b, 4 << 20, 30));
	_Atomic uint8_t *marks = box_marks(&c.b, 0);
	c.seed = 5;
	c.b.seen[0] = c.b.epoch;
	enum { PUTS = 500000 };
	for (uint32_t i = 0; i < PUTS; i++) {
		churn_put(&c, i);
		churn_retry(&c, i);
		churn_mark(&c, marks, i);
		l0_writer_reclaim(c.b.w);
		if (i % 10 == 0)
			c.b.seen[0] = c.b.epoch;
		if (i % 50000 == 0)
			audit(&c.b);
	}
	audit(&c.b);
	struct l0_writer_stats s;
	l0_writer_stats(c.b.w, &s);
	print_message("refused at first %.2f %%, most tries %u, %.0f %% used\n",
		100.0 * (double)c.refused / PUTS, c.worst,
		100.0 * (double)s.units_used / (double)s.units_total);
	assert_true(c.refused < PUTS / 20 && c.dropped == 0);
	assert_true(c.worst <= 32);
	assert_true(s.units_used > s.units_total * 85 / 100);
	box_close(&c.b);
}

// Hit ratio of a popular set: asked by Zipf's law, put on a miss, marked on a hit, with `flood`
// one-time names put between any two questions.
static double popular_hits(unsigned flood, bool mark)
{
	struct box *b = box_new(2 << 20, 4);
	const struct l0_reader *r = l0_writer_reader(b->w);
	_Atomic uint8_t *marks = box_marks(b, 1);
	enum { POPULAR = 1000, ASKED = 200000 };
	uint64_t seed = 11;
	uint32_t once = 1u << 24, hits = 0;
	for (uint32_t i = 0; i < ASKED; i++) {
		double u = (double)(1 + rnd_below(&seed, 1 << 24)) / (1 << 24);
		uint32_t id = (uint32_t)pow(POPULAR, u) - 1; // density as 1/rank
		struct l0_view v;
		uint32_t number;
		if (box_get(r, id, &v, &number)) {
			marks[number] |= mark ? MARK_VISITED : 0;
			hits += i >= ASKED / 2;
		} else {
			(void)box_put(b, id, 1, 40, i, 1 << 30);
		}
		for (unsigned k = 0; k < flood; k++)
			(void)box_put(b, once++, 1, 40, i, 1 << 30);
		l0_writer_reclaim(b->w);
	}
	audit(b);
	return 100.0 * hits / (ASKED / 2);
}

// The flood is twice the questions and 27 times the table. A queue without marks shows what the
// marks are worth.
TEST(test_flood_leaves_the_popular)
{
	double calm = popular_hits(0, true), flooded = popular_hits(2, true);
	double unmarked = popular_hits(2, false);
	print_message("popular set: %.2f %% hits alone, %.2f %% under flood, %.2f %% first in "
		      "first out\n",
		calm, flooded, unmarked);
	assert_true(calm > 99);
	assert_true(calm - flooded <= 2);
	assert_true(flooded - unmarked >= 3);
}
