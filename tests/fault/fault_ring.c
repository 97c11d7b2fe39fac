// SPDX-License-Identifier: BSD-3-Clause

// a worker's rings' ring. The child plays both sides in turn; both sides' private state lies in
// memory that outlives it, so that its death can be taken for that of the side at whose site it
// died: the other one goes on, the dead one's successor starts from what the ring says. And for the
// death of both.

#include "fault_run.h"
#include "tests/unit/core/shm/ring_used.h"

#include <string.h>
#include <weir/shm_msg.h>
#include <weir/shm_ring.h>

enum { UNITS = 64, LEN_MAX = UNITS / 4 * RING_UNIT - (int)sizeof(struct ring_unit), ROUNDS = 600 };

struct shared {
	struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	struct ring_producer p;
	struct ring_consumer c;
	uint64_t seed;
	uint64_t reserved;  // messages, by the producer that lives
	uint64_t published; // by calls of ring_publish that have returned
	uint64_t consumed;  // number of the message that is expected next
	uint64_t released;  // the same, at the last return of ring_release
};

static struct shared *shared;

static uint32_t below(uint32_t n)
{
	shared->seed = shared->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(shared->seed >> 33) % n;
}

// A message's length and bytes follow from its number.
static uint32_t len_of(uint64_t n)
{
	return 1 + (uint32_t)(n * 2654435761u >> 7) % LEN_MAX;
}

static uint8_t byte_of(uint64_t n, uint32_t i)
{
	return (uint8_t)(n * 131 + i * 7 + (n >> 8));
}

static void produce(void)
{
	for (uint32_t k = 1 + below(3); k > 0; k--) {
		uint64_t n = shared->reserved;
		uint8_t *m = ring_reserve(&shared->p, (uint16_t)(1 + n % 2), len_of(n));
		if (!m)
			break;
		for (uint32_t i = 0; i < len_of(n); i++)
			m[i] = byte_of(n, i);
		shared->reserved = n + 1;
	}
	ring_publish(&shared->p);
	shared->published = shared->reserved;
	(void)ring_wants_wake(&shared->p);
}

// False: the ring is empty.
static bool consume_one(void)
{
	uint8_t buf[LEN_MAX];
	uint16_t type = 0;
	uint64_t n = shared->consumed;
	int len = ring_read(&shared->c, buf, sizeof(buf), &type);
	FAULT_CHECK(len >= 0);
	if (len == 0)
		return false;
	FAULT_CHECK((uint32_t)len == len_of(n) && type == 1 + n % 2);
	for (uint32_t i = 0; i < len_of(n); i++)
		FAULT_CHECK(buf[i] == byte_of(n, i));
	shared->consumed = n + 1;
	return true;
}

static void release(void)
{
	ring_release(&shared->c);
	shared->released = shared->consumed;
}

static void consume(void)
{
	ring_awake(&shared->c);
	for (uint32_t k = 1 + below(4); k > 0; k--) {
		if (consume_one())
			continue;
		release();
		if (ring_prepare_sleep(&shared->c))
			return;
	}
	release();
}

static void producer_start(void)
{
	ring_producer_init(&shared->p, &shared->tail, &shared->head, shared->data, UNITS);
}

static void consumer_start(void)
{
	ring_consumer_init(&shared->c, &shared->tail, &shared->head, shared->data, UNITS);
}

static void prepare(void)
{
	memset(shared, 0, sizeof(*shared));
	atomic_store(&shared->tail.units, UINT64_MAX - 500); // the count runs over on the way
	atomic_store(&shared->head.units, UINT64_MAX - 500);
	producer_start();
	consumer_start();
}

static void work(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		produce();
		consume();
	}
}

// Both go on for some laps, and nothing is left.
static void go_on(void)
{
	for (unsigned i = 0; i < 200; i++) {
		produce();
		consume();
	}
	while (consume_one())
		release();
	release();
	FAULT_CHECK(shared->consumed == shared->published);
	FAULT_CHECK(shared->p.anomalies == 0 && shared->c.anomalies == 0);
	FAULT_CHECK(ring_consumer_used(&shared->c) == 0 && ring_producer_used(&shared->p) == 0);
}

// What the dead producer had published is read, whole, and its successor's first message takes the
// next number; what it had in hand is lost. The successor may come before the consumer has looked.
static void audit_producer(bool drained)
{
	while (drained && consume_one())
		;
	if (drained) {
		release();
		FAULT_CHECK(shared->consumed == shared->published);
	}
	producer_start();
	shared->reserved = shared->published;
	go_on();
}

// The successor reads again what was read and not given back, and misses nothing.
static void audit_consumer(void)
{
	uint64_t read = shared->consumed;
	consumer_start();
	shared->consumed = shared->released;
	go_on();
	FAULT_CHECK(shared->consumed >= read);
}

static void audit(enum fault_site died_at)
{
	static struct shared left;
	// Stored, but the ledger did not come to know of it.
	if (died_at == FAULT_AT_ring_after_tail)
		shared->published = shared->reserved;
	if (died_at == FAULT_AT_ring_after_head)
		shared->released = shared->consumed;
	left = *shared;
	if (died_at < FAULT_SITES_COUNT && fault_group_of(died_at) == FAULT_GROUP_RING_CONSUMER) {
		audit_consumer();
	} else {
		audit_producer(true);
		*shared = left;
		audit_producer(false);
	}
	// And as if both had died.
	for (unsigned drained = 0; drained < 2; drained++) {
		*shared = left;
		consumer_start();
		shared->consumed = shared->released;
		audit_producer(drained);
	}
}

FAULT_MAIN("ring", 1u << FAULT_GROUP_RING_PRODUCER | 1u << FAULT_GROUP_RING_CONSUMER,
	shared = fault_shared(sizeof(*shared)))
