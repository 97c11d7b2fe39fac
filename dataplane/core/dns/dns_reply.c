// SPDX-License-Identifier: BSD-3-Clause
#include "dns_reply_fast.h"

#include <string.h>
#include <weir/dns_identity.h>
#include <weir/dns_reply.h>

uint16_t dns_reply_answer(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_answer_view *a, const struct dns_reply_opts *o, uint16_t *sum)
{
	return dns_reply_fast(msg, cap, q, a, o, sum);
}

static uint16_t reply_empty(uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t flags,
	uint16_t rcode, int ede, uint16_t *sum)
{
	size_t head = DNS_HEADER_LEN + (size_t)q->question_len;
	if (cap < head)
		return 0;
	size_t opt = dns_opt_len(q, ede, cap - head);
	uint64_t opt_sum = dns_opt_write(msg + head, opt, q, rcode, ede);
	uint64_t s = dns_header_write(
		msg, q, flags, rcode, (struct dns_reply_counts){.ar = opt ? 1 : 0});
	s = csum_wide_add(s, csum_wide(msg + DNS_HEADER_LEN, q->question_len));
	*sum = csum_fold(csum_wide_add(s, csum_wide_at(head, opt_sum)));
	return (uint16_t)(head + opt);
}

uint16_t dns_reply_rcode(
	uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t rcode, int ede, uint16_t *sum)
{
	return reply_empty(msg, cap, q, 0, rcode, ede, sum);
}

// Few replies have a text, so the sum is made again from all bytes.
uint8_t dns_reply_ede_text(uint8_t *msg, size_t cap, const struct dns_query *q, const char *text,
	uint16_t limit, uint16_t *len, uint16_t *sum)
{
	const size_t n = strlen(text), opt = dns_opt_least(q) + DNS_OPT_EDE_LEN;
	const size_t head = DNS_HEADER_LEN + (size_t)q->question_len;
	size_t room = dns_reply_min(cap, limit);
	if (limit != DNS_MESSAGE_MAX)
		room = dns_reply_min(room, q->udp_size);
	if (!q->has_opt || *len != head + opt || n > DNS_EDE_TEXT_MAX || *len + n > room)
		return 0;
	put_u16(msg + head + DNS_OPT_FIXED_LEN - 2, (uint16_t)(opt - DNS_OPT_FIXED_LEN + n));
	put_u16(msg + *len - DNS_OPT_EDE_LEN + 2, (uint16_t)(2 + n));
	memcpy(msg + *len, text, n);
	*len = (uint16_t)(*len + n);
	*sum = csum_fold(csum_wide(msg, *len));
	return (uint8_t)n;
}

uint16_t dns_reply_truncated(uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t *sum)
{
	return reply_empty(msg, cap, q, DNS_FLAG_TC, DNS_RCODE_NOERROR, DNS_EDE_NONE, sum);
}

static bool name_is(const struct dns_query *q, const char *wire)
{
	size_t len = strlen(wire) + 1; // counts the root
	return q->name.len == len && memcmp(q->name.wire, wire, len) == 0;
}

static const char *text_of(const struct dns_query *q, const struct dns_identity *identity)
{
	if (q->qclass != DNS_CLASS_CH || q->qtype != DNS_TYPE_TXT)
		return NULL;
	if (name_is(q, "\7version\4bind") || name_is(q, "\7version\6server"))
		return identity->version;
	if (name_is(q, "\10hostname\4bind") || name_is(q, "\2id\6server"))
		return identity->name;
	return NULL;
}

uint16_t dns_identity_reply(uint8_t *msg, size_t cap, const struct dns_query *q,
	const struct dns_identity *identity, uint16_t limit, uint16_t *sum)
{
	const char *text = text_of(q, identity);
	size_t len = text ? strnlen(text, DNS_IDENTITY_MAX) : 0;
	if (len == 0)
		return 0;

	uint8_t rr[12 + 1 + DNS_IDENTITY_MAX];
	put_u16(rr, 0xc000 | DNS_HEADER_LEN); // the question's name
	put_u16(rr + 2, DNS_TYPE_TXT);
	put_u16(rr + 4, DNS_CLASS_CH);
	put_u32(rr + 6, 0);
	put_u16(rr + 10, (uint16_t)(len + 1));
	rr[12] = (uint8_t)len;
	memcpy(rr + 13, text, len);
	const struct dns_answer_view a = {
		.bytes = rr,
		.len = (uint32_t)(13 + len),
		.ancount = 1,
		.sum = csum_partial(rr, 13 + len),
	};
	const struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = limit};
	return dns_reply_answer(msg, cap, q, &a, &o, sum);
}
