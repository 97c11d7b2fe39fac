// SPDX-License-Identifier: BSD-3-Clause

// Records with a mask of the lists that block what they lead to.

#include "l0_check.h"

// The mask comes, changes and goes, and all the rest stays: the stamp, the times, the answer.
TEST(test_answer_policy)
{
	struct box *b = box_new(1 << 20, 2);
	static struct box_put p;
	box_put_fill(l0_writer_reader(b->w), &p, 9, 4, 99, 1000, 5000);
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	assert_int_equal(l0_writer_restamp(b->w, &p.put.key, 34567), 0);
	static const uint64_t by[] = {7, 8, 8, 0, 0, 9};
	uint32_t last = 0, number, serial;
	for (unsigned i = 0; i < ARRAY_LEN(by); i++) {
		struct l0_view v;
		uint64_t replaced = stats_of(b).replaced;
		assert_int_equal(box_set_mask(b, 9, by[i]), 0);
		number = box_find(b, 9, &v);
		assert_true(box_is_answer(&v, 9, &serial));
		assert_int_equal(v.masked, by[i] != 0);
		if (v.masked)
			assert_int_equal(v.mask.lists[1], by[i]);
		assert_int_equal(v.stale_until_ms, 34567);
		assert_int_equal(v.hard_ms, 5000);
		assert_int_equal(v.answer.sum, p.put.answer.sum);
		// What is the same already is not written again.
		bool same = i > 0 && by[i] == by[i - 1];
		assert_int_equal(number == last, same);
		assert_int_equal(stats_of(b).replaced, replaced + !same);
		last = number;
		audit(b);
	}
	const struct rule_set none = {0};
	assert_int_equal(l0_writer_set_mask(b->w, &p.put.key, &none), 0);
	struct l0_view v;
	number = box_find(b, 9, &v);
	assert_false(v.masked);
	assert_int_equal(box_set_mask(b, 10, 1), -ENOENT);
	// Put with an empty mask: the same as without.
	p.put.mask = &none;
	assert_int_equal(l0_writer_put(b->w, &p.put), 0);
	number = box_find(b, 9, &v);
	assert_false(v.masked);
	audit(b);
}

// Nothing is free: a record that cannot be judged anew must not stay as it was.
TEST(test_mask_without_room)
{
	struct box *b = box_new(1 << 20, 3);
	b->seen[0] = b->epoch;
	uint32_t id = 0;
	while (box_put(b, id, 1, 100, id, 1 << 30) == 0)
		id++;
	uint32_t lost = 0;
	for (uint32_t i = 0; i < id; i++) {
		int rc = box_set_mask(b, i, 77);
		struct l0_view v;
		uint32_t number;
		bool there = box_get(l0_writer_reader(b->w), i, &v, &number);
		assert_int_equal(there, rc == 0);
		if (rc == 0)
			assert_true(v.masked && v.mask.lists[1] == 77);
		lost += rc == -ENOSPC;
	}
	assert_true(lost > 1000);
	audit(b);
}

// A new life of the control plane takes masks over, and drops a record whose mask was damaged.
TEST(test_recovery)
{
	struct l0_view v;
	uint32_t number, serial;
	struct box *b = box_new(1 << 20, 2);
	assert_int_equal(box_put(b, 5, 3, 100, 1000, 1 << 20), 0); // judged by the fixture
	assert_int_equal(box_put(b, 6, 3, 100, 1000, 1 << 20), 0);
	assert_int_equal(box_set_mask(b, 6, 99), 0);
	assert_true(box_reopen(b, 2000));
	number = box_find(b, 5, &v);
	assert_true(v.masked && box_is_answer(&v, 5, &serial));
	number = box_find(b, 6, &v);
	assert_true(v.masked && v.mask.lists[1] == 99);
	((uint8_t *)(uintptr_t)v.answer.bytes)[v.answer.len + 9] ^= 4;
	assert_true(box_reopen(b, 2000));
	number = box_find(b, 5, &v);
	assert_false(box_get(l0_writer_reader(b->w), 6, &v, &number));
	audit(b);
}

// Made earlier by as much, and all the rest stays; without room it is gone.
TEST(test_age)
{
	struct l0_view v;
	uint32_t number, serial, lost = 0, id = 0;
	struct box *b = box_new(1 << 20, 2);
	assert_int_equal(box_put(b, 5, 3, 100, 1000, 5000), 0);
	assert_int_equal(box_set_mask(b, 5, 99), 0);
	number = box_find(b, 5, &v);
	const uint16_t sum = v.answer.sum;
	struct l0_key key;
	l0_key_of_view(l0_writer_reader(b->w), &v, &key);
	assert_int_equal(l0_writer_age(b->w, &key, 300), 0);
	number = box_find(b, 5, &v);
	assert_true(v.masked && v.mask.lists[1] == 99 && box_is_answer(&v, 5, &serial));
	assert_int_equal(v.created_ms, 700);
	assert_int_equal(v.hard_ms, 5000);
	assert_int_equal(v.answer.sum, sum);
	audit(b);
	l0_key_of_view(l0_writer_reader(b->w), &v, &key);
	b->seen[0] = b->epoch;
	while (box_put(b, 10 + id, 1, 100, 1000, 1 << 30) == 0)
		id++;
	for (uint32_t i = 0; i < id; i++) {
		if (!box_get(l0_writer_reader(b->w), 10 + i, &v, &number))
			continue;
		l0_key_of_view(l0_writer_reader(b->w), &v, &key);
		int rc = l0_writer_age(b->w, &key, 1);
		assert_int_equal(box_get(l0_writer_reader(b->w), 10 + i, &v, &number), rc == 0);
		assert_true(rc < 0 || v.created_ms == 999);
		lost += rc == -ENOSPC;
	}
	assert_true(lost > 1000);
	audit(b);
}
