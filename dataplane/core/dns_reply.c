// SPDX-License-Identifier: BSD-3-Clause

#include <endian.h>
#include <weir/dns_reply.h>

enum { OPT_EDE_LEN = 6 }; // option code, length 2, info code

struct counts {
	uint16_t an, ns, ar;
};

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

// The header, and the wide sum of its twelve octets. Written in two wide stores and summed from
// registers: narrow ones that are soon read as wide ones stall the core.
static uint64_t header_write(
	uint8_t *msg, const struct dns_query *q, unsigned flags, unsigned rcode, struct counts n)
{
	flags |= DNS_FLAG_QR | DNS_FLAG_RA;
	flags |= q->flags & (DNS_FLAG_OPCODE | DNS_FLAG_RD | DNS_FLAG_CD);
	flags |= rcode & DNS_FLAG_RCODE;
	uint64_t qd = q->question_len ? 1 : 0;
	uint64_t front = htobe64((uint64_t)q->id << 48 | (uint64_t)flags << 32 | qd << 16 | n.an);
	uint32_t back = htobe32((uint32_t)n.ns << 16 | n.ar);
	memcpy(msg, &front, sizeof front);
	memcpy(msg + 8, &back, sizeof back);
	return csum_wide_add(front, back);
}

// Octets of our OPT in `room`; without the error when that makes it fit, 0 when nothing does.
static size_t opt_len(const struct dns_query *q, int ede, size_t room)
{
	if (!q->has_opt || room < DNS_OPT_FIXED_LEN)
		return 0;
	bool with_ede = ede >= 0 && room >= DNS_OPT_FIXED_LEN + OPT_EDE_LEN;
	return DNS_OPT_FIXED_LEN + (with_ede ? OPT_EDE_LEN : 0);
}

// The wide sum of what it wrote; in wide stores and from registers, like the header.
static uint64_t opt_write(
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
	memcpy(p, &front, sizeof front);
	memcpy(p + 7, &back, sizeof back);
	uint64_t sum = csum_wide_add(front, back >> 8); // its first octet is in both
	if (len > DNS_OPT_FIXED_LEN) {
		put_u16(p + 11, DNS_EDNS_OPTION_EDE);
		put_u16(p + 13, 2);
		put_u16(p + 15, (uint16_t)ede);
		uint64_t words = (uint64_t)htobe16(DNS_EDNS_OPTION_EDE) + htobe16(2)
				 + htobe16((uint16_t)ede);
		sum = csum_wide_add(sum, csum_wide_at(DNS_OPT_FIXED_LEN, words));
	}
	return sum;
}

static uint32_t ttl_aged(uint32_t ttl, const struct dns_reply_opts *o)
{
	if (o->has_ttl_fixed)
		ttl = o->ttl_fixed_s;
	else
		ttl = ttl > o->age_s ? ttl - o->age_s : 0;
	return o->ttl_cap_s && ttl > o->ttl_cap_s ? o->ttl_cap_s : ttl;
}

// Writes the TTLs into the copied answer, from those in the stored one: the copy was written in
// wide pieces a moment ago. What that adds to the answer's wide sum comes back: the new words plus
// the complements of the old (RFC 1624), those at odd offsets turned.
static uint64_t ttls_write(
	uint8_t *bytes, const struct dns_answer_view *a, const struct dns_reply_opts *o)
{
	uint64_t sum = 0; // of at most 2^16 terms below 2^41
	for (unsigned i = 0; i < a->ttl_count; i++) {
		// Loaded once, whatever the compiler would rather do: it lies in shared memory.
		unsigned off = __atomic_load_n(&a->ttl_off[i], __ATOMIC_RELAXED);
		if (unlikely_(off + 4 > a->len))
			break; // a damaged record may spoil the answer, not the memory
		uint32_t old, new;
		memcpy(&old, a->bytes + off, sizeof old);
		new = htobe32(ttl_aged(be32toh(old), o));
		memcpy(bytes + off, &new, sizeof new);
		sum += ((uint64_t) new + (uint32_t)~old) << 8 * (off & 1);
	}
	return sum;
}

// Most answers are a few records: in line, in whole vectors, the last two of which may overlap.
static void answer_copy(uint8_t *to, const uint8_t *from, size_t len)
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

uint16_t dns_reply_answer(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *a, const struct dns_reply_opts *o, uint16_t *sum)
{
	size_t head = DNS_HEADER_LEN + (size_t)q->question_len;
	size_t max = min_size(cap, o->limit);
	if (o->limit != DNS_MESSAGE_MAX)
		max = min_size(max, q->udp_size);
	if (cap < head)
		return 0;

	size_t body = a->len;
	unsigned flags = 0;
	struct counts n = {a->ancount, a->nscount, a->arcount};
	if (head + body + (q->has_opt ? DNS_OPT_FIXED_LEN : 0) > max) {
		body = 0;
		n = (struct counts){0};
		flags = DNS_FLAG_TC;
	} else if (a->authenticated && (q->dnssec_ok || q->flags & DNS_FLAG_AD)) {
		flags = DNS_FLAG_AD; // RFC 6840 5.7
	}

	uint64_t body_sum = 0;
	if (body) {
		answer_copy(msg + head, a->bytes, body);
		body_sum = csum_wide_add(csum_widen(a->sum), ttls_write(msg + head, a, o));
	}
	size_t opt_at = head + body;
	size_t opt = opt_len(q, o->ede, max > opt_at ? max - opt_at : 0);
	uint64_t opt_sum = opt_write(msg + opt_at, opt, q, a->rcode, o->ede);
	n.ar += opt ? 1 : 0;
	uint64_t s = header_write(msg, q, flags, a->rcode, n);
	s = csum_wide_add(s, csum_wide(msg + DNS_HEADER_LEN, q->question_len));
	s = csum_wide_add(s, csum_wide_at(head, body_sum));
	*sum = csum_fold(csum_wide_add(s, csum_wide_at(opt_at, opt_sum)));
	return (uint16_t)(opt_at + opt);
}

uint16_t dns_reply_rcode(
	uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t rcode, int ede, uint16_t *sum)
{
	size_t head = DNS_HEADER_LEN + (size_t)q->question_len;
	if (cap < head)
		return 0;
	size_t opt = opt_len(q, ede, cap - head);
	uint64_t opt_sum = opt_write(msg + head, opt, q, rcode, ede);
	uint64_t s = header_write(msg, q, 0, rcode, (struct counts){.ar = opt ? 1 : 0});
	s = csum_wide_add(s, csum_wide(msg + DNS_HEADER_LEN, q->question_len));
	*sum = csum_fold(csum_wide_add(s, csum_wide_at(head, opt_sum)));
	return (uint16_t)(head + opt);
}
