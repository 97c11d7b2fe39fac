// SPDX-License-Identifier: BSD-3-Clause

// The question as it goes to an upstream and as it must come back.

#include <weir/ascii.h>
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
