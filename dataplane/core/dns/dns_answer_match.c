// SPDX-License-Identifier: BSD-3-Clause

// The question as it goes to an upstream and as it must come back, and the addresses of its answer.

#include <weir/ascii.h>
#include <weir/config_filter.h>
#include <weir/dns_answer.h>

enum { TYPE_CLASS_LEN = 4 };

static bool bytes_equal_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool dns_answer_matches(const uint8_t *reply, size_t len, uint16_t id, const uint8_t *question,
	uint16_t question_len, bool exact_case)
{
	if (question_len <= TYPE_CLASS_LEN || len < (size_t)DNS_HEADER_LEN + question_len)
		return false;
	uint16_t flags = get_u16(reply + 2);
	if (get_u16(reply) != id || (flags & (DNS_FLAG_QR | DNS_FLAG_OPCODE)) != DNS_FLAG_QR
		|| get_u16(reply + 4) != 1)
		return false;
	const uint8_t *echoed = reply + DNS_HEADER_LEN;
	if (exact_case)
		return memcmp(echoed, question, question_len) == 0;
	// Type and class are numbers: 65 (HTTPS) and 97 must not be taken for letters.
	size_t name_len = question_len - TYPE_CLASS_LEN;
	return bytes_equal_nocase(echoed, question, name_len)
	       && memcmp(echoed + name_len, question + name_len, TYPE_CLASS_LEN) == 0;
}

unsigned dns_answer_addresses(
	const struct dns_answer *answer, uint16_t type, struct ip_address *out, unsigned max)
{
	const unsigned size = type == DNS_TYPE_A ? 4 : 16;
	struct rd r = rd_init(answer->bytes, answer->len);
	unsigned count = 0;

	if (answer->kind != DNS_ANSWER_POSITIVE)
		return 0;
	for (unsigned i = 0; i < answer->ancount && count < max; i++) {
		dns_name_skip(&r);
		uint16_t rtype = rd_u16(&r);
		rd_skip(&r, 6); // class and TTL
		uint16_t len = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, len);
		if (!data)
			break;
		if (rtype != type || len != size)
			continue;
		out[count] = (struct ip_address){
			.version = size == 4 ? 4 : 6, .prefix_len = (uint8_t)(size * 8)};
		memcpy(out[count++].bytes, data, size);
	}
	return count;
}

uint16_t dns_query_write(uint8_t *msg, size_t cap, uint16_t id, const uint8_t *question,
	uint16_t question_len, bool checking_disabled, bool dnssec_ok)
{
	struct wr w = wr_init(msg, cap < DNS_MESSAGE_MAX ? cap : DNS_MESSAGE_MAX);
	wr_u16(&w, id);
	wr_u16(&w, DNS_FLAG_RD | (checking_disabled ? DNS_FLAG_CD : 0));
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, 1);
	wr_bytes(&w, question, question_len);
	wr_u8(&w, 0);
	wr_u16(&w, DNS_TYPE_OPT);
	wr_u16(&w, DNS_EDNS_SIZE);
	wr_u32(&w, dnssec_ok ? DNS_EDNS_FLAG_DO : 0);
	wr_u16(&w, 0);
	return wr_ok(&w) ? (uint16_t)w.pos : 0;
}
