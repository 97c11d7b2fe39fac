// SPDX-License-Identifier: BSD-3-Clause
#include "tests/oracle/frame_oracle.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { ETHER = 14, IPV4 = 20, IPV6 = 40, UDP = 8, ICMP = 1, ICMPV6 = 58, UDP_PROTOCOL = 17 };

static unsigned u16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}

// RFC 1071, one byte at a time; folded.
static unsigned sum(const uint8_t *p, size_t len, unsigned more)
{
	uint32_t s = more;
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : p[i] * 256u;
	while (s >> 16)
		s = (s >> 16) + (s & 0xffff);
	return s;
}

static size_t l3_of(const uint8_t *frame, unsigned *tag)
{
	bool tagged = u16(frame + 12) == 0x8100;
	*tag = tagged ? 0x10000 + u16(frame + 14) : 0;
	return tagged ? ETHER + 4 : ETHER;
}

bool frame_oracle_read(const uint8_t *frame, size_t len, struct frame_udp *out)
{
	if (len < ETHER + 4 + IPV4)
		return false;
	size_t l3 = l3_of(frame, &out->tag), l4;
	const uint8_t *ip = frame + l3;
	if (u16(ip - 2) == 0x0800 && ip[9] == UDP_PROTOCOL) {
		l4 = l3 + 4 * (ip[0] & 15u);
		out->addresses = ip + 12;
		out->addresses_len = 8;
	} else if (u16(ip - 2) == 0x86dd && len > l3 + IPV6 && ip[6] == UDP_PROTOCOL) {
		l4 = l3 + IPV6;
		out->addresses = ip + 8;
		out->addresses_len = 32;
	} else {
		return false;
	}
	if (len < l4 + UDP || u16(frame + l4 + 4) < UDP || len < l4 + u16(frame + l4 + 4))
		return false;
	out->eth = frame;
	out->ports = frame + l4;
	out->dns = frame + l4 + UDP;
	out->dns_len = u16(frame + l4 + 4) - UDP;
	return true;
}

static void check_sum(const uint8_t *l4, size_t len, unsigned protocol, const uint8_t *addresses,
	size_t addresses_len, bool pseudo)
{
	unsigned head = pseudo ? sum(addresses, addresses_len, protocol + (unsigned)len) : 0;
	FUZZ_CHECK(sum(l4, len, head) == 0xffff);
}

static void check_ipv4(const uint8_t *ip, size_t len)
{
	FUZZ_CHECK(len >= IPV4 && ip[0] == 0x45 && u16(ip + 2) == len && ip[8] > 0);
	FUZZ_CHECK((u16(ip + 6) & 0x3fff) == 0 && sum(ip, IPV4, 0) == 0xffff);
	const uint8_t *l4 = ip + IPV4;
	size_t l4_len = len - IPV4;
	if (ip[9] == ICMP)
		check_sum(l4, l4_len, ICMP, NULL, 0, false);
	else if (u16(l4 + 6))
		check_sum(l4, l4_len, UDP_PROTOCOL, ip + 12, 8, true);
	FUZZ_CHECK(ip[9] == ICMP || ip[9] == UDP_PROTOCOL);
}

static void check_ipv6(const uint8_t *ip, size_t len)
{
	FUZZ_CHECK(len >= IPV6 && ip[0] >> 4 == 6 && u16(ip + 4) == len - IPV6 && ip[7] > 0);
	FUZZ_CHECK(ip[6] == ICMPV6 || ip[6] == UDP_PROTOCOL);
	FUZZ_CHECK(ip[6] == ICMPV6 || u16(ip + IPV6 + 6) != 0);
	check_sum(ip + IPV6, len - IPV6, ip[6], ip + 8, 32, true);
}

bool frame_oracle_check(const uint8_t *frame, size_t len, struct frame_udp *out)
{
	FUZZ_CHECK(len >= ETHER + 4 + 8);
	size_t l3 = l3_of(frame, &out->tag);
	const uint8_t *ip = frame + l3;
	switch (u16(ip - 2)) {
	case 0x0806:
		FUZZ_CHECK(len >= l3 + 28 && u16(ip + 6) == 2);
		return false;
	case 0x0800:
		check_ipv4(ip, len - l3);
		break;
	default:
		FUZZ_CHECK(u16(ip - 2) == 0x86dd);
		check_ipv6(ip, len - l3);
	}
	bool is_udp = frame_oracle_read(frame, len, out);
	if (is_udp)
		FUZZ_CHECK(out->dns + out->dns_len == frame + len);
	return is_udp;
}

void frame_oracle_check_ends(const struct frame_udp *query, const struct frame_udp *reply)
{
	size_t half = query->addresses_len / 2;
	FUZZ_CHECK(query->addresses_len == reply->addresses_len && query->tag == reply->tag);
	FUZZ_CHECK(memcmp(query->addresses, reply->addresses + half, half) == 0);
	FUZZ_CHECK(memcmp(query->addresses + half, reply->addresses, half) == 0);
	FUZZ_CHECK(memcmp(query->ports, reply->ports + 2, 2) == 0);
	FUZZ_CHECK(memcmp(query->ports + 2, reply->ports, 2) == 0);
	FUZZ_CHECK(memcmp(query->eth, reply->eth + 6, 6) == 0);
	FUZZ_CHECK(memcmp(query->eth + 6, reply->eth, 6) == 0);
}
