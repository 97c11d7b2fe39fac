// SPDX-License-Identifier: BSD-3-Clause
// The law of weights: what a writer's records stand for, and what it owes, are the queries that it
// was asked to log, whatever the sample and however full the ring.

#include "tests/unit/unit.h"

#include <weir/log_writer.h>
#include <weir/shm_msg.h>

enum { UNITS = 256 };

struct rig {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct log_writer writer;
	struct ring_consumer consumer;
	uint64_t asked, weight, records, remainders;
	unsigned seed;
};

static void rig_open(struct rig *g, unsigned seed)
{
	memset(g, 0, sizeof(*g));
	g->seed = seed;
	log_writer_init(&g->writer, &g->tail, &g->head, g->data, UNITS, &g->owed);
	ring_consumer_init(&g->consumer, &g->tail, &g->head, g->data, UNITS);
}

static void ask(struct rig *g, unsigned queries)
{
	for (unsigned i = 0; i < queries; i++) {
		g->asked++;
		if (log_writer_left(&g->writer) > 1) {
			log_writer_skip(&g->writer, 1);
			continue;
		}
		uint8_t len = (uint8_t)((unsigned)rand_r(&g->seed) % 256);
		struct log_record *r = log_writer_take(&g->writer, len);
		if (r)
			memset(r + 1, 0x61, len);
	}
	log_writer_publish(&g->writer);
}

static void drain(struct rig *g, unsigned most)
{
	uint8_t msg[LOG_MESSAGE_MAX];
	uint16_t type;
	for (unsigned i = 0; i < most; i++) {
		int len = ring_read(&g->consumer, msg, sizeof(msg), &type);
		if (len == 0)
			break;
		struct log_record r;
		assert_int_equal(type, MSG_LOG);
		memcpy(&r, msg, sizeof(r));
		assert_int_equal(len, sizeof(r) + r.name_len);
		assert_true(r.weight > 0);
		g->weight += r.weight;
		g->records++;
		g->remainders += (r.flags & LOG_REST) && r.name_len == 0;
	}
	ring_release(&g->consumer);
}

TEST(test_every_query_has_its_record)
{
	static struct rig g;
	rig_open(&g, 1);
	log_writer_set(&g.writer, 1, 0);
	for (unsigned i = 0; i < 1000; i++) {
		ask(&g, 10);
		drain(&g, UINT32_MAX);
	}
	assert_int_equal(g.records, 10000);
	assert_int_equal(g.weight, 10000);
	assert_int_equal(atomic_load(&g.owed), 0);
	assert_int_equal(g.writer.full, 0);
}

TEST(test_a_full_ring_is_made_good)
{
	static struct rig g;
	rig_open(&g, 2);
	log_writer_set(&g.writer, 1, 0);
	ask(&g, 1000);
	assert_true(g.writer.full > 0);
	assert_int_equal(atomic_load(&g.owed), g.writer.skipped);
	drain(&g, UINT32_MAX);
	assert_int_equal(g.weight + atomic_load(&g.owed), 1000);
	ask(&g, 1);
	drain(&g, UINT32_MAX);
	assert_int_equal(g.weight, 1001);
	assert_int_equal(atomic_load(&g.owed), 0);
}

TEST(test_sampled)
{
	static struct rig g;
	rig_open(&g, 3);
	log_writer_set(&g.writer, 100, 0);
	for (unsigned i = 0; i < 1000; i++) {
		ask(&g, 33);
		drain(&g, UINT32_MAX);
	}
	assert_int_equal(g.records, 330);
	assert_int_equal(g.weight + atomic_load(&g.owed), 33000);
	ask(&g, 50);
	log_writer_set(&g.writer, 0, 0); // off: what is owed is said
	drain(&g, UINT32_MAX);
	assert_int_equal(g.weight, 33050);
	assert_int_equal(g.remainders, 1);
}

// Random bursts, drains, samples; a writer ends with a full ring and another uses its words.
TEST(test_the_sum_is_exact)
{
	static struct rig g;
	static const uint32_t samples[] = {1, 2, 7, 100, 100000, 0, 1};
	rig_open(&g, 4);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned what = (unsigned)rand_r(&g.seed);
		if (what % 100 == 0)
			log_writer_set(&g.writer, samples[what / 100 % ARRAY_LEN(samples)], i);
		if (what % 1000 == 1)
			log_writer_init(&g.writer, &g.tail, &g.head, g.data, UNITS, &g.owed);
		if (log_writer_is_on(&g.writer))
			ask(&g, what / 1000 % 40);
		if (what % 3 == 0)
			drain(&g, what / 7 % 30);
		log_writer_beat(&g.writer, i * UINT64_C(10000));
		if (i % 1000 == 0) {
			drain(&g, UINT32_MAX);
			assert_int_equal(g.weight + atomic_load(&g.owed), g.asked);
		}
	}
	drain(&g, UINT32_MAX);
	log_writer_set(&g.writer, 1, 0);
	log_writer_set(&g.writer, 0, 0);
	drain(&g, UINT32_MAX);
	assert_int_equal(g.weight, g.asked);
	assert_int_equal(atomic_load(&g.owed), 0);
	assert_true(g.asked > 100000);
}

TEST(test_what_is_owed_is_said_after_a_second_of_silence)
{
	static struct rig g;
	rig_open(&g, 5);
	log_writer_set(&g.writer, 100, 0);
	ask(&g, 42);
	log_writer_beat(&g.writer, 5000000);
	log_writer_beat(&g.writer, 5900000);
	drain(&g, UINT32_MAX);
	assert_int_equal(g.records, 0);
	log_writer_beat(&g.writer, 6000000);
	drain(&g, UINT32_MAX);
	assert_int_equal(g.weight, 42);
	assert_int_equal(g.remainders, 1);
	log_writer_beat(&g.writer, 9000000);
	drain(&g, UINT32_MAX);
	assert_int_equal(g.records, 1);
}

// More than a weight can say goes into several records.
TEST(test_more_than_a_weight_holds)
{
	static struct rig g;
	rig_open(&g, 6);
	atomic_store(&g.owed, UINT64_C(3) << 32);
	log_writer_init(&g.writer, &g.tail, &g.head, g.data, UNITS, &g.owed);
	for (unsigned i = 0; i < 4; i++)
		assert_true(log_writer_rest(&g.writer, 1));
	assert_false(log_writer_rest(&g.writer, 1));
	drain(&g, UINT32_MAX);
	assert_true(g.weight == UINT64_C(3) << 32);
}
