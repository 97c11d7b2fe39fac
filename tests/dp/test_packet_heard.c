// SPDX-License-Identifier: BSD-3-Clause
// What upstream servers send to the ports from which resolvers ask: replies as MSG_HEARD, and
// everything that must stay the kernel's or be dropped.
#include "servers_rig.h"

static void check_heard(struct harness *h, enum heard_kind kind, unsigned version, uint16_t port,
	const uint8_t *bytes, size_t len)
{
	assert_true(hear_on(&h->miss));
	assert_int_equal(heard.head.kind, kind);
	assert_int_equal(heard.head.ip_version, version);
	assert_memory_equal(heard.head.server_ip, image.server[version == 6].ip, 16);
	assert_int_equal(heard.head.server_port, SERVER_PORT);
	assert_int_equal(heard.head.local_port, port);
	assert_int_equal(heard.head.dns_len, len);
	assert_memory_equal(heard.dns, bytes, len);
	assert_int_equal(heard.head.is_cut, 0);
}

PACKET_TEST_OF(test_heard, begin(0))
{
	for (unsigned i = 0; i < 32; i++) {
		const unsigned version = i & 1 ? 6 : 4;
		const uint16_t local = (uint16_t)(i & 2 ? 61000 + i : 32767 - i);
		// Our source address may be a service address as well.
		if (i == 16) {
			h->service.v4_count = h->service.v6_count = 2;
			memcpy(&h->service.v4[1], image.source_v4, 4);
			memcpy(h->service.v6[1], image.source_v6, 16);
		}
		ask(h, version, local);
		struct wire_query q = reply_of(version, local);
		q.has_vlan = i & 4;
		q.vlan_tci = 99;
		q.csum = i & 8 && version == 4 ? WIRE_CSUM_ZERO : WIRE_CSUM_RIGHT;
		q.ip_option_len = i & 8 && version == 4 ? 8 : 0;
		q.padding = i & 8 ? 5 : 0;
		const size_t len = inject(h, &q);
		check_heard(h, HEARD_REPLY, version, local, dns, len);
		assert_int_equal(heard.head.arrival_ms, h->w.now_ms);
	}
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), 32);
	assert_int_equal(harness_take_kernel(h, frame), 0);
}

// Not for a resolver: the kernel gets it as ever.
static void goes_to_kernel(struct harness *h, const struct wire_query *q)
{
	static uint8_t came[WIRE_MAX], went[WIRE_MAX];
	const size_t dns_len = wire_make_dns(q, dns), len = wire_make_udp(q, dns, dns_len, came);
	const uint64_t before = harness_verdict(h, VERDICT_to_kernel);
	hold_clock(h);
	harness_send(h, came, len);
	assert_int_equal(harness_verdict(h, VERDICT_to_kernel), before + 1);
	assert_int_equal(harness_take_kernel(h, went), len);
	assert_memory_equal(went, came, len);
	assert_false(hear_on(&h->miss));
}

PACKET_TEST_OF(test_not_heard, begin(0))
{
	for (unsigned version = 4; version <= 6; version += 2) {
		ask(h, version, LOCAL);
		const struct wire_query good = reply_of(version, LOCAL);
		struct wire_query q = good;
		q.src = version == 6 ? "2001:db8::2" : "192.0.2.2"; // not in the list
		goes_to_kernel(h, &q);
		q = good;
		q.src_port = 54;
		goes_to_kernel(h, &q);
		q = good;
		q.dst_port = LOCAL + 1; // from which none left
		goes_to_kernel(h, &q);
		q.dst_port = 40000; // outside the ranges
		goes_to_kernel(h, &q);
		q = good;
		q.dst = version == 6 ? WIRE_SERVICE6 : WIRE_SERVICE4; // not our source address
		goes_to_kernel(h, &q);
		if (version == 4) {
			q = good;
			q.fragment = 3; // not the first one
			goes_to_kernel(h, &q);
			q.fragment = 0x2003;
			goes_to_kernel(h, &q);
		}
		const size_t len = inject(h, &good);
		check_heard(h, HEARD_REPLY, version, LOCAL, dns, len);
	}
	// Another version's server on the same port, and an image without servers.
	ask(h, 4, LOCAL);
	image = (struct hops_image){0};
	use_image(h);
	const struct wire_query q = reply_of(4, LOCAL);
	goes_to_kernel(h, &q);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), 2);
}

// frame[], of IPv6, with a header of 8 bytes behind its own; the new length.
static size_t put_extension(size_t len, uint8_t kind, const uint8_t header[8])
{
	memmove(frame + 54 + 8, frame + 54, len - 54);
	memcpy(frame + 54, header, 8);
	frame[20] = kind;
	wire_put16(frame + 18, (unsigned)(len - 54 + 8));
	return len + 8;
}

// IPv6 behind options, and behind fragment headers that are not those of a first one of UDP.
PACKET_TEST_OF(test_extensions, begin(0))
{
	enum { FRAGMENT = 44, OPTIONS = 60, UDP = 17, TCP = 6 };
	static const struct {
		uint8_t kind, header[8];
	} c[] = {{OPTIONS, {UDP}}, {FRAGMENT, {TCP, 0, 0, 1}}, {FRAGMENT, {UDP, 0, 0, 8}},
		{FRAGMENT, {UDP, 0, 0, 9}}, {FRAGMENT, {UDP, 0, 1, 1}}, {FRAGMENT, {FRAGMENT}}};
	ask(h, 6, LOCAL);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		const struct wire_query q = reply_of(6, LOCAL);
		const size_t len =
			put_extension(wire_make_udp(&q, dns, wire_make_dns(&q, dns), frame),
				c[i].kind, c[i].header);
		harness_send(h, frame, len);
		assert_int_equal(harness_take_kernel(h, frame), len);
	}
	assert_false(hear_on(&h->miss));
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), 0);
}

// So many replies a query, and for so long.
PACKET_TEST_OF(test_bounds, begin(0))
{
	const struct wire_query q = reply_of(4, LOCAL);
	for (unsigned round = 0; round < 2; round++) {
		ask(h, 4, LOCAL);
		for (unsigned i = 0; i < ASKED_REPLIES; i++) {
			inject(h, &q);
			assert_true(hear_on(&h->miss));
		}
		goes_to_kernel(h, &q);
	}
	ask(h, 4, LOCAL);
	now_ms += (ASKED_TICKS - 1) * ASKED_TICK_MS;
	inject(h, &q);
	assert_true(hear_on(&h->miss));
	now_ms += 3 * ASKED_TICK_MS;
	goes_to_kernel(h, &q);
	ask(h, 4, LOCAL);
	inject(h, &q);
	assert_true(hear_on(&h->miss));
}

static void dropped(struct harness *h, size_t len, enum verdict v)
{
	const uint64_t before = harness_verdict(h, v);
	hold_clock(h);
	harness_send(h, frame, len);
	assert_int_equal(harness_verdict(h, v), before + 1);
	assert_int_equal(harness_take_kernel(h, frame), 0);
	assert_false(hear_on(&h->miss));
}

PACKET_TEST_OF(test_dropped, begin(0))
{
	for (unsigned version = 4; version <= 6; version += 2) {
		ask(h, version, LOCAL);
		struct wire_query q = reply_of(version, LOCAL);
		const unsigned l4 = version == 6 ? 54 : 34;
		q.csum = WIRE_CSUM_BAD;
		dropped(h, wire_make(&q, frame), VERDICT_drop_udp_csum);
		q.csum = WIRE_CSUM_ZERO;
		if (version == 6)
			dropped(h, wire_make(&q, frame), VERDICT_drop_udp_csum);
		q.csum = WIRE_CSUM_RIGHT;
		dropped(h, wire_make_udp(&q, dns, 11, frame), VERDICT_drop_dns_short);
		size_t len = wire_make(&q, frame);
		wire_put16(frame + l4 + 4, 7);
		dropped(h, len, VERDICT_drop_udp_header);
		len = wire_make(&q, frame);
		wire_put16(frame + l4 + 4, wire_u16(frame + l4 + 4) + 1u);
		dropped(h, len, VERDICT_drop_udp_header);
		len = wire_make(&q, frame);
		hold_clock(h);
		harness_inject_chained(h, frame, len, l4 + 8);
		harness_turns(h);
	}
	assert_int_equal(harness_verdict(h, VERDICT_drop_chained), 2);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), 0);
	assert_false(hear_on(&h->miss));
}

// On an interface that is shared with the kernel, an answer with a flipped bit is no answer, and
// that of a server at the other end of a veth is one.
PACKET_TEST_OF(test_partial_checksums,
	begin_as(&(struct harness_options){.has_exception = true, .has_partial = true}))
{
	for (unsigned version = 4; version <= 6; version += 2) {
		ask(h, version, LOCAL);
		struct wire_query q = reply_of(version, LOCAL);
		for (unsigned partial = 0; partial < 2; partial++) {
			q.csum = partial ? WIRE_CSUM_PARTIAL : WIRE_CSUM_RIGHT;
			const size_t len = inject(h, &q);
			check_heard(h, HEARD_REPLY, version, LOCAL, dns, len);
		}
		q.csum = WIRE_CSUM_RIGHT;
		const size_t len = wire_make(&q, frame);
		frame[len - 1] ^= 1;
		dropped(h, len, VERDICT_drop_udp_csum);
		q.csum = WIRE_CSUM_BAD;
		dropped(h, wire_make(&q, frame), VERDICT_drop_udp_csum);
	}
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), 4);
}

// A resolver whose rings this worker does not have yet, and then has.
TEST(test_resolvers)
{
	static struct ring_index tail, head;
	static struct ring_consumer other;
	static alignas(64) uint8_t data[64 * RING_UNIT];
	struct harness *h = begin(0);
	image.resolvers = 2;
	use_image(h);
	struct wire_query q = reply_of(4, LOCAL + 1);
	ask(h, 4, LOCAL + 1);
	inject(h, &q);
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply_ring_full), 1);
	ring_producer_init(&h->w.miss[1], &tail, &head, data, 64);
	ring_consumer_init(&h->w.answer[1], &tail, &head, data, 64);
	ring_consumer_init(&other, &tail, &head, data, 64);
	h->w.resolvers = h->tables.l0.resolvers = 2;
	inject(h, &q);
	assert_true(hear_on(&other));
	assert_int_equal(heard.head.local_port, LOCAL + 1);
	assert_false(hear_on(&h->miss));
	h->w.resolvers = h->tables.l0.resolvers = 1;
	harness_end(h);
}

// Longer than a message may be: only with frames that large does it come in one piece.
PACKET_TEST_OF(test_cut, begin(0))
{
	enum { LONG = MSG_DNS_MAX + 1 };
	static uint8_t large[LONG], out[2 * WIRE_MAX];
	struct rte_mempool *pool = rte_pktmbuf_pool_create("jumbo", 31, 0, 0, 2 * WIRE_MAX, 0);
	assert_non_null(pool);
	ask(h, 4, LOCAL);
	memset(large, 7, sizeof(large));
	for (unsigned more = 0; more < 2; more++) {
		const struct wire_query q = reply_of(4, LOCAL);
		const size_t len = wire_make_udp(&q, large, MSG_DNS_MAX + more, out);
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), out, len);
		hold_clock(h);
		assert_int_equal(rte_ring_enqueue(rte_ring_lookup("client_in"), m), 0);
		harness_turns(h);
		assert_true(hear_on(&h->miss));
		assert_int_equal(heard.head.dns_len, MSG_DNS_MAX);
		assert_int_equal(heard.head.is_cut, more);
		assert_memory_equal(heard.dns, large, MSG_DNS_MAX);
	}
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	rte_mempool_free(pool);
}

// The first fragment of a reply is handed over as what it is, without a look at its checksum and at
// the length of the whole.
PACKET_TEST_OF(test_first_fragment, begin(0))
{
	ask(h, 4, LOCAL);
	struct wire_query q = reply_of(4, LOCAL);
	q.fragment = 0x2000;
	for (unsigned longer = 0; longer < 2; longer++) {
		q.csum = longer ? WIRE_CSUM_BAD : WIRE_CSUM_RIGHT;
		const size_t dns_len = wire_make_dns(&q, dns);
		const size_t len = wire_make_udp(&q, dns, dns_len, frame);
		wire_put16(frame + 34 + 4, longer ? 2000 : (unsigned)(dns_len + 8));
		hold_clock(h);
		harness_send(h, frame, len);
		assert_true(hear_on(&h->miss));
		assert_int_equal(heard.head.kind, HEARD_REPLY);
		assert_int_equal(heard.head.is_cut, 1);
		assert_int_equal(heard.head.dns_len, dns_len);
		assert_memory_equal(heard.dns, dns, dns_len);
	}
	assert_int_equal(harness_verdict(h, VERDICT_upstream_reply), 2);
	dropped(h, wire_make_udp(&q, dns, 11, frame), VERDICT_drop_dns_short);
	const size_t len = wire_make(&q, frame);
	harness_inject_chained(h, frame, len, 34 + 8);
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_drop_chained), 1);
	q.dst_port = LOCAL + 1; // from which none left
	goes_to_kernel(h, &q);
	q.dst_port = LOCAL;
	wire_make_udp(&q, dns, 0, frame);
	wire_put16(frame + 16, 20 + 7); // not even a UDP header
	wire_put16(frame + 24, 0);
	wire_put16(frame + 24, 0xffff - wire_fold(wire_sum(frame + 14, 20)));
	harness_send(h, frame, 60);
	assert_int_equal(harness_take_kernel(h, frame), 60);
	assert_false(hear_on(&h->miss));
}

// Of IPv6 too: with more to come, or as the only one.
PACKET_TEST_OF(test_first_fragment_ipv6, begin(0))
{
	struct wire_query q = reply_of(6, LOCAL);
	ask(h, 6, LOCAL);
	for (unsigned i = 0; i < 4; i++) {
		q.csum = i & 1 ? WIRE_CSUM_BAD : WIRE_CSUM_RIGHT;
		const size_t dns_len = wire_make_dns(&q, dns);
		size_t len = wire_make_udp(&q, dns, dns_len, frame);
		if (i & 1)
			wire_put16(frame + 54 + 4, 2000);
		len = put_extension(
			len, 44, (const uint8_t[]){17, 0, 0, i & 2 ? 1 : 0, 9, 9, 9, 9});
		hold_clock(h);
		harness_send(h, frame, len);
		assert_true(hear_on(&h->miss));
		assert_int_equal(heard.head.is_cut, 1);
		assert_int_equal(heard.head.ip_version, 6);
		assert_int_equal(heard.head.dns_len, dns_len);
		assert_memory_equal(heard.dns, dns, dns_len);
	}
	static const uint8_t first[8] = {17, 0, 0, 1};
	dropped(h, put_extension(wire_make_udp(&q, dns, 11, frame), 44, first),
		VERDICT_drop_dns_short);
	const size_t len = put_extension(wire_make(&q, frame), 44, first);
	harness_inject_chained(h, frame, len, 54 + 8 + 8);
	harness_turns(h);
	assert_int_equal(harness_verdict(h, VERDICT_drop_chained), 1);
	// Without a whole fragment header, or a whole UDP header behind it.
	for (unsigned payload = 7; payload < 16; payload += 8) {
		(void)put_extension(wire_make(&q, frame), 44, first);
		wire_put16(frame + 18, payload);
		harness_send(h, frame, 54 + payload);
		assert_int_equal(harness_take_kernel(h, frame), 54 + payload);
	}
	assert_false(hear_on(&h->miss));
}
