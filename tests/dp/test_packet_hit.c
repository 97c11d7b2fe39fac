// SPDX-License-Identifier: BSD-3-Clause
// Hits: the reply frame in all layouts that a client can ask in.
#include "harness.h"

static void check_records(const struct wire_reply *r, const struct wire_query *q, unsigned count,
	unsigned rdata_len, uint32_t ttl_s)
{
	assert_int_equal(r->rcode, 0);
	assert_int_equal(r->count, count);
	for (unsigned i = 0; i < count; i++) {
		const struct wire_record *rr = &r->record[i];
		assert_int_equal(rr->section, 0);
		assert_int_equal(rr->type, q->qtype ? q->qtype : 1);
		assert_int_equal(rr->klass, 1);
		assert_int_equal(rr->ttl_s, ttl_s);
		assert_string_equal(rr->owner, q->name);
		assert_int_equal(rr->rdata_len, rdata_len);
		for (unsigned j = 0; j < rdata_len; j++)
			assert_int_equal(rr->rdata[j], (uint8_t)(17 * i + 29 * j + 5));
	}
}

// Both IP versions, with and without tag, EDNS and UDP checksum; names and RDATA of odd and even
// lengths; TTLs of 300 s that are 100 s old.
PACKET_TEST(test_layouts)
{
	static const char *const names[] = {"www.Lab.example", "wwww.lab.examplE"};
	unsigned asked = 0;
	for (unsigned n = 0; n < 2; n++)
		for (unsigned rdata_len = 4; rdata_len < 8; rdata_len++) {
			struct harness_record record = {.name = names[n],
				.qtype = (uint16_t)(100 + rdata_len),
				.count = 3,
				.rdata_len = rdata_len,
				.created_ms = -100300};
			harness_put(h, &record);
		}
	for (unsigned i = 0; i < 2 * 4 * 16; i++) {
		struct wire_query q = {
			.name = names[i & 1],
			.qtype = (uint16_t)(104 + (i >> 1 & 3)),
			.version = i & 8 ? 6 : 4,
			.has_vlan = i & 16,
			.vlan_tci = 0x6123,
			.edns = i & 32,
			.csum = i & 64 && !(i & 8) ? WIRE_CSUM_ZERO : WIRE_CSUM_RIGHT,
			.src_port = (uint16_t)(1 + 521 * i),
			.id = (uint16_t)(3 + 499 * i),
		};
		struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
		check_records(&r, &q, 3, 4 + (i >> 1 & 3), 200);
		assert_int_equal(r.ede, -1);
		assert_int_equal(r.flags & 0x0080, 0x0080);
		asked++;
	}
	assert_int_equal(harness_verdict(h, VERDICT_hit), asked);
	assert_int_equal(harness_counter(h, COUNTER_csum_absent), 32);
	assert_int_equal(harness_counter(h, COUNTER_tx_frames), asked);
}

// Random TTLs, ages and contents: each sum that comes out by difference must be right.
PACKET_TEST(test_checksums)
{
	uint32_t seed = 4711;
	for (unsigned i = 0; i < 500; i++) {
		char name[64];
		seed = seed * 1664525 + 1013904223;
		snprintf(name, sizeof(name), "h%u.x%.*s.example", i, (int)(seed >> 28),
			"abcdefghijklmnop");
		struct harness_record record = {.name = name,
			.count = 1 + (seed >> 8) % 8,
			.rdata_len = 1 + (seed >> 12) % 30,
			.ttl_s = 1 + (seed >> 4) % 200000,
			.soft_ms = 900000000,
			.hard_ms = 900000000,
			.created_ms = -500 - (int64_t)((seed >> 10) % 1000) * 1000};
		// A region made just now has no record of before the machine's start.
		if (record.created_ms + (int64_t)h->start_ms < 0)
			record.created_ms = -500;
		harness_put(h, &record);
		struct wire_query q = {.name = name, .version = i % 2 ? 6 : 4, .edns = i % 3 == 0};
		struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
		uint32_t age_s = (uint32_t)(-record.created_ms / 1000);
		check_records(&r, &q, record.count, record.rdata_len,
			record.ttl_s > age_s ? record.ttl_s - age_s : 0);
	}
}

// An id that makes the reply's checksum come out as 0, which is sent as 0xffff: 0 says "none".
PACKET_TEST(test_checksum_of_zero)
{
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	for (unsigned version = 4; version <= 6; version += 2) {
		struct wire_query q = {.name = "a.example", .version = version, .id = 1};
		size_t udp = version == 4 ? 34 : 54;
		struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
		q.id = wire_fold(1U + wire_u16(r.frame + udp + 6));
		r = harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(wire_u16(r.frame + udp + 6), 0xffff);
	}
}

PACKET_TEST(test_client_cap)
{
	h->tables.config.client_ttl_cap_s = 77;
	struct wire_query q = {.name = "a.example"};
	HARNESS_PUT(h, .name = "a.example", .count = 2, .ttl_s = 3600);
	struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
	check_records(&r, &q, 2, 4, 77);
}

// 60 A records are 960 bytes: truncated for 512, whole for 1232; 100 are too much for our own
// limit, whatever the client takes.
PACKET_TEST(test_truncation)
{
	HARNESS_PUT(h, .name = "sixty.example", .count = 60);
	HARNESS_PUT(h, .name = "hundred.example", .count = 100);
	for (unsigned version = 4; version <= 6; version += 2) {
		struct wire_query q = {.name = "sixty.example", .version = version};
		struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(r.flags & 0x0200, 0x0200);
		assert_int_equal(r.count, 0);
		q.edns = true;
		r = harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(r.flags & 0x0200, 0);
		check_records(&r, &q, 60, 4, 300);
		q.name = "hundred.example";
		q.edns_size = 4096;
		r = harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(r.flags & 0x0200, 0x0200);
		assert_int_equal(r.count, 0);
	}
	assert_int_equal(harness_counter(h, COUNTER_reply_truncated), 4);
	// Raised while we run: what a frame on the port can carry stays the limit.
	struct wire_query q = {.name = "sixty.example", .edns = true, .edns_size = 4096};
	h->tables.config.udp_limit = 4096;
	h->w.port[0].dns_most = 900;
	struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.flags & 0x0200, 0x0200);
}

// DO and CD are part of the key; AD only goes to who can understand it.
PACKET_TEST(test_key_flags)
{
	HARNESS_PUT(h, .name = "a.example", .count = 1, .authenticated = true);
	HARNESS_PUT(h, .name = "a.example", .count = 2, .key_flags = L0_KEY_DO);
	HARNESS_PUT(h, .name = "a.example", .count = 3, .key_flags = L0_KEY_CD);
	struct wire_query q = {.name = "a.example"};
	struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.flags & 0x0020, 0);
	q.flags = 0x0120;
	r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.flags & 0x0020, 0x0020);
	q.flags = 0x0110;
	r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.count, 3);
	q.flags = 0;
	q.edns = q.dnssec_ok = true;
	r = harness_ask(h, &q, VERDICT_hit);
	assert_int_equal(r.count, 2);
	assert_true(r.dnssec_ok);
}

// IPv4 options are taken out, Ethernet padding is cut off, both with a tag and without.
PACKET_TEST(test_options_and_padding)
{
	HARNESS_PUT(h, .name = "a.example", .count = 4);
	for (unsigned i = 0; i < 22; i++) {
		struct wire_query q = {.name = "a.example",
			.ip_option_len = i / 2 * 4,
			.has_vlan = i % 2,
			.vlan_tci = 7,
			.padding = 18};
		struct wire_reply r = harness_ask(h, &q, VERDICT_hit);
		check_records(&r, &q, 4, 4, 300);
	}
}

PACKET_TEST(test_negative)
{
	HARNESS_PUT(h, .name = "no.example", .rcode = 3);
	struct wire_reply r =
		harness_ask(h, QUERY(.name = "no.example", .edns = true), VERDICT_hit);
	assert_int_equal(r.rcode, 3);
	assert_int_equal(r.count, 0);
	assert_int_equal(r.ede, -1);
}

// A full burst, and more than one.
PACKET_TEST(test_bursts)
{
	struct wire_query q = {.name = "a.example"};
	uint8_t frame[WIRE_MAX];
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	for (unsigned i = 0; i < 100; i++) {
		q.id = (uint16_t)(i + 1);
		harness_inject(h, frame, wire_make(&q, frame));
	}
	assert_int_equal(worker_turn(&h->w, 0), WORKER_BATCH);
	assert_int_equal(harness_waiting(h), WORKER_BATCH);
	harness_turns(h);
	for (unsigned i = 0; i < 100; i++) {
		struct wire_reply r;
		q.id = (uint16_t)(i + 1);
		wire_check_answers(frame, harness_take(h, frame), &q, &r);
	}
	assert_int_equal(harness_counter(h, COUNTER_batches), 4);
}

// A port that takes nothing more: replies are freed and counted, verdicts stay.
PACKET_TEST(test_tx_full)
{
	struct wire_query q = {.name = "a.example"};
	uint8_t frame[WIRE_MAX];
	size_t len = wire_make(&q, frame);
	HARNESS_PUT(h, .name = "a.example", .count = 1);
	for (unsigned i = 0; i < 1100; i++) {
		harness_send(h, frame, len);
	}
	assert_int_equal(harness_verdict(h, VERDICT_hit), 1100);
	assert_int_equal(harness_waiting(h), 1023);
	assert_int_equal(harness_counter(h, COUNTER_tx_full), 1100 - 1023);
	assert_int_equal(harness_counter(h, COUNTER_tx_frames), 1023);
	harness_drain(h);
}

// Each reply begins with another address, as stored otherwise; sums are checked with every reply.
PACKET_TEST(test_rotate)
{
	enum { COUNT = 3 };
	struct wire_query q = {.name = "Order.example"};
	struct wire_reply r;
	HARNESS_PUT(h, .name = "order.example", .count = COUNT);
	for (unsigned turn = 0; turn < 2 * COUNT; turn++) {
		r = harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(r.record[0].rdata[0], 5);
	}
	h->tables.config.rotate = 1;
	unsigned seen[2] = {0}; // by every second reply
	for (unsigned turn = 0; turn < 4 * COUNT; turn++) {
		q.version = turn % 2 ? 6 : 4;
		q.edns = turn % 3 == 0;
		q.name = turn % 2 ? "Order.example" : "order.Example";
		r = harness_ask(h, &q, VERDICT_hit);
		assert_int_equal(r.count, COUNT);
		unsigned first = (r.record[0].rdata[0] - 5) / 17;
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(r.record[i].rdata[0], 17 * ((first + i) % COUNT) + 5);
		seen[turn % 2] |= 1u << first;
	}
	assert_int_equal(seen[0], (1u << COUNT) - 1);
	assert_int_equal(seen[1], (1u << COUNT) - 1);
	// Stale, and so by the other way.
	HARNESS_PUT(h, .name = "stale.example", .count = 2, .created_ms = -400000,
		.stale_until_ms = 3000000);
	q.name = "stale.example";
	seen[0] = 0;
	for (unsigned turn = 0; turn < 4; turn++) {
		r = harness_ask(h, &q, VERDICT_hit_stale);
		seen[0] |= 1u << (r.record[1].rdata[0] == 5);
	}
	assert_int_equal(seen[0], 3);
}
