// SPDX-License-Identifier: BSD-3-Clause

#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/dns_reply.h>

// The golden ratio of 2^32. Any arithmetic sequence of multiples falls evenly into equal parts
// (Knuth, The Art of Computer Programming 6.4), so each address comes first as often, though a
// client asks for A and AAAA in turn.
#define GOLDEN 0x9e3779b9u

enum { FIXED = 12, TTL_AT = 6, RDLENGTH_AT = 10, ADDRESS_MOST = FIXED + 16 };

struct cursor {
	uint8_t *msg;
	size_t len, at;
};

// Bytes of the record here; 0: it is not one whose owner is a pointer, or not whole.
static size_t record_len(const struct cursor *c)
{
	const uint8_t *p = c->msg + c->at;
	if (c->len - c->at < FIXED || p[0] < 0xc0)
		return 0;
	size_t len = FIXED + (size_t)get_u16(p + RDLENGTH_AT);
	return len <= c->len - c->at ? len : 0;
}

static bool is_address(const uint8_t *p)
{
	unsigned type = get_u16(p + 2), len = get_u16(p + RDLENGTH_AT);
	return (type == DNS_TYPE_A && len == 4) || (type == DNS_TYPE_AAAA && len == 16);
}

// Have both records one owner, type, class and length?
static bool is_beside(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, TTL_AT) == 0
	       && memcmp(a + RDLENGTH_AT, b + RDLENGTH_AT, FIXED - RDLENGTH_AT) == 0;
}

static void turn_round(uint8_t *first, size_t size, size_t count)
{
	uint8_t kept[ADDRESS_MOST];
	for (size_t i = 0, j = count; i + 1 < j; i++) {
		j--;
		memcpy(kept, first + i * size, size);
		memcpy(first + i * size, first + j * size, size);
		memcpy(first + j * size, kept, size);
	}
}

// Three reversals, which need no room for half of the set (Gries, Mills 1981).
static void set_rotate(uint8_t *first, size_t size, size_t count, size_t by)
{
	turn_round(first, size, by);
	turn_round(first + by * size, size, count - by);
	turn_round(first, size, count);
}

void dns_rotate(uint8_t *msg, size_t len, size_t records, uint32_t turn)
{
	struct cursor c = {.msg = msg, .len = len, .at = records};
	if (len < DNS_HEADER_LEN || records > len)
		return;
	unsigned left = get_u16(msg + 6);
	while (left > 1) {
		size_t size = record_len(&c);
		if (size == 0)
			return;
		uint8_t *first = msg + c.at;
		size_t count = 1;
		c.at += size;
		left--;
		if (!is_address(first))
			continue;
		while (left && record_len(&c) == size && is_beside(first, msg + c.at)) {
			c.at += size;
			left--;
			count++;
		}
		const size_t by = ((uint64_t)(turn * GOLDEN) * count) >> 32;
		if (by)
			set_rotate(first, size, count, by);
	}
}
