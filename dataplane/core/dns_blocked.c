// SPDX-License-Identifier: BSD-3-Clause

// The reply for a blocked name, apart from dns_reply.c because its records are our own invention.

#include <weir/dns_reply.h>

enum {
	RR_FIXED_LEN = 12, // c00c, type, class, TTL, RDLENGTH
	SOA_MINIMUM_AT = RR_FIXED_LEN + 14 + 20 + 16,
	SOA_LEN = SOA_MINIMUM_AT + 4,
};

// RDATA of the SOA that makes the negative answer cacheable (RFC 2308 3); the last field, the
// minimum, is set per reply. Names under .invalid (RFC 6761) cannot be anyone's.
static const uint8_t soa_rdata[SOA_LEN - RR_FIXED_LEN + 1] = "\4weir\7invalid\0"
							     "\12hostmaster\7invalid\0"
							     "\0\0\0\1"     // serial
							     "\0\0\7\10"    // refresh 1800
							     "\0\0\3\204"   // retry 900
							     "\0\11\72\200" // expire 604800
							     "\0\0\0\0";

static void rr_begin(uint8_t *p, uint16_t type, uint16_t class, uint32_t ttl_s, uint16_t rdata_len)
{
	put_u16(p, 0xc000 | DNS_HEADER_LEN); // the question's name
	put_u16(p + 2, type);
	put_u16(p + 4, class == DNS_CLASS_ANY ? DNS_CLASS_IN : class);
	put_u32(p + 6, ttl_s);
	put_u16(p + 10, rdata_len);
}

// Octets of the null address for the type asked, or 0 if it has none.
static uint16_t null_address_len(const struct dns_query *q)
{
	if (q->qclass != DNS_CLASS_IN)
		return 0;
	return q->qtype == DNS_TYPE_A ? 4 : q->qtype == DNS_TYPE_AAAA ? 16 : 0;
}

uint16_t dns_reply_blocked(uint8_t *msg, size_t cap, const struct dns_query *q,
	enum dns_block_mode mode, uint32_t ttl_s, uint16_t limit, uint16_t *sum)
{
	if (mode == DNS_BLOCK_REFUSED)
		return dns_reply_rcode(msg, cap, q, DNS_RCODE_REFUSED, DNS_EDE_BLOCKED, sum);
	if (ttl_s > DNS_TTL_MAX)
		ttl_s = DNS_TTL_MAX;

	uint8_t rr[SOA_LEN];
	struct dns_answer_view a = {.bytes = rr};
	uint16_t address_len = mode == DNS_BLOCK_NULL ? null_address_len(q) : 0;
	if (address_len) {
		rr_begin(rr, q->qtype, q->qclass, ttl_s, address_len);
		memset(rr + RR_FIXED_LEN, 0, address_len);
		a.len = RR_FIXED_LEN + address_len;
		a.ancount = 1;
	} else {
		rr_begin(rr, DNS_TYPE_SOA, q->qclass, ttl_s, SOA_LEN - RR_FIXED_LEN);
		memcpy(rr + RR_FIXED_LEN, soa_rdata, SOA_LEN - RR_FIXED_LEN);
		put_u32(rr + SOA_MINIMUM_AT, ttl_s);
		a.len = SOA_LEN;
		a.nscount = 1;
	}
	a.rcode = mode == DNS_BLOCK_NXDOMAIN ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
	a.sum = csum_partial(rr, a.len);
	const struct dns_reply_opts o = {.ede = DNS_EDE_BLOCKED, .limit = limit};
	return dns_reply_answer(msg, cap, q, &a, &o, sum);
}
