// SPDX-License-Identifier: BSD-3-Clause
// Messages that are no question for the cache: what each is answered with, or that it is not.
#include "harness.h"

static const struct wire_query base = {.name = "a.Example"};

static void ask_dns(struct harness *h, const struct wire_query *q, const uint8_t *dns, size_t len,
	enum verdict v, struct wire_reply *r)
{
	static uint8_t frame[WIRE_MAX];
	uint64_t before = harness_verdict(h, v);
	harness_send(h, frame, wire_make_udp(q, dns, len, frame));
	assert_int_equal(harness_verdict(h, v), before + 1);
	if (!r) {
		assert_int_equal(harness_waiting(h), 0);
		return;
	}
	len = harness_take(h, frame);
	wire_check(frame, len, r);
	assert_int_equal(r->id, 0x1234);
	assert_int_equal(r->count, 0);
	assert_int_equal(r->dst_port, 4242);
}

PACKET_TEST(test_dropped)
{
	uint8_t dns[WIRE_MAX];
	size_t len = wire_make_dns(&base, dns);
	for (size_t i = 0; i < 12; i++)
		ask_dns(h, &base, dns, i, VERDICT_drop_dns_short, NULL);
	dns[2] |= 0x80;
	ask_dns(h, &base, dns, len, VERDICT_drop_dns_response, NULL);
}

PACKET_TEST(test_formerr)
{
	uint8_t dns[WIRE_MAX];
	struct wire_reply r;
	struct wire_query v6 = {.name = "a.Example", .version = 6, .has_vlan = true};
	size_t len = wire_make_dns(&base, dns);
	for (size_t i = 12; i < len; i++) { // cut short
		ask_dns(h, i % 2 ? &base : &v6, dns, i, VERDICT_formerr, &r);
		assert_int_equal(r.rcode, 1);
		assert_false(r.has_opt);
	}
	wire_put16(dns + 4, 2); // two questions
	ask_dns(h, &base, dns, len, VERDICT_formerr, &r);
	assert_int_equal(r.rcode, 1);
	wire_put16(dns + 4, 1);
	wire_put16(dns + 12, 0xc00c); // a pointer to itself
	ask_dns(h, &base, dns, len, VERDICT_formerr, &r);
	wire_make_dns(&base, dns);
	wire_put16(dns + 6, 1); // an answer that is not there
	ask_dns(h, &base, dns, len, VERDICT_formerr, &r);
}

// A NOTIFY goes to the control plane with its TSIG and all, where some list takes one.
PACKET_TEST(test_notify)
{
	static uint8_t dns[WIRE_MAX];
	struct wire_query q = {.name = "rpz.Example", .qtype = DNS_TYPE_SOA};
	struct wire_reply r;
	size_t len = wire_make_dns(&q, dns);
	dns[2] = 0x20;
	ask_dns(h, &q, dns, len, VERDICT_notimp, &r);
	h->tables.config.takes_notify = 1;
	for (unsigned i = 0; i < 4; i++) {
		q.version = i & 1 ? 6 : 4;
		h->w.port[0].has_exception = i & 2; // not by the kernel
		memset(dns + len, 0x5a, 100);
		ask_dns(h, &q, dns, len + 100, VERDICT_notify, NULL);
		const struct msg_miss m = harness_miss(h);
		assert_int_equal(m.kind, MISS_NOTIFY);
		assert_int_equal(m.whole_len, len + 100);
		assert_int_equal(m.path.ip_version, q.version);
		assert_memory_equal(harness_question + m.question_len, dns, len + 100);
		assert_int_equal(harness_misses(h), 0);
	}
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), 0);
	// Other opcodes, types and classes, two questions, a frame's worth of records, no one
	// there.
	q.version = 4;
	dns[2] = 0x28;
	ask_dns(h, &q, dns, len, VERDICT_notimp, &r);
	dns[2] = 0x20;
	dns[len - 3] = DNS_TYPE_A;
	ask_dns(h, &q, dns, len, VERDICT_notimp, &r);
	dns[len - 3] = DNS_TYPE_SOA;
	dns[len - 1] = DNS_CLASS_CH;
	ask_dns(h, &q, dns, len, VERDICT_notimp, &r);
	dns[len - 1] = DNS_CLASS_IN;
	wire_put16(dns + 4, 2);
	ask_dns(h, &q, dns, len, VERDICT_notimp, &r);
	wire_put16(dns + 4, 1);
	h->w.control_alive = false;
	ask_dns(h, &q, dns, len, VERDICT_notimp, &r);
	h->w.control_alive = true;
	assert_int_equal(harness_misses(h), 0);
}

// Of a flood a thousand a second go; the rest is dropped without a reply.
PACKET_TEST(test_a_flood_of_notify)
{
	static uint8_t dns[WIRE_MAX];
	const struct wire_query q = {.name = "rpz.Example", .qtype = DNS_TYPE_SOA};
	uint8_t frame[WIRE_MAX];
	size_t len = wire_make_dns(&q, dns);
	enum { FLOOD = 5000 };
	dns[2] = 0x20;
	h->tables.config.takes_notify = 1;
	const uint64_t from_ms = h->w.now_ms;
	for (unsigned i = 0; i < FLOOD; i++) {
		harness_send(h, frame, wire_make_udp(&q, dns, len, frame));
		(void)harness_misses(h);
	}
	const uint64_t took_ms = h->w.now_ms - from_ms + 1;
	const uint64_t taken = harness_verdict(h, VERDICT_notify);
	assert_in_range(taken, 1, took_ms + CLOSED_BURST + 1);
	assert_int_equal(harness_verdict(h, VERDICT_drop_notify), FLOOD - taken);
	assert_int_equal(harness_waiting(h), 0);
}

PACKET_TEST(test_notimp_and_badvers)
{
	uint8_t dns[WIRE_MAX];
	struct wire_reply r;
	size_t len = wire_make_dns(&base, dns);
	dns[2] = 0x11; // opcode STATUS
	ask_dns(h, &base, dns, len, VERDICT_notimp, &r);
	assert_int_equal(r.rcode, 4);
	assert_int_equal(r.flags & 0x7800, 0x1000);
	struct wire_query q = {.name = "a.Example", .edns = true, .edns_version = 1};
	r = harness_ask(h, &q, VERDICT_badvers);
	assert_int_equal(r.rcode, 16);
	assert_true(r.has_opt);
	q.version = 6;
	r = harness_ask(h, &q, VERDICT_badvers);
	assert_int_equal(r.rcode, 16);
}

PACKET_TEST(test_types_and_classes)
{
	static const struct {
		uint16_t qtype, qclass;
		enum verdict verdict;
		unsigned rcode;
	} cases[] = {
		{16, 3, VERDICT_refused, 5},  // CH
		{1, 254, VERDICT_refused, 5}, // NONE
		{1, 255, VERDICT_refused, 5}, // ANY class
		{252, 1, VERDICT_refused, 5}, // AXFR
		{251, 1, VERDICT_refused, 5}, // IXFR
		{253, 1, VERDICT_notimp, 4},  // MAILB
		{254, 1, VERDICT_notimp, 4},  // MAILA
		{250, 1, VERDICT_notimp, 4},  // TSIG
		{249, 1, VERDICT_notimp, 4},  // TKEY
		{128, 1, VERDICT_notimp, 4},  // NXNAME
		{41, 1, VERDICT_notimp, 4},   // OPT
		{0xffff, 3, VERDICT_refused, 5},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_query q = {.name = "a.Example",
			.qtype = cases[i].qtype,
			.qclass = cases[i].qclass,
			.edns = i % 2};
		struct wire_reply r = harness_ask(h, &q, cases[i].verdict);
		assert_int_equal(r.rcode, cases[i].rcode);
		assert_int_equal(r.count, 0);
		assert_int_equal(r.ede, q.edns ? 21 : -1);
	}
	// These are questions like any other.
	static const uint16_t good[] = {255, 256, 257, 127, 65, 0xfffe};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct wire_query q = {.name = "a.Example", .qtype = good[i]};
		harness_ask_dropped(h, &q, VERDICT_miss);
	}
}

// weir's identity is returned where there is a text for it, with or without a cache and a control
// plane.
PACKET_TEST(test_identity)
{
	struct wire_query q = {.name = "Version.bind", .qtype = 16, .qclass = 3, .edns = true};
	struct wire_reply r = harness_ask(h, &q, VERDICT_refused);
	memcpy(h->tables.config.identity.version, "weir", 5);
	for (h->w.control_alive = 0; h->w.control_alive < 2; h->w.control_alive++) {
		r = harness_ask(h, &q, VERDICT_identity);
		assert_int_equal(r.rcode, DNS_RCODE_NOERROR);
		assert_int_equal(r.count, 1);
		assert_int_equal(r.record[0].type, DNS_TYPE_TXT);
		assert_int_equal(r.record[0].rdata_len, 5);
		assert_memory_equal(r.record[0].rdata, "\4weir", 5);
	}
	q.name = "id.server";
	r = harness_ask(h, &q, VERDICT_refused);
	assert_int_equal(r.count, 0);
}

// Bytes that the IP packet has and UDP's length has not are no part of the message.
PACKET_TEST_OF(
	test_udp_length_rules, harness_begin(&(struct harness_options){.csums_verified = true}))
{
	struct wire_query q = {.name = "a.Example", .extra_bytes = 9};
	uint8_t frame[WIRE_MAX];
	struct wire_reply r;
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	size_t len = wire_make(&q, frame);
	wire_put16(frame + 38, wire_u16(frame + 38) - 9);
	harness_send(h, frame, len);
	wire_check_answers(frame, harness_take(h, frame), &q, &r);
	assert_int_equal(r.count, 1);
}
