// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A small ring between two guard pages, and messages whose bytes follow from a number. For the
// two ring tests.

#include "tests/unit/unit.h"

#include <weir/page.h>
#include <weir/shm_msg.h>
#include <weir/shm_ring.h>

enum { UNITS = 32, QUARTER_LEN = UNITS / 4 * RING_UNIT - (int)sizeof(struct ring_unit) };

struct shared {
	struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
};

struct fixture {
	struct shared *s;
	struct ring_producer p;
	struct ring_consumer c;
};

// The end of a page between two that fault, so that an access outside the ring ends the test.
// MAP_SHARED, for the test with two processes.
static inline uint8_t *guarded_end(void)
{
	const size_t page = page_size();
	uint8_t *m = mmap(NULL, 3 * page, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(m != MAP_FAILED);
	assert_int_equal(mprotect(m + page, page, PROT_READ | PROT_WRITE), 0);
	return m + 2 * page;
}

static inline void fixture_init(struct fixture *f, uint64_t start)
{
	static_assert(sizeof(struct shared) <= SHM_PAGE);
	f->s = (struct shared *)(void *)(guarded_end() - sizeof(struct shared));
	f->s->tail.units = start;
	f->s->head.units = start;
	ring_producer_init(&f->p, &f->s->tail, &f->s->head, f->s->data, UNITS);
	ring_consumer_init(&f->c, &f->s->tail, &f->s->head, f->s->data, UNITS);
}

static inline void fixture_end(struct fixture *f)
{
	uint8_t *end = (uint8_t *)f->s + sizeof(struct shared);
	munmap(end - 2 * page_size(), 3 * page_size());
}

static inline void fixture_free(void *f)
{
	fixture_end(f);
	free(f);
}

// Until the end of the case.
static inline struct fixture *fixture_new(uint64_t start)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	fixture_init(f, start);
	unit_at_end(fixture_free, f);
	return f;
}

// A message whose bytes all follow from its number, so that a torn or foreign one shows.
static inline uint8_t msg_byte(uint64_t n, uint32_t i)
{
	return (uint8_t)(n * 131 + i * 7 + (n >> 8));
}

static inline bool put(struct ring_producer *p, uint64_t n, uint32_t len)
{
	uint8_t *m = ring_reserve(p, (uint16_t)(1 + n % 2), len);
	if (!m)
		return false;
	assert_int_equal((uintptr_t)m % 8, 0);
	for (uint32_t i = 0; i < len; i++)
		m[i] = msg_byte(n, i);
	return true;
}

static inline void expect(struct ring_consumer *c, uint64_t n, uint32_t len)
{
	uint8_t buf[QUARTER_LEN];
	uint16_t type = 0;
	assert_int_equal(ring_read(c, buf, sizeof(buf), &type), len);
	assert_int_equal(type, 1 + n % 2);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(buf[i], msg_byte(n, i));
}

static inline void expect_none(struct ring_consumer *c)
{
	uint8_t buf[QUARTER_LEN];
	uint16_t type = 77;
	assert_int_equal(ring_read(c, buf, sizeof(buf), &type), 0);
	assert_int_equal(type, 77);
}
