// SPDX-License-Identifier: BSD-3-Clause

#include "dns_reply_fast.h"

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

uint16_t dns_reply_truncated(uint8_t *msg, size_t cap, const struct dns_query *q, uint16_t *sum)
{
	return reply_empty(msg, cap, q, DNS_FLAG_TC, DNS_RCODE_NOERROR, DNS_EDE_NONE, sum);
}
