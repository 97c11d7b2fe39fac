// SPDX-License-Identifier: BSD-3-Clause
// The messages of a worker during a watch: each frame that passes the filter, as received, with
// its verdict; behind the records of the query log, and never in their half of the ring.
#include "harness.h"
#include "tests/unit/core/shm/ring_used.h"

#include <rte_cycles.h>

#include <weir/keyhash.h>
#include <weir/watch_msg.h>

enum { UNITS = 256 };

struct log_end {
	alignas(CACHE_LINE) struct ring_index tail, head;
	alignas(CACHE_LINE) uint8_t data[UNITS * RING_UNIT];
	_Atomic uint64_t owed;
	struct ring_consumer ring;
	uint16_t type; // of the last message read
	struct watch_msg msg;
	struct log_record record;
	char name[DNS_NAME_TEXT_MAX];
	uint8_t frame[WATCH_FRAME_MAX];
};

static struct log_end end;

static struct harness *begin(uint32_t sample, const struct dp_watch *filter)
{
	struct harness *h = harness_begin(NULL);
	memset(&end, 0, sizeof(end));
	log_writer_init(&h->w.log, &end.tail, &end.head, end.data, UNITS, &end.owed);
	log_writer_set(&h->w.log, sample, 0);
	ring_consumer_init(&end.ring, &end.tail, &end.head, end.data, UNITS);
	h->tables.config.watch = *filter;
	h->w.watching = true;
	h->w.ns_shifted = UINT64_C(1) << CYCLES_SHIFT;
	HARNESS_PUT(h, .name = "www.example", .count = 1);
	return h;
}

static bool next(void)
{
	alignas(8) uint8_t msg[WATCH_MESSAGE_MAX];
	struct dns_name name;
	int len = ring_read(&end.ring, msg, sizeof(msg), &end.type);
	ring_release(&end.ring);
	assert_true(len >= 0);
	if (len == 0)
		return false;
	if (end.type == MSG_LOG) {
		memcpy(&end.record, msg, sizeof(end.record));
		return true;
	}
	assert_int_equal(end.type, MSG_WATCH);
	memcpy(&end.msg, msg, sizeof(end.msg));
	end.record = end.msg.record;
	assert_int_equal(len, sizeof(end.msg) + end.record.name_len + end.msg.kept);
	end.name[0] = '\0';
	if (end.record.name_len) {
		struct rd rd = rd_init(msg + sizeof(end.msg), end.record.name_len);
		assert_int_equal(dns_name_read(&rd, &name), 0);
		(void)dns_name_to_text(&name, end.name);
	}
	memcpy(end.frame, msg + sizeof(end.msg) + end.record.name_len, end.msg.kept);
	return true;
}

static bool shows(struct harness *h, const struct wire_query *q)
{
	uint8_t frame[WIRE_MAX];
	harness_send(h, frame, wire_make(q, frame));
	harness_drain(h);
	bool shown = next();
	assert_false(shown && next());
	return shown;
}

PACKET_TEST_OF(test_a_frame_as_it_came, begin(0, &(struct dp_watch){.frames = 1, .id = 7}))
{
	const struct wire_query q = {.name = "WWW.example", .version = 6};
	uint8_t frame[WIRE_MAX];
	size_t len = wire_make(&q, frame);
	assert_true(shows(h, &q));
	assert_int_equal(end.record.verdict, VERDICT_hit);
	assert_true(end.record.flags & LOG_ANSWERED);
	assert_int_equal(end.record.client_port, 4242);
	assert_string_equal(end.name, "www.example");
	assert_int_equal(end.msg.batch, 1);
	assert_int_equal(end.msg.id, 7);
	assert_int_equal(end.msg.frame_len, len);
	assert_int_equal(end.msg.kept, len);
	assert_memory_equal(end.frame, frame, len); // not the reply that was written over it
	assert_true(end.msg.stage_ns[STAGE_rx] > 0 && end.msg.stage_ns[STAGE_lookup] > 0);
	assert_int_equal(end.msg.stage_ns[STAGE_tx], 0);
	h->tables.config.watch.frames = 0;
	assert_true(shows(h, &q));
	assert_int_equal(end.msg.kept, 0);
	assert_int_equal(end.msg.frame_len, len);
}

static uint64_t hash_of(const char *text)
{
	uint8_t wire[256];
	return contenthash(wire, wire_name(text, wire));
}

PACKET_TEST_OF(test_names, begin(0, &(struct dp_watch){.name_hash = hash_of("example")}))
{
	assert_true(shows(h, &(struct wire_query){.name = "www.EXAMPLE"}));
	assert_true(shows(h, &(struct wire_query){.name = "example"}));
	assert_false(shows(h, &(struct wire_query){.name = "wwwexample"}));
	assert_false(shows(h, &(struct wire_query){.name = "example.test"}));
	assert_false(shows(h, &(struct wire_query){.name = ""}));
	// Whose name was not read passes no name.
	const struct wire_query bad = {.name = "example", .csum = WIRE_CSUM_BAD};
	assert_false(shows(h, &bad));
	h->tables.config.watch.name_hash = hash_of("");
	assert_true(shows(h, &(struct wire_query){.name = ""}));
	assert_true(shows(h, &(struct wire_query){.name = "any.test"}));
}

TEST(test_clients)
{
	const struct dp_watch filter = {
		.client_version = 4, .client_bits = 31, .client = {198, 18, 0, 2}};
	struct harness *h = begin(0, &filter);
	struct wire_query q = {.name = "www.example", .src = "198.18.0.3"};
	assert_true(shows(h, &q));
	q.src = "198.18.0.4";
	assert_false(shows(h, &q));
	q = (struct wire_query){.name = "www.example", .version = 6};
	assert_false(shows(h, &q));
	h->tables.config.watch.client_version = 0;
	assert_true(shows(h, &q));
	// More bits than an address has are those of an address, which is not this one.
	h->tables.config.watch.client_version = 6;
	h->tables.config.watch.client_bits = 255;
	assert_false(shows(h, &q));
	harness_end(h);
}

TEST(test_verdicts)
{
	const struct dp_watch filter = {.verdicts = UINT64_C(1) << VERDICT_drop_udp_csum};
	struct harness *h = begin(0, &filter);
	struct wire_query q = {.name = "www.example"};
	assert_false(shows(h, &q));
	q.csum = WIRE_CSUM_BAD;
	assert_true(shows(h, &q));
	assert_int_equal(end.record.verdict, VERDICT_drop_udp_csum);
	assert_int_equal(end.record.client_port, 0); // of no query nothing was read
	assert_string_equal(end.name, "");
	harness_end(h);
}

// Both at once: the record is whole, and comes first.
PACKET_TEST_OF(test_beside_the_query_log, begin(1, &(struct dp_watch){0}))
{
	harness_ask(h, QUERY(.name = "www.example"), VERDICT_hit);
	assert_true(next());
	assert_int_equal(end.type, MSG_LOG);
	assert_int_equal(end.record.weight, 1);
	assert_int_equal(end.record.qtype, 1);
	assert_true(next());
	assert_int_equal(end.type, MSG_WATCH);
	assert_int_equal(end.record.qtype, 1);
	assert_false(next());
}

static bool answer_is_shown(struct harness *h, const struct msg_answer *head, const uint8_t *dns)
{
	ANSWER_TAKEN(h, head, dns, head->dns_len);
	harness_drain(h);
	return next();
}

// The answer's way out, of a miss that was numbered, during a watch.
PACKET_TEST_OF(test_an_answer_that_leaves, begin(0, &(struct dp_watch){.id = 7}))
{
	uint8_t dns[WIRE_MAX] = {0};
	const struct msg_miss miss = harness_ask_missed(h, QUERY(.name = "cold.example"));
	assert_true(next() && end.msg.trace == miss.trace && end.msg.part == WATCH_QUERY);
	assert_int_equal(miss.trace >> 16, 7);
	struct msg_answer head = harness_answer_to(&miss, 0x8183, dns);
	head.trace = (uint16_t)miss.trace;
	assert_true(answer_is_shown(h, &head, dns));
	assert_int_equal(end.msg.part, WATCH_ANSWER);
	assert_int_equal(end.msg.trace, miss.trace);
	assert_int_equal(end.msg.id, 7);
	assert_true(end.record.flags & LOG_ANSWERED);
	assert_true(end.msg.stage_ns[STAGE_tx] > 0);
	head.trace = 0;
	assert_false(answer_is_shown(h, &head, dns));
	head.trace = (uint16_t)miss.trace;
	h->w.watching = false;
	assert_false(answer_is_shown(h, &head, dns));
}

PACKET_TEST_OF(test_half_of_the_ring, begin(0, &(struct dp_watch){.frames = 1}))
{
	const struct wire_query q = {.name = "www.example"}, other = {.name = "other.example"};
	uint8_t frame[WIRE_MAX];
	uint64_t shown = 0, full;
	for (unsigned i = 0; i < 200; i++) {
		harness_send(h, frame, wire_make(&q, frame));
		harness_drain(h);
		assert_true(ring_producer_used(&h->w.log.ring) <= UNITS / 2 + 4);
	}
	// What nobody asked to be shown is not missed.
	full = harness_counter(h, COUNTER_watch_full);
	h->tables.config.watch.name_hash = hash_of("www.example");
	for (unsigned i = 0; i < 5; i++) {
		harness_send(h, frame, wire_make(&other, frame));
		harness_drain(h);
	}
	assert_int_equal(harness_counter(h, COUNTER_watch_full), full);
	while (next())
		shown++;
	assert_true(shown > 10);
	assert_int_equal(shown + harness_counter(h, COUNTER_watch_full), 200);
	assert_true(shows(h, &q));
	h->w.watching = false;
	assert_false(shows(h, &q));
}

static uint32_t trace_of_miss(struct harness *h, uint8_t *kind)
{
	const struct msg_miss miss = harness_miss(h);
	*kind = miss.kind;
	return miss.trace;
}

// A query that goes to the control plane has one number there and here; without a watch none.
PACKET_TEST_OF(test_a_miss_has_a_number,
	begin(0, &(struct dp_watch){.name_hash = hash_of("test"), .id = 7}))
{
	const struct wire_query here = {.name = "here.test"}, other = {.name = "other.example"};
	uint8_t kind;
	assert_true(shows(h, &here));
	assert_int_equal(end.record.verdict, VERDICT_miss);
	assert_int_equal(end.msg.worker, h->w.index);
	uint32_t first = end.msg.trace;
	assert_int_equal(first >> 16, 7);
	assert_int_equal(trace_of_miss(h, &kind), first);
	assert_int_equal(kind, MISS_WAITER);
	assert_true(shows(h, &here));
	assert_int_equal(end.msg.trace, first + 1);
	assert_int_equal(trace_of_miss(h, &kind), first + 1);
	// What the filter leaves out, a hit, frames, and verdicts without this one have none.
	assert_false(shows(h, &other));
	assert_int_equal(trace_of_miss(h, &kind), 0);
	h->tables.config.watch.name_hash = 0;
	assert_true(shows(h, &(struct wire_query){.name = "www.example"}));
	assert_int_equal(end.msg.trace, 0);
	h->tables.config.watch.verdicts = UINT64_C(1) << VERDICT_hit;
	assert_false(shows(h, &here));
	assert_int_equal(trace_of_miss(h, &kind), 0);
	h->tables.config.watch = (struct dp_watch){.frames = 1, .id = 8};
	assert_true(shows(h, &here));
	assert_int_equal(end.msg.trace, 0);
	assert_int_equal(trace_of_miss(h, &kind), 0);
	h->tables.config.watch = (struct dp_watch){.id = 8};
	h->w.watching = false;
	assert_false(shows(h, &here));
	assert_int_equal(trace_of_miss(h, &kind), 0);
}

// A hit that asks for a refresh is followed to its own end; the refresh is nobody's query.
PACKET_TEST_OF(test_a_refresh_has_none, begin(0, &(struct dp_watch){.id = 7}))
{
	const struct wire_query q = {.name = "due.example"};
	uint8_t kind;
	HARNESS_PUT(h, .name = q.name, .count = 1, .created_ms = -50000, .soft_ms = 60000,
		.refresh_ms = 49000);
	assert_true(shows(h, &q));
	assert_int_equal(end.record.verdict, VERDICT_hit);
	assert_int_equal(trace_of_miss(h, &kind), 0);
	assert_int_equal(kind, MISS_REFRESH);
}

// Its milliseconds are those of a clock that ticks slowly; the rest is only asked for where
// the query log needs it, and is never below 0.
PACKET_TEST_OF(test_a_miss_has_its_microseconds, begin(1, &(struct dp_watch){.id = 7}))
{
	static const struct {
		int64_t clock_us; // of the log, since the millisecond
		uint32_t wanted;
	} cases[] = {{0, 0}, {1, 1}, {999, 999}, {3001, 3001}, {-1, 0}, {-5000, 0}};
	const struct wire_query q = {.name = "here.test"};
	h->w.now_ms = 123456;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const uint64_t us = h->w.now_ms * 1000 + (uint64_t)cases[i].clock_us;
		// The TSC of another CPU, to which the kernel moves this test, may be behind.
		const uint64_t tsc = rte_rdtsc() - (UINT64_C(1) << 31);
		h->w.log_clock = (struct log_clock){.us = us, .tsc = tsc, .scale = 1};
		(void)shows(h, &q);
		const struct msg_miss miss = harness_miss(h);
		assert_int_equal(miss.arrival_ms, h->w.now_ms);
		// One more for each second that this machine stood still.
		assert_in_range(miss.arrival_more_us, cases[i].wanted, cases[i].wanted + 10);
	}
	h->w.log_clock = (struct log_clock){.us = h->w.now_ms * 1000 + 7, .scale = 1};
	log_writer_set(&h->w.log, 0, 0);
	h->w.watching = false;
	(void)shows(h, &q);
	assert_int_equal(harness_miss(h).arrival_more_us, 0);
}
