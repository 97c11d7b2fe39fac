// SPDX-License-Identifier: BSD-3-Clause
// Answers of the control plane: fresh frames from return paths, and everything that must not send.
#include "harness.h"
#include "tests/unit/core/shm/ring_used.h"

#include <rte_cycles.h>

// A miss of `q` and the answer that fits it: two records.
static size_t make_answer(
	struct harness *h, const struct wire_query *q, struct msg_answer *head, uint8_t *dns)
{
	const struct msg_miss miss = harness_ask_missed(h, q);
	*head = harness_answer_to(&miss, 0x8180, dns);
	wire_put16(dns + 6, 2);
	size_t n = head->dns_len;
	for (unsigned i = 0; i < 2; i++) {
		static const uint8_t rr[] = {
			0xc0, 12, 0, 16, 0, 1, 0, 0, 1, 44, 0, 4, 3, 'a', 'b', 'c'};
		memcpy(dns + n, rr, sizeof(rr));
		n += sizeof(rr);
	}
	head->dns_len = (uint16_t)n;
	return n;
}

PACKET_TEST(test_frames)
{
	for (unsigned i = 0; i < 16; i++) {
		struct wire_query q = {.name = i & 4 ? "Cold.example" : "Cold2.example",
			.version = i & 1 ? 6 : 4,
			.has_vlan = i & 2,
			.vlan_tci = 99,
			.csum = i & 8 && !(i & 1) ? WIRE_CSUM_ZERO : WIRE_CSUM_RIGHT,
			.id = (uint16_t)(100 + i),
			.src_port = (uint16_t)(1000 + i)};
		uint8_t dns[WIRE_MAX], frame[WIRE_MAX];
		struct msg_answer head;
		struct wire_reply r;
		size_t len = make_answer(h, &q, &head, dns);
		head.verdict = (uint8_t)(i % ANSWER_KINDS);
		ANSWER_TAKEN(h, &head, dns, (uint32_t)len);
		wire_check_answers(frame, harness_take(h, frame), &q, &r);
		assert_int_equal(r.count, 2);
		assert_int_equal(r.record[1].ttl_s, 300);
	}
	assert_int_equal(harness_counter(h, COUNTER_answers), 16);
	assert_int_equal(harness_counter(h, COUNTER_answers_stale), 3);
	assert_int_equal(harness_counter(h, COUNTER_answers_servfail), 3);
	assert_int_equal(harness_counter(h, COUNTER_answers_blocked), 3);
	assert_int_equal(harness_counter(h, COUNTER_tx_frames), 16);
	assert_int_equal(stage_answer(&h->w), 0);
}

static void refused(struct harness *h, const struct msg_answer *head, const uint8_t *dns,
	size_t len, enum counter c)
{
	uint64_t before = harness_counter(h, c);
	harness_answer(h, head, dns, (uint32_t)len);
	assert_int_equal(stage_answer(&h->w), 0);
	assert_int_equal(harness_counter(h, c), before + 1);
	assert_int_equal(harness_waiting(h), 0);
}

PACKET_TEST(test_foreign)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer good, a;
	uint8_t dns[WIRE_MAX];
	size_t len = make_answer(h, &q, &good, dns);
	a = good;
	a.dp_incarnation++;
	refused(h, &a, dns, len, COUNTER_answer_foreign);
	a = good;
	a.path.worker = 2;
	refused(h, &a, dns, len, COUNTER_answer_foreign);
	assert_int_equal(harness_counter(h, COUNTER_answer_bad), 0);
}

// One field wrong at a time.
PACKET_TEST(test_bad_fields)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer good, a[16];
	uint8_t dns[WIRE_MAX], query[WIRE_MAX], frame[WIRE_MAX];
	size_t len = make_answer(h, &q, &good, dns);
	for (unsigned i = 0; i < 16; i++)
		a[i] = good;
	a[0].path.port = 1;
	a[1].path.port = 0xffff;
	a[2].path.ip_version = 0;
	a[3].path.ip_version = 5;
	a[4].path.ip_version = 6; // an IPv4 path read as IPv6: not our address
	a[5].path.has_vlan = 2;
	a[6].path.zero_csum = 2;
	a[7].path.client_udp = 0;
	a[8].path.service_udp = 0x3600;
	a[9].path.service_ip[3]++;
	a[10].path.client_ip[0] = 224;
	a[11].verdict = ANSWER_KINDS;
	a[12].dns_len++;
	a[13].dns_len--;
	a[14].dns_len = MSG_DNS_MAX + 1;
	a[15].dns_len = 0;
	for (unsigned i = 0; i < 16; i++)
		refused(h, &a[i], dns, len, COUNTER_answer_bad);
	memcpy(query, dns, len);
	query[2] &= 0x7f; // not a response
	refused(h, &good, query, len, COUNTER_answer_bad);
	a[0] = good;
	a[0].dns_len = 11;
	refused(h, &a[0], dns, 11, COUNTER_answer_bad);
	a[0] = good;
	a[0].sum = 0x1234; // bytes that changed on their way
	refused(h, &a[0], dns, len, COUNTER_answer_bad);
	// Too short for its own head.
	void *room = ring_reserve(&h->answer, MSG_ANSWER, 8);
	assert_non_null(room);
	memset(room, 0xff, 8);
	ring_publish(&h->answer);
	assert_int_equal(stage_answer(&h->w), 0);
	// A message of another type.
	room = ring_reserve(&h->answer, 99, sizeof(good) + (uint32_t)len);
	assert_non_null(room);
	memcpy(room, &good, sizeof(good));
	ring_publish(&h->answer);
	assert_int_equal(stage_answer(&h->w), 0);
	assert_int_equal(harness_counter(h, COUNTER_answer_bad), 21);
	assert_int_equal(harness_counter(h, COUNTER_answers), 0);
	// And after all that the good one still goes out.
	ANSWER_TAKEN(h, &good, dns, (uint32_t)len);
	struct wire_reply r;
	wire_check_answers(frame, harness_take(h, frame), &q, &r);
}

// Longer than a frame on its port can be: the question with TC. A message that has none is dropped
// and counted, no buffer lost.
PACKET_TEST(test_large)
{
	struct wire_query q = {.name = "cOLd.example"};
	struct msg_answer head;
	struct wire_reply r;
	uint8_t dns[WIRE_MAX], frame[WIRE_MAX];
	make_answer(h, &q, &head, dns);
	memset(dns + 200, 0, sizeof(dns) - 200);
	for (unsigned i = 0; i < 2; i++) {
		head.dns_len = i ? 1901 : MSG_DNS_MAX;
		ANSWER_TAKEN(h, &head, dns, head.dns_len);
		wire_check_answers(frame, harness_take(h, frame), &q, &r);
		assert_int_equal(r.flags, 0x8380);
		assert_int_equal(r.count, 0);
	}
	assert_int_equal(harness_counter(h, COUNTER_reply_truncated), 2);
	dns[5] = 0;
	refused(h, &head, dns, head.dns_len, COUNTER_answer_large);
	dns[5] = 1;
	dns[12] = 64;
	refused(h, &head, dns, head.dns_len, COUNTER_answer_large);
	// Longer than a buffer, whatever the port says.
	h->w.port[0].dns_most = MSG_DNS_MAX;
	head.dns_len = MSG_DNS_MAX;
	refused(h, &head, dns, MSG_DNS_MAX, COUNTER_answer_large);
}

// No buffer left: counted, and the ring moves on.
PACKET_TEST(test_no_buffer)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer head;
	uint8_t dns[WIRE_MAX], frame[WIRE_MAX];
	size_t len = make_answer(h, &q, &head, dns);
	static struct rte_mbuf *all[4096];
	unsigned n = 0;
	while ((all[n] = rte_pktmbuf_alloc(h->w.pool)) != NULL)
		n++;
	refused(h, &head, dns, len, COUNTER_answer_nombuf);
	rte_pktmbuf_free_bulk(all, n);
	ANSWER_TAKEN(h, &head, dns, (uint32_t)len);
	assert_int_not_equal(harness_take(h, frame), 0);
}

// Nonsense in either ring's indices or headers is counted, wherever it is met.
PACKET_TEST(test_anomalies)
{
	h->cp.miss_head.units = 12345; // beyond what was produced: full
	harness_ask(h, QUERY(.name = "cold.example"), VERDICT_servfail_ring_full);
	assert_int_equal(stage_answer(&h->w), 0);
	uint64_t misses = harness_counter(h, COUNTER_ring_anomaly);
	assert_int_not_equal(misses, 0);
	h->cp.answer_tail.units = 99999;
	(void)stage_answer(&h->w);
	assert_true(harness_counter(h, COUNTER_ring_anomaly) > misses);
	// Longer than any message may be: passed over.
	misses = harness_counter(h, COUNTER_ring_anomaly);
	h->cp.answer_tail.units = h->dp.answer_head.units;
	ring_producer_init(
		&h->answer, &h->cp.answer_tail, &h->dp.answer_head, h->answer_data, 32768);
	assert_non_null(ring_reserve(&h->answer, MSG_ANSWER, 5000));
	ring_publish(&h->answer);
	(void)stage_answer(&h->w);
	assert_int_equal(harness_counter(h, COUNTER_ring_anomaly), misses + 1);
}

// A bounded number per turn.
PACKET_TEST(test_bound)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer head;
	uint8_t dns[WIRE_MAX];
	size_t len = make_answer(h, &q, &head, dns);
	for (unsigned i = 0; i < 2 * ANSWERS_PER_TURN + 3; i++)
		harness_answer(h, &head, dns, (uint32_t)len);
	assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
	assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
	assert_int_equal(stage_answer(&h->w), 3);
	assert_int_equal(stage_answer(&h->w), 0);
	assert_int_equal(ring_producer_used(&h->answer), 0);
	harness_drain(h);
}

// Fewer, while they take long.
PACKET_TEST(test_pace)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer head;
	uint8_t dns[WIRE_MAX];
	size_t len = make_answer(h, &q, &head, dns);
	for (unsigned i = 0; i < 2 * ANSWERS_PER_TURN + 3 * ANSWERS_LEAST; i++)
		harness_answer(h, &head, dns, (uint32_t)len);
	h->w.slow_cycles = ANSWERS_SHARE; // one cycle is too long
	assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
	assert_int_equal(stage_answer(&h->w), ANSWERS_LEAST);
	assert_int_equal(stage_answer(&h->w), ANSWERS_LEAST);
	h->w.slow_cycles = rte_get_tsc_hz() * 3600;
	assert_int_equal(stage_answer(&h->w), ANSWERS_LEAST);
	assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
	assert_int_equal(stage_answer(&h->w), 0);
	harness_drain(h);
	for (unsigned i = 0; i < 2 * ANSWERS_PER_TURN; i++)
		harness_answer(h, &head, dns, (uint32_t)len);
	h->w.slow_cycles = ANSWERS_SHARE - 1; // too short to have a share
	assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
	assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
	harness_drain(h);
}

// But not of a ring that is over half full.
PACKET_TEST(test_pace_of_a_full_ring)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer head;
	uint8_t dns[WIRE_MAX];
	size_t len = make_answer(h, &q, &head, dns);
	const uint64_t half = h->w.answer[0].units / 2;
	const uint64_t of_one = ring_units_of((uint32_t)(sizeof(head) + len));
	while (ring_producer_used(&h->answer) <= half + 2 * of_one * ANSWERS_PER_TURN)
		harness_answer(h, &head, dns, (uint32_t)len);
	h->w.slow_cycles = ANSWERS_SHARE;
	while (ring_producer_used(&h->answer) > half) {
		assert_int_equal(stage_answer(&h->w), ANSWERS_PER_TURN);
		harness_drain(h);
	}
	assert_int_equal(stage_answer(&h->w), ANSWERS_LEAST);
	harness_drain(h);
}

// As many ports as a worker may have: worker 0 has the rest queues of all behind them.
PACKET_TEST(test_every_port)
{
	struct wire_query q = {.name = "cold.example"};
	struct msg_answer head;
	uint8_t dns[WIRE_MAX], frame[WIRE_MAX];
	size_t len = make_answer(h, &q, &head, dns);
	for (unsigned i = 1; i < WORKER_PORTS_MAX; i++)
		h->w.port[i] = h->w.port[0];
	h->w.port_count = WORKER_PORTS_MAX;
	for (unsigned i = 0; i < WORKER_PORTS_MAX; i++) {
		head.path.port = (uint16_t)i;
		for (unsigned n = 0; n <= i; n++)
			harness_answer(h, &head, dns, (uint32_t)len);
		assert_int_equal(stage_answer(&h->w), i + 1);
		for (unsigned n = 0; n <= i; n++) {
			struct wire_reply r;
			wire_check_answers(frame, harness_take(h, frame), &q, &r);
		}
	}
	head.path.port = WORKER_PORTS_MAX;
	refused(h, &head, dns, len, COUNTER_answer_bad);
}
