// SPDX-License-Identifier: BSD-3-Clause

#include "ring_fixture.h"
#include "ring_used.h"

TEST(test_invisible_until_published)
{
	struct fixture *f = fixture_new(0);
	assert_true(put(&f->p, 1, 10));
	assert_true(put(&f->p, 2, 56));
	expect_none(&f->c);
	ring_publish(&f->p);
	assert_int_equal(ring_producer_used(&f->p), 2);
	assert_int_equal(ring_consumer_used(&f->c), 2);
	expect(&f->c, 1, 10);
	expect(&f->c, 2, 56);
	expect_none(&f->c);
	assert_int_equal(ring_producer_used(&f->p), 2);
	ring_release(&f->c);
	assert_int_equal(ring_producer_used(&f->p), 0);
}

TEST(test_length_limits)
{
	struct fixture *f = fixture_new(0);
	assert_null(ring_reserve(&f->p, MSG_MISS, 0));
	assert_null(ring_reserve(&f->p, MSG_MISS, QUARTER_LEN + 1));
	assert_null(ring_reserve(&f->p, MSG_MISS, UINT32_MAX));
	assert_int_equal(ring_producer_used(&f->p), 0);
	for (uint64_t n = 0; n < 4; n++)
		assert_true(put(&f->p, n, QUARTER_LEN));
	assert_null(ring_reserve(&f->p, MSG_MISS, 1));
	ring_publish(&f->p);
	for (uint64_t n = 0; n < 4; n++)
		expect(&f->c, n, QUARTER_LEN);
	// Read, but not given back yet.
	assert_null(ring_reserve(&f->p, MSG_MISS, 1));
	ring_release(&f->c);
	assert_true(put(&f->p, 9, 1));
	assert_int_equal(f->p.anomalies + f->c.anomalies, 0);
}

// Every length at every place, across the end of the ring and of the counter.
TEST(test_wrap_everywhere)
{
	struct fixture *f = fixture_new(UINT64_MAX - 100);
	uint64_t n = 0;
	for (uint32_t len = 1; len <= QUARTER_LEN; len += 11)
		for (unsigned start = 0; start < UNITS; start++, n++) {
			// An extra unit each time, so that the start moves.
			assert_true(put(&f->p, n, 1));
			assert_true(put(&f->p, n + 1, len));
			ring_publish(&f->p);
			expect(&f->c, n, 1);
			expect(&f->c, n + 1, len);
			expect_none(&f->c);
			ring_release(&f->c);
			assert_int_equal(ring_producer_used(&f->p), 0);
		}
	assert_int_equal(f->p.anomalies + f->c.anomalies, 0);
}

// The pad counts as used: a message that does not fit behind it leaves nothing behind.
TEST(test_full_at_the_wrap)
{
	struct fixture *f = fixture_new(UNITS - 2);
	for (uint64_t n = 0; n < 3; n++)
		assert_true(put(&f->p, n, QUARTER_LEN)); // pad of 2, then 24 units
	assert_int_equal(f->p.next - (UNITS - 2), 26);
	assert_false(put(&f->p, 3, QUARTER_LEN));
	assert_int_equal(f->p.next - (UNITS - 2), 26);
	assert_true(put(&f->p, 3, 6 * RING_UNIT - 8));
	assert_false(put(&f->p, 4, 1));
	ring_publish(&f->p);
	for (uint64_t n = 0; n < 3; n++)
		expect(&f->c, n, QUARTER_LEN);
	expect(&f->c, 3, 6 * RING_UNIT - 8);
	expect_none(&f->c);
}

TEST(test_overlong_is_skipped)
{
	struct fixture *f = fixture_new(5);
	uint8_t buf[16];
	uint16_t type;
	assert_true(put(&f->p, 1, 17));
	assert_true(put(&f->p, 2, 16));
	ring_publish(&f->p);
	assert_int_equal(ring_read(&f->c, buf, sizeof(buf), &type), 16);
	assert_int_equal(buf[0], msg_byte(2, 0));
	assert_int_equal(f->c.anomalies, 1);
}

TEST(test_restart_of_each_side)
{
	struct fixture *f = fixture_new(0);
	assert_true(put(&f->p, 1, 100));
	ring_publish(&f->p);
	assert_true(put(&f->p, 2, 200)); // in hand when the producer dies
	ring_producer_init(&f->p, &f->s->tail, &f->s->head, f->s->data, UNITS);
	assert_true(put(&f->p, 3, 50));
	ring_publish(&f->p);
	expect(&f->c, 1, 100);
	ring_release(&f->c);
	expect(&f->c, 3, 50); // not given back when the consumer dies: read again
	ring_consumer_init(&f->c, &f->s->tail, &f->s->head, f->s->data, UNITS);
	expect(&f->c, 3, 50);
	expect_none(&f->c);
	// A producer that comes back to a full ring finds it full.
	ring_release(&f->c);
	for (uint64_t n = 0; n < 4; n++)
		assert_true(put(&f->p, n, QUARTER_LEN - RING_UNIT));
	ring_publish(&f->p);
	ring_producer_init(&f->p, &f->s->tail, &f->s->head, f->s->data, UNITS);
	assert_false(put(&f->p, 9, QUARTER_LEN));
	assert_int_equal(f->p.anomalies + f->c.anomalies, 0);
}

TEST(test_doorbell)
{
	struct fixture *f = fixture_new(0);
	assert_false(ring_wants_wake(&f->p));
	assert_true(put(&f->p, 1, 1));
	ring_publish(&f->p);
	assert_false(ring_prepare_sleep(&f->c)); // something came
	assert_false(ring_wants_wake(&f->p));
	expect(&f->c, 1, 1);
	assert_true(ring_prepare_sleep(&f->c));
	assert_true(ring_wants_wake(&f->p));
	ring_awake(&f->c);
	assert_false(ring_wants_wake(&f->p));
}

// Two messages of a unit, written in one piece of the ring.
static void put_span(struct ring_producer *p, uint64_t n)
{
	uint8_t *unit = ring_span(p, 2);
	assert_non_null(unit);
	for (unsigned i = 0; i < 2; i++, unit += RING_UNIT) {
		const uint32_t len = 8;
		ring_header_put(unit, (struct ring_unit){.len = len,
					      .units = (uint16_t)ring_units_of(len),
					      .type = (uint16_t)(1 + (n + i) % 2)});
		for (uint32_t k = 0; k < len; k++)
			unit[sizeof(struct ring_unit) + k] = msg_byte(n + i, k);
	}
	ring_span_take(p, 2);
}

TEST(test_span)
{
	struct fixture *f = fixture_new(UINT64_MAX - UNITS + 1);
	assert_null(ring_span(&f->p, UNITS + 1));
	for (uint64_t n = 0; n < UNITS; n += 2)
		put_span(&f->p, n);
	assert_null(ring_span(&f->p, 1)); // full
	expect_none(&f->c);
	ring_publish(&f->p);
	expect(&f->c, 0, 8);
	ring_release(&f->c);
	assert_non_null(ring_span(&f->p, 1));
	assert_null(ring_span(&f->p, 2));
	for (uint64_t n = 1; n < UNITS; n++)
		expect(&f->c, n, 8);
	ring_release(&f->c);
	assert_true(put(&f->p, 9, 1));
	assert_null(ring_span(&f->p, UNITS)); // not in one piece
	assert_non_null(ring_span(&f->p, UNITS - 1));
	f->s->head.units += UNITS;
	f->p.head_seen = f->p.next - UNITS;
	assert_null(ring_span(&f->p, 1)); // that is nonsense
	assert_int_equal(f->p.anomalies, 1);
}
