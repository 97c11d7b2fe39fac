// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"
#include "wire.h"

// A name at `pos`, as text with its letter case; the position behind it.
static size_t check_name(const uint8_t *dns, size_t len, size_t pos, char *text)
{
	size_t end = 0, n = 0;
	unsigned jumps = 0;
	for (;;) {
		assert_true(pos < len);
		uint8_t c = dns[pos];
		if (c >= 0xc0) {
			assert_true(pos + 1 < len);
			size_t to = (size_t)(c - 0xc0) * 256 + dns[pos + 1];
			assert_true(to < pos);
			assert_true(++jumps < 64);
			if (!end)
				end = pos + 2;
			pos = to;
			continue;
		}
		assert_true(c < 64);
		if (c == 0)
			break;
		assert_true(pos + 1 + c < len);
		assert_true(n + c + 1 < WIRE_NAME_TEXT_MAX);
		if (n)
			text[n++] = '.';
		memcpy(text + n, dns + pos + 1, c);
		n += c;
		pos += 1 + c;
	}
	text[n] = '\0';
	return end ? end : pos + 1;
}

static void check_opt(const uint8_t *p, struct wire_reply *out)
{
	assert_false(out->has_opt);
	out->has_opt = true;
	out->opt_size = wire_u16(p + 2);
	out->rcode += p[4] * 16U;
	assert_int_equal(p[5], 0);
	out->dnssec_ok = p[6] & 0x80;
	size_t len = wire_u16(p + 8);
	for (size_t i = 0; i < len;) {
		assert_true(i + 4 <= len);
		size_t option_len = wire_u16(p + 10 + i + 2);
		assert_true(i + 4 + option_len <= len);
		if (wire_u16(p + 10 + i) == 15) {
			assert_true(option_len >= 2);
			out->ede = wire_u16(p + 10 + i + 4);
		}
		i += 4 + option_len;
	}
}

static size_t check_record(
	const uint8_t *dns, size_t len, size_t pos, unsigned section, struct wire_reply *out)
{
	char owner[WIRE_NAME_TEXT_MAX];
	pos = check_name(dns, len, pos, owner);
	assert_true(pos + 10 <= len);
	size_t rdata_len = wire_u16(dns + pos + 8);
	assert_true(pos + 10 + rdata_len <= len);
	if (wire_u16(dns + pos) == 41) {
		assert_int_equal(section, 2);
		assert_string_equal(owner, "");
		check_opt(dns + pos, out);
	} else {
		assert_true(out->count < WIRE_RECORDS_MAX);
		struct wire_record *r = &out->record[out->count++];
		*r = (struct wire_record){
			.section = section,
			.type = wire_u16(dns + pos),
			.klass = wire_u16(dns + pos + 2),
			.ttl_s = wire_u32(dns + pos + 4),
			.rdata_len = (uint16_t)rdata_len,
			.rdata = dns + pos + 10,
		};
		memcpy(r->owner, owner, sizeof(owner));
	}
	return pos + 10 + rdata_len;
}

static void check_dns(const uint8_t *dns, size_t len, struct wire_reply *out)
{
	assert_true(len >= 12);
	out->dns_len = (uint16_t)len;
	out->id = wire_u16(dns);
	out->flags = wire_u16(dns + 2);
	out->rcode = out->flags % 16;
	out->ede = -1;
	assert_true(out->flags & 0x8000);
	assert_true(wire_u16(dns + 4) <= 1);
	out->has_question = wire_u16(dns + 4);
	size_t pos = 12;
	if (out->has_question) {
		pos = check_name(dns, len, pos, out->question);
		assert_true(pos + 4 <= len);
		out->qtype = wire_u16(dns + pos);
		out->qclass = wire_u16(dns + pos + 2);
		pos += 4;
	}
	for (unsigned section = 0; section < 3; section++)
		for (unsigned i = wire_u16(dns + 6 + 2 * section); i > 0; i--)
			pos = check_record(dns, len, pos, section, out);
	assert_int_equal(pos, len);
}

static void check_udp(const uint8_t *udp, size_t len, const uint8_t *addresses, size_t bytes,
	struct wire_reply *out)
{
	assert_true(len >= 8);
	assert_int_equal(wire_u16(udp + 4), len);
	out->src_port = wire_u16(udp);
	out->dst_port = wire_u16(udp + 2);
	out->zero_csum = wire_u16(udp + 6) == 0;
	if (out->zero_csum)
		assert_int_equal(bytes, 8); // IPv6 knows no UDP without checksum
	else
		assert_int_equal(wire_fold(wire_sum(addresses, bytes) + 17 + (uint32_t)len
					   + wire_sum(udp, len)),
			0xffff);
	check_dns(udp + 8, len - 8, out);
}

void wire_check(const uint8_t *frame, size_t len, struct wire_reply *out)
{
	memset(out, 0, sizeof(*out));
	out->frame = frame;
	assert_true(len >= 14 + 20 + 8 + 12);
	size_t pos = 12;
	if (wire_u16(frame + pos) == 0x8100) {
		out->has_vlan = true;
		out->vlan_tci = wire_u16(frame + pos + 2);
		pos += 4;
	}
	const uint8_t *ip = frame + pos + 2;
	size_t ip_len = len - pos - 2;
	if (wire_u16(frame + pos) == 0x0800) {
		out->version = 4;
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(wire_u16(ip + 2), ip_len);
		assert_int_equal(wire_u16(ip + 4), 0);      // identification
		assert_int_equal(wire_u16(ip + 6), 0x4000); // DF
		assert_int_equal(ip[8], 64);
		assert_int_equal(ip[9], 17);
		assert_int_equal(wire_fold(wire_sum(ip, 20)), 0xffff);
		check_udp(ip + 20, ip_len - 20, ip + 12, 8, out);
	} else {
		assert_int_equal(wire_u16(frame + pos), 0x86dd);
		assert_true(ip_len >= 40);
		out->version = 6;
		assert_int_equal(wire_u32(ip), 0x60000000);
		assert_int_equal(wire_u16(ip + 4), ip_len - 40);
		assert_int_equal(ip[6], 17);
		assert_int_equal(ip[7], 64);
		check_udp(ip + 40, ip_len - 40, ip + 8, 32, out);
	}
}

void wire_check_answers(
	const uint8_t *frame, size_t len, const struct wire_query *q, struct wire_reply *out)
{
	wire_check(frame, len, out);
	bool v6 = q->version == 6;
	uint8_t addresses[32];
	const char *from = q->dst ? q->dst : v6 ? WIRE_SERVICE6 : WIRE_SERVICE4;
	const char *to = q->src ? q->src : v6 ? WIRE_CLIENT6 : WIRE_CLIENT4;
	size_t size = v6 ? 16 : 4;
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, from, addresses), 1);
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, to, addresses + size), 1);
	assert_int_equal(out->version, v6 ? 6 : 4);
	assert_int_equal(out->has_vlan, q->has_vlan);
	assert_int_equal(out->vlan_tci, q->has_vlan ? q->vlan_tci : 0);
	assert_memory_equal(frame, q->mac ? q->mac : wire_client_mac, 6);
	assert_memory_equal(frame + 6, q->to_mac ? q->to_mac : wire_service_mac, 6);
	const uint8_t *ip = frame + (q->has_vlan ? 18 : 14);
	assert_memory_equal(ip + (v6 ? 8 : 12), addresses, 2 * size);
	assert_int_equal(out->src_port, 53);
	assert_int_equal(out->dst_port, q->src_port ? q->src_port : 4242);
	assert_int_equal(out->zero_csum, q->csum == WIRE_CSUM_ZERO);
	assert_int_equal(out->id, q->id ? q->id : 0x1234);
	assert_true(out->has_question);
	assert_string_equal(out->question, q->name);
	assert_int_equal(out->qtype, q->qtype ? q->qtype : 1);
	assert_int_equal(out->qclass, q->qclass ? q->qclass : 1);
	assert_int_equal(out->flags & 0x0100, (q->flags ? q->flags : 0x0100) & 0x0100);
	assert_int_equal(out->has_opt, q->edns);
	size_t client = q->edns ? (q->edns_size ? q->edns_size : 1232) : 512;
	assert_true(out->dns_len <= (client < 512 ? 512 : client));
}
