// SPDX-License-Identifier: BSD-3-Clause

#include "dns_reply_fast.h"

#include <string.h>
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
