// SPDX-License-Identifier: BSD-3-Clause

// The reply for a blocked name. It is not in dns_reply.c because weir makes its records itself.

#include "dns_block_fast.h"

// The fixed part of a record, and its sum: from registers and in wide stores, because it is copied
// on at once in wide loads.
static uint16_t rr_begin(
	uint8_t *p, uint16_t type, uint16_t class, uint32_t ttl_s, uint16_t rdata_len)
{
	const uint32_t owner = 0xc000 | DNS_HEADER_LEN; // the question's name
	if (class == DNS_CLASS_ANY)
		class = DNS_CLASS_IN;
	uint64_t front = htobe64((uint64_t)owner << 48 | (uint64_t)type << 32
				 | (uint64_t) class << 16 | ttl_s >> 16);
	memcpy(p, &front, sizeof(front));
	put_u32(p + 8, ttl_s << 16 | rdata_len);
	uint32_t sum = owner + type + class + (ttl_s >> 16) + (ttl_s & 0xffff) + rdata_len;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

// Puts the address for the type asked, which has `len` bytes then; 0: there is none.
static uint16_t address_put(
	uint8_t to[16], const struct dns_block *b, unsigned mode, const struct dns_query *q)
{
	unsigned has = mode == DNS_BLOCK_NULL     ? DNS_BLOCK_HAS_V4 | DNS_BLOCK_HAS_V6
		       : mode == DNS_BLOCK_CUSTOM ? b->has
						  : 0;
	if (q->qclass != DNS_CLASS_IN)
		return 0;
	memset(to, 0, 16);
	if (q->qtype == DNS_TYPE_A && has & DNS_BLOCK_HAS_V4) {
		if (mode == DNS_BLOCK_CUSTOM)
			memcpy(to, b->v4, sizeof(b->v4));
		return sizeof(b->v4);
	}
	if (q->qtype == DNS_TYPE_AAAA && has & DNS_BLOCK_HAS_V6) {
		if (mode == DNS_BLOCK_CUSTOM)
			memcpy(to, b->v6, sizeof(b->v6));
		return sizeof(b->v6);
	}
	return 0;
}

void dns_soa_rdata(uint8_t rdata[DNS_SOA_RDATA_LEN], uint32_t ttl_s)
{
	memcpy(rdata, dns_block_soa_rdata, DNS_SOA_RDATA_LEN);
	put_u32(rdata + DNS_SOA_RDATA_LEN - 4, ttl_s);
}

uint16_t dns_reply_synthetic(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_block *block, int ede, uint16_t limit, uint16_t *sum)
{
	unsigned mode = block->mode;
	uint32_t ttl_s = block->ttl_s;
	if (mode == DNS_BLOCK_REFUSED)
		return dns_reply_rcode(msg, cap, q, DNS_RCODE_REFUSED, ede, sum);
	if (mode == DNS_BLOCK_SERVFAIL)
		return dns_reply_rcode(msg, cap, q, DNS_RCODE_SERVFAIL, ede, sum);
	if (ttl_s > DNS_TTL_MAX)
		ttl_s = DNS_TTL_MAX;

	uint8_t rr[DNS_BLOCK_SOA_LEN];
	struct dns_answer_view a = {.bytes = rr};
	uint16_t address_len = address_put(rr + DNS_BLOCK_RR_LEN, block, mode, q);
	if (address_len) {
		a.sum = rr_begin(rr, q->qtype, q->qclass, ttl_s, address_len);
		if (mode == DNS_BLOCK_CUSTOM) // else it is all zero
			a.sum = csum_add(a.sum, csum_partial(rr + DNS_BLOCK_RR_LEN, address_len));
		a.len = DNS_BLOCK_RR_LEN + address_len;
		a.ancount = 1;
	} else {
		a.sum = rr_begin(rr, DNS_TYPE_SOA, q->qclass, ttl_s, DNS_BLOCK_SOA_RDATA_LEN);
		dns_soa_rdata(rr + DNS_BLOCK_RR_LEN, ttl_s);
		a.sum = csum_add(
			a.sum, csum_partial(rr + DNS_BLOCK_RR_LEN, DNS_BLOCK_SOA_RDATA_LEN));
		a.len = DNS_BLOCK_SOA_LEN;
		a.nscount = 1;
	}
	a.rcode = mode == DNS_BLOCK_NXDOMAIN ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
	const struct dns_reply_opts o = {.ede = ede, .limit = limit};
	return dns_reply_answer(msg, cap, q, &a, &o, sum);
}

uint16_t dns_reply_any(
	uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t limit, uint16_t *sum)
{
	static const uint8_t hinfo[] = "\7RFC8482"; // followed by an empty string
	enum { TTL_S = 3600 };
	uint8_t rr[DNS_BLOCK_RR_LEN + sizeof(hinfo)];
	struct dns_answer_view a = {.bytes = rr, .len = sizeof(rr), .ancount = 1};
	a.sum = rr_begin(rr, DNS_TYPE_HINFO, q->qclass, TTL_S, sizeof(hinfo));
	memcpy(rr + DNS_BLOCK_RR_LEN, hinfo, sizeof(hinfo));
	a.sum = csum_add(a.sum, csum_partial(rr + DNS_BLOCK_RR_LEN, sizeof(hinfo)));
	const struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = limit};
	return dns_reply_answer(msg, cap, q, &a, &o, sum);
}
