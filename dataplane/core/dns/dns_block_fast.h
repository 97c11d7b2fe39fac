// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The reply for a blocked name, in line: NXDOMAIN or no data with weir's SOA (as shipped), or the
// null address to an A or AAAA question; in class IN, without OPT or with a plain one, where the
// whole reply fits. Nearly all blocked questions are like that. It is one record of constant words,
// written wide and summed from registers. dns_reply_synthetic handles the rest and gives the same
// bytes and the same sum (test_dns_block_fast).

#include "dns_reply_fast.h"

enum {
	DNS_BLOCK_RR_LEN = 12,  // owner, type, class, TTL, RDLENGTH
	DNS_BLOCK_WRITTEN = 28, // the longest reply, with an IPv6 address
	DNS_BLOCK_SOA_RDATA_LEN = DNS_SOA_RDATA_LEN,
	DNS_BLOCK_SOA_LEN = DNS_BLOCK_RR_LEN + DNS_BLOCK_SOA_RDATA_LEN,
	DNS_BLOCK_SOA_EXPIRE_S = 604800,
};

// RDATA of the SOA that makes the negative answer cacheable (RFC 2308 3); the last field, the
// minimum, is set per reply. Names under .invalid (RFC 6761) cannot be anyone's. Zeros behind it
// make it whole words.
static const uint8_t dns_block_soa_rdata[56] = "\4weir\7invalid\0"
					       "\12hostmaster\7invalid\0"
					       "\0\0\0\1"      // serial
					       "\0\0\7\10"     // refresh 1800
					       "\0\0\3\204"    // retry 900
					       "\0\11\72\200"; // expire 604800

// The wide sum of it, which compilers know.
ATTR_INLINE uint64_t dns_block_soa_rdata_sum(void)
{
	uint64_t w[sizeof(dns_block_soa_rdata) / 8];
	memcpy(w, dns_block_soa_rdata, sizeof(w));
	uint64_t s = csum_wide_add(csum_wide_add(w[0], w[1]), csum_wide_add(w[2], w[3]));
	return csum_fold_wire(csum_wide_add(s, csum_wide_add(csum_wide_add(w[4], w[5]), w[6])));
}

// The header over the query's: id, opcode, RD, CD and QDCOUNT stay. The wide sum of it.
ATTR_INLINE uint64_t dns_block_header(uint8_t *msg, unsigned rcode, bool is_answer, bool has_opt)
{
	const uint64_t kept =
		htobe64(UINT64_C(0xffff) << 48
			| (uint64_t)(DNS_FLAG_OPCODE | DNS_FLAG_RD | DNS_FLAG_CD) << 32
			| UINT64_C(0xffff) << 16);
	const uint64_t set =
		htobe64((uint64_t)(DNS_FLAG_QR | DNS_FLAG_RA | rcode) << 32 | is_answer);
	uint64_t front;
	memcpy(&front, msg, sizeof(front));
	front = (front & kept) | set;
	uint32_t back = htobe32((uint32_t)!is_answer << 16 | has_opt);
	memcpy(msg, &front, sizeof(front));
	memcpy(msg + 8, &back, sizeof(back));
	return csum_wide_add(front, back);
}

// Owner, type, class and the first half of the TTL, as they are in memory.
ATTR_INLINE uint64_t dns_block_rr_front(uint16_t type, uint32_t ttl_s)
{
	const uint64_t owner = 0xc000 | DNS_HEADER_LEN; // the question's name
	return htobe64(
		owner << 48 | (uint64_t)type << 32 | (uint64_t)DNS_CLASS_IN << 16 | ttl_s >> 16);
}

// The record at p, of which DNS_BLOCK_WRITTEN bytes are written whatever the type; the wide sum.
ATTR_INLINE uint64_t dns_block_rr(uint8_t *p, uint16_t qtype, uint32_t ttl_s, uint32_t address_len)
{
	const uint64_t front = dns_block_rr_front(qtype, ttl_s);
	const uint64_t back =
		htobe64((uint64_t)(ttl_s & 0xffff) << 48 | (uint64_t)address_len << 32);
	memcpy(p, &front, sizeof(front));
	memcpy(p + 8, &back, sizeof(back));
	memset(p + 16, 0, DNS_BLOCK_WRITTEN - 16);
	return csum_wide_add(front, back);
}

// The SOA at p, its DNS_BLOCK_SOA_LEN bytes and none besides; the wide sum.
ATTR_INLINE uint64_t dns_block_soa(uint8_t *p, uint32_t ttl_s)
{
	enum { LAST = 8, WIDE = DNS_BLOCK_SOA_RDATA_LEN / 16 * 16 };
	const uint64_t front = dns_block_rr_front(DNS_TYPE_SOA, ttl_s);
	const uint32_t back = htobe32(ttl_s << 16 | DNS_BLOCK_SOA_RDATA_LEN);
	const uint64_t last = htobe64((uint64_t)DNS_BLOCK_SOA_EXPIRE_S << 32 | ttl_s);
	memcpy(p, &front, sizeof(front));
	memcpy(p + 8, &back, sizeof(back));
	memcpy(p + DNS_BLOCK_RR_LEN, dns_block_soa_rdata, WIDE);
	memcpy(p + DNS_BLOCK_SOA_LEN - LAST, &last, LAST);
	return csum_wide_add(front, (uint64_t)back + htobe32(ttl_s) + dns_block_soa_rdata_sum());
}

// dns_block_fast where it is known which of the two records it is, and whether there is an OPT.
ATTR_INLINE uint32_t dns_block_write(uint8_t *msg, uint32_t room, const struct dns_query *q,
	bool is_address, bool has_opt, unsigned rcode, uint32_t ttl_s, int ede, uint32_t limit,
	uint64_t *sum)
{
	const uint32_t head = DNS_HEADER_LEN + (uint32_t)q->question_len;
	const uint32_t address_len = q->qtype == DNS_TYPE_AAAA ? 16 : 4;
	const uint32_t opt = has_opt ? DNS_OPT_FIXED_LEN + (ede >= 0 ? DNS_OPT_EDE_LEN : 0) : 0;
	const uint32_t opt_at =
		head + (is_address ? DNS_BLOCK_RR_LEN + address_len : DNS_BLOCK_SOA_LEN);
	const uint32_t end = opt_at + opt;
	if (unlikely_(end > q->udp_size || end > limit || end > room
		      || (is_address && head + DNS_BLOCK_WRITTEN > room)))
		return 0;
	ttl_s = ttl_s < DNS_TTL_MAX ? ttl_s : DNS_TTL_MAX;
	uint64_t s = csum_wide_add(dns_block_header(msg, rcode, is_address, has_opt), *sum);
	uint64_t rr = is_address ? dns_block_rr(msg + head, q->qtype, ttl_s, address_len)
				 : dns_block_soa(msg + head, ttl_s);
	s = csum_wide_add(s, csum_wide_at(head, rr));
	if (has_opt) {
		uint64_t o = dns_opt_write(msg + opt_at, opt, q, 0, ede);
		s = csum_wide_add(s, csum_wide_at(opt_at, o));
	}
	*sum = s;
	return end;
}

ATTR_INLINE uint32_t dns_block_of(uint8_t *msg, uint32_t room, const struct dns_query *q,
	bool is_address, unsigned rcode, uint32_t ttl_s, int ede, uint32_t limit, uint64_t *sum)
{
	if (likely_(!q->has_opt))
		return dns_block_write(
			msg, room, q, is_address, false, rcode, ttl_s, ede, limit, sum);
	return dns_block_write(msg, room, q, is_address, true, rcode, ttl_s, ede, limit, sum);
}

// Bytes of the reply, and their wide sum in *sum, which held the question's; 0: not plain, and
// nothing is written. `mode`: enum dns_block_mode; `ede`: sent only in an OPT; `room`: from msg on.
ATTR_INLINE uint32_t dns_block_fast(uint8_t *msg, uint32_t room, const struct dns_query *q,
	unsigned mode, uint32_t ttl_s, int ede, uint32_t limit, uint64_t *sum)
{
	if (unlikely_(mode > DNS_BLOCK_NODATA || q->qclass != DNS_CLASS_IN
		      || q->has_opt > DNS_OPT_PLAIN || q->question_len == 0))
		return 0;
	if (mode == DNS_BLOCK_NULL && (q->qtype == DNS_TYPE_A || q->qtype == DNS_TYPE_AAAA))
		return dns_block_of(msg, room, q, true, DNS_RCODE_NOERROR, ttl_s, ede, limit, sum);
	unsigned rcode = mode == DNS_BLOCK_NXDOMAIN ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR;
	return dns_block_of(msg, room, q, false, rcode, ttl_s, ede, limit, sum);
}
