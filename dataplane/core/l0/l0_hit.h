// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The reply of a plain hit, in line: a fresh record without a set of lists, whose records are all
// alike and whose length is even (or TTLs would count byte-swapped), and which fits the client.
// Nearly all are like that. From the words that the lookup has checked (struct l0_found), in one
// pass: no view of the record, no options, no second check. l0_read_record and dns_reply_fast
// handle the rest and give the same bytes and the same sum (test_l0_hit).
//
// It copies bytes in steps of a cache line, the last step whole: so up to 63 behind the answer are
// read and written, within the table and within the message's room.

#include "core/dns/dns_reply_fast.h"
#include "l0_read.h"

struct l0_hit_terms { // hold for a whole batch
	uint64_t now_ms;
	uint32_t most_ttl_s; // the cap; UINT32_MAX without one
	uint32_t limit; // bytes of a message: the lower of limits.udp_reply_size and the port's
			// limit
};

enum { L0_HIT_STEP = 64 };

ATTR_INLINE void l0_hit_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	enum { VECTOR = 16 };
	uint32_t i = 0;
	do {
		for (unsigned k = 0; k < L0_HIT_STEP; k += VECTOR)
			memcpy(to + i + k, from + i + k, VECTOR);
		i += L0_HIT_STEP;
	} while (unlikely_(i < len));
}

// Writes the TTLs from the first to the one at `last`. Returns what to add to a wide sum: new words
// less old ones. Below 0 a number of 64 bits is one more than the wide sum.
ATTR_INLINE uint64_t l0_hit_ttls(uint8_t *to, const uint8_t *from, uint64_t step, uint64_t last,
	uint32_t age_s, uint32_t most_s)
{
	uint64_t off = DNS_TTL_FIRST;
	uint32_t old, next;
	int64_t sum = 0;
	memcpy(&next, from + off, sizeof(next));
	do { // mostly once for all: the TTLs of a set are equal (RFC 2181 5.2)
		old = next;
		uint32_t ttl = be32toh(old);
		ttl = ttl > age_s ? ttl - age_s : 0;
		ttl = ttl < most_s ? ttl : most_s;
		uint32_t new = htobe32(ttl);
		int64_t less = (int64_t) new - old;
		do {
			memcpy(to + off, &new, sizeof(new));
			sum += less;
			off += step;
			if (off > last)
				break;
			memcpy(&next, from + off, sizeof(next));
		} while (likely_(next == old));
	} while (unlikely_(off <= last));
	return (uint64_t)sum + (uint64_t)(sum >> 63);
}

// The header over the query's: id, opcode, RD, CD and QDCOUNT stay. The wide sum of it.
ATTR_INLINE uint64_t l0_hit_header(
	uint8_t *msg, const struct l0_found *f, const struct dns_query *q)
{
	const uint64_t kept =
		htobe64(UINT64_C(0xffff) << 48
			| (uint64_t)(DNS_FLAG_OPCODE | DNS_FLAG_RD | DNS_FLAG_CD) << 32
			| UINT64_C(0xffff) << 16);
	const uint64_t always = htobe64((uint64_t)(DNS_FLAG_QR | DNS_FLAG_RA) << 32);
	uint64_t front;
	memcpy(&front, msg, sizeof(front));
	uint64_t ad = htobe64((uint64_t)DNS_FLAG_AD << 32);
	ad = l0_flags_of(f->head) & L0_RECORD_AUTHENTICATED ? ad : 0; // RFC 6840 5.7
	ad &= q->dnssec_ok ? ad : front;
	front = (front & kept) | always | ad
		| htobe64((uint64_t)l0_rcode_of(f->head) << 32 | l0_ancount_of(f->count));
	uint32_t back = htobe32(l0_nscount_of(f->count) << 16 | (q->has_opt != DNS_OPT_NONE));
	memcpy(msg, &front, sizeof(front));
	memcpy(msg + 8, &back, sizeof(back));
	return csum_wide_add(front, back);
}

// Bytes of the reply, and their wide sum in *sum, which held the question's; 0: not a plain hit,
// and nothing is written. `room`: from msg on.
ATTR_INLINE uint32_t l0_hit_reply(const struct l0_found *f, const struct dns_query *q, uint8_t *msg,
	uint32_t room, const struct l0_hit_terms *t, uint64_t *sum)
{
	const uint32_t kinds = L0_RECORD_EVEN | L0_RECORD_STAMPED | L0_RECORD_MASKED;
	const uint32_t len = l0_answer_len_of(f->head), step = l0_ttls_of(f->key);
	const uint32_t answer_at = sizeof(struct l0_record) + l0_name_len_of(f->key);
	const uint32_t copied = (len + L0_HIT_STEP - 1) & -(uint32_t)L0_HIT_STEP;
	const uint32_t head = DNS_HEADER_LEN + (uint32_t)q->question_len;
	const uint32_t opt = dns_opt_least(q), end = head + len + opt;
	const uint64_t age_ms = t->now_ms - l0_created_of(f->head);
	if (unlikely_((l0_flags_of(f->head) & kinds) != L0_RECORD_EVEN || step & 1
		      || age_ms >= L0_ONCE(f->record->soft_ms)
		      || age_ms >= L0_ONCE(f->record->then_ms)))
		return 0;
	if (unlikely_(end > q->udp_size || end > t->limit || answer_at + copied > f->left
		      || head + copied + opt > room))
		return 0;

	const uint8_t *from = (const uint8_t *)f->record + answer_at;
	l0_hit_copy(msg + head, from, len);
	uint64_t body = l0_hit_ttls(
		msg + head, from, step, f->ttl_last, (uint32_t)age_ms / 1000, t->most_ttl_s);
	body = csum_wide_add(body, l0_sum_of(f->head, f->key, f->count, 0));
	uint64_t s = l0_hit_header(msg, f, q);
	s = csum_wide_add(s, *sum);
	s = csum_wide_add(s, csum_wide_at(head, body));
	if (q->has_opt) {
		uint64_t o = dns_opt_write(msg + head + len, opt, q, 0, DNS_EDE_NONE);
		s = csum_wide_add(s, csum_wide_at(head + len, o));
	}
	*sum = s;
	return end;
}
