// SPDX-License-Identifier: BSD-3-Clause
// Queries that balancers forward with a PROXY header: the reply goes to the balancer without one,
// and nobody else's header is read. test_packet_proxied.c: the client that it names counts.
#include "dataplane/state/worker.h"
#include "proxy_wire.h"

// Frames of each kind around each client, with headers up to the longest.
PACKET_TEST_OF(test_hits, begin())
{
	static const char *const clients[] = {CLIENT4, CLIENT6, CLIENT_MAPPED, "127.0.0.1"};
	static const size_t tlvs[] = {0, 3, 480};
	unsigned asked = 0;
	for (unsigned i = 0; i < 64; i++) {
		const struct wire_query q = {.name = i & 1 ? "A.example" : "a.EXAMPLE",
			.version = i & 2 ? 6 : 4,
			.has_vlan = i & 4,
			.vlan_tci = 0x6063,
			.csum = i & 8 && !(i & 2) ? WIRE_CSUM_ZERO : WIRE_CSUM_RIGHT,
			.ip_option_len = i & 16 && !(i & 2) ? 8 : 0,
			.edns = i & 32,
			.padding = i & 1 ? 5 : 0,
			.id = (uint16_t)(900 + i)};
		for (unsigned c = 0; c < ARRAY_LEN(clients) * ARRAY_LEN(tlvs); c++) {
			const struct header header = naming(
				clients[c % ARRAY_LEN(clients)], tlvs[c / ARRAY_LEN(clients)]);
			struct wire_reply r;
			answered(h, &q, &header, VERDICT_hit, &r);
			assert_int_equal(r.count, 1);
			assert_int_equal(harness_counter(h, COUNTER_proxied), ++asked);
		}
	}
}

// Health checks, and balancers that name no address: the sender is the client, with its own access.
PACKET_TEST_OF(test_the_sender_itself, begin())
{
	struct header local[] = {plain(LOCAL, 0, 0), plain(LOCAL, 0x12, 12), plain(LOCAL, 0xff, 7),
		plain(PROXY, 0, 0), plain(PROXY, 0, 30), plain(PROXY, 0x10, 12)};
	struct ip_address allow;
	assert_int_equal(ip_address_parse("203.0.113.0/24", &allow), 0);
	const struct config_access access = {.allow = &allow, .allow_count = 1};
	struct wire_reply r;
	for (unsigned i = 0; i < 2 * ARRAY_LEN(local); i++) {
		const struct wire_query q = {.name = "a.example",
			.version = i & 1 ? 6 : 4,
			.has_vlan = i & 2,
			.vlan_tci = 7,
			.ip_option_len = i & 1 ? 0 : 4};
		answered(h, &q, &local[i / 2], VERDICT_hit, &r);
	}
	assert_int_equal(harness_counter(h, COUNTER_proxied), 0);
	harness_access(h, &access);
	const struct wire_query q = {.name = "a.example"};
	const struct header header = naming(CLIENT4, 0);
	dropped(h, &q, &local[0], VERDICT_drop_denied);
	answered(h, &q, &header, VERDICT_hit, &r); // whose client is not the balancer
}

// Each header that is none, at its first wrong byte, and queries without.
PACKET_TEST_OF(test_without_a_right_header, begin())
{
	struct header good = naming(CLIENT4, 0), six = naming(CLIENT6, 0);
	struct header bad[] = {{.len = 0}, good, good, good, good, good, good, six, good,
		plain(PROXY, 0x12, 521), {.len = 13, .bytes = "PROXY TCP4 1."}};
	const struct wire_query q = {.name = "a.example"}, q6 = {.name = "a.example", .version = 6};
	bad[1].bytes[0] = 0;                  // the signature
	bad[2].bytes[11] = 0;                 // its end
	bad[3].bytes[12] = 0x11;              // version 1
	bad[4].bytes[12] = 0x22;              // no command
	bad[5].bytes[13] = 0x31;              // a Unix socket
	bad[6].bytes[13] = 0x13;              // no protocol
	wire_put16(bad[7].bytes + 14, 35);    // too short for its addresses
	wire_put16(bad[8].bytes + 14, 0x200); // over the message's end
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		dropped(h, &q, &bad[i], VERDICT_drop_proxy);
		dropped(h, &q6, &bad[i], VERDICT_drop_proxy);
	}
	assert_int_equal(harness_counter(h, COUNTER_proxied), 0);
}

// A frame that ends in its header, at each byte, or in the head of its message.
PACKET_TEST_OF(test_cut_short, begin())
{
	static const char *const clients[] = {CLIENT4, CLIENT6};
	h->any_replies = true;
	for (unsigned c = 0; c < 2 * ARRAY_LEN(clients); c++) {
		const struct wire_query q = {.name = "a.example", .version = c & 1 ? 6 : 4};
		const struct header header = naming(clients[c / 2], 0);
		uint8_t message[HEADER_MAX], frame[WIRE_MAX];
		memcpy(message, header.bytes, header.len);
		wire_make_dns(&q, message + header.len);
		for (size_t len = 0; len < header.len + 12; len++) {
			const enum verdict v =
				len < header.len ? VERDICT_drop_proxy : VERDICT_drop_dns_short;
			const uint64_t before = harness_verdict(h, v);
			harness_send(h, frame, wire_make_udp(&q, message, len, frame));
			assert_int_equal(harness_verdict(h, v), before + 1);
		}
	}
	assert_int_equal(harness_waiting(h), 0);
}

// It is a message of another opcode, as every such was; and its own queries need no header.
PACKET_TEST_OF(test_headers_of_strangers, begin())
{
	static const char *const senders[] = {"198.18.0.3", "fd53:0:0:1::2"};
	for (unsigned i = 0; i < ARRAY_LEN(senders); i++) {
		const struct wire_query q = {
			.name = "a.example", .src = senders[i], .version = i ? 6 : 4};
		const struct header header = naming(CLIENT4, 0);
		uint8_t frame[WIRE_MAX];
		harness_ask(h, &q, VERDICT_hit);
		send_in(h, &q, &header, VERDICT_notimp);
		assert_int_not_equal(harness_take(h, frame), 0);
	}
	assert_int_equal(harness_counter(h, COUNTER_proxied), 0);
}

// Balancers' queries among others in each batch, of which some are settled early.
PACKET_TEST_OF(test_mixed_batch, begin())
{
	enum { FRAMES = 96 };
	static const char *const clients[] = {CLIENT4, CLIENT6};
	struct wire_query q[FRAMES];
	uint8_t frame[WIRE_MAX];
	bool heard[FRAMES] = {false};
	unsigned replies = 0;
	for (unsigned i = 0; i < FRAMES; i++) {
		const struct header header = naming(clients[i % 2], i % 7);
		q[i] = (struct wire_query){.name = "a.example",
			.version = i % 3 ? 4 : 6,
			.id = (uint16_t)(1 + i),
			.src_port = (uint16_t)(2000 + i),
			.flags = i % 5 == 4 ? 0x2000 : 0x0100}; // NOTIMP or a hit
		if (i % 4 == 1) {
			q[i].src = i % 3 ? "198.18.0.9" : "fd53:0:0:9::9";
			harness_inject(h, frame, wire_make(&q[i], frame));
		} else {
			harness_inject(h, frame,
				i % 4 == 2 ? wire_make(&q[i], frame)
					   : frame_make(&q[i], &header, frame));
		}
	}
	harness_turns(h);
	for (size_t len; (len = harness_take(h, frame)) != 0; replies++) {
		struct wire_reply r;
		wire_check(frame, len, &r);
		const unsigned i = r.dst_port - 2000U;
		assert_true(i < FRAMES && i % 4 != 2 && !heard[i]);
		heard[i] = true;
		wire_check_answers(frame, len, &q[i], &r);
	}
	assert_int_equal(replies, FRAMES / 4 * 3);
	assert_int_equal(harness_verdict(h, VERDICT_drop_proxy), FRAMES / 4);
	assert_int_equal(harness_counter(h, COUNTER_proxied), FRAMES / 2);
}

// An evicted worker drops the replies of its batch, forwarded ones among them.
PACKET_TEST_OF(test_evicted, begin())
{
	static _Atomic uint64_t evicted, returned;
	const struct wire_query q = {.name = "a.example"};
	const struct header header = naming(CLIENT4, 0);
	h->w.epoch.evicted = &evicted;
	h->w.epoch.returned = &returned;
	atomic_store(&evicted, 3);
	dropped(h, &q, &header, VERDICT_hit);
	assert_int_equal(harness_counter(h, COUNTER_tx_evicted), 1);
}

// A way back that a worker would not have made.
PACKET_TEST_OF(test_ways_that_lead_nowhere, begin())
{
	const struct wire_query q = {.name = "cold.example"};
	const struct header header = naming(CLIENT6, 0);
	uint8_t dns[12 + 300];
	struct msg_answer bad[6];
	dropped(h, &q, &header, VERDICT_miss);
	const struct msg_miss m = harness_miss(h);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = harness_answer_to(&m, 0x8180, dns);
	bad[0].path.via.ip_version = 5;
	bad[1].path.via.ip_version = 6; // whose service is not weir's
	bad[2].path.via.udp = 0;
	memset(bad[3].path.via.ip, 0, 4);
	memcpy(bad[4].path.via.ip, m.path.service_ip, 4); // to ourselves
	bad[5].path.ip_version = 0;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		harness_answer(h, &bad[i], dns, bad[i].dns_len);
		assert_int_equal(stage_answer(&h->w), 0);
		assert_int_equal(harness_counter(h, COUNTER_answer_bad), i + 1);
	}
}
