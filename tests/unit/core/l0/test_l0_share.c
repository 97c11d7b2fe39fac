// SPDX-License-Identifier: BSD-3-Clause

// Several writers of one table, each of its own share.

#include "l0_check.h"

enum { NOW_MS = 1000, LONG_MS = 1 << 30 };

// Shares follow each other without a gap, and each key's two buckets lie in its resolver's.
TEST(test_shares_tile_the_table)
{
	uint64_t seed = 1;
	for (unsigned n = 1; n <= SHM_RESOLVERS_MAX; n++) {
		struct box b;
		struct l0_share s[SHM_RESOLVERS_MAX];
		uint64_t bucket = 0;
		uint32_t unit = 0;
		assert_true(box_open_for(&b, (UINT64_C(1) << 20) * n, 1 + n, n));
		const struct l0_reader *r = l0_writer_reader(b.w);
		for (unsigned i = 0; i < n; i++) {
			s[i] = *l0_writer_share(b.all[i]);
			assert_int_equal(s[i].bucket_first, bucket);
			assert_int_equal(s[i].unit_first, unit);
			bucket += s[i].buckets;
			unit += s[i].units;
			// By one part of 64 at most they differ.
			uint64_t fair = (r->bucket_mask + 1) / n, part = (r->bucket_mask + 1) / 64;
			assert_in_range(s[i].buckets, fair - part, fair + part);
		}
		assert_int_equal(bucket, r->bucket_mask + 1);
		assert_int_equal(unit, r->unit_count);
		for (unsigned i = 0; i < 10000; i++) {
			uint64_t hash = rnd(&seed), at = hash & r->bucket_mask;
			unsigned owner = l0_resolver_of(r, hash);
			assert_true(owner < n && l0_part_of(r, hash) < L0_PARTS);
			assert_int_equal(owner, l0_part_of(r, hash) * n / L0_PARTS);
			assert_in_range(at, s[owner].bucket_first,
				s[owner].bucket_first + s[owner].buckets - 1);
			for (unsigned k = 0; k < n; k++)
				assert_int_equal(l0_writer_owns(b.all[k], hash), k == owner);
		}
		box_close(&b);
	}
}

TEST(test_a_foreign_key_is_refused)
{
	static struct box_put p;
	struct box *b = box_new_for(1 << 20, 3, 2);
	for (uint32_t id = 0; id < 100; id++) {
		box_put_fill(l0_writer_reader(b->w), &p, id, 1, 40, NOW_MS, LONG_MS);
		const struct l0_key *key = &p.put.key;
		struct l0_writer *own = box_writer(b, key->hash);
		struct l0_writer *other = own == b->all[0] ? b->all[1] : b->all[0];
		assert_int_equal(l0_writer_put(other, &p.put), -EXDEV);
		assert_int_equal(l0_writer_put(own, &p.put), 0);
		assert_int_equal(l0_writer_restamp(other, key, 5), -ENOENT);
		assert_int_equal(l0_writer_tell_from(other, key, 5), -ENOENT);
		assert_int_equal(l0_writer_set_mask(other, key, NULL), -ENOENT);
		assert_int_equal(l0_writer_age(other, key, 5), -ENOENT);
		assert_false(l0_writer_delete(other, key));
		l0_writer_heat_add(other, key, 5);
		assert_int_equal(l0_writer_heat(other, key), 0);
		assert_int_equal(l0_writer_heat(own, key), 0);
	}
	assert_int_equal(stats_of(b).refused_foreign, 100);
	assert_int_equal(stats_of(b).entries, 100);
	audit(b);
}

// Each eighth of the smallest table, full of small records that clients ask for, takes the longest
// answer within a few tries.
TEST(test_the_longest_answer_in_the_smallest_share)
{
	bool stored[SHM_RESOLVERS_MAX] = {0};
	struct box *b = box_new_for(1 << 20, 5, SHM_RESOLVERS_MAX);
	_Atomic uint8_t *marks = box_marks(b, 0);
	uint32_t id = 0;
	for (; id < 20000; id++)
		(void)box_put(b, id, 1, 40, NOW_MS, LONG_MS);
	assert_true(stats_of(b).evicted_space > 1000);
	memset((void *)(uintptr_t)marks, MARK_VISITED, l0_writer_reader(b->w)->unit_count);
	for (unsigned left = SHM_RESOLVERS_MAX; left; id++) {
		struct box_name n;
		struct l0_key key = box_key(l0_writer_reader(b->w), id, &n);
		unsigned owner = l0_resolver_of(l0_writer_reader(b->w), key.hash);
		if (stored[owner])
			continue;
		for (unsigned tries = 0; !stored[owner]; tries++) {
			assert_true(tries < 32);
			stored[owner] = box_put(b, id, 1, L0_ANSWER_MAX, NOW_MS, LONG_MS) == 0;
			l0_writer_reclaim(b->all[owner]);
		}
		struct l0_view v;
		uint32_t serial;
		(void)box_find(b, id, &v);
		assert_true(box_is_answer(&v, id, &serial));
		left--;
	}
	audit(b);
}

// A round of one writer's walks meets its own records alone, and each.
static void count_met(void *arg, const struct l0_swept *s)
{
	uint8_t *met = arg;
	met[s->record]++;
}

TEST(test_walks_stay_in_the_share)
{
	enum { N = 3000, WRITERS = 3 };
	struct box *b = box_new_for(2 << 20, 3, WRITERS);
	for (uint32_t id = 0; id < N; id++)
		assert_int_equal(box_put(b, id, 1, 40, NOW_MS, LONG_MS), 0);
	uint64_t entries = stats_of(b).entries;
	uint8_t *met = calloc(l0_writer_reader(b->w)->unit_count, 1);
	assert_non_null(met);
	const struct l0_sweep sweep = {
		.now_ms = NOW_MS, .keep_256 = 256, .weigh_256 = 256, .met = count_met, .arg = met};
	for (uint32_t id = 0; id < N; id++) {
		struct box_name n;
		struct l0_key key = box_key(l0_writer_reader(b->w), id, &n);
		l0_writer_heat_add(box_writer(b, key.hash), &key, 1);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		while (!l0_writer_sweep(b->all[i], &sweep, 7))
			;
	uint64_t all = 0;
	for (uint32_t u = 0; u < l0_writer_reader(b->w)->unit_count; u++) {
		assert_true(met[u] <= 1);
		all += met[u];
	}
	assert_int_equal(all, entries);
	free(met);
	// Everything below one name, by the second writer alone.
	struct box_name n;
	struct dns_name root = {.len = (uint8_t)(box_name_of(0, &n) - 12)};
	memcpy(root.wire, n.wire + 12, root.len);
	struct l0_writer_stats own;
	l0_writer_stats(b->all[1], &own);
	uint64_t cursor = 0, dropped = 0;
	do
		dropped += l0_writer_flush(b->all[1], &root, true, &cursor, 9);
	while (cursor);
	assert_int_equal(dropped, own.entries);
	assert_int_equal(stats_of(b).entries, entries - own.entries);
	audit(b);
}

// One writer's restart, or what it does with marks, leaves the other's records alone.
TEST(test_one_writer_starts_again)
{
	enum { N = 3000 };
	struct box *b = box_new_for(1 << 20, 3, 2);
	b->seen[0] = b->epoch; // a worker that moves on when told
	for (uint32_t id = 0; id < N; id++)
		assert_int_equal(box_put(b, id, 1, 40, NOW_MS, LONG_MS), 0);
	uint64_t entries = stats_of(b).entries;
	l0_writer_close(b->all[0]);
	assert_int_equal(l0_writer_open(&b->all[0], b->base, b->size, 0, false, &b->ew, NOW_MS), 0);
	b->w = b->all[0];
	struct l0_writer_stats s;
	l0_writer_stats(b->all[0], &s);
	assert_int_equal(s.recovered, s.entries);
	assert_int_equal(s.units_used + s.units_retired, s.units_total);
	assert_int_equal(stats_of(b).entries, entries);
	// It waits for the worker, the other one does not.
	unsigned refused[2] = {0};
	for (uint32_t id = N; id < N + 200; id++) {
		struct box_name n;
		struct l0_key key = box_key(l0_writer_reader(b->w), id, &n);
		refused[l0_resolver_of(l0_writer_reader(b->w), key.hash)] +=
			box_put(b, id, 1, 40, NOW_MS, LONG_MS) == -ENOSPC;
	}
	assert_true(refused[0] > 0 && refused[1] == 0);
	b->seen[0] = b->epoch;
	l0_writer_reclaim(b->all[0]);
	assert_int_equal(box_put(b, 1, 2, 40, NOW_MS, LONG_MS), 0);
	audit(b);
}

// A slot that leads into the other share is none to go on with: two writers would own its units.
TEST(test_a_record_of_another_share_is_dropped)
{
	static struct box_put p;
	struct box *b = box_new_for(1 << 20, 3, 2);
	uint32_t id = 0, number;
	struct l0_view v;
	do
		box_put_fill(l0_writer_reader(b->w), &p, ++id, 1, 40, NOW_MS, LONG_MS);
	while (box_writer(b, p.put.key.hash) != b->all[0]);
	assert_int_equal(l0_writer_put(b->all[0], &p.put), 0);
	number = box_find(b, id, &v);
	const struct l0_share other = *l0_writer_share(b->all[1]); // which is closed below
	// Its first unit begins no record; the ones after do.
	for (uint32_t to = other.unit_first; to < other.unit_first + 2; to++) {
		const struct region_header *head = (const struct region_header *)(void *)b->base;
		uint8_t *units = b->base + head->geometry[3];
		memmove(units + (size_t)to * L0_UNIT, units + (size_t)number * L0_UNIT,
			(size_t)v.units * L0_UNIT);
		struct l0_bucket *bucket = (struct l0_bucket *)(void *)(b->base + head->geometry[2])
					   + (p.put.key.hash & l0_writer_reader(b->w)->bucket_mask);
		bucket->record[0] = to;
		number = box_find(b, id, &v);
		assert_int_equal(number, to);
		box_writers_close(b);
		assert_true(box_writers_open(b, false, NOW_MS));
		assert_int_equal(stats_of(b).recovered, 0);
		assert_int_equal(stats_of(b).discarded, 1);
		assert_false(box_get(l0_writer_reader(b->w), id, &v, &number));
		bucket->tag[0] = (uint16_t)(p.put.key.hash >> 48);
		number = to;
	}
}

TEST(test_marks_of_the_own_share)
{
	struct box *b = box_new_for(1 << 20, 3, 2);
	uint32_t units = l0_writer_reader(b->w)->unit_count;
	const struct l0_share *own = l0_writer_share(b->all[1]);
	uint8_t *bytes = malloc(units);
	_Atomic uint8_t *marks = (_Atomic uint8_t *)bytes;
	assert_non_null(bytes);
	l0_writer_set_marks(b->all[1], 0, marks);
	memset(bytes, MARK_REFRESH, units);
	l0_writer_clear_refresh(b->all[1], own->unit_first - 1);
	l0_writer_clear_refresh(b->all[1], own->unit_first);
	l0_writer_clear_refresh(b->all[1], units);
	assert_int_equal(bytes[own->unit_first - 1], MARK_REFRESH);
	assert_int_equal(bytes[own->unit_first], 0);
	l0_writer_forget_marks(b->all[1], 0);
	free(bytes);
}

TEST(test_no_writer_beyond_the_geometry)
{
	struct box b;
	struct l0_writer *w = NULL;
	assert_true(box_map_for(&b, 1 << 20, 3, 2));
	assert_int_equal(l0_writer_open(&w, b.base, b.size, 2, true, &b.ew, 0), -EPROTO);
	assert_null(w);
	box_close(&b);
}
