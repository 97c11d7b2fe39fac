// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/core/l0/l0_state.h"
#include "l0_check.h"

static struct l0_view must_get(const struct box *b, uint32_t id, uint32_t *number)
{
	struct l0_view v = {0};
	uint32_t serial;
	assert_true(box_get(l0_writer_reader(b->w), id, &v, number));
	assert_true(box_is_answer(&v, id, &serial));
	return v;
}

TEST(test_refusals)
{
	struct box *b = box_new(1 << 20, 2);
	static struct box_put p;
	const struct l0_reader *r = l0_writer_reader(b->w);
	box_put_fill(r, &p, 1, 1, L0_ANSWER_MAX, 0, 5000);
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	p.put.answer.len++;
	assert_int_equal(l0_writer_put(b->w, &p.put), -E2BIG);
	assert_int_equal(stats_of(b).refused_large, 1);
	box_put_fill(r, &p, 1, 1, 100, 0, 5000);
	p.ttl_off[1] = 97; // reaches over the end
	assert_int_equal(l0_writer_put(b->w, &p.put), -EINVAL);
	p.ttl_off[1] = 10; // overlaps the first
	assert_int_equal(l0_writer_put(b->w, &p.put), -EINVAL);
	p.put.answer.ttl_count = 0;
	p.put.answer.rcode = 15; // a record has four bits
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	p.put.answer.rcode = 16;
	assert_int_equal(l0_writer_put(b->w, &p.put), -EINVAL);
	p.put.answer.rcode = 0;
	p.put.answer.arcount = 1;
	assert_int_equal(l0_writer_put(b->w, &p.put), -EINVAL);
	p.put.answer.arcount = 0;
	p.put.key.qclass = 3;
	assert_int_equal(l0_writer_put(b->w, &p.put), -EINVAL);
	p.put.key.qclass = 1;
	p.put.answer.ancount = 4096;
	assert_int_equal(l0_writer_put(b->w, &p.put), -E2BIG);
	p.put.answer.ancount = p.put.answer.nscount = 4095;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	p.put.answer.nscount = 4096;
	assert_int_equal(l0_writer_put(b->w, &p.put), -E2BIG);
	p.put.answer.nscount = 0;
	p.put.answer.ancount = 0;
	p.put.key.name_len = 0;
	assert_int_equal(l0_writer_put(b->w, &p.put), -EINVAL);
	assert_int_equal(stats_of(b).entries, 1);
	assert_int_equal(
		l0_writer_restamp(b->w, &(struct l0_key){.hash = 5, .name_len = 1}, 1), -ENOENT);
	audit(b);
}

TEST(test_fields_and_restamp)
{
	struct box *b = box_new(1 << 20, 2);
	static struct box_put p;
	box_put_fill(l0_writer_reader(b->w), &p, 9, 4, 99, 1000, 5000);
	p.put.key.view = 12;
	p.put.key.flags = L0_KEY_CD;
	l0_key_hash(l0_writer_reader(b->w), &p.put.key);
	p.put.auth_ttl_s = 77;
	p.put.answer.rcode = 3;
	p.put.answer.nscount = 5;
	p.put.answer.authenticated = true;
	p.put.answer.insecure = true; // a bit of its own beside it
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	uint32_t first = 0, serial = 0;
	for (int i = 0; i < 3; i++) {
		uint64_t anomalies = 0;
		struct l0_view v;
		const struct l0_reader *r = l0_writer_reader(b->w);
		uint32_t n = l0_find(r, &p.put.key, l0_candidate(r, p.put.key.hash), &anomalies);
		assert_true(l0_record_read(r, n, &v));
		assert_int_equal(v.stale_until_ms, i == 1 ? 34567 : 0);
		assert_int_equal(v.created_ms, 1000);
		assert_int_equal(v.soft_ms, 2500);
		assert_int_equal(v.hard_ms, 5000);
		assert_int_equal(v.refresh_ms, i == 2 ? 2500 : UINT32_MAX);
		assert_int_equal(v.auth_ttl_s, 77);
		assert_int_equal(v.view, 12);
		assert_int_equal(v.key_flags, L0_KEY_CD);
		assert_int_equal(v.answer.rcode, 3);
		assert_int_equal(v.answer.nscount, 5);
		assert_true(v.answer.authenticated && v.answer.insecure);
		assert_true(box_is_answer(&v, 9, &serial));
		assert_int_equal(v.answer.sum, p.put.answer.sum);
		assert_int_equal(l0_age_of(&v, 3499), L0_FRESH);
		assert_int_equal(l0_age_of(&v, 3500), L0_SOFT_EXPIRED);
		assert_int_equal(l0_age_of(&v, 6000), L0_HARD_EXPIRED);
		assert_true(i == 0 || n != first); // records are immutable
		first = n;
		assert_int_equal(i ? l0_writer_tell_from(b->w, &p.put.key, 2500)
				   : l0_writer_restamp(b->w, &p.put.key, 34567),
			0);
	}
	audit(b);
}

static uint16_t sum_mod(uint16_t sum)
{
	return sum % 0xffff;
}

// Whatever bit changes in what makes a record's bytes a message: there is no record, or its sum
// tells the client's kernel. Not in it are times, the recovery's check, and the name, which is
// another question's then.
static unsigned flip_each_bit(const struct l0_reader *r, const struct box_put *p)
{
	uint64_t anomalies = 0;
	uint32_t n = l0_find(r, &p->put.key, l0_candidate(r, p->put.key.hash), &anomalies);
	struct l0_view v;
	assert_true(l0_record_read(r, n, &v));
	assert_int_equal(
		sum_mod(v.answer.sum), sum_mod(csum_partial(v.answer.bytes, v.answer.len)));
	uint8_t *record = (uint8_t *)(uintptr_t)(r->units + (size_t)n * L0_UNIT);
	const size_t end =
		(size_t)(v.answer.bytes - record) + v.answer.len + (v.masked ? sizeof(v.mask) : 0);
	const size_t name_end = sizeof(struct l0_record) + p->put.key.name_len;
	const bool has_gap = !v.answer.ttl_step && name_end & 1;
	unsigned seen = 0;
	for (size_t off = 0; off < end; off++) {
		bool is_time = off >= offsetof(struct l0_record, soft_ms)
			       && off < offsetof(struct l0_record, key_word);
		bool is_name = off >= sizeof(struct l0_record) && off < name_end;
		if (is_time || is_name || (has_gap && off == name_end))
			continue;
		for (unsigned bit = 0; bit < 8; bit++) {
			record[off] ^= (uint8_t)(1 << bit);
			bool told =
				!l0_record_read(r, n, &v)
				|| sum_mod(v.answer.sum)
					   != sum_mod(csum_partial(v.answer.bytes, v.answer.len));
			record[off] ^= (uint8_t)(1 << bit);
			if (!told)
				fail_msg("byte %zu, bit %u", off, bit);
			seen++;
		}
	}
	return seen;
}

TEST(test_a_flipped_bit_shows_in_the_sum)
{
	struct box *b = box_new(1 << 20, 2);
	static struct box_put p;
	box_put_fill(l0_writer_reader(b->w), &p, 9, 4, 99, 1000, 5000);
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	assert_true(flip_each_bit(l0_writer_reader(b->w), &p) > 900);
	p.ttl_off[0] = 6; // even: no table
	p.ttl_off[1] = 6 + 49;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	assert_true(flip_each_bit(l0_writer_reader(b->w), &p) > 900);
	assert_int_equal(l0_writer_restamp(b->w, &p.put.key, 34567), 0);
	assert_true(flip_each_bit(l0_writer_reader(b->w), &p) > 900);
	assert_int_equal(l0_writer_tell_from(b->w, &p.put.key, 4000), 0);
	assert_true(flip_each_bit(l0_writer_reader(b->w), &p) > 900);
	for (unsigned i = 3; i < 6; i++) { // judged, by others, by none
		assert_int_equal(box_set_mask(b, 9, i % 5), 0);
		assert_true(flip_each_bit(l0_writer_reader(b->w), &p) > (i < 5 ? 1150 : 900));
	}
	box_put_fill(l0_writer_reader(b->w), &p, 13, 4, 99, 1000, 5000);
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	assert_true(flip_each_bit(l0_writer_reader(b->w), &p) > 1150);
}

// Which answers need no table, and that their offsets come back as they went in.
TEST(test_even_answers)
{
	static const struct {
		uint16_t off[3], count, len, step;
	} cases[] = {
		{{6}, 1, 16, 16}, {{6, 22, 38}, 3, 48, 16}, {{6, 23, 40}, 3, 51, 17},
		{{6, 22, 39}, 3, 49, 0},  // the second is longer
		{{6, 22, 37}, 3, 48, 0},  // shorter
		{{7}, 1, 17, 0},          // a name of three bytes
		{{6, 22, 38}, 2, 48, 16}, // as many as the records
	};
	struct box *b = box_new(1 << 20, 2);
	static struct box_put p;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		box_put_fill(l0_writer_reader(b->w), &p, i, 4, cases[i].len, 1000, 5000);
		p.put.answer.ttl_off = cases[i].off;
		p.put.answer.ttl_count = p.put.answer.ancount = cases[i].count;
		assert_int_equal(l0_writer_put(b->w, &p.put), 0);
		struct l0_view v;
		(void)box_find(b, i, &v);
		assert_int_equal(v.answer.ttl_step, cases[i].step);
		assert_int_equal(v.answer.ttl_count, cases[i].count);
		for (unsigned k = 0; k < cases[i].count; k++)
			assert_int_equal(dns_answer_ttl_at(&v.answer, k), cases[i].off[k]);
		assert_memory_equal(v.answer.bytes, p.bytes, cases[i].len);
	}
	// A record that has no TTL of its own: only a table can say so.
	p.put.answer.ancount++;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	struct l0_view v;
	(void)box_find(b, ARRAY_LEN(cases) - 1, &v);
	assert_int_equal(v.answer.ttl_step, 0);
	audit(b);
}

TEST(test_flush_by_name_and_subtree)
{
	struct box *b = box_new(4 << 20, 2);
	enum { N = 6000 };
	for (uint32_t id = 0; id < N; id++)
		assert_int_equal(box_put(b, id, 1, 40, 0, 5000), 0);
	struct box_name n;
	struct dns_name name = {.len = box_name_of(17, &n)};
	memcpy(name.wire, n.wire, name.len);
	uint64_t cursor = 0, dropped = 0, steps = 0;
	do {
		dropped += l0_writer_flush(b->w, &name, false, &cursor, 100);
		steps++;
	} while (cursor);
	assert_int_equal(dropped, 1);
	assert_true(steps > 5);
	// zb.test and below: ids = 1 mod 16, of which 17 is gone. 'b->test' is no suffix by labels.
	static const uint8_t zone[] = "\2zb\4test", tail[] = "\1b\4test";
	name.len = sizeof(zone);
	memcpy(name.wire, zone, sizeof(zone));
	assert_int_equal(l0_writer_flush(b->w, &name, true, &cursor, UINT64_MAX), N / 16 - 1);
	assert_int_equal(cursor, 0);
	assert_int_equal(l0_writer_flush(b->w, &name, false, &cursor, UINT64_MAX), 0);
	name.len = sizeof(tail);
	memcpy(name.wire, tail, sizeof(tail));
	assert_int_equal(l0_writer_flush(b->w, &name, true, &cursor, UINT64_MAX), 0);
	struct l0_view v;
	uint32_t number;
	for (uint32_t id = 0; id < N; id++)
		assert_int_equal(box_get(l0_writer_reader(b->w), id, &v, &number), id % 16 != 1);
	name.len = 1; // the root: everything
	name.wire[0] = 0;
	assert_int_equal(stats_of(b).deleted, N / 16);
	assert_int_equal(l0_writer_flush(b->w, &name, true, &cursor, UINT64_MAX), N - N / 16);
	assert_int_equal(stats_of(b).deleted, N);
	audit(b);
	assert_int_equal(stats_of(b).entries, 0);
}

TEST(test_sweep)
{
	struct box *b = box_new(4 << 20, 2);
	for (uint32_t id = 0; id < 3000; id++)
		assert_int_equal(box_put(b, id, 1, 40, 1000 + id, 5000), 0);
	unsigned steps = 0;
	const struct l0_sweep sweep = {.now_ms = 7000, .keep_256 = 256};
	while (!l0_writer_sweep(b->w, &sweep, 64)) // created 1000..2000 have expired
		steps++;
	assert_true(steps > 10);
	assert_int_equal(stats_of(b).expired_swept, 1001);
	assert_int_equal(stats_of(b).oldest_ms, 2001); // the first that has not
	struct l0_view v;
	uint32_t number;
	for (uint32_t id = 0; id < 3000; id++)
		assert_int_equal(box_get(l0_writer_reader(b->w), id, &v, &number), id > 1000);
	audit(b);
}

// A worker that never passes a quiescent state: puts go on while there is free space, then are
// refused, and the cache is not emptied by that. Then it moves, and all is well.
TEST(test_stuck_worker)
{
	struct box *b = box_new(1 << 20, 3);
	uint32_t id = 0;
	for (; id < 20000; id++) {
		assert_int_equal(box_put(b, id, 1, 100, id, 1 << 30), 0);
		l0_writer_reclaim(b->w);
	}
	b->seen[0] = b->epoch;
	uint64_t before = stats_of(b).entries;
	unsigned stored = 0, refused = 0;
	for (; id < 40000; id++) {
		int rc = box_put(b, id, 1, 100, id, 1 << 30);
		assert_true(rc == 0 || rc == -ENOSPC);
		stored += rc == 0;
		refused += rc != 0;
		l0_writer_reclaim(b->w);
	}
	assert_true(stored > 100 && refused > 15000);
	assert_int_equal(stats_of(b).refused_nospace, refused);
	assert_true(stats_of(b).entries > before * 9 / 10);
	audit(b);
	b->seen[0] = b->epoch;
	l0_writer_reclaim(b->w);
	b->seen[0] = b->epoch;
	l0_writer_reclaim(b->w);
	assert_int_equal(stats_of(b).units_retired, 0);
	assert_int_equal(box_put(b, id, 1, 100, id, 1 << 30), 0);
	audit(b);
}

TEST(test_marks)
{
	struct box *b = box_new(1 << 20, 2);
	_Atomic uint8_t *marks = box_marks(b, 5);
	uint32_t one, again;
	assert_int_equal(box_put(b, 1, 1, 40, 0, 5000), 0);
	(void)must_get(b, 1, &one);
	marks[one] = MARK_VISITED | MARK_REFRESH;
	l0_writer_clear_refresh(b->w, one);
	assert_int_equal(marks[one], MARK_VISITED);
	l0_writer_clear_refresh(b->w, UINT32_MAX); // nonsense does nothing
	// No record inherits the marks of the one before it in its place.
	memset(b->marks, MARK_VISITED | MARK_REFRESH, l0_writer_reader(b->w)->unit_count);
	assert_int_equal(box_put(b, 1, 2, 40, 0, 5000), 0);
	(void)must_get(b, 1, &again);
	assert_int_equal(marks[again], 0);
	l0_writer_set_marks(b->w, 64, marks); // out of range: ignored
	l0_writer_forget_marks(b->w, 5);
	// Readers of the writer's own process have marks beside those of worker 0.
	marks[again] = MARK_VISITED | MARK_REFRESH;
	l0_writer_set_own_marks(b->w, marks);
	assert_int_equal(marks[again], MARK_VISITED | MARK_REFRESH); // not read
	l0_writer_clear_refresh(b->w, again);
	assert_int_equal(marks[again], MARK_VISITED);
	l0_writer_set_own_marks(b->w, NULL);
	assert_int_equal(box_put(b, 1, 3, 40, 0, 5000), 0);
}

// The oldest records, all visited, and their worker dies: the hand spares them once all the same.
TEST(test_visits_outlive_their_worker)
{
	enum { WANTED = 300 };
	struct l0_writer_stats s;
	uint32_t number, id = 0, kept = 0;
	struct l0_view v;
	struct box *b = box_new(1 << 20, 2);
	for (; id < WANTED; id++)
		assert_int_equal(box_put(b, id, 1, 40, 0, 1 << 20), 0);
	_Atomic uint8_t *marks = box_marks(b, 0);
	for (uint32_t i = 0; i < WANTED; i++) {
		number = box_find(b, i, &v);
		marks[number] = MARK_VISITED;
	}
	l0_writer_end_marks(b->w, 0);
	do {
		(void)!box_put(b, id++, 1, 40, 0, 1 << 20);
		l0_writer_reclaim(b->w);
		l0_writer_stats(b->w, &s);
	} while (s.evicted_space < WANTED && id < 100000);
	assert_true(s.evicted_space >= WANTED);
	for (uint32_t i = 0; i < WANTED; i++)
		kept += box_get(l0_writer_reader(b->w), i, &v, &number);
	assert_true(kept + s.evicted_bucket >= WANTED);
}

// Two full buckets: expired goes before unvisited, that before the oldest.
TEST(test_victim_of_full_buckets)
{
	struct box *b = box_new(1 << 20, 2);
	const struct l0_reader *r = l0_writer_reader(b->w);
	_Atomic uint8_t *marks = box_marks(b, 0);
	// Keys with one hash up to the name: what the table sees when two buckets are crowded.
	enum { FULL = 2 * L0_BUCKET_SLOTS };
	static struct box_put p;
	struct l0_key keys[FULL + 3];
	static struct box_name names[FULL + 3];
	for (uint32_t id = 0; id < FULL + 3; id++) {
		box_put_fill(r, &p, id, 1, 40, 1000 + id, id == 11 ? 10 : 1 << 20);
		names[id] = p.name;
		p.put.key.hash = UINT64_C(0x1234000000000000);
		keys[id] = p.put.key;
		keys[id].name = names[id].wire;
		assert_int_equal(l0_writer_put(b->w, &p.put), 0);
		uint64_t anomalies = 0;
		uint32_t n = l0_find(r, &keys[id], l0_candidate(r, keys[id].hash), &anomalies);
		assert_int_not_equal(n, L0_NONE);
		if (id != 4)
			marks[n] = MARK_VISITED;
	}
	assert_int_equal(stats_of(b).evicted_bucket, 3);
	for (uint32_t id = 0; id < FULL + 3; id++) {
		uint64_t anomalies = 0;
		uint32_t n = l0_find(r, &keys[id], l0_candidate(r, keys[id].hash), &anomalies);
		assert_int_equal(n == L0_NONE, id == 11 || id == 4 || id == 0);
	}
}

// Full size, no marks: the memory figure is the sum of what is allocated, by geometry alone.
TEST(test_memory_is_a_function_of_geometry)
{
	struct box a, b;
	assert_true(box_open(&a, 8 << 20, 2) && box_open(&b, 8 << 20, 2));
	size_t before = l0_writer_memory(a.w);
	for (uint32_t id = 0; id < 100000; id++)
		(void)box_put(&a, id, 1, 40, 0, 5000);
	assert_int_equal(l0_writer_memory(a.w), before);
	assert_int_equal(l0_writer_memory(b.w), before);
	struct l0_writer_stats s = stats_of(&a);
	assert_true(before > s.index_slots * 11 + s.units_total);
	assert_true(before < s.index_slots * 12 + s.units_total * 9 / 8);
	box_close(&a);
	box_close(&b);
}

// The gap before the TTL offsets is filled without touching them: one beyond a byte stays.
TEST(test_a_ttl_far_into_the_answer)
{
	enum { FAR = 0x12c, LEN = 400 };
	static struct box_put p;
	struct l0_view v;
	struct box *b = box_new(1 << 20, 2);
	box_put_fill(l0_writer_reader(b->w), &p, 1, 1, LEN, 1000, 5000);
	p.ttl_off[0] = FAR;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	(void)box_find(b, 1, &v);
	assert_int_equal(v.answer.ttl_off[0], FAR);
	assert_int_equal(v.answer.ttl_off[1], LEN - 4);
}

// The longest answer into a table full of short ones takes the room of more than one put evicts.
TEST(test_evictions_of_one_put_are_bounded)
{
	struct box *b = box_new(1 << 20, 4);
	uint32_t id = 0;
	for (; stats_of(b).evicted_space == 0 && id < 100000; id++) {
		(void)box_put(b, id, 1, 40, 1000, 1 << 20);
		l0_writer_reclaim(b->w);
	}
	const uint64_t before = stats_of(b).evicted_space;
	(void)box_put(b, id, 1, L0_ANSWER_MAX, 1000, 1 << 20);
	assert_int_equal(stats_of(b).evicted_space - before, L0_EVICTIONS_MAX);
	audit(b);
}

// A table full of small records and answers that need a long run: those that lie where it is to be
// give way, and each is counted.
TEST(test_who_gives_way_to_a_large_one_is_counted)
{
	enum { SMALL = 40, LARGE = 4000, LARGE_ONES = 20 };
	struct l0_view v;
	uint32_t id = 0, puts = 0, large = 0, number;
	struct box *b = box_new(1 << 20, 4);
	for (; stats_of(b).evicted_space == 0 && id < 100000; id++) {
		puts += box_put(b, id, 1, SMALL, 1000, 1 << 20) == 0;
		l0_writer_reclaim(b->w);
	}
	const uint64_t before = stats_of(b).evicted_space;
	_Atomic uint8_t *marks = box_marks(b, 0);
	for (uint32_t i = 0; i < id; i += 2) // so that the hand leaves short runs alone
		if (box_get(l0_writer_reader(b->w), i, &v, &number))
			marks[number] = MARK_VISITED;
	for (; large < LARGE_ONES && id < 200000; id++) {
		large += box_put(b, id, 1, LARGE, 1000, 1 << 20) == 0;
		l0_writer_reclaim(b->w);
	}
	const struct l0_writer_stats s = stats_of(b);
	assert_int_equal(large, LARGE_ONES);
	assert_true(s.evicted_space - before > LARGE_ONES);
	assert_int_equal(s.entries, puts + large - s.evicted_space - s.evicted_bucket);
	audit(b);
}
