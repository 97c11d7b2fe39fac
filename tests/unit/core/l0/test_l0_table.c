// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/core/l0/l0_alloc.h"
#include "dataplane/core/l0/l0_read.h"
#include "dataplane/core/l0/l0_record.h"
#include "dataplane/core/l0/l0_sieve.h"
#include "l0_check.h"

TEST(test_plan)
{
	uint64_t g[SHM_GEOMETRY_WORDS];
	size_t data;
	assert_int_equal(l0_plan((1 << 20) - 1, 2, 1, g, &data), -EINVAL);
	assert_int_equal(l0_plan(1 << 20, 0, 1, g, &data), -EINVAL);
	assert_int_equal(l0_plan(UINT64_C(1) << 50, 2, 1, g, &data), -EINVAL);
	assert_int_equal(l0_plan(1 << 20, 2, 0, g, &data), -EINVAL);
	assert_int_equal(l0_plan(1 << 20, 2, SHM_RESOLVERS_MAX + 1, g, &data), -EINVAL);
	assert_int_equal(l0_plan(1 << 20, 256, 1, g, &data), 0);
	assert_true(g[0] >= 2 * L0_PARTS);
	for (uint64_t bytes = 1 << 20; bytes < UINT64_C(1) << 34; bytes += bytes / 3 + 77) {
		for (unsigned mean = 2; mean <= 16; mean++) {
			assert_int_equal(l0_plan(bytes, mean, 1 + mean % 8, g, &data), 0);
			assert_true(SHM_PAGE + data <= bytes);
			assert_true(SHM_PAGE + data > bytes - 2 * CACHE_LINE);
			assert_int_equal(g[0] & (g[0] - 1), 0);
			double load = (double)g[1] / mean / (double)(g[0] * L0_BUCKET_SLOTS);
			assert_true(load > 0.36 && load <= 0.851);
		}
	}
}

TEST(test_geometry_is_checked)
{
	struct box b;
	assert_true(box_map(&b, 1 << 20, 2));
	struct l0_reader r;
	assert_int_equal(l0_reader_init(&r, b.base, b.size), 0);
	assert_int_equal(l0_reader_init(&r, b.base, b.size - 1), -EPROTO);
	assert_int_equal(l0_reader_init(&r, b.base, 100), -EPROTO);
	uint64_t *g = ((struct region_header *)(void *)b.base)->geometry;
	const uint64_t bad[][2] = {{0, 0}, {0, 1}, {0, g[0] - 1}, {0, g[0] * 2},
		{0, UINT64_C(1) << 63}, {1, 0}, {1, 1}, {1, g[1] + 1}, {1, UINT64_C(1) << 32},
		{1, UINT64_MAX}, {1, UINT64_MAX / 64 + 2}, {2, 0}, {2, SHM_PAGE}, {2, g[2] + 1},
		{2, g[2] + 64}, {2, UINT64_MAX - 63}, {3, g[3] - 64}, {3, g[3] + 32}, {3, b.size},
		{3, UINT64_MAX - 63}, {0, L0_PARTS}, {4, 0}, {4, SHM_RESOLVERS_MAX + 1},
		{4, UINT64_C(1) << 32 | 1}};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t good = g[bad[i][0]];
		g[bad[i][0]] = bad[i][1];
		assert_int_equal(l0_reader_init(&r, b.base, b.size), -EPROTO);
		g[bad[i][0]] = good;
	}
	assert_int_equal(l0_reader_init(&r, b.base, b.size), 0);
	box_close(&b);
}

TEST(test_match_twins)
{
	uint64_t seed = 1;
	static struct l0_bucket b;
	for (int round = 0; round < 20000; round++) {
		for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++) {
			b.tag[i] = (uint16_t)(rnd(&seed) % 4 * 0x5555);
			b.record[i] = (uint32_t)rnd(&seed) | 0x55555555; // must not leak in
		}
		for (unsigned t = 0; t < 4; t++) {
			uint16_t tag = (uint16_t)(t * 0x5555);
			unsigned want = 0;
			for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++)
				want |= (unsigned)(b.tag[i] == tag) << i;
			assert_int_equal(l0_match_scalar(&b, tag), want);
			assert_int_equal(l0_match(&b, tag), want);
		}
	}
}

TEST(test_buckets_of_a_key)
{
	uint64_t seed = 2;
	for (int i = 0; i < 100000; i++) {
		unsigned bits = L0_PART_BITS + 1 + rnd_below(&seed, 22);
		uint64_t mask = (UINT64_C(1) << bits) - 1;
		uint64_t first = rnd(&seed) & mask;
		uint16_t tag = l0_tag(rnd(&seed) >> rnd_below(&seed, 64));
		assert_int_not_equal(tag, 0);
		uint64_t second = l0_other_bucket(first, tag, mask);
		assert_int_not_equal(second, first);
		assert_true(second <= mask);
		assert_int_equal(second >> (bits - L0_PART_BITS), first >> (bits - L0_PART_BITS));
		assert_int_equal(l0_other_bucket(second, tag, mask), first);
	}
}

TEST(test_every_part_of_the_key_counts)
{
	struct box *b = box_new(1 << 20, 2);
	const struct l0_reader *r = l0_writer_reader(b->w);
	static struct box_put p;
	box_put_fill(r, &p, 7, 1, 40, 1000, 5000);
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	static const uint8_t other_name[32] = "\10iaaaaaaa\2zh\4test";
	for (int part = 0; part < 6; part++) {
		struct l0_key key = p.put.key;
		key.qtype += part == 1;
		key.qclass += part == 2;
		key.view += part == 3;
		key.flags ^= part == 4 ? L0_KEY_DO : 0;
		key.name = part == 5 ? other_name : key.name;
		uint64_t anomalies = 0, hash = key.hash;
		// Even when the hash is the same, as it would be for a collision.
		uint32_t found = l0_find(r, &key, l0_candidate(r, hash), &anomalies);
		assert_int_equal(found != L0_NONE, part == 0);
		l0_key_hash(r, &key);
		assert_int_equal(key.hash == hash, part == 0);
		assert_int_equal(anomalies, 0);
	}
}

TEST(test_key_of_query)
{
	struct box *b = box_new(1 << 20, 2);
	static const uint8_t msg[] = "\0\1\1\20\0\1\0\0\0\0\0\1\3WwW\4test\0\0\34\0\1"
				     "\0\0\51\20\0\0\0\200\0\0";
	struct dns_query q;
	assert_int_equal(dns_query_parse(msg, sizeof(msg), &q), DNS_QUERY_OK);
	const struct l0_reader *r = l0_writer_reader(b->w);
	struct l0_key key, want = {.name = (const uint8_t *)"\3www\4test",
				   .name_len = 10,
				   .qtype = 28,
				   .qclass = 1,
				   .view = 3,
				   .flags = L0_KEY_DO | L0_KEY_CD};
	l0_key_hash(r, &want);
	l0_key_of_query(r, &q, 3, &key);
	assert_int_equal(key.hash, want.hash);
	assert_int_equal(key.name_len, want.name_len);
	assert_int_equal(key.flags, want.flags);
	assert_memory_equal(key.name, want.name, 10);
}

TEST(test_wrong_candidate_is_no_harm)
{
	struct box *b = box_new(1 << 20, 2);
	const struct l0_reader *r = l0_writer_reader(b->w);
	struct l0_view v;
	uint32_t one = 0, two = 0;
	assert_int_equal(box_put(b, 1, 1, 40, 0, 5000), 0);
	assert_int_equal(box_put(b, 2, 1, 40, 0, 5000), 0);
	assert_true(box_get(r, 1, &v, &one) && box_get(r, 2, &v, &two));
	struct box_name n;
	struct l0_key key = box_key(r, 1, &n);
	uint64_t anomalies = 0;
	assert_int_equal(l0_find(r, &key, two, &anomalies), one);
	assert_int_equal(anomalies, 0);
	assert_int_equal(l0_find(r, &key, UINT32_MAX, &anomalies), one);
	assert_int_equal(anomalies, 1);
}

// Each length in a record, one at a time, made too large or nothing.
TEST(test_bad_record_is_absent_and_counted)
{
	struct box *b = box_new(1 << 20, 2);
	const struct l0_reader *r = l0_writer_reader(b->w);
	assert_int_equal(box_put(b, 1, 1, 40, 0, 5000), 0);
	struct l0_view v;
	uint32_t number;
	assert_true(box_get(r, 1, &v, &number));
	struct l0_record *p =
		(struct l0_record *)(void *)(b->base + ((const uint8_t *)r->units - b->base)
					     + (size_t)number * L0_UNIT);
	struct l0_record good = *p;
	struct box_name n;
	struct l0_key key = box_key(r, 1, &n);
	for (int part = 0; part < 4; part++) {
		*p = good;
		p->answer_len = part == 0   ? UINT16_MAX
				: part == 1 ? L0_ANSWER_MAX + 1
					    : good.answer_len;
		p->ttls = part == 2 ? UINT16_MAX : good.ttls;
		p->name_len = part == 3 ? 0 : good.name_len;
		uint64_t anomalies = 0;
		assert_int_equal(l0_find(r, &key, number, &anomalies), L0_NONE);
		assert_true(anomalies >= 1);
		assert_false(l0_record_read(r, number, &v));
	}
	*p = good;
	assert_false(l0_record_read(r, 0, &v));
	assert_false(l0_record_read(r, r->unit_count, &v));
	assert_false(l0_record_read(r, UINT32_MAX, &v));
	uint16_t *ttl_off = (uint16_t *)(void *)((uint8_t *)p + sizeof(*p) + 18);
	assert_int_equal(ttl_off[1], 36);
	ttl_off[1] = 37;
	assert_false(l0_record_read(r, number, &v));
	// They are not read of an answer that does not fit in any case.
	const uint32_t len = good.answer_len;
	assert_false(l0_read_record_most(r, number, len, &v));
	assert_true(l0_read_record_most(r, number, len - 1, &v));
	assert_int_equal(v.answer.ttl_count, 0);
	assert_int_equal(v.answer.len, len);
	ttl_off[1] = 36;
	assert_true(l0_record_read(r, number, &v));
}

static uint32_t touch(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint32_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += bytes[i];
	return sum;
}

// Whatever the table holds, nothing outside it is read (ASan watches). Lengths are often made
// plausible, so that the later checks are reached as well.
TEST(test_hostile_table)
{
	struct box b;
	assert_true(box_map(&b, 1 << 20, 2));
	struct l0_reader r;
	assert_int_equal(l0_reader_init(&r, b.base, b.size), 0);
	uint64_t seed = 3, anomalies = 0, read = 0;
	uint32_t sum = 0;
	for (size_t i = 2 * SHM_PAGE; i + 8 <= b.size; i += 8) {
		uint64_t word = rnd(&seed);
		memcpy(b.base + i, &word, 8);
	}
	struct l0_bucket *buckets = (struct l0_bucket *)(void *)(b.base + 2 * SHM_PAGE);
	uint8_t *units = b.base + (r.units - b.base);
	for (uint32_t id = 0; id < 60000; id++) {
		struct box_name n;
		struct l0_key key = box_key(&r, id, &n);
		uint32_t number = rnd_below(&seed, r.unit_count + 100);
		struct l0_bucket *at = &buckets[key.hash & r.bucket_mask];
		at->tag[id % 10] = l0_tag(key.hash);
		at->record[id % 10] = number;
		if (number < r.unit_count) {
			struct l0_record *p =
				(struct l0_record *)(void *)(units + (size_t)number * L0_UNIT);
			p->answer_len = (uint16_t)rnd_below(&seed, id % 3 ? 300 : 17000);
			p->ttls = (uint16_t)rnd_below(&seed, id % 7 ? 4 : 60);
			p->ancount = rnd_below(&seed, 5);
			p->nscount = 0;
			p->name_len = (uint8_t)(id % 5 ? key.name_len : rnd(&seed));
		}
		struct l0_view v;
		uint32_t candidate = l0_candidate(&r, key.hash);
		uint32_t found = l0_find(&r, &key, candidate, &anomalies);
		if (!l0_record_read(&r, found ? found : number, &v))
			continue;
		read++;
		sum += touch(v.name, v.name_len) + touch(v.answer.bytes, v.answer.len);
		for (unsigned i = 0; i < v.answer.ttl_count; i++)
			sum += touch(v.answer.bytes + dns_answer_ttl_at(&v.answer, i), 4);
	}
	assert_true(anomalies > 1000 && read > 1000 && sum != 0);
	box_close(&b);
}

// A run that ends where its word does, behind a gap too short: the free unit next to it is found.
TEST(test_run_behind_a_used_end)
{
	enum { WANTED = 40, USED_AT = 32, USED = 32 };
	struct l0_alloc a;
	assert_int_equal(l0_alloc_init(&a, USED_AT + USED + WANTED), 0);
	assert_true(l0_alloc_claim(&a, USED_AT, USED));
	assert_int_equal(l0_alloc_take(&a, WANTED), USED_AT + USED);
	assert_int_equal(l0_alloc_take(&a, USED_AT), 0); // unit 0 is never given out
	assert_int_equal(l0_alloc_take(&a, USED_AT - 1), 1);
	l0_alloc_destroy(&a);
}

// The search goes on behind what it found last, also when room before that has come free.
TEST(test_search_goes_on)
{
	enum { BEGIN = 2, EACH = 4 };
	struct box b;
	struct l0_alloc a;
	assert_true(box_map(&b, 1 << 20, 2));
	assert_int_equal(l0_alloc_init(&a, BEGIN + 3 * EACH), 0);
	assert_int_equal(l0_alloc_take(&a, EACH), BEGIN);
	assert_int_equal(l0_alloc_take(&a, EACH), BEGIN + EACH);
	l0_alloc_retire(&a, BEGIN, EACH);
	l0_alloc_reclaim(&a, &b.ew);
	l0_alloc_reclaim(&a, &b.ew);
	assert_int_equal(l0_alloc_retired(&a), 0);
	assert_int_equal(l0_alloc_take(&a, EACH), BEGIN + 2 * EACH);
	assert_int_equal(l0_alloc_take(&a, EACH), 1); // and from the start
	l0_alloc_destroy(&a);
	free(b.base);
}

TEST(test_a_carried_visit_is_of_one_slot)
{
	enum { SLOTS = 130, EACH = 3 };
	struct l0_sieve s;
	assert_int_equal(l0_sieve_init(&s, SLOTS), 0);
	for (uint32_t slot = 0; slot < SLOTS; slot += EACH)
		l0_sieve_carry(&s, slot);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(l0_sieve_carried(&s, slot), slot % EACH == 0);
		assert_int_equal(l0_sieve_uncarry(&s, slot), slot % EACH == 0);
		assert_false(l0_sieve_carried(&s, slot));
	}
	l0_sieve_destroy(&s);
}
