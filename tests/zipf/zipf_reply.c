// SPDX-License-Identifier: BSD-3-Clause
#include "zipf_reply.h"

#include "zipf_names.h"

#include <string.h>
#include <weir/bytes.h>

enum {
	HEADER = 12,
	RECORD = 10, // of a record's bytes between name and data
	TYPE_OPT = 41,
	OPTION_EDE = 15,
	EDE_STALE = 3,
	EDE_STALE_NX = 19,
};

struct record {
	const uint8_t *data;
	uint32_t ttl_s;
	uint16_t type, class, len;
};

static bool name_skip(const uint8_t *m, size_t len, size_t *at)
{
	while (*at < len && m[*at] != 0) {
		if (m[*at] >= 0xc0) {
			*at += 2;
			return *at <= len;
		}
		*at += 1u + m[*at];
	}
	*at += 1;
	return *at <= len;
}

static bool record_read(const uint8_t *m, size_t len, size_t *at, struct record *out)
{
	if (!name_skip(m, len, at) || *at + RECORD > len)
		return false;
	const uint8_t *p = m + *at;
	*out = (struct record){
		p + RECORD, get_u32(p + 4), get_u16(p), get_u16(p + 2), get_u16(p + 8)};
	*at += RECORD + (size_t)out->len;
	return *at <= len;
}

static bool says_stale(const struct record *opt)
{
	for (size_t at = 0; at + 4 <= opt->len;) {
		uint16_t code = get_u16(opt->data + at), size = get_u16(opt->data + at + 2);
		if (at + 4 + size > opt->len)
			return false;
		if (code == OPTION_EDE && size >= 2) {
			uint16_t info = get_u16(opt->data + at + 4);
			if (info == EDE_STALE || info == EDE_STALE_NX)
				return true;
		}
		at += 4u + size;
	}
	return false;
}

enum zipf_verdict zipf_reply_read(const uint8_t *message, size_t len, const uint8_t *question,
	size_t question_len, struct zipf_reply *out)
{
	struct record r;
	size_t at = question_len;

	if (len < question_len || !(message[2] & 0x80) || get_u16(message + 4) != 1
		|| memcmp(message + HEADER, question + HEADER, question_len - HEADER) != 0)
		return ZIPF_WRONG;
	unsigned rcode = message[3] & 15, answers = get_u16(message + 6);
	unsigned others = get_u16(message + 8) + get_u16(message + 10);
	if (rcode == 2 && answers == 0)
		return ZIPF_SERVFAIL;
	if (rcode != 0 || answers != 1 || !record_read(message, len, &at, &r))
		return ZIPF_WRONG;
	if (r.type != ZIPF_TYPE || r.class != 1 || r.len != ZIPF_RDATA
		|| get_u32(r.data) != ZIPF_PREFIX)
		return ZIPF_WRONG;
	*out = (struct zipf_reply){.number = get_u32(r.data + 4),
		.serial = get_u32(r.data + 8),
		.born_ms = get_u32(r.data + 12),
		.ttl_s = r.ttl_s};
	while (others--) {
		if (!record_read(message, len, &at, &r))
			return ZIPF_WRONG;
		out->stale |= r.type == TYPE_OPT && says_stale(&r);
	}
	return at == len ? ZIPF_ANSWER : ZIPF_WRONG;
}
