// SPDX-License-Identifier: BSD-3-Clause

// What a damaged, lying or killed other side can do to a ring.

#include "ring_fixture.h"
#include "ring_used.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

// Each index out of range: refused, counted, and both sides work again without a restart.
TEST(test_scribbled_indices_heal)
{
	const uint64_t by[] = {UNITS + 1, 1000, (uint64_t)-1, UINT64_C(1) << 63};
	for (unsigned k = 0; k < 2 * ARRAY_LEN(by); k++) {
		struct fixture f;
		fixture_init(&f, 64);
		struct ring_index *victim = k % 2 ? &f.s->tail : &f.s->head;
		victim->units += by[k / 2];
		uint8_t buf[QUARTER_LEN];
		uint16_t type;
		unsigned got = 0;
		for (unsigned n = 0; n < 50; n++) {
			if (put(&f.p, n, 100))
				ring_publish(&f.p);
			got += ring_read(&f.c, buf, sizeof(buf), &type) == 100;
			ring_release(&f.c);
		}
		assert_true(got >= 40);
		assert_int_equal(ring_producer_used(&f.p), ring_consumer_used(&f.c));
		fixture_end(&f);
	}
	struct fixture f;
	fixture_init(&f, 64);
	f.s->head.units = 65;
	for (unsigned n = 0; n < 3; n++)
		assert_null(ring_reserve(&f.p, MSG_MISS, 1));
	assert_int_equal(f.p.anomalies, 3);
	f.s->tail.units = 64 + UNITS + 1;
	uint8_t buf[8];
	uint16_t type;
	assert_int_equal(ring_read(&f.c, buf, sizeof(buf), &type), -EPROTO);
	assert_int_equal(f.c.anomalies, 1);
	assert_int_equal(f.c.next, 64 + UNITS + 1);
	fixture_end(&f);
}

TEST(test_bad_headers_reset)
{
	const struct ring_unit bad[] = {
		{.len = 0, .units = 0, .type = 1},              // would loop for ever
		{.len = 0, .units = 1, .type = 1},              // empty
		{.len = 57, .units = 1, .type = 1},             // longer than its units
		{.len = 10, .units = 2, .type = 1},             // shorter
		{.len = UINT32_MAX, .units = 1, .type = 1},     // overflow
		{.len = UINT32_MAX - 6, .units = 0, .type = 1}, // the same, wrapped to 0
		{.len = 3 * 64 - 8, .units = 3, .type = 1},     // beyond what was published
		{.len = 9 * 64 - 8, .units = 9, .type = 1},     // above a quarter
		{.len = 0, .units = 2, .type = MSG_PAD},        // pad that is not at the end
		{.len = 0, .units = UNITS, .type = MSG_PAD},    // pad of a whole lap
		{.len = 1, .units = 2, .type = MSG_PAD},        // pad with content
		{.len = 0, .units = UINT16_MAX, .type = UINT16_MAX},
	};
	for (unsigned k = 0; k < ARRAY_LEN(bad); k++) {
		struct fixture f;
		fixture_init(&f, 0);
		assert_true(put(&f.p, 1, 50));
		assert_true(put(&f.p, 2, 50));
		ring_publish(&f.p);
		memcpy(f.s->data, &bad[k], sizeof(bad[k]));
		uint8_t buf[QUARTER_LEN];
		uint16_t type;
		assert_int_equal(ring_read(&f.c, buf, sizeof(buf), &type), -EPROTO);
		assert_int_equal(f.c.anomalies, 1);
		expect_none(&f.c);
		ring_release(&f.c);
		assert_true(put(&f.p, 3, 50));
		ring_publish(&f.p);
		expect(&f.c, 3, 50);
		fixture_end(&f);
	}
}

// A message that would reach behind the array, and a pad with nothing behind it.
TEST(test_bad_headers_at_the_end)
{
	struct fixture f;
	fixture_init(&f, UNITS - 1);
	assert_true(put(&f.p, 1, 50));
	assert_true(put(&f.p, 2, 50));
	ring_publish(&f.p);
	const struct ring_unit over = {.len = 100, .units = 2, .type = 1};
	uint8_t *last = f.s->data + (UNITS - 1) * RING_UNIT;
	memcpy(last, &over, sizeof(over));
	uint8_t buf[QUARTER_LEN];
	uint16_t type;
	assert_int_equal(ring_read(&f.c, buf, sizeof(buf), &type), -EPROTO);
	fixture_end(&f);

	fixture_init(&f, UNITS - 1);
	assert_true(put(&f.p, 1, 50));
	ring_publish(&f.p);
	const struct ring_unit pad = {.units = 1, .type = MSG_PAD};
	last = f.s->data + (UNITS - 1) * RING_UNIT;
	memcpy(last, &pad, sizeof(pad));
	assert_int_equal(ring_read(&f.c, buf, sizeof(buf), &type), -EPROTO);
	fixture_end(&f);
}

// Random damage to indices and data between any two steps. The guard pages catch an access outside,
// the loop is bounded, and after the damage ends the ring works again.
TEST(test_scribbler)
{
	struct fixture *f = fixture_new(0);
	srandom(20240611);
	uint8_t buf[QUARTER_LEN];
	uint16_t type;
	for (unsigned n = 0; n < 300000; n++) {
		uint64_t r = (uint64_t)random() << 31 ^ (uint64_t)random();
		switch (r % 8) {
		case 0:
			f->s->data[r / 8 % sizeof(f->s->data)] ^= (uint8_t)(1 << (r >> 40) % 8);
			break;
		case 1: // a header, where damage tells
			f->s->data[r / 8 % UNITS * RING_UNIT + (r >> 20) % 8] = (uint8_t)(r >> 30);
			break;
		case 2:
			if (r / 8 % 4 == 0)
				(r & 64 ? &f->s->tail : &f->s->head)->units ^= UINT64_C(1)
									       << (r >> 10) % 64;
			break;
		case 3:
		case 4:
			(void)put(&f->p, n, 1 + (uint32_t)(r / 8 % QUARTER_LEN));
			ring_publish(&f->p);
			break;
		default: {
			int len = ring_read(&f->c, buf, 300, &type);
			assert_true(len == -EPROTO || (len >= 0 && len <= 300));
			ring_release(&f->c);
		}
		}
		assert_true(ring_producer_used(&f->p) <= UNITS);
		assert_true(ring_consumer_used(&f->c) <= UNITS);
	}
	assert_true(f->c.anomalies > 1000 && f->p.anomalies > 100);
	for (unsigned n = 0; n < 100; n++) {
		(void)put(&f->p, n, 100);
		ring_publish(&f->p);
		int len = ring_read(&f->c, buf, sizeof(buf), &type);
		assert_true(len == -EPROTO || len >= 0);
		ring_release(&f->c);
	}
	uint64_t before = f->c.anomalies + f->p.anomalies;
	while (ring_read(&f->c, buf, sizeof(buf), &type) != 0)
		ring_release(&f->c);
	ring_release(&f->c);
	assert_true(put(&f->p, 7, 333));
	ring_publish(&f->p);
	expect(&f->c, 7, 333);
	assert_int_equal(f->c.anomalies + f->p.anomalies, before);
}

// The child's life: sends numbered messages from where the shared tail stands, until it is killed.
static void produce_for_ever(struct shared *s, _Atomic uint64_t *number)
{
	struct ring_producer p;
	ring_producer_init(&p, &s->tail, &s->head, s->data, UNITS);
	for (;;) {
		uint64_t n = atomic_load(number);
		uint32_t len = 8 + (uint32_t)(n * 37 % (QUARTER_LEN - 8));
		uint8_t *m = ring_reserve(&p, MSG_MISS, len);
		if (!m) {
			sched_yield();
			continue;
		}
		memcpy(m, &n, sizeof(n));
		for (uint32_t i = 8; i < len; i++)
			m[i] = msg_byte(n, i);
		atomic_store(number, n + 1); // before it is visible: a number is never used twice
		ring_publish(&p);
	}
}

// One round: a producer process is killed at a random time. All that is read is whole and new.
static void kill_round(struct shared *s, _Atomic uint64_t *number, struct ring_consumer *c,
	uint64_t *last, uint64_t *read_total)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		produce_for_ever(s, number);
		_exit(0);
	}
	uint64_t want = *read_total + (uint64_t)(random() % 500);
	bool killed = false;
	for (int len;;) {
		uint8_t buf[QUARTER_LEN];
		uint16_t type;
		if (!killed && *read_total >= want) {
			kill(child, SIGKILL);
			assert_int_equal(waitpid(child, NULL, 0), child);
			killed = true;
		}
		len = ring_read(c, buf, sizeof(buf), &type);
		ring_release(c);
		if (len == 0 && killed)
			return;
		if (len == 0) {
			sched_yield();
			continue;
		}
		uint64_t n;
		assert_true(len >= 8);
		assert_int_equal(type, MSG_MISS);
		memcpy(&n, buf, sizeof(n));
		assert_int_equal(len, 8 + n * 37 % (QUARTER_LEN - 8));
		for (uint32_t i = 8; i < (uint32_t)len; i++)
			assert_int_equal(buf[i], msg_byte(n, i));
		// At most the one message that the killed producer had in hand is missing.
		assert_true(n == *last + 1 || n == *last + 2);
		*last = n;
		++*read_total;
	}
}

TEST(test_killed_producers)
{
	struct fixture *f = fixture_new(0);
	_Atomic uint64_t *number =
		mmap(NULL, SHM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(number != MAP_FAILED);
	*number = 1;
	srandom(7);
	uint64_t last = 0, read_total = 0;
	for (unsigned round = 0; round < 100; round++)
		kill_round(f->s, number, &f->c, &last, &read_total);
	assert_int_equal(f->c.anomalies, 0);
	assert_true(read_total > 10000);
	munmap(number, SHM_PAGE);
}
