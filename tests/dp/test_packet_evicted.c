// SPDX-License-Identifier: BSD-3-Clause
// A worker that is evicted in the middle of a batch: its records may be reused, so it sends no
// reply of that batch and logs none, and goes on with the next one after it has noticed.
#include "harness.h"

enum { LOG_UNITS = 1024 };

static _Atomic uint64_t evicted, returned;

// Two queries in one batch: a hit, and a miss.
static void ask_both(struct harness *h)
{
	static const char *const names[] = {"cached.example", "new.example"};
	uint8_t frame[WIRE_MAX];

	for (unsigned i = 0; i < 2; i++) {
		const struct wire_query q = {.name = names[i], .id = (uint16_t)(7 + i)};
		harness_inject(h, frame, wire_make(&q, frame));
	}
	(void)worker_turn(&h->w, 0);
}

TEST(test_no_reply_leaves)
{
	struct harness *h = harness_begin(NULL);

	h->w.epoch.evicted = &evicted;
	h->w.epoch.returned = &returned;
	HARNESS_PUT(h, .name = "cached.example", .count = 1);
	ask_both(h);
	assert_int_equal(harness_waiting(h), 1);
	harness_drain(h);
	// As if it was evicted after the top of its loop.
	atomic_store(&evicted, 3);
	ask_both(h);
	assert_int_equal(harness_waiting(h), 0);
	assert_int_equal(harness_counter(h, COUNTER_tx_evicted), 1);
	// What it asked for is asked for, as a question has nothing of a record.
	(void)harness_miss(h);
	epoch_return(&h->w.epoch);
	assert_int_equal(atomic_load(&returned), 3);
	ask_both(h);
	assert_int_equal(harness_waiting(h), 1);
	assert_int_equal(harness_counter(h, COUNTER_tx_evicted), 1);
	harness_drain(h);
	(void)harness_misses(h);
	harness_end(h); // also counts packet buffers
}

static struct {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[LOG_UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct ring_consumer ring;
} end;

static unsigned rows(void)
{
	uint8_t msg[LOG_MESSAGE_MAX];
	uint16_t type;
	unsigned count = 0;

	for (; ring_read(&end.ring, msg, sizeof(msg), &type) != 0; ring_release(&end.ring))
		count += type == MSG_LOG;
	ring_release(&end.ring);
	return count;
}

// A row has the name and the code of a reply that may be wrong.
PACKET_TEST(test_no_row_is_logged)
{

	log_writer_init(&h->w.log, &end.tail, &end.head, end.data, LOG_UNITS, &end.owed);
	log_writer_set(&h->w.log, 1, 0);
	ring_consumer_init(&end.ring, &end.tail, &end.head, end.data, LOG_UNITS);
	atomic_store(&evicted, 0);
	h->w.epoch.evicted = &evicted;
	h->w.epoch.returned = &returned;
	HARNESS_PUT(h, .name = "cached.example", .count = 1);
	ask_both(h);
	assert_int_equal(rows(), 1); // the hit
	atomic_store(&evicted, 1);
	ask_both(h);
	assert_int_equal(rows(), 0);
	epoch_return(&h->w.epoch);
	ask_both(h);
	assert_int_equal(rows(), 1);
	assert_int_equal(harness_waiting(h), 2);
	harness_drain(h);
	(void)harness_misses(h);
}
