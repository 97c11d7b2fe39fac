// SPDX-License-Identifier: BSD-3-Clause
// The answer rings of several resolvers, and of one that a restart took away: what its ring holds
// is read, then the ring is left alone, until there is such a resolver again.
#include "harness.h"

static struct ring_index tail, head;
static alignas(64) uint8_t data[64 * RING_UNIT];
static struct ring_producer second; // the second resolver's end of its answer ring

// Something that the worker reads and counts: no message of any kind.
static void put(void)
{
	enum { NO_KIND = 99 };
	uint8_t *p = ring_reserve(&second, NO_KIND, 8);
	assert_non_null(p);
	memset(p, 0, 8);
	ring_publish(&second);
}

PACKET_TEST(test_a_resolver_less)
{
	ring_producer_init(&second, &tail, &head, data, 64);
	ring_consumer_init(&h->w.answer[1], &tail, &head, data, 64);
	h->w.resolvers = h->tables.l0.resolvers = 2;
	h->w.answer[1].anomalies = 3;
	(void)stage_answer(&h->w);
	assert_int_equal(h->w.resolvers, 2); // empty, but in use
	put();
	h->tables.l0.resolvers = 1;
	(void)stage_answer(&h->w);
	assert_int_equal(harness_counter(h, COUNTER_answer_bad), 1);
	assert_int_equal(h->w.resolvers, 1);
	assert_int_equal(h->w.answer_next, 0);
	put();
	(void)stage_answer(&h->w);
	assert_int_equal(harness_counter(h, COUNTER_answer_bad), 1);
	h->w.resolvers = h->tables.l0.resolvers = 2; // as take_tables does
	(void)stage_answer(&h->w);
	assert_int_equal(harness_counter(h, COUNTER_answer_bad), 2);
	assert_int_equal(harness_counter(h, COUNTER_ring_anomaly), 3); // of both times, once
	h->w.resolvers = h->tables.l0.resolvers = 1;
}
