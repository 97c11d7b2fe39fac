// SPDX-License-Identifier: BSD-3-Clause
// ICMP and ICMPv6 messages that an upstream server cannot be reached: for the resolver whose query
// they quote, and for the kernel in any case.
#include "servers_rig.h"

// ICMP destination unreachable from a router, quoting `quote` bytes of weir's IP packet.
static size_t make_icmp(unsigned version, const uint8_t *quoted, size_t quote, uint8_t type)
{
	static uint8_t body[WIRE_MAX];
	const struct wire_query q = {.version = version,
		.src = version == 6 ? "2001:db8::99" : "192.0.2.99",
		.dst = version == 6 ? SOURCE6 : SOURCE4};
	memcpy(body, quoted, quote);
	size_t len = wire_make_udp(&q, body, quote, frame); // 8 bytes of UDP become those of ICMP
	const unsigned l3 = 14, l4 = version == 6 ? 54 : 34;
	memset(frame + l4, 0, 8);
	frame[l4] = type;
	frame[l4 + 1] = 3;
	frame[version == 6 ? l3 + 6 : l3 + 9] = version == 6 ? 58 : 1;
	uint32_t sum = wire_sum(frame + l4, len - l4);
	if (version == 6)
		sum = wire_fold(sum) + wire_sum(frame + l3 + 8, 32) + 58 + (uint32_t)(len - l4);
	wire_put16(frame + l4 + 2, 0xffffu - wire_fold(sum));
	if (version == 4) {
		wire_put16(frame + l3 + 10, 0);
		wire_put16(frame + l3 + 10, 0xffffu - wire_fold(wire_sum(frame + l3, 20)));
	}
	return len;
}

// Whatever it says, the kernel gets it.
static bool icmp_is_heard(struct harness *h, size_t len)
{
	static uint8_t went[WIRE_MAX];
	const uint64_t before = harness_counter(h, COUNTER_upstream_unreachable);
	hold_clock(h);
	harness_send(h, frame, len);
	assert_int_equal(harness_take_kernel(h, went), len);
	assert_memory_equal(went, frame, len);
	const bool is = hear_on(&h->miss);
	assert_int_equal(harness_counter(h, COUNTER_upstream_unreachable), before + is);
	return is;
}

PACKET_TEST_OF(test_icmp, begin(0))
{
	for (unsigned version = 4; version <= 6; version += 2) {
		const uint8_t type = version == 6 ? 1 : 3;
		const uint16_t local = (uint16_t)(LOCAL + version);
		const unsigned headers = version == 6 ? 48 : 28;
		static uint8_t sent[WIRE_MAX], quoted[WIRE_MAX];
		const struct wire_query q = {.name = "asked.example",
			.version = version,
			.src = version == 6 ? SOURCE6 : SOURCE4,
			.dst = version == 6 ? SERVER6 : SERVER4,
			.src_port = local};
		const size_t dns_len = wire_make_dns(&q, dns);
		const size_t len = wire_make_udp(&q, dns, dns_len, sent) - 14;
		const uint8_t *ip = sent + 14;
		assert_false(icmp_is_heard(h, make_icmp(version, ip, len, type))); // not asked
		ask(h, version, local);
		wire_make_dns(&q, dns);
		for (size_t quote = headers; quote <= len; quote += len - headers) {
			assert_true(icmp_is_heard(h, make_icmp(version, ip, quote, type)));
			assert_int_equal(heard.head.kind, HEARD_UNREACHABLE);
			assert_int_equal(heard.head.code, 3);
			assert_int_equal(heard.head.local_port, local);
			assert_int_equal(heard.head.server_port, SERVER_PORT);
			assert_memory_equal(
				heard.head.server_ip, image.server[version == 6].ip, 16);
			assert_int_equal(heard.head.dns_len, quote - headers);
			assert_memory_equal(heard.dns, dns, quote - headers);
		}
		// Quoted too little, other types, and each field of the quote another.
		assert_false(icmp_is_heard(h, make_icmp(version, ip, headers - 1, type)));
		assert_false(icmp_is_heard(h, make_icmp(version, ip, 0, type)));
		assert_false(icmp_is_heard(h, make_icmp(version, ip, len, 5)));
		const unsigned v4_fields[] = {0, 6, 9, 15, 19, 20, 23},
			       v6_fields[] = {0, 6, 23, 39, 40, 43};
		const unsigned count = version == 6 ? ARRAY_LEN(v6_fields) : ARRAY_LEN(v4_fields);
		for (unsigned i = 0; i < count; i++) {
			const unsigned at = version == 6 ? v6_fields[i] : v4_fields[i];
			memcpy(quoted, ip, len);
			quoted[at] ^= 0x20;
			assert_false(icmp_is_heard(h, make_icmp(version, quoted, len, type)));
		}
		const size_t whole = make_icmp(version, ip, len, type);
		frame[whole - 1] ^= 1; // its checksum is wrong now
		assert_false(icmp_is_heard(h, whole));
	}
}
