// SPDX-License-Identifier: BSD-3-Clause

#include <string.h>
#include <weir/dns_identity.h>
#include <weir/dns_reply.h>

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
