// SPDX-License-Identifier: BSD-3-Clause
// Misses: what goes on the ring, and what happens when it cannot.
#include "harness.h"

#include <sys/epoll.h>
#include <weir/gong.h>

static void check_message(struct harness *h, const struct wire_query *q, const char *wire_client,
	const char *wire_service, size_t size)
{
	uint8_t dns[WIRE_MAX], padding[16] = {0};
	const struct msg_miss m = harness_ask_missed(h, q);
	assert_int_equal(m.dp_incarnation, h->w.dp_incarnation);
	assert_true(m.arrival_ms >= h->start_ms && m.arrival_ms < h->start_ms + 60000);
	assert_int_equal(m.path.port, 0);
	assert_int_equal(m.path.worker, 3);
	assert_int_equal(m.path.has_vlan, q->has_vlan);
	assert_int_equal(m.path.vlan_tci, q->has_vlan ? q->vlan_tci : 0);
	assert_int_equal(m.path.ip_version, size == 4 ? 4 : 6);
	assert_memory_equal(m.path.client_mac, wire_client_mac, 6);
	assert_memory_equal(m.path.service_mac, wire_service_mac, 6);
	assert_memory_equal(m.path.client_ip, wire_client, size);
	assert_memory_equal(m.path.client_ip + size, padding, 16 - size);
	assert_memory_equal(m.path.service_ip, wire_service, size);
	assert_int_equal(wire_u16((const uint8_t *)&m.path.client_udp), 4242);
	assert_int_equal(wire_u16((const uint8_t *)&m.path.service_udp), 53);
	assert_int_equal(m.path.zero_csum, q->csum == WIRE_CSUM_ZERO);
	assert_int_equal(m.id, q->id);
	assert_int_equal(m.flags, q->flags);
	assert_int_equal(m.has_opt, q->edns);
	assert_int_equal(m.dnssec_ok, q->dnssec_ok);
	assert_int_equal(m.udp_size, q->edns ? q->edns_size : 512);
	assert_int_equal(m.kind, MISS_WAITER);
	assert_int_equal(m.view, 0);
	wire_make_dns(q, dns);
	assert_int_equal(m.question_len, strlen(q->name) + 6);
	assert_memory_equal(harness_question, dns + 12, m.question_len);
	assert_int_equal(harness_misses(h), 0);
}

PACKET_TEST(test_message)
{
	struct wire_query v4 = {.name = "Some.Name.example",
		.id = 77,
		.flags = 0x0110,
		.csum = WIRE_CSUM_ZERO,
		.edns = true,
		.edns_size = 1400,
		.dnssec_ok = true};
	struct wire_query v6 = {.name = "other.example",
		.version = 6,
		.id = 78,
		.flags = 0x0120,
		.has_vlan = true,
		.vlan_tci = 0x2fff};
	check_message(h, &v4, "\306\22\0\2", "\306\22\0\65", 4);
	check_message(h, &v6, "\xfdS\0\0\0\0\0\0\0\0\0\0\0\0\0\2",
		"\xfdS\0\0\0\0\0\0\0\0\0\0\0\0\0\x53", 16);
}

// 10,000 clients ask one cold name: 256 messages, the rest settled without a reply.
PACKET_TEST(test_duplicates)
{
	uint8_t frame[WIRE_MAX];
	for (unsigned i = 0; i < 10000; i++) {
		char src[32];
		snprintf(src, sizeof(src), "198.18.%u.%u", 1 + i / 250, 1 + i % 250);
		struct wire_query q = {.name = i % 2 ? "cold.example" : "COLD.example", .src = src};
		harness_inject(h, frame, wire_make(&q, frame));
		if (i % 32 == 31)
			harness_turns(h);
	}
	harness_turns(h);
	assert_int_equal(harness_misses(h), DEDUP_WAITERS);
	assert_int_equal(harness_verdict(h, VERDICT_miss), DEDUP_WAITERS);
	assert_int_equal(harness_verdict(h, VERDICT_miss_duplicate), 10000 - DEDUP_WAITERS);
	assert_int_equal(harness_counter(h, COUNTER_tx_frames), 0);
	// Another type of the same name is another question.
	harness_ask_dropped(h, QUERY(.name = "cold.example", .qtype = 28), VERDICT_miss);
}

// The control plane answers the miss that waits: SERVFAIL, which no cache keeps, or nothing.
static void answer_as(struct harness *h, bool dropped)
{
	uint8_t dns[12 + 300], frame[WIRE_MAX];
	const struct msg_miss miss = harness_miss(h);
	struct msg_answer head = harness_answer_to(&miss, 0x8182, dns);
	head.verdict = ANSWER_SERVFAIL;
	head.dropped = dropped;
	harness_answer(h, &head, dns, head.dns_len);
	assert_int_equal(stage_answer(&h->w), !dropped);
	assert_int_equal(harness_take(h, frame) != 0, !dropped);
}

static void answer_servfail(struct harness *h)
{
	answer_as(h, false);
}

// A rule drops the question where the control plane decides: its clients wait no more.
PACKET_TEST(test_dropped_clients_count_no_more)
{
	for (unsigned i = 0; i < 2 * DEDUP_WAITERS; i++) {
		harness_ask_dropped(h, QUERY(.name = "drop.example"), VERDICT_miss);
		answer_as(h, true);
	}
	assert_int_equal(harness_counter(h, COUNTER_answers), 0);
}

// A name whose answers are never cached: who has an answer counts no more, so every question of a
// busy name gets through, and one client cannot silence it for the others.
PACKET_TEST(test_answered_clients_count_no_more)
{
	const struct wire_query q = {.name = "fails.example"};
	for (unsigned i = 0; i < 4 * DEDUP_WAITERS; i++) {
		harness_ask_dropped(h, &q, VERDICT_miss);
		answer_servfail(h);
	}
	// Of those that wait at one time, only so many.
	for (unsigned i = 0; i < DEDUP_WAITERS; i++)
		harness_ask_dropped(h, &q, VERDICT_miss);
	for (unsigned i = 0; i < 10; i++)
		harness_ask_dropped(h, &q, VERDICT_miss_duplicate);
	answer_servfail(h);
	harness_ask_dropped(h, &q, VERDICT_miss);
	harness_ask_dropped(h, &q, VERDICT_miss_duplicate);
}

// More questions at a time than are remembered: some are forgotten early, and that is counted.
PACKET_TEST(test_many_questions)
{
	for (unsigned i = 0; i < DEDUP_SETS * DEDUP_WAYS + 2000; i++) {
		char name[32];
		snprintf(name, sizeof(name), "q%u.example", i);
		(void)harness_ask_missed(h, QUERY(.name = name));
	}
	assert_true(harness_counter(h, COUNTER_dedup_replaced) >= 2000);
}

// The ring full: SERVFAIL for the first client each time, silence for a query whose question is in
// flight.
PACKET_TEST_OF(test_ring_full, harness_begin(&(struct harness_options){.miss_units = 16}))
{
	struct wire_query asked = {.name = "asked.example", .edns = true};
	struct wire_query cold = {.name = "cold.example", .edns = true};
	struct wire_reply r;
	harness_ask_dropped(h, &asked, VERDICT_miss);
	while (ring_reserve(&h->w.miss[0], MSG_MISS, 100))
		continue;
	for (unsigned i = 0; i < 3; i++) {
		harness_ask_dropped(h, &asked, VERDICT_drop_ring_full);
		r = harness_ask(h, &cold, VERDICT_servfail_ring_full);
		assert_int_equal(r.rcode, 2);
		assert_int_equal(r.ede, 0);
		assert_int_equal(r.count, 0);
	}
}

// A flood below one zone from everywhere: the last quarter of the ring is not for it.
PACKET_TEST_OF(
	test_a_crowd_leaves_room, harness_begin(&(struct harness_options){.miss_units = 8192}))
{
	struct wire_reply r;
	unsigned sent = 0, refused = 0;
	char name[64], src[32];
	for (; refused == 0 && sent < 4000; sent++) {
		snprintf(name, sizeof(name), "r%u.victim.example", sent);
		snprintf(src, sizeof(src), "198.18.%u.%u", 1 + sent / 250, 1 + sent % 250);
		struct wire_query q = {.name = name, .src = src, .edns = true};
		if (ring_is_fuller(&h->w.miss[0], 8192 / 4 * 3)) {
			r = harness_ask(h, &q, VERDICT_servfail_fairness);
			assert_int_equal(r.rcode, 2);
			assert_int_equal(r.ede, 0);
			refused++;
		} else {
			harness_ask_dropped(h, &q, VERDICT_miss);
		}
	}
	assert_int_equal(refused, 1);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "www.site%u.example", i);
		snprintf(src, sizeof(src), "198.18.100.%u", 1 + i % 10);
		struct wire_query honest = {.name = name, .src = src};
		harness_ask_dropped(h, &honest, VERDICT_miss);
	}
	// A refused client does not count as one that waits.
	struct wire_query again = {.name = "again.victim.example", .edns = true};
	for (unsigned i = 0; i < 3; i++)
		r = harness_ask(h, &again, VERDICT_servfail_fairness);
	(void)harness_misses(h); // the control plane catches up
	harness_ask_dropped(h, &again, VERDICT_miss);
}

PACKET_TEST(test_no_control)
{
	struct wire_query cold = {.name = "cold.example", .edns = true};
	struct wire_query warm = {.name = "warm.example"};
	HARNESS_PUT(h, .name = "warm.example", .count = 1);
	h->w.control_alive = 0;
	struct wire_reply r = harness_ask(h, &cold, VERDICT_servfail_no_control);
	assert_int_equal(r.rcode, 2);
	assert_int_equal(r.ede, 14);
	cold.edns = false;
	cold.version = 6;
	r = harness_ask(h, &cold, VERDICT_servfail_no_control);
	r = harness_ask(h, &warm, VERDICT_hit);
	assert_int_equal(harness_misses(h), 0);
}

// Before any directory there is neither L0 nor a control plane; with a control plane but no L0
// yet, questions still reach it, and duplicates are still known.
PACKET_TEST_OF(test_no_tables, harness_begin(&(struct harness_options){.no_l0 = true}))
{
	struct wire_query q = {.name = "cold.example"};
	h->w.control_alive = 0;
	harness_ask(h, &q, VERDICT_servfail_no_control);
	h->w.control_alive = 1;
	for (unsigned i = 0; i < DEDUP_WAITERS; i++)
		harness_ask_dropped(h, &q, VERDICT_miss);
	harness_ask_dropped(h, &q, VERDICT_miss_duplicate);
}

// The doorbell is rung only when the consumer says that it sleeps, once per batch.
PACKET_TEST(test_doorbell)
{
	uint8_t frame[WIRE_MAX];
	struct epoll_event rung = {.events = EPOLLIN | EPOLLET};
	int hears = epoll_create1(EPOLL_CLOEXEC);
	h->w.gong[0] = gong_open();
	assert_int_equal(epoll_ctl(hears, EPOLL_CTL_ADD, h->w.gong[0], &rung), 0);
	assert_int_equal(epoll_wait(hears, &rung, 1, 0), 1); // as it is not 0
	struct wire_query q = {.name = "one.example"};
	harness_ask_dropped(h, &q, VERDICT_miss);
	assert_int_equal(epoll_wait(hears, &rung, 1, 0), 0);

	(void)harness_misses(h);
	assert_true(ring_prepare_sleep(&h->miss));
	HARNESS_PUT(h, .name = "warm.example", .count = 1);
	harness_ask(h, QUERY(.name = "warm.example"), VERDICT_hit);
	assert_int_equal(epoll_wait(hears, &rung, 1, 0), 0);
	for (unsigned i = 0; i < 20; i++)
		harness_inject(h, frame, wire_make(&q, frame));
	assert_int_equal(worker_turn(&h->w, 0), 20);
	assert_int_equal(epoll_wait(hears, &rung, 1, 0), 1);
	close(h->w.gong[0]);
	close(hears);
}

// Also while nobody could be asked; what is blocked stays blocked.
PACKET_TEST(test_any_is_minimal)
{
	static const char *const blocked[] = {"bad.example"};
	struct wire_query q = {.name = "Any.example", .qtype = 255, .edns = true};
	struct wire_reply r;
	harness_block(h, blocked, 1);
	harness_ask_dropped(h, &q, VERDICT_miss);
	h->tables.config.any_minimal = 1;
	for (h->w.control_alive = 0; h->w.control_alive < 2; h->w.control_alive++) {
		r = harness_ask(h, &q, VERDICT_any_minimal);
		assert_int_equal(r.rcode, DNS_RCODE_NOERROR);
		assert_int_equal(r.count, 1);
		assert_int_equal(r.record[0].type, DNS_TYPE_HINFO);
		assert_int_equal(r.record[0].rdata_len, 9);
		assert_memory_equal(r.record[0].rdata, "\7RFC8482", 9);
	}
	q.name = "x.bad.example";
	r = harness_ask(h, &q, VERDICT_blocked);
	q = (struct wire_query){.name = "any.example"};
	h->w.control_alive = 1;
	harness_ask_dropped(h, &q, VERDICT_miss);
}
