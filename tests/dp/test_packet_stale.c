// SPDX-License-Identifier: BSD-3-Clause
// Records past their soft expiry, and refresh-ahead.
#include "harness.h"

// Soft expired 10 s ago, good for another hour.
static const struct harness_record expired = {
	.name = "old.example", .count = 2, .created_ms = -70000, .soft_ms = 60000};
static const struct wire_query ask_expired = {.name = "old.example", .edns = true};

// Not yet expired, and its refresh was due a second ago.
static struct harness_record due(const char *name)
{
	return (struct harness_record){.name = name,
		.count = 1,
		.created_ms = -50000,
		.soft_ms = 60000,
		.refresh_ms = 49000};
}

// No message goes on the miss ring any more.
static void misses_fill(struct harness *h)
{
	while (ring_reserve(&h->w.miss[0], MSG_MISS, 100))
		continue;
}

static unsigned misses(struct harness *h, uint8_t kind)
{
	struct msg_miss msg;
	unsigned n = 0;
	while (harness_miss_is_there(h, &msg)) {
		assert_int_equal(msg.kind, kind);
		n++;
	}
	return n;
}

static void check_stale(const struct wire_reply *r, uint32_t ttl_s, int ede)
{
	assert_int_equal(r->count, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(r->record[i].ttl_s, ttl_s);
	assert_int_equal(r->ede, ede);
}

PACKET_TEST(test_soft_expired_is_a_miss)
{
	harness_put(h, &expired);
	harness_ask_dropped(h, &ask_expired, VERDICT_miss);
	assert_int_equal(misses(h, MISS_WAITER), 1);
}

// Upstreams fail: the control plane stamped the record. Its stamp counts from creation.
PACKET_TEST(test_stamped)
{
	struct harness_record record = expired;
	record.stale_until_ms = 100000;
	harness_put(h, &record);
	struct wire_reply r = harness_ask(h, &ask_expired, VERDICT_hit_stale);
	check_stale(&r, 30, 3);
	assert_int_equal(misses(h, MISS_REFRESH), 0);
	record.stale_until_ms = 69000;
	harness_put(h, &record);
	harness_ask_dropped(h, &ask_expired, VERDICT_miss);
}

PACKET_TEST(test_no_control)
{
	h->w.control_alive = 0;
	harness_put(h, &expired);
	struct wire_reply r = harness_ask(h, &ask_expired, VERDICT_hit_stale);
	check_stale(&r, 30, 3);
	assert_int_equal(misses(h, MISS_REFRESH), 0);
	assert_int_equal(harness_mark(h, "old.example"), MARK_VISITED | MARK_HIT);
}

// The client's TTL cap holds for stale answers as well.
PACKET_TEST(test_stale_ttl_is_capped)
{
	h->w.control_alive = 0;
	h->tables.config.client_ttl_cap_s = 12;
	harness_put(h, &expired);
	struct wire_reply r = harness_ask(h, &ask_expired, VERDICT_hit_stale);
	check_stale(&r, 12, 3);
}

PACKET_TEST(test_immediate)
{
	struct wire_reply r;
	h->tables.config.stale_mode = STALE_IMMEDIATE;
	harness_put(h, &expired);
	for (unsigned i = 0; i < 5; i++) {
		r = harness_ask(h, &ask_expired, VERDICT_hit_stale);
		check_stale(&r, 30, 3);
	}
	assert_int_equal(misses(h, MISS_REFRESH), 1);
	assert_int_equal(
		harness_mark(h, "old.example"), MARK_VISITED | MARK_REFRESH | 5 * MARK_HIT);
}

PACKET_TEST(test_nxdomain_says_so)
{
	struct harness_record record = expired;
	record.rcode = 3;
	record.count = 0;
	h->w.control_alive = 0;
	harness_put(h, &record);
	struct wire_reply r = harness_ask(h, &ask_expired, VERDICT_hit_stale);
	assert_int_equal(r.rcode, 3);
	assert_int_equal(r.ede, 19);
}

// Whatever else holds, a record past its hard expiry is not there.
PACKET_TEST_OF(test_hard_expired, harness_begin(&(struct harness_options){.miss_units = 16}))
{
	struct harness_record record = expired;
	record.hard_ms = 65000;
	record.stale_until_ms = 500000;
	h->tables.config.stale_mode = STALE_IMMEDIATE;
	harness_put(h, &record);
	harness_ask_dropped(h, &ask_expired, VERDICT_miss);
	h->w.control_alive = 0;
	struct wire_reply r = harness_ask(h, &ask_expired, VERDICT_servfail_no_control);
	assert_int_equal(r.rcode, 2);
	h->w.control_alive = 1;
	misses_fill(h);
	harness_ask_dropped(h, &ask_expired, VERDICT_drop_ring_full);
}

PACKET_TEST_OF(
	test_ring_full_serves_stale, harness_begin(&(struct harness_options){.miss_units = 16}))
{
	struct wire_reply r;
	harness_put(h, &expired);
	misses_fill(h);
	for (unsigned i = 0; i < 300; i++) {
		r = harness_ask(h, &ask_expired, VERDICT_hit_stale);
		check_stale(&r, 30, 3);
	}
}

// Fresh but due: one message, however many hits; none before it is due.
PACKET_TEST(test_refresh_ahead)
{
	struct harness_record record = due("due.example");
	struct wire_query q = {.name = "Due.example"};
	harness_put(h, &record);
	for (unsigned i = 0; i < 40; i++)
		harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(harness_counter(h, COUNTER_refresh_asked), 1);
	const struct msg_miss msg = harness_miss(h);
	assert_int_equal(msg.kind, MISS_REFRESH);
	assert_int_equal(msg.question_len, 17);
	assert_memory_equal(harness_question, "\3Due\7example\0\0\1\0\1", 17);
	assert_int_equal(misses(h, MISS_REFRESH), 0);
	record.name = "later.example";
	record.refresh_ms = 55000;
	q.name = "later.example";
	harness_put(h, &record);
	harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(misses(h, MISS_REFRESH), 0);
	assert_int_equal(harness_mark(h, "later.example"), MARK_VISITED | MARK_HIT);
}

// No room for the request: the mark stays clear, so that a later hit asks.
PACKET_TEST_OF(test_refresh_ring_full, harness_begin(&(struct harness_options){.miss_units = 16}))
{
	struct harness_record record = due("due.example");
	struct wire_query q = {.name = "due.example"};
	harness_put(h, &record);
	misses_fill(h);
	harness_ask(h, &q, VERDICT_hit);
	harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(harness_counter(h, COUNTER_refresh_full), 2);
	assert_int_equal(harness_mark(h, "due.example"), MARK_VISITED | 2 * MARK_HIT);
}

// Hits are counted one by one until the byte is full, and again once they were taken. The refresh
// mark lies beside them and is not touched.
PACKET_TEST(test_hits_are_counted_and_saturate)
{
	struct harness_record record = due("count.example");
	struct wire_query q = {.name = "count.example"};
	harness_put(h, &record);
	const struct l0_sweep sweep = {.keep_256 = 192, .weigh_256 = 256, .now_ms = h->start_ms};
	l0_writer_set_marks(h->l0, 0, h->marks);
	for (unsigned rounds = 0; rounds < 2;) // those that forget earlier requests
		rounds += l0_writer_sweep(h->l0, &sweep, 1024);
	for (unsigned i = 1; i <= 3 * MARK_HITS_MAX; i++) {
		unsigned hits = i < MARK_HITS_MAX ? i : MARK_HITS_MAX;
		harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(harness_mark(h, "count.example"),
			MARK_VISITED | MARK_REFRESH | hits * MARK_HIT);
	}
	while (!l0_writer_sweep(h->l0, &sweep, 1024))
		continue;
	assert_int_equal(harness_mark(h, "count.example"), MARK_VISITED | MARK_REFRESH);
	harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(harness_mark(h, "count.example"), MARK_VISITED | MARK_REFRESH | MARK_HIT);
	assert_int_equal(misses(h, MISS_REFRESH), 1);
}

// Without marks nothing remembers that a refresh was asked for, so none is.
PACKET_TEST_OF(test_no_marks, harness_begin(&(struct harness_options){.no_marks = true}))
{
	struct harness_record record = due("due.example");
	harness_put(h, &record);
	harness_ask(h, QUERY(.name = "due.example"), VERDICT_hit);
	assert_int_equal(misses(h, MISS_REFRESH), 0);
}
