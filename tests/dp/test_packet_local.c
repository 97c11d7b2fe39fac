// SPDX-License-Identifier: BSD-3-Clause
// ARP, neighbour discovery and echo, answered only where there is no exception port.
#include "harness.h"

// From the client to everybody.
static size_t make_arp(uint8_t *f, bool vlan, const char *target)
{
	size_t n = 12;
	memset(f, 0xff, 6);
	memcpy(f + 6, wire_client_mac, 6);
	if (vlan) {
		memcpy(f + 12, "\x81\0\0\7", 4);
		n = 16;
	}
	memcpy(f + n, "\x08\6\0\1\x08\0\6\4\0\1", 10);
	memcpy(f + n + 10, wire_client_mac, 6);
	assert_int_equal(inet_pton(AF_INET, WIRE_CLIENT4, f + n + 16), 1);
	memset(f + n + 20, 0, 6);
	assert_int_equal(inet_pton(AF_INET, target, f + n + 26), 1);
	memset(f + n + 30, 0, 18); // padding
	return n + 30 + (vlan ? 14 : 18);
}

static size_t ask(struct harness *h, uint8_t *f, size_t len, enum verdict v)
{
	uint64_t before = harness_verdict(h, v);
	harness_send(h, f, len);
	assert_int_equal(harness_verdict(h, v), before + 1);
	return harness_take(h, f);
}

PACKET_TEST(test_arp)
{
	uint8_t f[WIRE_MAX], ip[8];
	for (unsigned vlan = 0; vlan < 2; vlan++) {
		size_t n = vlan ? 16 : 12;
		size_t len = ask(h, f, make_arp(f, vlan, WIRE_SERVICE4), VERDICT_arp_reply);
		assert_int_equal(len, n + 30);
		assert_memory_equal(f, wire_client_mac, 6);
		assert_memory_equal(f + 6, wire_service_mac, 6);
		assert_memory_equal(f + n, "\x08\6\0\1\x08\0\6\4\0\2", 10);
		assert_memory_equal(f + n + 10, wire_service_mac, 6);
		inet_pton(AF_INET, WIRE_SERVICE4, ip);
		inet_pton(AF_INET, WIRE_CLIENT4, ip + 4);
		assert_memory_equal(f + n + 16, ip, 4);
		assert_memory_equal(f + n + 20, wire_client_mac, 6);
		assert_memory_equal(f + n + 26, ip + 4, 4);
	}
	size_t len = make_arp(f, false, "198.18.0.54");
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
	len = make_arp(f, false, WIRE_SERVICE4);
	f[21] = 2; // a reply
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
	make_arp(f, false, WIRE_SERVICE4);
	assert_int_equal(ask(h, f, 14 + 27, VERDICT_drop_runt), 0);
}

static void put_icmp6_csum(uint8_t *ip, size_t len)
{
	wire_put16(ip + 42, 0);
	wire_put16(ip + 42, 0xffffU
				    - wire_fold(wire_sum(ip + 8, 32) + 58 + (uint32_t)len
						+ wire_sum(ip + 40, len)));
}

static size_t make_ipv6(uint8_t *f, const char *src, const char *dst, size_t icmp_len)
{
	memcpy(f, "\x33\x33\xff\0\0\x53", 6);
	memcpy(f + 6, wire_client_mac, 6);
	wire_put16(f + 12, 0x86dd);
	memcpy(f + 14, "\x60\0\0\0\0\0\x3a\xff", 8);
	wire_put16(f + 18, (unsigned)icmp_len);
	assert_int_equal(inet_pton(AF_INET6, src, f + 22), 1);
	assert_int_equal(inet_pton(AF_INET6, dst, f + 38), 1);
	return 54 + icmp_len;
}

static size_t make_solicitation(uint8_t *f, const char *src, const char *target, bool option)
{
	size_t len = make_ipv6(f, src, "ff02::1:ff00:53", option ? 32 : 24);
	memcpy(f + 54, "\x87\0\0\0\0\0\0\0", 8);
	assert_int_equal(inet_pton(AF_INET6, target, f + 62), 1);
	memcpy(f + 78, "\1\1", 2);
	memcpy(f + 80, wire_client_mac, 6);
	put_icmp6_csum(f + 14, option ? 32 : 24);
	return len;
}

static void check_advertisement(const uint8_t *f, size_t len, const char *dst, uint8_t flags)
{
	uint8_t addresses[32];
	assert_int_equal(len, 54 + 32);
	assert_memory_equal(f + 6, wire_service_mac, 6);
	assert_memory_equal(f + 12, "\x86\xdd\x60\0\0\0\0\x20\x3a\xff", 10);
	inet_pton(AF_INET6, WIRE_SERVICE6, addresses);
	inet_pton(AF_INET6, dst, addresses + 16);
	assert_memory_equal(f + 22, addresses, 32);
	assert_int_equal(f[54], 136);
	assert_int_equal(f[55], 0);
	assert_int_equal(f[58], flags);
	assert_memory_equal(f + 59, "\0\0\0", 3);
	assert_memory_equal(f + 62, addresses, 16);
	assert_memory_equal(f + 78, "\2\1", 2);
	assert_memory_equal(f + 80, wire_service_mac, 6);
	assert_int_equal(wire_fold(wire_sum(f + 22, 32) + 58 + 32 + wire_sum(f + 54, 32)), 0xffff);
}

PACKET_TEST(test_solicitation)
{
	uint8_t f[WIRE_MAX];
	size_t len = make_solicitation(f, WIRE_CLIENT6, WIRE_SERVICE6, true);
	check_advertisement(f, ask(h, f, len, VERDICT_ndp_reply), WIRE_CLIENT6, 0x60);
	assert_memory_equal(f, wire_client_mac, 6);
	// Without an option the reply is longer than the question.
	len = make_solicitation(f, "fe80::2", WIRE_SERVICE6, false);
	check_advertisement(f, ask(h, f, len, VERDICT_ndp_reply), "fe80::2", 0x60);
	// Duplicate address detection: the client has no address yet.
	len = make_solicitation(f, "::", WIRE_SERVICE6, false);
	check_advertisement(f, ask(h, f, len, VERDICT_ndp_reply), "ff02::1", 0x20);
	assert_memory_equal(f, "\x33\x33\0\0\0\1", 6);

	len = make_solicitation(f, WIRE_CLIENT6, "fd53::54", true);
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
	len = make_solicitation(f, WIRE_CLIENT6, WIRE_SERVICE6, true);
	f[21] = 254; // came through a router
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
	f[21] = 255;
	f[56] ^= 1; // checksum
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
	len = make_solicitation(f, "ff02::1", WIRE_SERVICE6, true);
	assert_int_equal(ask(h, f, len, VERDICT_drop_source), 0);
}

PACKET_TEST(test_echo_ipv6)
{
	uint8_t f[WIRE_MAX], request[WIRE_MAX];
	for (size_t data = 0; data < 1400; data += 199) {
		size_t len = make_ipv6(f, WIRE_CLIENT6, WIRE_SERVICE6, 8 + data);
		memset(f + 54, 0x5a, 8 + data);
		f[54] = 128;
		f[55] = 0;
		put_icmp6_csum(f + 14, 8 + data);
		memcpy(request, f, len);
		assert_int_equal(ask(h, f, len, VERDICT_echo_reply), len);
		assert_int_equal(f[54], 129);
		assert_int_equal(f[21], 64);
		assert_memory_equal(f + 22, request + 38, 16);
		assert_memory_equal(f + 38, request + 22, 16);
		assert_memory_equal(f + 58, request + 58, 4 + data);
		assert_memory_equal(f, wire_client_mac, 6);
		assert_memory_equal(f + 6, wire_service_mac, 6);
		assert_int_equal(wire_fold(wire_sum(f + 22, 32) + 58 + (uint32_t)(8 + data)
					   + wire_sum(f + 54, 8 + data)),
			0xffff);
	}
}

// The UDP frame of a query made into an echo request.
static size_t make_echo(uint8_t *f, unsigned ip_option_len)
{
	struct wire_query q = {.name = "abcdefgh.example", .ip_option_len = ip_option_len};
	size_t len = wire_make(&q, f);
	size_t icmp = 34 + ip_option_len;
	f[23] = 1;
	memcpy(f + icmp, "\x08\0\0\0", 4);
	wire_put16(f + 24, 0);
	wire_put16(f + 24, 0xffffU - wire_fold(wire_sum(f + 14, icmp - 14)));
	wire_put16(f + icmp + 2, 0xffffU - wire_fold(wire_sum(f + icmp, len - icmp)));
	return len;
}

PACKET_TEST(test_echo_ipv4)
{
	uint8_t f[WIRE_MAX], request[WIRE_MAX];
	for (unsigned options = 0; options <= 40; options += 4) {
		size_t len = make_echo(request, options);
		memcpy(f, request, len);
		assert_int_equal(ask(h, f, len, VERDICT_echo_reply), len - options);
		assert_memory_equal(f, wire_client_mac, 6);
		assert_int_equal(f[14], 0x45);
		assert_int_equal(wire_u16(f + 16), len - options - 14);
		assert_int_equal(wire_fold(wire_sum(f + 14, 20)), 0xffff);
		assert_memory_equal(f + 26, request + 30, 4);
		assert_memory_equal(f + 30, request + 26, 4);
		assert_int_equal(f[34], 0);
		assert_memory_equal(f + 38, request + 38 + options, len - options - 38);
		assert_int_equal(wire_fold(wire_sum(f + 34, len - options - 34)), 0xffff);
	}
	size_t len = make_echo(f, 0);
	f[40] ^= 0x10;
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
	len = make_echo(f, 0);
	wire_put16(f + 20, 0x2000); // a fragment
	wire_put16(f + 24, 0);
	wire_put16(f + 24, 0xffffU - wire_fold(wire_sum(f + 14, 20)));
	assert_int_equal(ask(h, f, len, VERDICT_drop_not_ours), 0);
}

// Where there is an exception port all of it is the kernel's.
PACKET_TEST_OF(test_not_with_exception_port,
	harness_begin(&(struct harness_options){.has_exception = true}))
{
	uint8_t f[WIRE_MAX];
	assert_int_equal(ask(h, f, make_arp(f, false, WIRE_SERVICE4), VERDICT_to_kernel), 0);
	assert_int_equal(ask(h, f, make_echo(f, 0), VERDICT_to_kernel), 0);
	size_t len = make_solicitation(f, WIRE_CLIENT6, WIRE_SERVICE6, true);
	assert_int_equal(ask(h, f, len, VERDICT_to_kernel), 0);
	while (harness_take_kernel(h, f))
		continue;
}
