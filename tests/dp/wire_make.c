// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"
#include "wire.h"

const uint8_t wire_client_mac[6] = {0x02, 0, 0, 0, 0, 0x22};
const uint8_t wire_service_mac[6] = {0x02, 0, 0, 0, 0, 0x53};

uint32_t wire_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] * 256;
	return sum;
}

uint16_t wire_fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return (uint16_t)sum;
}

uint16_t wire_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] * 256 + p[1]);
}

uint32_t wire_u32(const uint8_t *p)
{
	return wire_u16(p) * UINT32_C(65536) + wire_u16(p + 2);
}

void wire_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v / 256);
	p[1] = (uint8_t)v;
}

size_t wire_name(const char *text, uint8_t *out)
{
	size_t n = 0;
	while (*text) {
		size_t label = strcspn(text, ".");
		out[n++] = (uint8_t)label;
		memcpy(out + n, text, label);
		n += label;
		text += label;
		if (*text == '.')
			text++;
	}
	out[n++] = 0;
	return n;
}

size_t wire_make_dns(const struct wire_query *q, uint8_t *out)
{
	memset(out, 0, 12);
	wire_put16(out, q->id ? q->id : 0x1234);
	wire_put16(out + 2, q->flags ? q->flags : 0x0100);
	wire_put16(out + 4, 1);
	wire_put16(out + 10, q->edns);
	size_t n = 12 + wire_name(q->name, out + 12);
	wire_put16(out + n, q->qtype ? q->qtype : 1);
	wire_put16(out + n + 2, q->qclass ? q->qclass : 1);
	n += 4;
	if (q->edns) {
		uint8_t opt[11] = {0, 0, 41, 0, 0, 0, q->edns_version, q->dnssec_ok ? 0x80 : 0};
		wire_put16(opt + 3, q->edns_size ? q->edns_size : 1232);
		memcpy(out + n, opt, sizeof(opt));
		n += sizeof(opt);
	}
	memset(out + n, 0xee, q->extra_bytes);
	return n + q->extra_bytes;
}

static size_t make_ether(const struct wire_query *q, uint8_t *out)
{
	memcpy(out, q->to_mac ? q->to_mac : wire_service_mac, 6);
	memcpy(out + 6, q->mac ? q->mac : wire_client_mac, 6);
	size_t n = 12;
	if (q->has_vlan) {
		wire_put16(out + 12, 0x8100);
		wire_put16(out + 14, q->vlan_tci);
		n += 4;
	}
	wire_put16(out + n, q->version == 6 ? 0x86dd : 0x0800);
	return n + 2;
}

static size_t make_ipv4(const struct wire_query *q, size_t payload, uint8_t *ip)
{
	size_t len = 20 + q->ip_option_len;
	memset(ip, 1, len); // options: no operation
	memset(ip, 0, 20);
	ip[0] = (uint8_t)(0x40 + len / 4);
	ip[1] = 0x28; // some traffic class, which no reply should copy
	wire_put16(ip + 2, (unsigned)(len + payload));
	wire_put16(ip + 4, 0xbeef);
	wire_put16(ip + 6, q->fragment);
	ip[8] = 57;
	ip[9] = 17;
	assert_int_equal(inet_pton(AF_INET, q->src ? q->src : WIRE_CLIENT4, ip + 12), 1);
	assert_int_equal(inet_pton(AF_INET, q->dst ? q->dst : WIRE_SERVICE4, ip + 16), 1);
	wire_put16(ip + 10, 0xffff - wire_fold(wire_sum(ip, len)));
	return len;
}

static size_t make_ipv6(const struct wire_query *q, size_t payload, uint8_t *ip)
{
	memset(ip, 0, 40);
	ip[0] = 0x62;
	ip[1] = 0x81;
	ip[3] = 0x77; // traffic class and flow label
	wire_put16(ip + 4, (unsigned)payload);
	ip[6] = 17;
	ip[7] = 57;
	assert_int_equal(inet_pton(AF_INET6, q->src ? q->src : WIRE_CLIENT6, ip + 8), 1);
	assert_int_equal(inet_pton(AF_INET6, q->dst ? q->dst : WIRE_SERVICE6, ip + 24), 1);
	return 40;
}

size_t wire_make_udp(const struct wire_query *q, const uint8_t *dns, size_t len, uint8_t *out)
{
	size_t n = make_ether(q, out);
	bool v6 = q->version == 6;
	n += v6 ? make_ipv6(q, len + 8, out + n) : make_ipv4(q, len + 8, out + n);
	const uint8_t *addresses = v6 ? out + n - 32 : out + n - q->ip_option_len - 8;
	uint8_t *udp = out + n;
	wire_put16(udp, q->zero_src_port ? 0 : q->src_port ? q->src_port : 4242);
	wire_put16(udp + 2, q->dst_port ? q->dst_port : 53);
	wire_put16(udp + 4, (unsigned)len + 8);
	wire_put16(udp + 6, 0);
	memcpy(udp + 8, dns, len);
	const uint32_t pseudo = wire_sum(addresses, v6 ? 32 : 8) + 17 + (uint32_t)len + 8;
	uint16_t sum = wire_fold(pseudo + wire_sum(udp, len + 8));
	uint16_t csum = (uint16_t)(sum == 0xffff ? 0xffff : 0xffff - sum);
	if (q->csum == WIRE_CSUM_BAD)
		csum = (uint16_t)(csum == 1 ? 2 : csum - 1);
	if (q->csum == WIRE_CSUM_PARTIAL)
		csum = wire_fold(pseudo);
	wire_put16(udp + 6, q->csum == WIRE_CSUM_ZERO ? 0 : csum);
	n += len + 8;
	memset(out + n, 0, q->padding);
	return n + q->padding;
}

size_t wire_make(const struct wire_query *q, uint8_t *out)
{
	uint8_t dns[WIRE_MAX];
	return wire_make_udp(q, dns, wire_make_dns(q, dns), out);
}
