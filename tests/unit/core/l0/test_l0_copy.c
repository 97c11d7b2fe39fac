// SPDX-License-Identifier: BSD-3-Clause

#include "l0_check.h"

enum { NOW_MS = 5000, LONG_MS = 1 << 20 };

static void fill(struct box *b, uint32_t n)
{
	for (uint32_t id = 0; id < n; id++)
		assert_int_equal(box_put(b, id, id + 7, (uint16_t)(BOX_ANSWER_MIN + id % 300), 1000,
					 id % 10 ? LONG_MS : NOW_MS - 1000),
			0);
}

// As a restart does: the old writer is gone, its region is only read.
static struct l0_copy copy_all(struct box *from, struct box *to, uint64_t step)
{
	struct l0_reader r;
	struct l0_copy c = {0};
	box_writers_close(from);
	assert_int_equal(l0_reader_init(&r, from->base, from->size), 0);
	for (unsigned i = 0; !l0_writer_copy(to->all, &r, NOW_MS, &c, step); i++)
		assert_true(i < 2 * (r.bucket_mask + 1) / step);
	return c;
}

// Larger, in steps: all that is not past hard expiry is there under the other secret, times kept.
static void all_live_records(unsigned writers, unsigned writers_now)
{
	enum { N = 2000 };
	struct box *a = box_new_for(1 << 20, 3, writers), *b = box_new_for(4 << 20, 3, writers_now);
	fill(a, N);
	struct l0_copy c = copy_all(a, b, 7);
	assert_int_equal(c.copied, N - N / 10);
	assert_int_equal(c.discarded, N / 10);
	assert_int_equal(c.full, 0);
	for (uint32_t id = 0; id < N; id++) {
		struct l0_view v;
		uint32_t number, serial = 0;
		assert_int_equal(box_get(l0_writer_reader(b->w), id, &v, &number), id % 10 != 0);
		if (id % 10 == 0)
			continue;
		assert_true(box_is_answer(&v, id, &serial) && serial == id + 7);
		assert_int_equal(v.masked, id % 8 == 5);
		assert_int_equal(v.created_ms, 1000);
		assert_int_equal(v.soft_ms, LONG_MS / 2);
		assert_int_equal(v.hard_ms, LONG_MS);
		assert_int_equal(v.refresh_ms, UINT32_MAX);
	}
	audit(b);
}

TEST(test_all_live_records_with_their_times)
{
	all_live_records(1, 1);
	all_live_records(1, 4);
	all_live_records(8, 3);
	all_live_records(2, 1);
}

// Smaller: filled without evicting what was just copied, and what is fresh comes first.
static void fresh_first(unsigned writers)
{
	enum { FRESH = 1500, N = 12000 };
	uint64_t fresh = 0;
	struct box *a = box_new(4 << 20, 3), *b = box_new_for(1 << 20, 3, writers);
	for (uint32_t id = 0; id < N; id++)
		assert_int_equal(
			box_put(a, id, id, 40, id < FRESH ? 4000 : 1000, id < FRESH ? 4000 : 6000),
			0);
	struct l0_copy c = copy_all(a, b, 100);
	assert_int_equal(c.full, (1u << writers) - 1);
	assert_true(c.copied > 3 * FRESH && c.copied < N);
	struct l0_writer_stats s = stats_of(b);
	assert_int_equal(s.evicted_space, 0);
	assert_int_equal(s.refused_nospace, 0);
	for (uint32_t id = 0; id < FRESH; id++) {
		struct l0_view v;
		uint32_t number;
		fresh += box_get(l0_writer_reader(b->w), id, &v, &number);
	}
	assert_true(fresh + s.evicted_bucket >= FRESH);
	audit(b);
}

TEST(test_a_smaller_table_takes_the_fresh_first)
{
	fresh_first(1);
	fresh_first(4);
}

// The key of an answer for one subnet: the first label of the name says which, and the resolver is
// that of the rest.
static struct l0_key subnet_key(const struct l0_reader *r, uint32_t id, struct box_name *n)
{
	struct l0_key key = box_key(r, id, n), whole = key;
	whole.name += 1 + n->wire[0];
	whole.name_len -= 1 + n->wire[0];
	l0_key_hash(r, &whole);
	key.flags = L0_KEY_SUBNET;
	l0_key_hash(r, &key);
	assert_int_equal(l0_resolver_of(r, key.hash), l0_resolver_of(r, whole.hash));
	return key;
}

TEST(test_answers_for_subnets_follow_their_resolver)
{
	enum { N = 100 };
	struct box *a = box_new_for(1 << 20, 3, 2), *b = box_new_for(2 << 20, 3, 8);
	for (uint32_t id = 0; id < N; id++) {
		struct box_put p;
		box_put_fill(l0_writer_reader(a->w), &p, id, 7, 40, 1000, LONG_MS);
		p.put.key = subnet_key(l0_writer_reader(a->w), id, &p.name);
		assert_int_equal(l0_writer_put(box_writer(a, p.put.key.hash), &p.put), 0);
	}
	struct l0_copy c = copy_all(a, b, 100);
	assert_int_equal(c.copied, N);
	for (uint32_t id = 0; id < N; id++) {
		const struct l0_reader *r = l0_writer_reader(b->w);
		struct box_name n;
		struct l0_view v;
		uint64_t anomalies = 0;
		uint32_t number, serial = 0;
		struct l0_key key = subnet_key(r, id, &n);
		number = l0_find(r, &key, l0_candidate(r, key.hash), &anomalies);
		assert_true(number != L0_NONE && l0_record_read(r, number, &v));
		assert_true(box_is_answer(&v, id, &serial) && serial == 7);
		assert_false(box_get(r, id, &v, &number)); // as workers look
	}
	audit(b);
}

// Random bytes all over the old table: whatever is copied is a whole answer.
TEST(test_a_scribbled_table)
{
	enum { N = 2500 };
	uint64_t seed = 11, got = 0;
	struct box *a = box_new(1 << 20, 3), *b = box_new(2 << 20, 3);
	fill(a, N);
	const struct region_header *head = (const struct region_header *)(const void *)a->base;
	uint64_t from = head->geometry[2];
	for (unsigned i = 0; i < 4000; i++)
		a->base[from + rnd(&seed) % (a->size - from)] = (uint8_t)rnd(&seed);
	struct l0_copy c = copy_all(a, b, 1000);
	assert_true(c.discarded > N / 10);
	for (uint32_t id = 0; id < N; id++) {
		struct l0_view v;
		uint32_t number, serial = 0;
		if (!box_get(l0_writer_reader(b->w), id, &v, &number))
			continue;
		got++;
		assert_true(box_is_answer(&v, id, &serial) && serial == id + 7);
	}
	assert_true(got > 100);
	assert_int_equal(got, c.copied);
	audit(b);
}
