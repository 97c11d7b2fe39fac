// SPDX-License-Identifier: BSD-3-Clause
// Queries of resolvers to upstream servers: the frames of MSG_SEND, and everything that must not be
// sent.
#include "servers_rig.h"

// The frame out is, but for what the sender may choose, the one that a client makes by itself.
static void check_sent(const struct wire_query *q, size_t len)
{
	static uint8_t want[WIRE_MAX];
	size_t want_len = wire_make_udp(q, dns, len, want);
	const bool v6 = q->version == 6;
	const unsigned l3 = q->has_vlan ? 18 : 14, l4 = l3 + (v6 ? 40 : 20);
	assert_int_equal(want_len, l4 + 8 + len);
	assert_memory_equal(frame, want, l3);
	assert_memory_equal(frame + l4 - (v6 ? 32 : 8), want + l4 - (v6 ? 32 : 8),
		want_len - l4 + (v6 ? 32 : 8));
	if (v6) {
		assert_int_equal(wire_u32(frame + l3), 0x60000000);
		assert_int_equal(frame[l3 + 7], 64);
	} else {
		assert_int_equal(frame[l3 + 1], 0);
		assert_int_equal(wire_u16(frame + l3 + 6), 0x4000); // DF, no fragment
		assert_int_equal(frame[l3 + 8], 64);
	}
}

PACKET_TEST_OF(test_sent, begin(0))
{
	static const char *const names[] = {"a.example", "An.other.example", ""};
	for (unsigned i = 0; i < 24; i++) {
		const unsigned version = i & 1 ? 6 : 4;
		const uint16_t vlan = i & 2 ? 7 : 0, local = (uint16_t)(i & 4 ? 65535 : 1024 + i);
		image.hop[version == 6].vlan = vlan;
		use_image(h);
		struct msg_send m = query_to(version, local);
		const size_t len = make_dns(names[i % 3]);
		put_send(h, &m, len);
		assert_int_equal(stage_answer(&h->w), 1);
		size_t got = harness_take(h, frame);
		const struct wire_query q = {.version = version,
			.has_vlan = vlan != 0,
			.vlan_tci = vlan,
			.src = version == 6 ? SOURCE6 : SOURCE4,
			.dst = version == 6 ? SERVER6 : SERVER4,
			.mac = our_mac,
			.to_mac = hop_mac,
			.src_port = local};
		assert_int_equal(got, (vlan ? 18 : 14) + (version == 6 ? 48u : 28u) + len);
		check_sent(&q, len);
	}
	assert_int_equal(harness_counter(h, COUNTER_upstream_sent), 24);
	assert_int_equal(harness_counter(h, COUNTER_tx_frames), 24);
	assert_int_equal(harness_counter(h, COUNTER_answers), 0);
	assert_false(hear_on(&h->miss));
}

// `reported`: the resolver hears of it.
static void refused(
	struct harness *h, const struct msg_send *m, size_t len, enum counter c, bool reported)
{
	const uint64_t before = harness_counter(h, c);
	put_send(h, m, len);
	assert_int_equal(stage_answer(&h->w), 0);
	assert_int_equal(harness_counter(h, c), before + 1);
	assert_int_equal(harness_waiting(h), 0);
	assert_int_equal(hear_on(&h->miss), reported);
	if (!reported)
		return;
	assert_int_equal(heard.head.kind, HEARD_REFUSED);
	assert_int_equal(heard.head.dns_len, 0);
	assert_int_equal(heard.head.local_port, m->local_port);
	assert_int_equal(heard.head.server_port, m->server_port);
	assert_int_equal(heard.head.ip_version, m->ip_version);
	assert_memory_equal(heard.head.server_ip, m->server_ip, 16);
}

PACKET_TEST_OF(test_refused, begin(0))
{
	const size_t len = make_dns("a.example");
	struct msg_send m = query_to(4, LOCAL);
	m.server_ip[3]++;
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	m = query_to(4, LOCAL);
	m.server_port++;
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	m = query_to(4, 40000);
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	m = query_to(4, 1023);
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	m = query_to(6, LOCAL);
	m.ip_version = 4;
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	image.hop[0].port = 1; // which this worker does not have
	use_image(h);
	m = query_to(4, LOCAL);
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	image = (struct hops_image){0};
	use_image(h);
	refused(h, &m, len, COUNTER_upstream_unknown, true);
	assert_int_equal(harness_counter(h, COUNTER_upstream_unknown), 7);
}

// The longest that the MTU of the hop allows, with or without a tag, and one byte more.
PACKET_TEST_OF(test_mtu, begin(0))
{
	memset(dns, 0x5a, sizeof(dns));
	for (unsigned version = 4; version <= 6; version += 2)
		for (unsigned vlan = 0; vlan < 2; vlan++) {
			const size_t most = version == 6 ? MTU6 - 48 : MTU4 - 28;
			image.hop[version == 6].vlan = (uint16_t)vlan;
			use_image(h);
			const struct msg_send m = query_to(version, LOCAL);
			put_send(h, &m, most);
			assert_int_equal(stage_answer(&h->w), 1);
			harness_drain(h);
			refused(h, &m, most + 1, COUNTER_upstream_large, true);
		}
	image.hop[0].mtu = 9000;
	use_image(h);
	const struct msg_send m = query_to(4, LOCAL);
	refused(h, &m, h->w.port[0].dns_most + 1u, COUNTER_upstream_large, true);
}

// Of another life, or with numbers that do not fit: the resolver hears nothing.
PACKET_TEST_OF(test_unsound, begin(0))
{
	const size_t len = make_dns("a.example");
	struct msg_send m = query_to(4, LOCAL);
	m.dp_incarnation++;
	refused(h, &m, len, COUNTER_upstream_foreign, false);
	m = query_to(4, LOCAL);
	m.sum = 0x1234; // bytes that changed on their way
	refused(h, &m, len, COUNTER_upstream_bad, false);
	m.sum = 0;
	m.dns_len = (uint16_t)(len + 1);
	refused(h, &m, len, COUNTER_upstream_bad, false);
	m.dns_len = (uint16_t)(len - 1);
	refused(h, &m, len, COUNTER_upstream_bad, false);
	m.dns_len = 0;
	m.ip_version = 5;
	refused(h, &m, len, COUNTER_upstream_bad, false);
	m.ip_version = 4;
	refused(h, &m, 11, COUNTER_upstream_bad, false);
	void *room = ring_reserve(&h->answer, MSG_SEND, 8);
	assert_non_null(room);
	memset(room, 0xff, 8);
	ring_publish(&h->answer);
	assert_int_equal(stage_answer(&h->w), 0);
	assert_int_equal(harness_counter(h, COUNTER_upstream_bad), 6);
	assert_int_equal(harness_counter(h, COUNTER_answer_bad), 0);
}

// An AF_XDP port: no query leaves while the kernel would get the reply. Those that do are noted
// where the steering programs look.
PACKET_TEST_OF(test_steered, begin(0))
{
	static struct asked_ports steered;
	static _Atomic uint64_t until_ms;
	const size_t len = make_dns("a.example");
	const struct msg_send m = query_to(4, LOCAL);
	h->w.port[0].steers_until_ms = &until_ms;
	h->w.port[0].steered = &steered;
	hold_clock(h);
	until_ms = now_ms;
	refused(h, &m, len, COUNTER_upstream_shut, true);
	assert_int_equal(steered.port[LOCAL], 0);
	until_ms = now_ms + 1;
	ask(h, 4, LOCAL);
	assert_true(asked_ports_take(&steered, LOCAL, now_ms));
	inject(h, &(struct wire_query){.name = "Asked.Example",
			  .version = 4,
			  .flags = 0x8180,
			  .src = SERVER4,
			  .dst = SOURCE4,
			  .src_port = SERVER_PORT,
			  .dst_port = LOCAL});
	assert_true(hear_on(&h->miss));
	assert_int_equal(heard.head.kind, HEARD_REPLY);
}

PACKET_TEST_OF(test_no_buffer, begin(0))
{
	static struct rte_mbuf *held[4096];
	unsigned n = 0;
	while ((held[n] = rte_pktmbuf_alloc(h->w.pool)))
		n++;
	const struct msg_send m = query_to(4, LOCAL);
	refused(h, &m, make_dns("a.example"), COUNTER_upstream_nombuf, true);
	rte_pktmbuf_free_bulk(held, n);
	ask(h, 4, LOCAL);
}
