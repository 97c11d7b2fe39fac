// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/core/l0/l0_state.h"
#include "l0_check.h"

static void fill(struct box *b, uint32_t n, uint64_t *seed)
{
	for (uint32_t id = 0; id < n; id++)
		(void)box_put(b, id, id, (uint16_t)(BOX_ANSWER_MIN + rnd_below(seed, 300)), 1000,
			id % 10 ? 1 << 20 : 500);
}

TEST(test_warm_restart)
{
	uint64_t seed = 1;
	enum { N = 3000 };
	struct box *b = box_new(2 << 20, 6);
	fill(b, N, &seed);
	uint64_t before = stats_of(b).entries, used = stats_of(b).units_used;
	assert_int_equal(before, N);
	b->seen[1] = b->epoch; // a worker that reads on meanwhile
	assert_true(box_reopen(b, 1400));
	assert_int_equal(stats_of(b).recovered, N);
	assert_int_equal(stats_of(b).discarded, 0);
	assert_int_equal(stats_of(b).units_used, used);
	audit(b);
	// Nothing is reused before the worker has passed a quiescent state, ...
	assert_int_equal(box_put(b, N, 1, 40, 1400, 1 << 20), -ENOSPC);
	l0_writer_reclaim(b->w);
	assert_int_equal(box_put(b, N, 1, 40, 1400, 1 << 20), -ENOSPC);
	// ... and then everything is.
	b->seen[1] = b->epoch;
	l0_writer_reclaim(b->w);
	assert_int_equal(stats_of(b).units_retired, 0);
	assert_int_equal(box_put(b, N, 1, 40, 1400, 1 << 20), 0);
	audit(b);
	// A tenth has expired by now; what remains is whole.
	assert_true(box_reopen(b, 2000));
	assert_int_equal(stats_of(b).recovered, N + 1 - N / 10);
	assert_int_equal(stats_of(b).discarded, N / 10);
	for (uint32_t id = 0; id < N; id++) {
		struct l0_view v;
		uint32_t number, serial = 0;
		assert_int_equal(box_get(l0_writer_reader(b->w), id, &v, &number), id % 10 != 0);
		if (id % 10)
			assert_true(box_is_answer(&v, id, &serial) && serial == id);
	}
	audit(b);
}

// Of an answer without a table of TTL offsets.
TEST(test_even_answers_are_whole_again)
{
	enum { LEN = 48, RECORDS = 3 };
	static const uint16_t off[RECORDS] = {6, 22, 38};
	struct box *b = box_new(1 << 20, 2);
	static struct box_put p;
	struct l0_view v;
	box_put_fill(l0_writer_reader(b->w), &p, 1, 1, LEN, 1000, 1 << 20);
	p.put.answer.ttl_off = off;
	p.put.answer.ttl_count = p.put.answer.ancount = RECORDS;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	assert_true(box_reopen(b, 1100));
	assert_int_equal(stats_of(b).recovered, 1);
	(void)box_find(b, 1, &v);
	assert_int_equal(v.answer.ttl_step, 16);
	assert_memory_equal(v.answer.bytes, p.bytes, LEN);
}

static struct l0_bucket *buckets_of(const struct box *b, uint64_t *count)
{
	const struct region_header *head = (const struct region_header *)(const void *)b->base;
	*count = head->geometry[0];
	return (struct l0_bucket *)(void *)(b->base + head->geometry[2]);
}

static uint8_t *units_of(const struct box *b)
{
	return b->base + ((const struct region_header *)(const void *)b->base)->geometry[3];
}

// What a death between any two stores of the writer can leave: a tag of 0 before its record is
// replaced, a new record number without its tag, wrong overflow counts, records that no slot names.
TEST(test_death_between_stores)
{
	uint64_t seed = 2, count;
	struct box *b = box_new(1 << 20, 4);
	fill(b, 3500, &seed);
	struct l0_bucket *buckets = buckets_of(b, &count);
	uint64_t cut = 0, before = stats_of(b).entries;
	for (uint64_t i = 0; i < count; i++) {
		unsigned slot = rnd_below(&seed, L0_BUCKET_SLOTS);
		if (i % 3 == 0) {
			cut += buckets[i].tag[slot] != 0;
			buckets[i].tag[slot] = 0;
			buckets[i].record[slot] = (uint32_t)rnd(&seed);
		}
		buckets[i].overflow += i % 4;
	}
	assert_true(cut > 50);
	assert_true(box_reopen(b, 1100));
	assert_int_equal(stats_of(b).recovered, before - cut);
	assert_int_equal(stats_of(b).discarded, 0);
	audit(b);
}

TEST(test_two_slots_of_one_record)
{
	struct box *b = box_new(1 << 20, 2);
	assert_int_equal(box_put(b, 1, 1, 40, 1000, 1 << 20), 0);
	uint64_t count;
	struct l0_bucket *buckets = buckets_of(b, &count);
	for (uint64_t i = 0; i < count; i++) {
		if (buckets[i].tag[0]) {
			buckets[i].tag[7] = buckets[i].tag[0];
			buckets[i].record[7] = buckets[i].record[0];
		}
	}
	assert_true(box_reopen(b, 1100));
	assert_int_equal(stats_of(b).recovered, 1);
	assert_int_equal(stats_of(b).discarded, 1);
	audit(b);
}

TEST(test_record_from_the_future)
{
	struct box *b = box_new(1 << 20, 2);
	assert_int_equal(box_put(b, 1, 1, 40, 10000, 1 << 20), 0);
	assert_int_equal(box_put(b, 2, 1, 40, 1500, 1 << 20), 0);
	assert_int_equal(box_put(b, 3, 1, 40, 2000, 1 << 20), 0); // a second ahead
	assert_int_equal(box_put(b, 4, 1, 40, 2001, 1 << 20), 0);
	assert_true(box_reopen(b, 1000));
	assert_int_equal(stats_of(b).recovered, 2);
	assert_int_equal(stats_of(b).discarded, 2);
}

// One bit at a time in index and records. The fields of a record that nothing else in it confirms
// (times, counts, rcode) may change; lengths, key, TTL offsets and answer may not.
TEST(test_scribbled_table)
{
	uint64_t seed = 3, discarded = 0;
	struct box *b = box_new(1 << 20, 4);
	uint64_t units = l0_writer_reader(b->w)->unit_count, count;
	(void)buckets_of(b, &count);
	for (int round = 0; round < 50; round++) {
		fill(b, 2500, &seed);
		for (int flip = 0; flip < 200; flip++) {
			uint8_t *at = flip % 2 ? units_of(b) : (uint8_t *)buckets_of(b, &count);
			uint64_t bytes = flip % 2 ? units * L0_UNIT : count * CACHE_LINE;
			at[rnd(&seed) % bytes] ^= (uint8_t)(1u << rnd_below(&seed, 8));
		}
		assert_true(box_reopen(b, 1100));
		discarded += stats_of(b).discarded;
		audit(b);
		for (uint32_t id = 0; id < 2500; id++) {
			struct l0_view v;
			uint32_t number, serial = 0;
			if (box_get(l0_writer_reader(b->w), id, &v, &number)) {
				assert_true(box_is_answer(&v, id, &serial));
				assert_int_equal(serial, id);
			}
		}
		l0_writer_reclaim(b->w);
	}
	assert_true(discarded > 1000);
}

// Not bits but all of it.
TEST(test_random_table)
{
	struct box *b = box_new(1 << 20, 4);
	uint64_t seed = 4;
	for (int round = 0; round < 20; round++) {
		fill(b, 2500, &seed);
		size_t from = 2 * SHM_PAGE + rnd(&seed) % (b->size - 2 * SHM_PAGE);
		size_t len = rnd(&seed) % (b->size - from);
		for (size_t i = 0; i < len; i++)
			b->base[from + i] = (uint8_t)rnd(&seed);
		assert_true(box_reopen(b, 1100));
		audit(b);
		l0_writer_reclaim(b->w);
		audit(b);
	}
}

TEST(test_other_geometry_is_refused)
{
	struct box b;
	struct l0_writer *w = NULL;
	assert_true(box_map(&b, 1 << 20, 2));
	uint64_t *g = ((struct region_header *)(void *)b.base)->geometry;
	g[0] *= 2;
	assert_int_equal(l0_writer_open(&w, b.base, b.size, 0, false, &b.ew, 0), -EPROTO);
	g[0] /= 2;
	g[1] = 100; // sound, but too small to work with
	assert_int_equal(l0_writer_open(&w, b.base, b.size, 0, false, &b.ew, 0), -EPROTO);
	assert_null(w);
	box_close(&b);
}

// TTLs that overlap, in a record whose check says that nobody damaged it.
TEST(test_overlapping_ttls)
{
	enum { FIRST = 8, LEN = 41 };
	for (uint16_t second = FIRST + 3; second <= FIRST + 4; second++) {
		struct box b;
		struct l0_view v;
		uint32_t number;
		assert_true(box_open(&b, 1 << 20, 2));
		assert_int_equal(box_put(&b, 1, 1, LEN, 1000, 1 << 20), 0);
		assert_true(box_get(l0_writer_reader(b.w), 1, &v, &number));
		assert_int_equal(v.answer.ttl_off[0], FIRST);
		struct l0_record *p =
			(struct l0_record *)(void *)(units_of(&b) + (size_t)number * L0_UNIT);
		uint8_t *at = (uint8_t *)p + ((const uint8_t *)v.answer.ttl_off - (uint8_t *)p);
		memcpy(at + sizeof(second), &second, sizeof(second));
		p->check = l0_check_of(p);
		assert_true(box_reopen(&b, 1100));
		assert_int_equal(stats_of(&b).recovered, second == FIRST + 4);
		assert_int_equal(stats_of(&b).discarded, second != FIRST + 4);
		box_close(&b);
	}
}
