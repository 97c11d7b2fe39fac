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

// The header behind its id, which stays, and the sum of all twelve octets. Written in two wide
// stores and summed from registers: narrow ones that are soon read as wide ones stall the core.
static uint16_t header_write(
	uint8_t *msg, const struct dns_query *q, unsigned flags, unsigned rcode, struct counts n)
{
	flags |= DNS_FLAG_QR | DNS_FLAG_RA;
	flags |= q->flags & (DNS_FLAG_OPCODE | DNS_FLAG_RD | DNS_FLAG_CD);
	flags |= rcode & DNS_FLAG_RCODE;
	uint32_t qd = q->question_len ? 1 : 0;
	uint64_t front = htobe64((uint64_t)q->id << 48 | (uint64_t)flags << 32 | qd << 16 | n.an);
	memcpy(msg, &front, sizeof front);
	put_u32(msg + 8, (uint32_t)n.ns << 16 | n.ar);
	uint32_t sum = q->id + flags + qd + n.an + n.ns + n.ar;
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

// Octets of our OPT in `room`; without the error when that makes it fit, 0 when nothing does.
static size_t opt_len(const struct dns_query *q, int ede, size_t room)
{
	if (!q->has_opt || room < DNS_OPT_FIXED_LEN)
		return 0;
	bool with_ede = ede >= 0 && room >= DNS_OPT_FIXED_LEN + OPT_EDE_LEN;
	return DNS_OPT_FIXED_LEN + (with_ede ? OPT_EDE_LEN : 0);
}

static void opt_write(uint8_t *p, size_t len, const struct dns_query *q, unsigned rcode, int ede)
{
	if (len == 0)
		return;
	p[0] = 0;
	put_u16(p + 1, DNS_TYPE_OPT);
	put_u16(p + 3, DNS_EDNS_SIZE);
	p[5] = (uint8_t)(rcode >> 4);
	p[6] = 0; // the version that we speak
	put_u16(p + 7, q->dnssec_ok ? DNS_EDNS_FLAG_DO : 0);
	put_u16(p + 9, (uint16_t)(len - DNS_OPT_FIXED_LEN));
	if (len > DNS_OPT_FIXED_LEN) {
		put_u16(p + 11, DNS_EDNS_OPTION_EDE);
		put_u16(p + 13, 2);
		put_u16(p + 15, (uint16_t)ede);
	}
}

// The sum of a part that begins at octet `at` of the message.
static uint16_t sum_at(size_t at, uint16_t part)
{
	return at & 1 ? csum_swap(part) : part;
}

static uint32_t ttl_aged(uint32_t ttl, const struct dns_reply_opts *o)
{
	if (o->has_ttl_fixed)
		ttl = o->ttl_fixed_s;
	else
		ttl = ttl > o->age_s ? ttl - o->age_s : 0;
	return o->ttl_cap_s && ttl > o->ttl_cap_s ? o->ttl_cap_s : ttl;
}

static uint16_t sum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

// Rewrites the TTLs in the copied answer. What that adds to the answer's sum comes back: the new
// words plus the complements of the old (RFC 1624), apart by the parity of their offset.
static uint16_t ttls_write(
	uint8_t *bytes, const struct dns_answer_view *a, const struct dns_reply_opts *o)
{
	uint64_t even = 0, odd = 0;
	for (unsigned i = 0; i < a->ttl_count; i++) {
		// Loaded once, whatever the compiler would rather do: it lies in shared memory.
		unsigned off = __atomic_load_n(&a->ttl_off[i], __ATOMIC_RELAXED);
		if (off + 4 > a->len)
			break; // a damaged record may spoil the answer, not the memory
		uint32_t old = get_u32(bytes + off);
		uint32_t new = ttl_aged(old, o);
		put_u32(bytes + off, new);
		uint64_t delta = (uint64_t) new + (uint32_t)~old;
		uint64_t is_odd = -(uint64_t)(off & 1);
		odd += delta & is_odd;
		even += delta & ~is_odd;
	}
	return csum_add(sum_fold(even), csum_swap(sum_fold(odd)));
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

	uint16_t body_sum = 0;
	if (body) {
		memcpy(msg + head, a->bytes, body);
		body_sum = csum_add(a->sum, ttls_write(msg + head, a, o));
	}
	size_t opt_at = head + body;
	size_t opt = opt_len(q, o->ede, max > opt_at ? max - opt_at : 0);
	opt_write(msg + opt_at, opt, q, a->rcode, o->ede);
	n.ar += opt ? 1 : 0;
	uint16_t s = header_write(msg, q, flags, a->rcode, n);
	s = csum_add(s, csum_partial(msg + DNS_HEADER_LEN, q->question_len));
	s = csum_add(s, sum_at(head, body_sum));
	*sum = csum_add(s, sum_at(opt_at, csum_partial(msg + opt_at, opt)));
	return (uint16_t)(opt_at + opt);
}

uint16_t dns_reply_rcode(
	uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t rcode, int ede, uint16_t *sum)
{
	size_t head = DNS_HEADER_LEN + (size_t)q->question_len;
	if (cap < head)
		return 0;
	size_t opt = opt_len(q, ede, cap - head);
	opt_write(msg + head, opt, q, rcode, ede);
	uint16_t s = header_write(msg, q, 0, rcode, (struct counts){.ar = opt ? 1 : 0});
	*sum = csum_add(s, csum_partial(msg + DNS_HEADER_LEN, head - DNS_HEADER_LEN + opt));
	return (uint16_t)(head + opt);
}
