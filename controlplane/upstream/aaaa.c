// SPDX-License-Identifier: BSD-3-Clause
#include "aaaa.h"

#include "base/nat64.h"

#include <stdio.h>
#include <string.h>
#include <weir/dns_name.h>

enum { IPV4_LEN = 4, IPV6_LEN = 16, IPV6_NIBBLES = 32 };

struct record {
	struct dns_name name;
	uint16_t type, rdclass, rdata_len;
	uint32_t ttl_s;
	size_t rdata; // where it begins in the message
};

// The header and the question; the cursor ends behind them. False: not one question.
static bool question_read(struct rd *msg, struct dns_name *name, unsigned *answers)
{
	if (rd_left(msg) < DNS_HEADER_LEN || get_u16(msg->base + 4) != 1)
		return false;
	*answers = get_u16(msg->base + 6);
	rd_skip(msg, DNS_HEADER_LEN);
	if (dns_name_read_compressed(msg, name, NULL) < 0)
		return false;
	rd_skip(msg, 4);
	return rd_ok(msg);
}

static bool record_read(struct rd *msg, struct record *out)
{
	if (dns_name_read_compressed(msg, &out->name, NULL) < 0)
		return false;
	out->type = rd_u16(msg);
	out->rdclass = rd_u16(msg);
	out->ttl_s = rd_u32(msg);
	out->rdata_len = rd_u16(msg);
	out->rdata = msg->pos;
	rd_skip(msg, out->rdata_len);
	return rd_ok(msg);
}

// Is the record an address of this type?
static bool is_address(const struct record *r, uint16_t type)
{
	return r->type == type && r->rdclass == DNS_CLASS_IN
	       && r->rdata_len == (type == DNS_TYPE_A ? IPV4_LEN : IPV6_LEN);
}

static bool is_mapped(const uint8_t *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

// How many addresses of a type a NOERROR reply has that count; -1: it is another reply, or broken.
static int addresses(const uint8_t *msg, size_t len, uint16_t type)
{
	struct rd rd = rd_init(msg, len);
	struct dns_name name;
	struct record r;
	unsigned records;
	int n = 0;

	if (!question_read(&rd, &name, &records)
		|| get_u16(msg + 2) & (DNS_FLAG_TC | DNS_FLAG_RCODE))
		return -1;
	for (; records; records--) {
		if (!record_read(&rd, &r))
			return -1;
		n += is_address(&r, type) && (type == DNS_TYPE_A || !is_mapped(msg + r.rdata));
	}
	return n;
}

bool aaaa_is_empty(const uint8_t *msg, size_t len)
{
	return addresses(msg, len, DNS_TYPE_AAAA) == 0;
}

static void record_write(struct wr *w, const struct record *r, uint16_t type, uint32_t ttl_s,
	const uint8_t *rdata, uint16_t rdata_len)
{
	wr_bytes(w, r->name.wire, r->name.len);
	wr_u16(w, type);
	wr_u16(w, DNS_CLASS_IN);
	wr_u32(w, ttl_s);
	wr_u16(w, rdata_len);
	wr_bytes(w, rdata, rdata_len);
}

static void head_write(struct wr *w, uint16_t id, uint16_t flags, const struct dns_name *name)
{
	wr_u16(w, id);
	wr_u16(w, flags & (uint16_t)~DNS_FLAG_AD);
	wr_u16(w, 1);
	wr_bytes(w, (const uint8_t[6]){0}, 6);
	wr_bytes(w, name->wire, name->len);
	wr_u16(w, DNS_TYPE_AAAA);
	wr_u16(w, DNS_CLASS_IN);
}

// Writes the AAAA answer for a reply that has addresses. False: the reply is broken, or no room.
static bool answer_write(struct wr *w, const struct ip_address *prefix, struct rd *msg,
	unsigned records, uint32_t ttl_max_s)
{
	unsigned written = 0;
	for (; records; records--) {
		struct record r;
		struct dns_name target;
		uint8_t ipv6[IPV6_LEN];
		if (!record_read(msg, &r))
			return false;
		struct rd at = {.base = msg->base, .len = msg->len, .pos = r.rdata};
		if (is_address(&r, DNS_TYPE_A)) {
			nat64_embed(prefix, msg->base + r.rdata, ipv6);
			record_write(w, &r, DNS_TYPE_AAAA,
				r.ttl_s < ttl_max_s ? r.ttl_s : ttl_max_s, ipv6, IPV6_LEN);
		} else if ((r.type == DNS_TYPE_CNAME || r.type == DNS_TYPE_DNAME)
			   && r.rdclass == DNS_CLASS_IN) {
			if (dns_name_read_compressed(&at, &target, NULL) < 0)
				return false;
			record_write(w, &r, r.type, r.ttl_s, target.wire, target.len);
		} else {
			continue;
		}
		written++;
	}
	if (!wr_ok(w))
		return false;
	put_u16(w->base + 6, (uint16_t)written);
	return true;
}

size_t aaaa_made(const struct ip_address *prefix, const uint8_t *msg, size_t len,
	uint32_t ttl_max_s, uint8_t *out, size_t cap)
{
	struct rd rd = rd_init(msg, len);
	struct wr w = wr_init(out, cap);
	struct dns_name name;
	unsigned records;

	if (!question_read(&rd, &name, &records))
		return 0;
	if (addresses(msg, len, DNS_TYPE_A) > 0) {
		head_write(&w, get_u16(msg), get_u16(msg + 2), &name);
		return answer_write(&w, prefix, &rd, records, ttl_max_s) ? w.pos : 0;
	}
	wr_bytes(&w, msg, len);
	if (!wr_ok(&w))
		return 0;
	put_u16(out + rd.pos - 4, DNS_TYPE_AAAA);
	return len;
}

size_t aaaa_none(const struct dns_name *asked, uint8_t *out, size_t cap)
{
	struct wr w = wr_init(out, cap);
	const struct record soa = {.name = *asked};
	uint8_t rdata[1 + 1 + 20] = {0}; // both names are the root

	for (unsigned i = 0; i < 5; i++)
		put_u32(rdata + 2 + 4 * i, i ? AAAA_NONE_TTL_S : 1);
	head_write(&w, 0, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA, asked);
	record_write(&w, &soa, DNS_TYPE_SOA, AAAA_NONE_TTL_S, rdata, sizeof(rdata));
	if (!wr_ok(&w))
		return 0;
	put_u16(out + 8, 1);
	return w.pos;
}

// The value of a label of one hexadecimal digit; -1: it is none.
static int nibble(const uint8_t *label)
{
	if (label[0] != 1)
		return -1;
	if (label[1] >= '0' && label[1] <= '9')
		return label[1] - '0';
	return label[1] >= 'a' && label[1] <= 'f' ? label[1] - 'a' + 10 : -1;
}

bool aaaa_reverse(
	const struct ip_address *prefix, const struct dns_name *name, struct dns_name *out)
{
	static const uint8_t tail[] = "\3ip6\4arpa";
	uint8_t ipv6[IPV6_LEN] = {0}, ipv4[IPV4_LEN];
	char text[64];

	if (name->len != 2 * IPV6_NIBBLES + sizeof(tail)
		|| memcmp(name->wire + 2 * IPV6_NIBBLES, tail, sizeof(tail)) != 0)
		return false;
	for (unsigned i = 0; i < IPV6_NIBBLES; i++) {
		int value = nibble(name->wire + 2 * i);
		if (value < 0)
			return false;
		ipv6[IPV6_LEN - 1 - i / 2] |= (uint8_t)(value << (i % 2 ? 4 : 0));
	}
	if (!nat64_extract(prefix, ipv6, ipv4))
		return false;
	int n = snprintf(
		text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", ipv4[3], ipv4[2], ipv4[1], ipv4[0]);
	return dns_name_from_text(text, (size_t)n, out) == 0;
}
