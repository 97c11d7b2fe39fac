// SPDX-License-Identifier: BSD-3-Clause
// Hits on their way from workers' marks into heat: each counts once and for its own record,
// whatever happens between the gathering of a round and its walk.
#include "l0_check.h"

#include <weir/shm_abi.h>

enum { WORKERS = 3, IDS = 64, NOW_MS = 1000, HARD_MS = 3600000, STEP_BUCKETS = 33, ROOM = 1 << 20 };

struct crowd {
	struct box b;
	uint64_t seed;
	_Atomic uint8_t *marks[WORKERS];
	uint32_t made[IDS], met[IDS]; // hits
};

static void crowd_end(void *crowd)
{
	struct crowd *c = crowd;
	box_close(&c->b);
	for (unsigned i = 0; i < WORKERS; i++)
		free((void *)(uintptr_t)c->marks[i]);
	free(c);
}

// Until the end of the case.
static struct crowd *crowd_new(void)
{
	struct crowd *c = calloc(1, sizeof(*c));
	assert_non_null(c);
	unit_at_end(crowd_end, c);
	c->seed = 7;
	assert_true(box_open(&c->b, ROOM, 2));
	for (unsigned i = 0; i < WORKERS; i++) {
		c->marks[i] = calloc(l0_writer_reader(c->b.w)->unit_count, 1);
		assert_non_null(c->marks[i]);
		l0_writer_set_marks(c->b.w, i, c->marks[i]);
	}
	return c;
}

static uint32_t place_of(const struct crowd *c, uint32_t id)
{
	struct l0_view v;
	uint32_t number;
	return box_get(l0_writer_reader(c->b.w), id, &v, &number) ? number : L0_NONE;
}

static void hit(struct crowd *c, unsigned worker, uint32_t id, unsigned hits)
{
	const uint32_t number = place_of(c, id);
	if (number == L0_NONE || c->marks[worker][number] / MARK_HIT + hits > MARK_HITS_MAX)
		return;
	c->marks[worker][number] += (uint8_t)(hits * MARK_HIT);
	c->made[id] += hits;
}

static void on_met(void *arg, const struct l0_swept *s)
{
	struct crowd *c = arg;
	struct l0_view v;
	uint32_t id;
	assert_true(l0_record_read(l0_writer_reader(c->b.w), s->record, &v));
	memcpy(&id, v.answer.bytes, sizeof(id));
	assert_true(id < IDS);
	c->met[id] += s->hits;
}

// True: that was the last step of a round.
static bool sweep_step(struct crowd *c)
{
	const struct l0_sweep s = {
		.now_ms = NOW_MS, .keep_256 = 0, .weigh_256 = 256, .met = on_met, .arg = c};
	return l0_writer_sweep(c->b.w, &s, STEP_BUCKETS);
}

static void sweep(struct crowd *c)
{
	while (!sweep_step(c))
		;
}

static void gather(struct crowd *c, uint32_t number)
{
	while (c->marks[0][number] & MARK_HITS)
		assert_false(sweep_step(c));
}

static void must_put(struct crowd *c, uint32_t id)
{
	assert_int_equal(box_put(&c->b, id, 1, 60, NOW_MS, HARD_MS), 0);
}

static bool drop(struct crowd *c, uint32_t id)
{
	struct box_name n;
	const struct l0_key key = box_key(l0_writer_reader(c->b.w), id, &n);
	return l0_writer_delete(c->b.w, &key);
}

TEST(test_a_gathered_hit_goes_with_its_record)
{
	struct crowd *c = crowd_new();
	must_put(c, 7);
	hit(c, 0, 7, 5);
	gather(c, place_of(c, 7));
	assert_int_equal(heat_of(&c->b, 7), 5 * L0_HEAT_ONE); // not folded yet
	hit(c, 0, 7, 2);
	must_put(c, 7); // elsewhere in the table
	assert_int_equal(heat_of(&c->b, 7), 7 * L0_HEAT_ONE);
	sweep(c);
	sweep(c);
	assert_int_equal(c->met[7], 7);
}

// The units of a deleted record are another's soon: what was gathered for the first is not its.
TEST(test_no_record_gets_the_hits_of_another)
{
	uint32_t id = 8;
	struct crowd *c = crowd_new();
	must_put(c, 9); // the place of the very first is not found again
	must_put(c, 7);
	const uint32_t number = place_of(c, 7);
	hit(c, 0, 7, 5);
	gather(c, number);
	assert_true(drop(c, 7));
	for (unsigned tries = 0; place_of(c, id) != number; tries++) {
		const uint16_t len = (uint16_t)(60 + rnd_below(&c->seed, 100)); // or it passes by
		assert_true(tries < 4 * ROOM / L0_UNIT);
		(void)drop(c, id);
		l0_writer_reclaim(c->b.w);
		assert_int_equal(box_put(&c->b, id, 1, len, NOW_MS, HARD_MS), 0);
	}
	assert_int_equal(heat_of(&c->b, id), 0);
	sweep(c);
	assert_int_equal(c->met[id], 0);
}

// More than one byte has room for.
TEST(test_the_hits_of_many_workers_add_up)
{
	struct crowd *c = crowd_new();
	must_put(c, 7);
	must_put(c, 8);
	for (unsigned i = 0; i < WORKERS; i++) {
		hit(c, i, 7, MARK_HITS_MAX);
		hit(c, i, 8, 1 + i);
	}
	sweep(c);
	assert_int_equal(c->met[7], WORKERS * MARK_HITS_MAX);
	assert_int_equal(c->met[8], 1 + 2 + 3);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(c->marks[i][place_of(c, 7)], 0);
	sweep(c);
	assert_int_equal(c->met[7], WORKERS * MARK_HITS_MAX);
}

// A successor copies the visits from there.
TEST(test_marks_of_an_ended_worker_are_not_changed)
{
	struct crowd *c = crowd_new();
	must_put(c, 7);
	c->marks[1][place_of(c, 7)] = MARK_VISITED | MARK_REFRESH | 3 * MARK_HIT;
	l0_writer_end_marks(c->b.w, 1);
	sweep(c);
	sweep(c);
	assert_int_equal(c->marks[1][place_of(c, 7)], MARK_VISITED | MARK_REFRESH | 3 * MARK_HIT);
	assert_int_equal(c->met[7], 0);
}

// Requests that were made before the marks were taken have nobody who serves them; later ones do.
TEST(test_requests_of_an_earlier_life_are_forgotten)
{
	struct crowd *c = crowd_new();
	sweep(c);
	sweep(c);
	must_put(c, 7);
	const uint32_t number = place_of(c, 7);
	c->marks[0][number] = c->marks[1][number] = MARK_VISITED | MARK_REFRESH;
	l0_writer_set_marks(c->b.w, 1, c->marks[1]);
	sweep(c);
	assert_int_equal(c->marks[0][number], MARK_VISITED | MARK_REFRESH);
	assert_int_equal(c->marks[1][number], MARK_VISITED);
	sweep(c);
	c->marks[1][number] |= MARK_REFRESH;
	sweep(c);
	assert_int_equal(c->marks[1][number], MARK_VISITED | MARK_REFRESH);
}

// A worker ends whose hits are gathered, and its successor begins without any.
static void succeed(struct crowd *c, unsigned worker)
{
	sweep(c); // ends the round under way
	sweep(c);
	l0_writer_end_marks(c->b.w, worker);
	memset((void *)(uintptr_t)c->marks[worker], 0, l0_writer_reader(c->b.w)->unit_count);
	l0_writer_set_marks(c->b.w, worker, c->marks[worker]);
}

static void random_step(struct crowd *c)
{
	const uint32_t id = rnd_below(&c->seed, IDS), what = rnd_below(&c->seed, 100);
	const unsigned worker = rnd_below(&c->seed, WORKERS);
	struct box_name n;
	const struct l0_key key = box_key(l0_writer_reader(c->b.w), id, &n);
	if (what < 40) {
		hit(c, worker, id, 1 + rnd_below(&c->seed, 4));
	} else if (what < 60) {
		must_put(c, id);
	} else if (what < 65) {
		if (l0_writer_delete(c->b.w, &key))
			c->met[id] = c->made[id] = 0;
	} else if (what < 70) {
		int rc = l0_writer_restamp(c->b.w, &key, 5);
		assert_true(rc == 0 || rc == -ENOENT);
	} else if (what < 71) {
		succeed(c, worker);
	} else {
		(void)sweep_step(c);
	}
	l0_writer_reclaim(c->b.w);
}

TEST(test_each_hit_counts_once)
{
	uint64_t all = 0;
	struct crowd *c = crowd_new();
	for (unsigned i = 0; i < 200000; i++) {
		random_step(c);
		if (i % 1000)
			continue;
		sweep(c); // ends the round under way
		sweep(c);
		for (uint32_t id = 0; id < IDS; id++) {
			assert_int_equal(c->met[id], c->made[id]);
			all += c->made[id];
		}
	}
	assert_true(all > 100000);
}

// Shares begin at any unit, so words of marks lie across their ends.
TEST(test_hits_of_each_share)
{
	enum { WRITERS = 3, N = 3000 };
	struct l0_writer_stats s;
	struct box *b = box_new_for(2 << 20, 3, WRITERS);
	_Atomic uint8_t *marks = box_marks(b, 0);
	for (uint32_t id = 0; id < N; id++)
		assert_int_equal(box_put(b, id, 1, 40, NOW_MS, HARD_MS), 0);
	memset(b->marks, MARK_HIT, l0_writer_reader(b->w)->unit_count);
	for (unsigned i = 0; i < WRITERS; i++) {
		const struct l0_share *own = l0_writer_share(b->all[i]);
		const struct l0_sweep how = {.now_ms = NOW_MS, .weigh_256 = 256};
		if (i > 0) // not the one's before
			assert_int_equal(marks[own->unit_first], MARK_HIT);
		while (!l0_writer_sweep(b->all[i], &how, STEP_BUCKETS))
			;
		l0_writer_stats(b->all[i], &s);
		assert_true(s.entries > N / WRITERS / 2);
	}
	for (uint32_t id = 0; id < N; id++) {
		assert_int_equal(heat_of(b, id), L0_HEAT_ONE);
		assert_int_equal(marks[record_of(b, id)], 0);
	}
}

// A full share, so that a record lies at its end: the requests of the next one stay.
TEST(test_requests_of_the_next_share)
{
	enum { WRITERS = 3, MANY = 30000 };
	const struct l0_sweep how = {.now_ms = NOW_MS, .weigh_256 = 256};
	struct box *b = box_new_for(2 << 20, 3, WRITERS);
	_Atomic uint8_t *marks = box_marks(b, 0);
	for (uint32_t id = 0; id < MANY; id++) {
		(void)box_put(b, id, 1, 40, NOW_MS, HARD_MS);
		for (unsigned i = 0; i < WRITERS; i++)
			l0_writer_reclaim(b->all[i]);
	}
	memset(b->marks, MARK_REFRESH, l0_writer_reader(b->w)->unit_count);
	for (unsigned i = 0; i + 1 < WRITERS; i++) {
		while (!l0_writer_sweep(b->all[i], &how, STEP_BUCKETS))
			;
		assert_int_equal(marks[l0_writer_share(b->all[i])->unit_first + 1], 0);
		assert_int_equal(marks[l0_writer_share(b->all[i + 1])->unit_first], MARK_REFRESH);
	}
}
