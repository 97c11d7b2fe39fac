// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The reply with the null address for a blocked name, in line: to an A or AAAA question, in class
// IN, with no OPT or a plain one, that fits with all that belongs to it, as nearly all blocked
// questions are. One record of words known beforehand, written wide and summed from registers.
// Everything else is left to dns_reply_synthetic, whose twin this is: same octets, same sum
// (test_dns_block_line).

#include "dns_reply_line.h"

enum {
	DNS_BLOCK_RR_LEN = 12,  // owner, type, class, TTL, RDLENGTH
	DNS_BLOCK_WRITTEN = 28, // with the longest address
};

// The header over the query's: id, opcode, RD, CD and QDCOUNT stay. The wide sum of it.
ATTR_INLINE uint64_t dns_block_header(uint8_t *msg, bool has_opt)
{
	const uint64_t kept =
		htobe64(UINT64_C(0xffff) << 48
			| (uint64_t)(DNS_FLAG_OPCODE | DNS_FLAG_RD | DNS_FLAG_CD) << 32
			| UINT64_C(0xffff) << 16);
	const uint64_t one_answer =
		htobe64((uint64_t)(DNS_FLAG_QR | DNS_FLAG_RA) << 32 | UINT64_C(1));
	uint64_t front;
	memcpy(&front, msg, sizeof front);
	front = (front & kept) | one_answer;
	uint32_t back = htobe32(has_opt);
	memcpy(msg, &front, sizeof front);
	memcpy(msg + 8, &back, sizeof back);
	return csum_wide_add(front, back);
}

// The record at p, of which DNS_BLOCK_WRITTEN octets are written whatever the type; the wide sum.
ATTR_INLINE uint64_t dns_block_rr(uint8_t *p, uint16_t qtype, uint32_t ttl_s, uint32_t address_len)
{
	const uint64_t owner = 0xc000 | DNS_HEADER_LEN; // the question's name
	const uint64_t front = htobe64(
		owner << 48 | (uint64_t)qtype << 32 | (uint64_t)DNS_CLASS_IN << 16 | ttl_s >> 16);
	const uint64_t back =
		htobe64((uint64_t)(ttl_s & 0xffff) << 48 | (uint64_t)address_len << 32);
	memcpy(p, &front, sizeof front);
	memcpy(p + 8, &back, sizeof back);
	memset(p + 16, 0, DNS_BLOCK_WRITTEN - 16);
	return csum_wide_add(front, back);
}

// Octets of the reply, and their wide sum in *sum, which held the question's; 0: not plain, and
// nothing is written. `ede`: sent only in an OPT; `room`: from msg on.
ATTR_INLINE uint32_t dns_block_line(uint8_t *msg, uint32_t room, const struct dns_query *q,
	uint32_t ttl_s, int ede, uint32_t limit, uint64_t *sum)
{
	const bool has_opt = q->has_opt, is_v6 = q->qtype == DNS_TYPE_AAAA;
	if (unlikely_((q->qtype != DNS_TYPE_A && !is_v6) || q->qclass != DNS_CLASS_IN
		      || q->has_opt > DNS_OPT_PLAIN || q->question_len == 0))
		return 0;
	const uint32_t head = DNS_HEADER_LEN + (uint32_t)q->question_len;
	const uint32_t address_len = is_v6 ? 16 : 4;
	const uint32_t opt = has_opt ? DNS_OPT_FIXED_LEN + (ede >= 0 ? DNS_OPT_EDE_LEN : 0) : 0;
	const uint32_t opt_at = head + DNS_BLOCK_RR_LEN + address_len, end = opt_at + opt;
	if (unlikely_(end > q->udp_size || end > limit || end > room
		      || head + DNS_BLOCK_WRITTEN > room))
		return 0;
	ttl_s = ttl_s < DNS_TTL_MAX ? ttl_s : DNS_TTL_MAX;
	uint64_t s = dns_block_header(msg, has_opt);
	s = csum_wide_add(s, *sum);
	s = csum_wide_add(
		s, csum_wide_at(head, dns_block_rr(msg + head, q->qtype, ttl_s, address_len)));
	if (has_opt) {
		uint64_t o = dns_opt_write(msg + opt_at, opt, q, 0, ede);
		s = csum_wide_add(s, csum_wide_at(opt_at, o));
	}
	*sum = s;
	return end;
}
