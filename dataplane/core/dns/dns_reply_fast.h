// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The reply with a stored answer, in line, for the packet path; elsewhere dns_reply_answer, which
// is this. Where the answer's parts and the options are known to the caller's code, they stay in
// registers, and what does not apply leaves no trace.

#include <endian.h>
#include <weir/dns_reply.h>

enum {
	DNS_OPT_OPTION_LEN = 4, // code and length
	DNS_OPT_COOKIE_LEN = DNS_OPT_OPTION_LEN + DNS_COOKIE_LEN,
};

struct dns_reply_counts {
	uint16_t an, ns, ar;
};

ATTR_INLINE size_t dns_reply_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

// The header, and the wide sum of its twelve bytes. Written in two wide stores and summed from
// registers: narrow ones that are soon read as wide ones stall the core.
ATTR_INLINE uint64_t dns_header_write(uint8_t *msg, const struct dns_query *q, unsigned flags,
	unsigned rcode, struct dns_reply_counts n)
{
	flags |= DNS_FLAG_QR | (q->flags & (DNS_FLAG_OPCODE | DNS_FLAG_RD));
	if (likely_(!(q->flags & DNS_FLAG_OPCODE))) // only a QUERY has these bits
		flags |= DNS_FLAG_RA | (q->flags & DNS_FLAG_CD);
	flags |= rcode & DNS_FLAG_RCODE;
	uint64_t qd = q->question_len ? 1 : 0;
	uint64_t front = htobe64((uint64_t)q->id << 48 | (uint64_t)flags << 32 | qd << 16 | n.an);
	uint32_t back = htobe32((uint32_t)n.ns << 16 | n.ar);
	memcpy(msg, &front, sizeof(front));
	memcpy(msg + 8, &back, sizeof(back));
	return csum_wide_add(front, back);
}

// Bytes of the reply's OPT without an EDE.
ATTR_INLINE uint32_t dns_opt_least(const struct dns_query *q)
{
	if (!q->has_opt)
		return 0;
	if (likely_(q->has_opt == DNS_OPT_PLAIN))
		return DNS_OPT_FIXED_LEN;
	return DNS_OPT_FIXED_LEN + (q->has_opt & DNS_OPT_COOKIE ? DNS_OPT_COOKIE_LEN : 0)
	       + (q->has_opt & DNS_OPT_NSID ? DNS_OPT_OPTION_LEN + (uint32_t)q->nsid_len : 0);
}

// Bytes of the reply's OPT in `room`; without the EDE if only that fits, 0 if not even that.
ATTR_INLINE size_t dns_opt_len(const struct dns_query *q, int ede, size_t room)
{
	const size_t least = dns_opt_least(q);
	if (least == 0 || room < least)
		return 0;
	bool with_ede = ede >= 0 && room >= least + DNS_OPT_EDE_LEN;
	return least + (with_ede ? DNS_OPT_EDE_LEN : 0);
}

// The options that a query with more than a plain OPT gets, *len bytes; their wide sum, as if they
// began at an even one. A cookie is summed from registers.
ATTR_INLINE uint64_t dns_opt_options_write(uint8_t *p, const struct dns_query *q, size_t *len)
{
	uint64_t sum = 0;
	size_t at = 0;
	if (q->has_opt & DNS_OPT_COOKIE) {
		const uint32_t front =
			htobe32((uint32_t)DNS_EDNS_OPTION_COOKIE << 16 | DNS_COOKIE_LEN);
		memcpy(p, &front, sizeof(front));
		sum = front;
		for (at = DNS_OPT_OPTION_LEN; at < DNS_OPT_COOKIE_LEN; at += 8) {
			uint64_t w;
			memcpy(&w, q->cookie + at - DNS_OPT_OPTION_LEN, sizeof(w));
			memcpy(p + at, &w, sizeof(w));
			sum = csum_wide_add(sum, w);
		}
	}
	if (q->has_opt & DNS_OPT_NSID) {
		const size_t n = DNS_OPT_OPTION_LEN + (size_t)q->nsid_len;
		put_u16(p + at, DNS_EDNS_OPTION_NSID);
		put_u16(p + at + 2, q->nsid_len);
		memcpy(p + at + DNS_OPT_OPTION_LEN, q->nsid, q->nsid_len);
		sum = csum_wide_add(sum, csum_wide(p + at, n));
		at += n;
	}
	*len = at;
	return sum;
}

// Returns the wide sum of the bytes written; uses wide stores and sums from registers, like the
// header.
ATTR_INLINE uint64_t dns_opt_write(
	uint8_t *p, size_t len, const struct dns_query *q, unsigned rcode, int ede)
{
	if (len == 0)
		return 0;
	// Root, type, size, upper rcode, version 0 and the first half of the flags; then the flags
	// again and the length.
	uint64_t front = htobe64((uint64_t)DNS_TYPE_OPT << 40 | (uint64_t)DNS_EDNS_SIZE << 24
				 | (uint64_t)(rcode >> 4 & 0xff) << 16
				 | (q->dnssec_ok ? DNS_EDNS_FLAG_DO >> 8 : 0));
	uint32_t back = htobe32((uint32_t)(q->dnssec_ok ? DNS_EDNS_FLAG_DO : 0) << 16
				| (uint32_t)(len - DNS_OPT_FIXED_LEN));
	memcpy(p, &front, sizeof(front));
	memcpy(p + 7, &back, sizeof(back));
	uint64_t sum = csum_wide_add(front, back >> 8); // both sums have its first byte
	size_t at = DNS_OPT_FIXED_LEN;
	if (unlikely_(q->has_opt > DNS_OPT_PLAIN)) {
		size_t n;
		uint64_t options = dns_opt_options_write(p + at, q, &n);
		sum = csum_wide_add(sum, csum_wide_at(at, options));
		at += n;
	}
	if (ede >= 0 && len > at) {
		put_u16(p + at, DNS_EDNS_OPTION_EDE);
		put_u16(p + at + 2, 2);
		put_u16(p + at + 4, (uint16_t)ede);
		uint64_t words = (uint64_t)htobe16(DNS_EDNS_OPTION_EDE) + htobe16(2)
				 + htobe16((uint16_t)ede);
		sum = csum_wide_add(sum, csum_wide_at(at, words));
	}
	return sum;
}

// How stored TTLs become those of the reply: the rest at this age, between these two bounds.
struct dns_ttl_rule {
	uint32_t age_s, least_s, most_s;
};

ATTR_INLINE struct dns_ttl_rule dns_ttl_rule_of(const struct dns_reply_opts *o)
{
	uint32_t cap = o->ttl_cap_s ? o->ttl_cap_s : UINT32_MAX;
	uint32_t fixed = o->ttl_fixed_s < cap ? o->ttl_fixed_s : cap;
	return (struct dns_ttl_rule){
		.age_s = o->age_s,
		.least_s = o->has_ttl_fixed ? fixed : 0,
		.most_s = o->has_ttl_fixed ? fixed : cap,
	};
}

// Writes one TTL into the copied answer, from that in the stored one: the copy was written in wide
// pieces a moment ago. Returns what to add to the answer's wide sum: the new words plus the
// complements of the old (RFC 1624), if the TTL begins at an even byte.
ATTR_INLINE uint64_t dns_ttl_write(
	uint8_t *to, const uint8_t *from, const struct dns_ttl_rule *rule)
{
	uint32_t old, new;
	memcpy(&old, from, sizeof(old));
	uint32_t ttl = be32toh(old);
	ttl = ttl > rule->age_s ? ttl - rule->age_s : 0;
	ttl = ttl < rule->most_s ? ttl : rule->most_s;
	ttl = ttl > rule->least_s ? ttl : rule->least_s;
	new = htobe32(ttl);
	memcpy(to, &new, sizeof(new));
	return (uint64_t) new + (uint32_t)~old;
}

// All of them; the sums of those at odd offsets are turned. At most 2^16 terms below 2^41.
ATTR_INLINE uint64_t dns_ttls_write(
	uint8_t *bytes, const struct dns_answer_view *a, const struct dns_reply_opts *o)
{
	struct dns_ttl_rule rule = dns_ttl_rule_of(o);
	uint64_t sum = 0;
	if (likely_(a->ttl_step && !(a->ttl_step & 1))) {
		uint32_t off = DNS_TTL_FIRST;
		for (uint32_t i = 0; i < a->ttl_count; i++, off += a->ttl_step)
			sum += dns_ttl_write(bytes + off, a->bytes + off, &rule);
		return sum;
	}
	for (uint32_t i = 0; i < a->ttl_count; i++) {
		unsigned off = dns_answer_ttl_at(a, i);
		if (unlikely_(off + 4 > a->len))
			break; // a damaged record may spoil the answer, not the memory
		sum += dns_ttl_write(bytes + off, a->bytes + off, &rule) << 8 * (off & 1);
	}
	return sum;
}

// Most answers are a few records: in line, in whole vectors, the last two of which may overlap.
ATTR_INLINE void dns_answer_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	enum { STEP = 16, INLINE_MOST = 256 };
	if (unlikely_(len < STEP || len > INLINE_MOST)) {
		memcpy(to, from, len);
		return;
	}
	for (size_t i = 0; i + STEP <= len; i += STEP)
		memcpy(to + i, from + i, STEP);
	memcpy(to + len - STEP, from + len - STEP, STEP);
}

ATTR_INLINE uint16_t dns_reply_fast(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *a, const struct dns_reply_opts *o, uint16_t *sum)
{
	size_t head = DNS_HEADER_LEN + (size_t)q->question_len;
	size_t max = dns_reply_min(cap, o->limit);
	if (o->limit != DNS_MESSAGE_MAX)
		max = dns_reply_min(max, q->udp_size);
	if (cap < head)
		return 0;

	size_t body = a->len;
	unsigned flags = 0;
	struct dns_reply_counts n = {a->ancount, a->nscount, a->arcount};
	bool no_opt = false;
	if (unlikely_(head + body + dns_opt_least(q) > max)) {
		// To say TC where nothing is larger would lead nowhere: such an answer goes without
		// the OPT.
		no_opt = max == DNS_MESSAGE_MAX && head + body <= max && a->rcode < 16;
		if (!no_opt) {
			body = 0;
			n = (struct dns_reply_counts){0};
			flags = DNS_FLAG_TC;
		}
	} else if (a->authenticated && (q->dnssec_ok || q->flags & DNS_FLAG_AD)) {
		flags = DNS_FLAG_AD; // RFC 6840 5.7
	}

	// May be called for no bytes: the sum covers the rest of a stored answer (l0_guard).
	uint64_t body_sum = 0;
	if (likely_(!(flags & DNS_FLAG_TC))) {
		if (likely_(body))
			dns_answer_copy(msg + head, a->bytes, body);
		body_sum = csum_wide_add(
			csum_widen((uint16_t)a->sum), dns_ttls_write(msg + head, a, o));
	}
	size_t opt_at = head + body;
	size_t opt = no_opt ? 0 : dns_opt_len(q, o->ede, max > opt_at ? max - opt_at : 0);
	uint64_t opt_sum = dns_opt_write(msg + opt_at, opt, q, a->rcode, o->ede);
	// RFC 8914 3: a client whose reply has no room for the error gets TC.
	if (unlikely_(o->ede >= 0) && opt && opt == dns_opt_least(q) && o->limit != DNS_MESSAGE_MAX)
		flags |= DNS_FLAG_TC;
	n.ar += opt ? 1 : 0;
	uint64_t s = dns_header_write(msg, q, flags, a->rcode, n);
	s = csum_wide_add(s, csum_wide(msg + DNS_HEADER_LEN, q->question_len));
	s = csum_wide_add(s, csum_wide_at(head, body_sum));
	*sum = csum_fold(csum_wide_add(s, csum_wide_at(opt_at, opt_sum)));
	return (uint16_t)(opt_at + opt);
}
